"""The regular majority of COCO annotations: decoded by columns, without a Python object each.

Regular means: the seven usual keys and no other, in the file's usual order, polygons, whole ids of
at most 16 digits, and every number of area, box and rings written with a point and no exponent.
Whatever is not goes the careful way; both give the same rows for the same text. The text is JSON
already: splitting the document has checked it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import TABLES
from labelstore_converters.coco.annotation_rows import covering_columns
from labelstore_converters.coco.columns import batch
from labelstore_converters.coco.numerals import WORD, floats, integers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore_converters.coco.lookup import Lookup, Unlisted

    Rows = NDArray[np.bool_]
    Ints = NDArray[np.int64]

WHOLE = ("id", "image_id", "category_id", "iscrowd")
KEYS = frozenset({*WHOLE, "bbox", "area", "segmentation"})
BLANKS = b" \t\r\n"
SKELETON_DROPS = b"0123456789.,-[]" + BLANKS
MARKS = bytes(byte in b",:[]{}" for byte in range(256))
"""For each byte whether a number or a key can end before it."""
COMMA, COLON, OPEN, CLOSE, BRACE, QUOTE = b',:[]{"'
LISTED = {"bbox": 4, "segmentation": 0}
"""Keys of lists, with how many numbers they hold; 0 for any number of rings."""
SMALLEST = 16
"""Annotations that are no longer divided to find the one that is built unlike the others."""


@dataclass
class Regular:
    """Decoded annotations of a chunk.

    Attributes:
        at: shape (m,), places in the chunk, rising.
        whole: shape (m,) for each key of a whole number.
        area: shape (m,).
        box: shape (m, 4).
        rings: shape (m,), how many rings each has.
        numbers: shape (all rings,), how many numbers each ring has.
        points: shape (all numbers,), those of all rings.
    """

    at: Ints
    whole: dict[str, Ints]
    area: NDArray[np.float64]
    box: NDArray[np.float64]
    rings: Ints
    numbers: Ints
    points: NDArray[np.float64]

    def batches(
        self, seq: int, images: Lookup, categories: Lookup, unlisted: tuple[Unlisted, Unlisted]
    ) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Return annotations and geometries of the regular ones.

        Args:
            seq: place in the file of the chunk's first annotation.
            images: local numbers of the images.
            categories: local numbers of the classes.
            unlisted: collects ids that the file does not list.
        """
        count, box = len(self.area), self.box
        seqs = self.at + seq
        keys = {
            "layer": pa.repeat("", count),
            "item_id": _numbers(self.whole["image_id"], images, unlisted[0]),
            "annotation_id": seqs,
        }
        annotations = {
            **keys,
            **covering_columns(np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1)),
            "category_id": _numbers(self.whole["category_id"], categories, unlisted[1]),
            "kind": pc.if_else(pa.array(self.rings > 0), "polygon", "box"),
            "is_crowd": self.whole["iscrowd"].astype(bool),
            "seq": seqs,
            "source_id": self.whole["id"],
        }
        geometries = {
            **keys,
            "box": pa.StructArray.from_arrays(
                [pa.array(np.ascontiguousarray(box[:, i])) for i in range(4)],
                fields=list(TABLES["geometries"].schema.field("box").type),
            ),
            "box_form": pa.repeat("xywh", count),
            "polygons": self._polygons(),
            "area": self.area,
        }
        shapes = batch(TABLES["geometries"], geometries)
        return batch(TABLES["annotations"], annotations), shapes

    def chosen(self, rows: Rows) -> Regular:
        """Return some of the annotations."""
        if rows.all():
            return self
        rings = np.repeat(rows, self.rings)
        points = np.repeat(rings, self.numbers)
        whole = {key: values[rows] for key, values in self.whole.items()}
        return Regular(
            self.at[rows], whole, self.area[rows], self.box[rows], self.rings[rows],
            self.numbers[rings], self.points[points],
        )  # fmt: skip

    def _polygons(self) -> pa.Array:
        """Return rings of interleaved x, y as nested lists, without a copy per ring."""
        kind = TABLES["geometries"].schema.field("polygons").type
        points = pa.array(self.points)
        inner = pa.ListArray.from_arrays(_offsets(self.numbers), points, type=kind.value_type)
        return pa.ListArray.from_arrays(_offsets(self.rings), inner, type=kind)


def decode(raws: Sequence[msgspec.Raw], key_order: Sequence[str]) -> list[Regular]:
    """Return the regular annotations of a chunk, in one piece or in several.

    Args:
        raws: JSON text of each annotation.
        key_order: usual order of the keys in this file.
    """
    if frozenset(key_order) != KEYS:
        return []
    rows = _flat(raws)
    rows[rows] = _worded([raws[i] for i in np.flatnonzero(rows).tolist()], key_order)
    return list(_decoded(raws, np.flatnonzero(rows), key_order)) if rows.any() else []


def _decoded(raws: Sequence[msgspec.Raw], at: Ints, key_order: Sequence[str]) -> Iterator[Regular]:
    """Yield what is regular, dividing annotations of which some are built unlike the others."""
    text = _Text([raws[i] for i in at.tolist()], key_order)
    if text.is_usual():
        found = text.regular(at)
        if len(found.at):
            yield found
    elif len(at) > SMALLEST:
        yield from _decoded(raws, at[: len(at) // 2], key_order)
        yield from _decoded(raws, at[len(at) // 2 :], key_order)


def _flat(raws: Sequence[msgspec.Raw]) -> Rows:
    """Return which annotations hold no object, such as a mask."""
    ends = np.cumsum(np.fromiter(map(len, raws), np.int64, len(raws)))
    braces = np.flatnonzero(np.frombuffer(b"".join(raws), np.uint8) == BRACE)
    flat: Rows = np.diff(np.searchsorted(braces, ends), prepend=0) == 1
    return flat


def _worded(raws: Sequence[msgspec.Raw], key_order: Sequence[str]) -> Rows:
    """Return which annotations have the keys in order and no word besides."""
    skeleton = ("{" + "".join(f'"{key}":' for key in key_order) + "}").encode()
    if b"".join(raws).translate(None, SKELETON_DROPS) == skeleton * len(raws):
        return np.ones(len(raws), bool)
    texts = (bytes(raw).translate(None, SKELETON_DROPS) for raw in raws)
    return np.fromiter((text == skeleton for text in texts), bool, len(raws))


class _Text:
    """The text of annotations that have the keys in order and no word besides, taken apart.

    A *mark* is a byte of `,:[]{}`; a number ends at a mark and begins after the one before. A
    *joint* is a mark that is no comma. Without the brackets of rings every annotation has the same
    thirteen joints, so they make a table, and how many marks lie between two of them says how
    many numbers do.
    """

    def __init__(self, raws: Sequence[msgspec.Raw], key_order: Sequence[str]) -> None:
        self._keys = list(key_order)
        spaced = b",".join(raws)
        has_blanks = any(blank in spaced for blank in BLANKS)
        dense = spaced.translate(None, BLANKS) if has_blanks else spaced
        self._spaced, text = spaced, b" " * WORD + dense
        self._text = np.frombuffer(text, np.uint8)
        self._marks = np.flatnonzero(np.frombuffer(text.translate(MARKS), bool))
        kinds = self._text[self._marks]
        joints = np.flatnonzero(kinds != COMMA)
        kinds = kinds[joints]
        opens, closes = kinds == OPEN, kinds == CLOSE
        brackets = opens | closes
        opens[1:] &= brackets[:-1]  # the bracket of a ring stands beside another bracket
        closes[:-1] &= brackets[1:]
        self._begins, self._ends = np.flatnonzero(opens), np.flatnonzero(closes)
        self._rest = np.flatnonzero(~(opens | closes))
        self._kinds, self._joints = kinds, joints

    def is_usual(self) -> bool:
        """Say whether all annotations are built alike: plain numbers, a box, a list of lists."""
        pattern, gaps = self._pattern()
        count, odd = divmod(len(self._rest), len(pattern))
        if odd or bytes(self._kinds[self._rest]) != pattern * count:
            return False
        if len(self._begins) != len(self._ends) or (self._ends - self._begins != 1).any():
            return False
        self._table = self._rest.reshape(count, -1)
        self._places = self._joints[self._table]  # shape (n, 13), among the marks
        self._column = {
            key: 1 + i + 2 * sum(before in LISTED for before in self._keys[:i])
            for i, key in enumerate(self._keys)
        }
        between = np.diff(self._places, axis=1)
        usual = (gaps == 0) | (between == gaps)
        return bool(usual.all()) and self._keys_are_exact() and self._rings_are_lists()

    def _pattern(self) -> tuple[bytes, Ints]:
        """Return the joints of an annotation, and how many marks on the next is; 0 for any."""
        pattern, gaps = b"{", [1]
        for key in self._keys:
            pattern += b":[]" if key in LISTED else b":"
            gaps += [1, LISTED[key], 2] if key in LISTED else [2]
        gaps[-1] -= 1  # no comma after the last
        return pattern + b"}", np.array(gaps)

    def _keys_are_exact(self) -> bool:
        """Say whether all keys have the right length: then they are the right keys.

        Their words are known to be right but for digits and blanks that may stand in them.
        """
        quotes = np.flatnonzero(np.frombuffer(self._spaced, np.uint8) == QUOTE)
        lengths = np.diff(quotes.reshape(-1, 2), axis=1).reshape(-1, len(self._keys)) - 1
        return bool((lengths == [len(key) for key in self._keys]).all())

    def _rings_are_lists(self) -> bool:
        """Say whether nothing but rings stands in `segmentation`, and count them."""
        column = self._column["segmentation"] + 1
        self._rings = (np.diff(self._table[:, column : column + 2], axis=1)[:, 0] - 1) // 2
        self._first = self._joints[self._begins]
        self._sizes = self._joints[self._ends] - self._first
        self._sizes[self._marks[self._first + 1] - self._marks[self._first] == 1] = 0  # is empty
        whole = np.diff(self._places[:, column : column + 2], axis=1)[:, 0]
        owner = np.repeat(np.arange(len(whole)), self._rings)
        if len(owner) != len(self._begins):
            return False
        used = np.bincount(owner, self._joints[self._ends] - self._first, len(whole))
        empty = self._rings == 0
        blank = (
            self._marks[self._places[:, column + 1]] - self._marks[self._places[:, column]] == 1
        )
        return bool(
            (whole == np.where(empty, 1, used + 2 * self._rings)).all() and blank[empty].all()
        )

    def regular(self, at: Ints) -> Regular:
        """Return the annotations whose numbers are as they should be."""
        whole = {key: integers(self._text, *self._after(self._column[key])) for key in WHOLE}
        area = floats(self._text, *self._after(self._column["area"]))
        corners = self._places[:, self._column["bbox"] + 1, None] + np.arange(4)
        box = floats(self._text, *self._tokens(corners.reshape(-1))).reshape(-1, 4)
        starts = np.repeat(self._first - np.cumsum(self._sizes) + self._sizes, self._sizes)
        points = floats(self._text, *self._tokens(starts + np.arange(len(starts))))
        found = Regular(at, whole, area, box, self._rings, self._sizes, points)
        return found.chosen(self._good(found))

    def _after(self, column: int) -> tuple[Ints, Ints]:
        return self._tokens(self._places[:, column])

    def _tokens(self, marks: Ints) -> tuple[Ints, Ints]:
        """Return where the numbers after these marks end, and their lengths."""
        ends = self._marks[marks + 1]
        return ends, ends - self._marks[marks] - 1

    def _good(self, found: Regular) -> Rows:
        """Return which have whole numbers as ids, a flag, and a point in every other number."""
        good = (np.stack(list(found.whole.values())) >= 0).all(axis=0)
        good &= found.whole["iscrowd"] <= 1
        good &= ~np.isnan(found.area) & ~np.isnan(found.box).any(axis=1)
        bare = np.flatnonzero(np.isnan(found.points))
        if len(bare):
            rings = np.searchsorted(np.cumsum(found.numbers), bare, side="right")
            good[np.searchsorted(np.cumsum(found.rings), rings, side="right")] = False
        return good


def _numbers(ids: Ints, lookup: Lookup, unlisted: Unlisted) -> Ints:
    numbers = lookup.many(ids)
    for i in np.flatnonzero(numbers < 0).tolist():
        numbers[i] = unlisted.number(int(ids[i]))
    return numbers


def _offsets(sizes: Ints) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
