"""Areas of planar shapes, for those whose source states none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelstore.geometry.boxes import corners, members
from labelstore.geometry.columns import column
from labelstore.geometry.rings import Rings, owners_of_holes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def areas(geometries: pa.Table | pa.RecordBatch) -> Floats:
    """Return the area of each row's richest shape.

    That is its mask, else its outline, ellipse, rotated box, oriented corners or stated box.

    Args:
        geometries: rows of `geometries`, n of them.

    Returns:
        Shape (n,), float64, in square units of the row's frame; NaN where there is no such shape,
        or a mask that cannot be read. That of a mask is its number of pixels, that of an outline
        the sum over rings of the absolute area by the shoelace formula, holes taken off.
    """
    sides = corners(column(geometries, "box"), column(geometries, "box_form"))
    found: Floats = (sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1])
    rotated, ellipse = (members(column(geometries, n)) for n in ("rotated_box", "ellipse"))
    for known in (
        _quadrangle_areas(column(geometries, "corners")),
        rotated[:, 2] * rotated[:, 3],
        np.pi * ellipse[:, 2] * ellipse[:, 3],
        outline_areas(column(geometries, "polygons"), column(geometries, "holes_of")),
        _mask_areas(column(geometries, "mask")),
    ):
        found = np.where(np.isnan(known), found, known)
    return found


def outline_areas(polygons: pa.Array, holes_of: pa.Array) -> Floats:
    """Return the area of each row's rings, shape (n,); NaN where it has none.

    Args:
        polygons: n values of `polygons`.
        holes_of: n values of `holes_of`.
    """
    rings = Rings.of(polygons)
    own = np.abs(rings.signed_areas())
    if holes_of.null_count < len(holes_of):
        own *= np.where(owners_of_holes(rings.counts, holes_of) >= 0, -1.0, 1.0)
    return np.where(rings.counts > 0, rings.of_rows(own), np.nan)


def _quadrangle_areas(column: pa.Array) -> Floats:
    """Return the areas of oriented corners: those of their outlines."""
    if column.null_count == len(column):
        return np.full(len(column), np.nan)
    single = pa.ListArray.from_arrays(
        _offsets(np.asarray(column.is_valid())), column.drop_null(), mask=column.is_null()
    )
    return outline_areas(single, pa.nulls(len(column), pa.list_(pa.int32())))


def _offsets(each: NDArray[np.bool_]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(each)]).astype(np.int32))


def _mask_areas(masks: pa.Array) -> Floats:
    found = np.full(len(masks), np.nan)
    at = np.flatnonzero(np.asarray(masks.is_valid()))
    if len(at):
        from labelstore.geometry.masks import areas as pixels

        found[at] = pixels(masks.take(pa.array(at)))
    return found
