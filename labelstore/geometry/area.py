"""Areas of planar shapes, for those whose source states none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def areas(geometries: pa.Table) -> Floats:
    """Return the area of each row's mask, else of its outline, else of its stated box.

    Args:
        geometries: rows of `geometries`, n of them.

    Returns:
        Shape (n,), float64, in square units of the row's frame; NaN where there is no such shape,
        or a mask that is not in COCO's runs. That of a mask is its number of pixels, that of an
        outline the sum over rings of the absolute area by the shoelace formula, holes taken off.
    """
    found = _box_areas(geometries)
    polygons = geometries.column("polygons").combine_chunks()
    drawn = np.asarray(pc.fill_null(pc.greater(pc.list_value_length(polygons), 0), False))
    outlines = _outline_areas(polygons, geometries.column("holes_of").combine_chunks())
    found[drawn] = outlines[drawn]
    masks = geometries.column("mask").combine_chunks()
    for i in np.flatnonzero(np.asarray(masks.is_valid())).tolist():
        found[i] = _mask_area(masks[i].as_py())
    return found


def _box_areas(geometries: pa.Table) -> Floats:
    box = geometries.column("box").combine_chunks()
    v = [np.asarray(box.field(i).fill_null(np.nan)) for i in range(4)]
    corners = np.asarray(pc.fill_null(pc.equal(geometries.column("box_form"), "xyxy"), False))
    sides = np.where(corners, (v[2] - v[0]) * (v[3] - v[1]), v[2] * v[3])
    return np.where(np.asarray(box.is_valid()), sides, np.nan)


def _outline_areas(polygons: pa.Array, holes: pa.Array) -> Floats:
    """Return the area of each row's rings of interleaved x, y; 0 where it has none."""
    rings = polygons.flatten()
    values = np.asarray(rings.flatten(), np.float64)
    lengths = np.asarray(pc.list_value_length(rings)).astype(np.int64)
    begins, points = np.cumsum(lengths) - lengths, lengths // 2
    ring = np.repeat(np.arange(len(rings)), points)
    place = np.arange(len(ring)) - np.repeat(np.cumsum(points) - points, points)
    at = begins[ring] + 2 * place
    following = begins[ring] + 2 * ((place + 1) % points[ring])
    cross = values[at] * values[following + 1] - values[following] * values[at + 1]
    own = np.abs(np.bincount(ring, cross, len(rings))) / 2
    rows = np.asarray(pc.list_parent_indices(polygons))
    if holes.null_count < len(holes):
        own *= np.where(_is_hole(polygons, holes), -1.0, 1.0)
    found: Floats = np.bincount(rows, own, len(polygons)).astype(np.float64)
    return found


def _is_hole(polygons: pa.Array, holes: pa.Array) -> NDArray[np.bool_]:
    """Return for each ring of all rows whether it is a hole; rows may say nothing of theirs."""
    counts = np.asarray(pc.fill_null(pc.list_value_length(polygons), 0))
    said = np.asarray(holes.is_valid()) & (counts > 0)
    found = np.zeros(int(counts.sum()), bool)
    found[np.repeat(said, counts)] = np.asarray(holes.filter(pa.array(said)).flatten()) >= 0
    return found


def _mask_area(mask: dict[str, object]) -> float:
    """Return the number of pixels of a mask in COCO's runs, NaN of any other."""
    counts = mask["counts"]
    assert isinstance(counts, bytes)
    if mask["encoding"] == "coco_rle_list":
        return float(np.frombuffer(counts, "<u4")[1::2].sum())
    if mask["encoding"] == "coco_rle":
        from pycocotools.mask import area

        return float(area({"size": [mask["h"], mask["w"]], "counts": counts}))
    return float("nan")
