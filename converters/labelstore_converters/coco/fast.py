"""The regular majority of COCO annotations: decoded by columns, without a Python object each.

Regular means: the seven usual keys and no other, in the file's usual order, polygons, whole ids
below 2^53, and every number of area, box and rings written with a point and no exponent. Whatever
is not goes the careful way; both give the same rows for the same text. The text is JSON already:
splitting the document has checked it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import TABLES
from labelstore_converters.coco.annotation_rows import covering_columns
from labelstore_converters.coco.regular_text import (
    KEYS,
    NUMBERS_AND_BLANKS,
    WHOLE,
    RegularText,
    skeleton,
)
from labelstore_converters.columns import batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore_converters.coco.lookup import Lookup, Unlisted

    Rows = NDArray[np.bool_]
    Ints = NDArray[np.int64]

NO_WORD = b".,[]" + NUMBERS_AND_BLANKS
BRACE = ord("{")
SMALLEST = 16
"""Annotations that are no longer divided to find the one that is built unlike the others."""


@dataclass
class Regular:
    """Decoded annotations of a chunk.

    Attributes:
        at: shape (m,), places in the chunk, rising; in the file after `in_file`.
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
        self, images: Lookup, categories: Lookup, unlisted: tuple[Unlisted, Unlisted]
    ) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Return annotations and geometries of those whose places in the file are known.

        Args:
            images: local numbers of the images.
            categories: local numbers of the classes.
            unlisted: collects ids that the file does not list.
        """
        count, box, seqs = len(self.area), self.box, self.at
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

    def in_file(self, seqs: Ints) -> Regular:
        """Return the same annotations with their places in the file.

        Args:
            seqs: shape (c,), place in the file of each annotation of the chunk.
        """
        return replace(self, at=seqs[self.at])

    def good(self) -> Rows:
        """Return which have usable whole numbers as ids, and a flag."""
        good: Rows = np.stack(list(self.whole.values())).min(axis=0) >= 0
        good &= self.whole["iscrowd"] <= 1
        return good

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


def joined(pieces: Sequence[Regular]) -> Regular:
    """Return annotations of several chunks, whose places in the file are known."""
    whole = {key: np.concatenate([p.whole[key] for p in pieces]) for key in WHOLE}
    others = [f.name for f in fields(Regular) if f.name != "whole"]
    arrays = {name: np.concatenate([getattr(p, name) for p in pieces]) for name in others}
    return Regular(whole=whole, **arrays)


def decode(raws: Sequence[memoryview], key_order: Sequence[str]) -> list[Regular]:
    """Return the regular annotations of a chunk, in one piece or in several.

    Args:
        raws: JSON text of each annotation.
        key_order: usual order of the keys in this file.
    """
    if frozenset(key_order) != KEYS:
        return []
    return list(_decoded(raws, np.flatnonzero(_flat(raws)), key_order))


def _flat(raws: Sequence[memoryview]) -> Rows:
    """Return which annotations hold no object, such as a mask."""
    ends = np.cumsum(np.fromiter(map(len, raws), np.int64, len(raws)))
    braces = np.flatnonzero(np.frombuffer(b"".join(raws), np.uint8) == BRACE)
    flat: Rows = np.diff(np.searchsorted(braces, ends), prepend=0) == 1
    return flat


def _worded(raws: Sequence[memoryview], at: Ints, keys: Sequence[str]) -> Ints:
    """Return which annotations have the keys in order and no word besides."""
    outlines = (bytes(raws[i]).translate(None, NO_WORD) for i in at.tolist())
    wanted = skeleton(keys)
    kept: Ints = at[np.fromiter((outline == wanted for outline in outlines), bool, len(at))]
    return kept


def _decoded(raws: Sequence[memoryview], at: Ints, key_order: Sequence[str]) -> Iterator[Regular]:
    """Yield what is regular, dividing annotations where the joints do not tell which are."""
    if not len(at):
        return
    text = RegularText(b",".join([raws[i] for i in at.tolist()]), key_order)
    if not text.is_worded(len(at)):
        yield from _decoded(raws, _worded(raws, at, key_order), key_order)
        return
    usual = text.usual()
    values = text.values() if usual is not None and usual.all() else None
    if values is not None:
        found = Regular(at, **values)
        found = found.chosen(found.good())
        if len(found.at):
            yield found
    elif usual is not None and not usual.all():
        yield from _decoded(raws, at[usual], key_order)
    elif len(at) > SMALLEST:
        yield from _decoded(raws, at[: len(at) // 2], key_order)
        yield from _decoded(raws, at[len(at) // 2 :], key_order)


def _numbers(ids: Ints, lookup: Lookup, unlisted: Unlisted) -> Ints:
    numbers = lookup.many(ids)
    for i in np.flatnonzero(numbers < 0).tolist():
        numbers[i] = unlisted.number(int(ids[i]))
    return numbers


def _offsets(sizes: Ints) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
