"""Reading a COCO file piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.errors import FormatError
from labelstore.plugins import Piece, Reading
from labelstore_converters.coco import fast
from labelstore_converters.coco.annotation_rows import AnnotationRows
from labelstore_converters.coco.document import WORDS, Document
from labelstore_converters.coco.leftovers import in_order
from labelstore_converters.coco.listed import category_rows, image_rows
from labelstore_converters.coco.lookup import UNHASHABLE, Lookup, Unlisted
from labelstore_converters.coco.owners import owners
from labelstore_converters.coco.video import Videos
from labelstore_converters.columns import json_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECE = 32_000
"""Annotations a piece."""
CHUNK = 2_000
"""Annotations parsed at a time: beyond a few thousand parsing slows by a third."""
ORDER_SAMPLE = 64
IN_MEMORY = 2 << 30
"""Bytes of a file that is taken to stay in memory, so that labels are read in any order."""


class CocoReading(Reading):
    """A COCO file, opened; see `labelstore.plugins.Reading`."""

    bare = False
    """Whether the file is a list of annotations and nothing else."""

    def __init__(self, path: Path, *, skip: bool = False) -> None:
        self._skip = skip
        self._document = Document(path, bare=self.bare)
        self._images = self._objects("images")
        self._categories = self._objects("categories")
        self._annotations = self._document.lists["annotations"]
        self.pieces = -(-len(self._annotations) // PIECE)
        self._image_numbers = Lookup([i.get("id") for i in self._images])
        self._category_numbers = Lookup([c.get("id") for c in self._categories])
        self._videos = Videos(self._document.others, self._images, self._annotations)
        self._own_order = _usual_order(self._sample())
        self._key_orders = {
            "images": _usual_order(self._images),
            "categories": _usual_order(self._categories),
            "annotations": self._own_order,
            **{key: _usual_order(objects) for key, objects in self._videos.lists.items()},
        }
        self.notices = self._notices()

    def follow(self, leftovers: Mapping[str, Any], *, keep_order: bool) -> Reading:
        """Take the order of keys from an earlier delivery, with further keys in their places."""
        for name, earlier in leftovers.get("key_orders", {}).items():
            own = self._key_orders.get(name, [])
            if keep_order or in_order([k for k in own if k in earlier], earlier):
                self._key_orders[name] = _joined(earlier, own)
        return self

    @property
    def dataset(self) -> dict[str, Any]:
        """Return the fields of the `datasets` row."""
        others = {k: v for k, v in self._document.others.items() if k not in self._videos.keys}
        kept: dict[str, Any] = {"top": self._document.keys, "key_orders": self._key_orders}
        if self._videos:
            kept["video"] = self._videos.words
        info = others.pop("info", None) if "info" in others else None
        licenses = others.pop("licenses", None) if "licenses" in others else None
        kept["keys"] = others
        present = self._document.others
        return {
            "info": json_text(info) if "info" in present else None,
            "licenses": json_text(licenses) if "licenses" in present else None,
            "files": [self._document.source()],
            "leftovers": json_text(kept),
        }

    def items(self) -> pa.Table:
        """Return the images, and then the videos of which they are frames."""
        place = self._videos.place if self._videos else None
        images = image_rows(self._images, self._key_orders["images"], place=place)
        if not self._videos:
            return images
        return pa.concat_tables([images, self._videos.rows(self._key_orders["videos"])])

    def categories(self) -> pa.Table:
        """Return the classes."""
        return category_rows(self._categories, self._key_orders["categories"])

    def tracks(self) -> pa.Table | None:
        """Return the tracks."""
        order = self._key_orders.get("tracks", [])
        return self._videos.track_rows(self._category_numbers, order) if self._videos else None

    def annotations(self, piece: int) -> Piece:
        """Return one piece of the annotations."""
        begin, count = piece * PIECE, len(self._annotations)
        return self.chosen(np.arange(begin, min(begin + PIECE, count)))

    def owners(self) -> NDArray[np.int64] | None:
        """Return the image of each annotation, where all say so in the usual way."""
        if self._skip or self._videos or len(self._document.text) > IN_MEMORY:
            return None
        return owners(self._annotations, self._image_numbers, self._category_numbers)

    def chosen(self, places: NDArray[np.int64]) -> Piece:
        """Return the annotations at some places: the regular ones first, then the others."""
        unlisted = Unlisted(), Unlisted()
        order = self._key_orders["annotations"]
        careful = AnnotationRows(order, self._videos.words["track"])
        pairs = []
        regulars = list(self._regulars(places, careful, unlisted))
        if regulars:
            numbers = self._image_numbers, self._category_numbers
            pairs.append(fast.joined(regulars).batches(*numbers, unlisted))
        if len(careful) or not pairs:
            pairs.append(careful.batches())
        tables = [
            pa.concat_tables(
                [pa.Table.from_batches([pair[i]]) for pair in pairs], promote_options="default"
            )
            for i in (0, 1)
        ]
        return Piece(tables[0], tables[1], unlisted[0].keys, unlisted[1].keys, careful.notices)

    def _regulars(
        self,
        places: NDArray[np.int64],
        careful: AnnotationRows,
        unlisted: tuple[Unlisted, Unlisted],
    ) -> Iterator[fast.Regular]:
        """Yield the regular ones of each chunk, and let the others go the careful way."""
        for begin in range(0, len(places), CHUNK):
            seqs = places[begin : begin + CHUNK]
            chunk = self._annotations.at(seqs)
            rest = np.arange(len(chunk))
            for regular in fast.decode(chunk, self._own_order):
                rest = np.setdiff1d(rest, regular.at, assume_unique=True)
                yield regular.in_file(seqs)
            self._careful(careful, [chunk[i] for i in rest.tolist()], seqs[rest], unlisted)

    def _careful(
        self,
        rows: AnnotationRows,
        raws: list[memoryview],
        seqs: NDArray[np.int64],
        unlisted: tuple[Unlisted, Unlisted],
    ) -> None:
        faults = []
        for raw, seq in zip(raws, seqs.tolist(), strict=True):
            found = self._document.parse(raw, Any, f"annotations[{seq}]")
            fault = _annotation_fault(found)
            if fault and self._skip:
                rows.notices["labels-skipped"] = rows.notices.get("labels-skipped", 0) + 1
                continue
            if fault:
                faults.append(f"annotations[{seq}]{fault}")
                continue
            image, category = found["image_id"], found.get("category_id")
            item = self._image_numbers.one(image)
            item = item if item >= 0 else unlisted[0].number(image)
            known = self._category(category, unlisted[1])
            track = self._videos.track(found, item) if self._videos else None
            if track is None and self._videos.is_of_track(found):
                rows.notice("coco-track-unlisted")
            rows.add(found, seq=seq, item=item, category=known, track=track)
        if faults:
            raise FormatError(str(self._document.path), faults, code="coco-annotation")

    def _category(self, value: Any, unlisted: Unlisted) -> int | None:
        if value is None or isinstance(value, UNHASHABLE):
            return None
        known = self._category_numbers.one(value)
        return known if known >= 0 else unlisted.number(value)

    def _objects(self, key: str) -> list[dict[str, Any]]:
        """Return the parsed objects of a list.

        Raises:
            FormatError: members are no objects, or have no usable id.
        """
        found: list[Any] = self._document.parse(self._document.lists[key].listed(), list[Any], key)
        faults = []
        for i, value in enumerate(found):
            if not isinstance(value, dict):
                faults.append(f"{key}[{i}]: must be an object, is {_word(value)}")
            elif "id" not in value or isinstance(value["id"], UNHASHABLE):
                faults.append(f"{key}[{i}], id: missing or no plain value")
        if faults:
            raise FormatError(str(self._document.path), faults, code=f"coco-{key}")
        return found

    def _sample(self) -> list[dict[str, Any]]:
        count = min(ORDER_SAMPLE, len(self._annotations))
        parsed = [
            self._document.parse(raw, Any, f"annotations[{i}]")
            for i, raw in enumerate(self._annotations.at(np.arange(count)))
        ]
        return [p for p in parsed if isinstance(p, dict)]

    def _notices(self) -> dict[str, int]:
        repeated = {
            "coco-duplicate-image-id": _repeats(self._images),
            "coco-duplicate-category-id": _repeats(self._categories),
            "coco-video-unlisted": self._videos.strays,
        }
        return {code: count for code, count in repeated.items() if count}


def _annotation_fault(found: Any) -> str | None:
    if not isinstance(found, dict):
        return f": must be an object, is {_word(found)}"
    if "image_id" not in found:
        if "segments_info" in found:
            return ", segments_info: this is a panoptic file; read it as `coco-panoptic`"
        if "video_id" in found:
            return ", image_id: missing; labels of whole videos, as YouTube-VIS has, are not read"
        return ", image_id: missing"
    if isinstance(found["image_id"], UNHASHABLE):
        return f", image_id: must be a plain value, is {_word(found['image_id'])}"
    if isinstance(found.get("id"), UNHASHABLE):
        return f", id: must be a plain value, is {_word(found['id'])}"
    return None


def _repeats(objects: list[dict[str, Any]]) -> int:
    return len(objects) - len({json_text(o["id"]) for o in objects})


def _usual_order(objects: list[dict[str, Any]]) -> list[str]:
    """Return the longest order of keys among the first objects."""
    orders = [list(o) for o in objects[:ORDER_SAMPLE]]
    return max(orders, key=len, default=[])


def _joined(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Return the first order with what only the second has, each after the key before it there."""
    joined = list(first)
    at = 0
    for key in second:
        if key not in joined:
            joined.insert(at, key)
        at = joined.index(key) + 1
    return joined


def _word(value: Any) -> str:
    return WORDS.get(type(value), "a number")
