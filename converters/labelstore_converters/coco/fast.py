"""The regular majority of COCO annotations, decoded a chunk at a time.

Regular means: the seven usual keys and no other, in the file's usual order, polygons, and every
number of area, box and rings written with a point. Whatever is not goes the careful way; both give
the same rows for the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import TABLES
from labelstore_converters.coco.annotation_rows import covering_columns
from labelstore_converters.coco.columns import batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore_converters.coco.lookup import Lookup, Unlisted

SKELETON_DROPS = b"0123456789.,-[] \t\r\n"
LOWEST, HIGHEST = -(2**63), 2**63 - 1
KEYS = frozenset({"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"})


class _Mask(msgspec.Struct, gc=False):
    counts: msgspec.Raw


class _Annotation(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: int
    segmentation: list[list[float]] | _Mask


decode_one = msgspec.json.Decoder(_Annotation).decode


@dataclass
class Regular:
    """Decoded annotations of a chunk.

    Attributes:
        rows: shape (n,), which annotations of the chunk are regular.
        found: those, in order.
    """

    rows: NDArray[np.bool_]
    found: list[_Annotation]

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
        found, count = self.found, len(self.found)
        seqs = np.flatnonzero(self.rows) + seq
        items = _numbers(_ints(found, "image_id"), images, unlisted[0])
        classes = _numbers(_ints(found, "category_id"), categories, unlisted[1])
        box = np.fromiter(chain.from_iterable(map(attrgetter("bbox"), found)), float, 4 * count)
        box = box.reshape(count, 4)
        covering = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1)
        polygons = _polygons([a.segmentation for a in found])
        layer = pa.array([""] * count)
        keys = {"layer": layer, "item_id": items, "annotation_id": seqs}
        annotations = {
            **keys,
            **covering_columns(covering),
            "category_id": classes,
            "kind": _kinds(polygons),
            "is_crowd": _ints(found, "iscrowd").astype(bool),
            "seq": seqs,
            "source_id": _ints(found, "id"),
        }
        geometries = {
            **keys,
            "box": pa.StructArray.from_arrays(
                [pa.array(np.ascontiguousarray(box[:, i])) for i in range(4)],
                fields=list(TABLES["geometries"].schema.field("box").type),
            ),
            "box_form": ["xywh"] * count,
            "polygons": polygons,
            "area": np.fromiter(map(attrgetter("area"), found), float, count),
        }
        shapes = batch(TABLES["geometries"], geometries)
        return batch(TABLES["annotations"], annotations), shapes


def decode(raws: Sequence[msgspec.Raw], key_order: Sequence[str]) -> Regular | None:
    """Return the regular annotations of a chunk, or None where there are none.

    Args:
        raws: JSON text of each annotation.
        key_order: usual order of the keys in this file.
    """
    if frozenset(key_order) != KEYS:
        return None
    try:
        found = list(map(decode_one, raws))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    skeleton = "{" + "".join(f'"{key}":' for key in key_order) + "}"
    rows = np.fromiter(map(_fits, found), bool, len(found))
    regular = [raws[i] for i in np.flatnonzero(rows).tolist()]
    if not _are_plain(regular, [found[i] for i in np.flatnonzero(rows).tolist()], skeleton):
        for i in np.flatnonzero(rows).tolist():
            rows[i] = _are_plain([raws[i]], [found[i]], skeleton)
    return Regular(rows, [found[i] for i in np.flatnonzero(rows).tolist()])


def _fits(annotation: _Annotation) -> bool:
    """Say whether it has polygons and its integers fit their columns."""
    return (
        type(annotation.segmentation) is list
        and 0 <= annotation.iscrowd <= 1
        and LOWEST <= annotation.id <= HIGHEST
        and LOWEST <= annotation.image_id <= HIGHEST
        and LOWEST <= annotation.category_id <= HIGHEST
    )


def _are_plain(raws: Sequence[msgspec.Raw], found: Sequence[_Annotation], skeleton: str) -> bool:
    """Say whether all texts have the usual keys in order, and a point in every float.

    There is at most one point a number and none elsewhere, so the totals are equal only if each
    number has its own.
    """
    text = b"".join(raws)
    points = 5 * len(found) + sum(sum(map(len, _rings(a))) for a in found)
    if text.count(b".") != points:
        return False
    return text.translate(None, SKELETON_DROPS) == skeleton.encode() * len(found)


def _rings(annotation: _Annotation) -> list[list[float]]:
    return annotation.segmentation if isinstance(annotation.segmentation, list) else []


def _ints(found: Sequence[_Annotation], name: str) -> NDArray[np.int64]:
    return np.fromiter(map(attrgetter(name), found), np.int64, len(found))


def _numbers(ids: NDArray[np.int64], lookup: Lookup, unlisted: Unlisted) -> NDArray[np.int64]:
    numbers = lookup.many(ids)
    for i in np.flatnonzero(numbers < 0).tolist():
        numbers[i] = unlisted.number(int(ids[i]))
    return numbers


def _polygons(shapes: Sequence[Any]) -> pa.Array:
    """Return rings of interleaved x, y as nested lists, without a copy per ring."""
    rings = list(chain.from_iterable(shapes))
    sizes = np.fromiter(map(len, rings), np.int64, len(rings))
    values = np.fromiter(chain.from_iterable(rings), float, int(sizes.sum()))
    counts = np.fromiter(map(len, shapes), np.int64, len(shapes))
    kind = TABLES["geometries"].schema.field("polygons").type
    inner = pa.ListArray.from_arrays(_offsets(sizes), pa.array(values), type=kind.value_type)
    return pa.ListArray.from_arrays(_offsets(counts), inner, type=kind)


def _offsets(sizes: NDArray[np.int64]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))


def _kinds(polygons: pa.Array) -> pa.Array:
    drawn = pc.greater(pc.list_value_length(polygons), 0)
    return pc.if_else(drawn, "polygon", "box")
