"""Rows of `annotations` and `geometries` as JSON text, a column at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore_converters.coco.annotation_objects import box_numbers, key_order
from labelstore_converters.coco.annotation_rows import RLE_ORDER
from labelstore_converters.coco.gaps import Gaps
from labelstore_converters.coco.names import Names
from labelstore_converters.coco.number_texts import Member, member_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

BESIDE = ("leftovers", "source_key", "attributes")
"""Columns of annotations that are written object by object."""


class AnnotationTexts:
    """JSON text of annotations that have nothing but numbers and compressed masks.

    Args:
        gaps: the style of the document.
        depth: of the annotations in it.
        names: the source's ids.
        order: usual order of the keys in the source, or None.
        ascii_only: whether other letters are escaped.
    """

    def __init__(
        self, gaps: Gaps, depth: int, names: Names, order: Sequence[str] | None, *,
        ascii_only: bool,
    ) -> None:  # fmt: skip
        self._gaps, self._depth, self._order = gaps, depth, order
        self._track_key = names.words["track"]
        self._images, self._classes, self._tracks = map(
            _lookup, names.as_json(ascii_only=ascii_only)
        )

    def of(self, annotations: pa.RecordBatch, geometries: pa.RecordBatch) -> pa.StringArray:
        """Return the text of each annotation; null where it is to be written as an object."""
        values = {
            "id": annotations.column("source_id").cast(pa.string()),
            "image_id": _found(self._images, annotations.column("item_id")),
            "category_id": _found(self._classes, annotations.column("category_id")),
            self._track_key: _found(self._tracks, annotations.column("track_id")),
            "num_keypoints": geometries.column("num_keypoints").cast(pa.string()),
            "iscrowd": annotations.column("is_crowd").cast(pa.int8()).cast(pa.string()),
            **self._numbers(annotations, geometries),
        }
        size = len(annotations)
        names = [k for k in key_order(self._order, values) if values[k].null_count < size]
        if not names:
            return pa.nulls(size, pa.string())
        pairs = [_joined(f'"{name}"{self._gaps.colon}', values[name]) for name in names]
        text = self._wrapped("{", pairs, "}", self._depth)
        return pc.if_else(_plain(annotations, geometries), text, None)

    def _numbers(
        self, annotations: pa.RecordBatch, geometries: pa.RecordBatch
    ) -> dict[str, pa.StringArray]:
        """Return the texts of keys whose numbers may be integers or floats."""
        box, there = box_numbers(geometries)
        rings, points = geometries.column("polygons"), geometries.column("keypoints")
        inner = rings.flatten()
        sizes = _counts(inner)
        ring_counts = _counts(rings)
        owners = np.repeat(np.arange(len(rings)), ring_counts)
        ring_numbers = np.bincount(owners, sizes, len(rings)).astype(np.int64)
        members = [
            _single(geometries.column("area")),
            _single(annotations.column("score")),
            Member(4 * there.astype(np.int64), box[there].ravel()),
            Member(ring_numbers, np.asarray(inner.flatten())),
            Member(*_values(points, _paired(geometries))),
        ]
        area, score, sides, outlines, xy = member_texts(
            members, annotations.column("number_style")
        )
        depth = self._depth + 1
        ring_texts = self._list(outlines, sizes, depth + 1)
        polygons = self._list(ring_texts, ring_counts, depth, rings.is_valid())
        masks = self._masks(geometries.column("mask"), depth)
        return {
            "area": _spread(area, geometries.column("area")),
            "score": _spread(score, annotations.column("score")),
            "bbox": self._list(sides, members[2].counts, depth, pa.array(there)),
            "segmentation": pc.coalesce(masks, polygons),
            "keypoints": self._keypoints(xy, geometries, depth),
        }

    def _keypoints(
        self, xy: pa.StringArray, geometries: pa.RecordBatch, depth: int
    ) -> pa.StringArray:
        """Return x, y and visibility of the points of each row that has all of them."""
        paired = _paired(geometries)
        counts, marks = _values(geometries.column("visibility"), paired)
        places = np.empty((len(marks), 3), np.int64)
        places[:, :2] = np.arange(len(xy)).reshape(-1, 2)
        places[:, 2] = len(xy) + np.arange(len(marks))
        words = pa.array(marks).cast(pa.string())
        texts = pa.concat_arrays([xy, words]).take(pa.array(places.ravel()))
        return self._list(texts, counts * 3, depth, pa.array(paired))

    def _masks(self, masks: pa.StructArray, depth: int) -> pa.StringArray:
        """Return compressed masks; null where there is none, or one of another encoding."""
        own = _compressed(masks)
        if not pc.any(own).as_py():
            return pa.nulls(len(masks), pa.string())
        runs = pc.if_else(own, pc.struct_field(masks, "counts"), None).cast(pa.string())
        runs = pc.replace_substring(runs, "\\", "\\\\")
        height, width = (pc.struct_field(masks, name).cast(pa.string()) for name in "hw")
        colon = self._gaps.colon
        values = {
            "counts": pc.binary_join_element_wise(f'"counts"{colon}"', runs, '"', ""),
            "size": _joined(f'"size"{colon}',
                            self._wrapped("[", [height, width], "]", depth + 1)),
        }  # fmt: skip
        text = self._wrapped("{", [values[key] for key in RLE_ORDER], "}", depth)
        return pc.if_else(own, text, None)

    def _list(
        self, texts: pa.StringArray, counts: Ints, depth: int, there: pa.Array | None = None
    ) -> pa.StringArray:
        """Return a JSON list of so many texts for each row; null where there is none."""
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
        lists = pa.ListArray.from_arrays(offsets, texts)
        found = self._bracketed(
            "[", pc.binary_join(lists, self._gaps.between(depth + 1)), "]", depth
        )
        return found if there is None else pc.if_else(there, found, None)

    def _wrapped(
        self, begin: str, members: Sequence[pa.StringArray], end: str, depth: int
    ) -> pa.StringArray:
        """Return the members of each row, without those that are null, in brackets."""
        gap = self._gaps.between(depth + 1)
        there = reduce(pc.or_, (member.is_valid() for member in members))
        members = [pc.if_else(there, members[0], ""), *members[1:]]  # Arrow drops rows of nulls
        inner = pc.binary_join_element_wise(*members, gap, null_handling="skip")
        return self._bracketed(begin, inner, end, depth)

    def _bracketed(self, begin: str, inner: pa.StringArray, end: str, depth: int) -> Any:
        edge, last = self._gaps.edge(depth + 1), self._gaps.edge(depth)
        found = pc.binary_join_element_wise(begin + edge, inner, last + end, "")
        return pc.if_else(pc.equal(inner, ""), begin + end, found)


def _plain(annotations: pa.RecordBatch, geometries: pa.RecordBatch) -> pa.BooleanArray:
    """Return which rows have nothing that is written object by object."""
    masks, points = geometries.column("mask"), geometries.column("keypoints")
    listed = pc.and_(masks.is_valid(), pc.invert(_compressed(masks)))
    both = pc.and_(masks.is_valid(), geometries.column("polygons").is_valid())
    odd = pc.and_(points.is_valid(), pa.array(~_paired(geometries)))
    found = pc.or_(pc.or_(listed, both), odd)
    for column in (*(annotations.column(n) for n in BESIDE), geometries.column("text")):
        found = pc.or_(found, column.is_valid())
    return pc.invert(found)


def _paired(geometries: pa.RecordBatch) -> NDArray[np.bool_]:
    """Return which rows have keypoints of two numbers, each with its visibility, shape (n,)."""
    marks = pc.multiply(pc.list_value_length(geometries.column("visibility")), 2)
    same = pc.equal(marks, pc.list_value_length(geometries.column("keypoints")))
    return np.asarray(same.fill_null(False))


def _values(lists: pa.ListArray, kept: NDArray[np.bool_]) -> tuple[Ints, Any]:
    """Return how many members each list has, and all of them; of those that are not kept, none."""
    counts = _counts(lists)
    members = np.asarray(lists.flatten())[np.repeat(kept, counts)]
    return np.where(kept, counts, 0), members


def _compressed(masks: pa.StructArray) -> pa.BooleanArray:
    """Return which masks are in COCO's compressed text, letters and all."""
    text = pc.match_substring_regex(pc.struct_field(masks, "counts"), "^[0-o]*$")
    own = pc.equal(pc.struct_field(masks, "encoding"), "coco_rle")
    return pc.and_(own, text).fill_null(False)


def _lookup(texts: Mapping[int, str]) -> tuple[pa.Array, pa.Array]:
    return pa.array(texts.keys(), pa.int64()), pa.array(texts.values(), pa.string())


def _found(lookup: tuple[pa.Array, pa.Array], ids: pa.Array) -> pa.StringArray:
    """Return the text of each id; null where it has none."""
    keys, texts = lookup
    return texts.take(pc.index_in(ids, value_set=keys))


def _single(column: pa.Array) -> Member:
    """Return a column of a number each, if any."""
    return Member(np.asarray(column.is_valid()).astype(np.int64), np.asarray(column.drop_null()))


def _spread(texts: pa.StringArray, column: pa.Array) -> pa.StringArray:
    """Return texts of the values that are there, null for the others."""
    if not column.null_count:
        return texts
    there = column.is_valid()
    places = pc.if_else(there, pa.array(np.cumsum(np.asarray(there)) - 1), None)
    return texts.take(places)


def _counts(lists: pa.Array) -> Ints:
    """Return how many members each list has; none where there is none."""
    found: Ints = np.asarray(pc.list_value_length(lists).fill_null(0)).astype(np.int64)
    return found


def _joined(before: str, texts: pa.StringArray) -> Any:
    return pc.binary_join_element_wise(before, texts, "")
