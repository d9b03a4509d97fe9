"""Covering boxes: the smallest axis-aligned box around each annotation's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COLUMNS = ("xmin", "ymin", "xmax", "ymax")


def covering_boxes(geometries: pa.RecordBatch | pa.Table) -> Floats:
    """Return the covering box of each row: of its stated box, else of its outlines.

    Args:
        geometries: rows of `geometries`, n of them.

    Returns:
        Shape (n, 4), float64: xmin, ymin, xmax, ymax in the units of the row's frame; NaN where
        the row has no planar shape.
    """
    boxes = np.full((geometries.num_rows, 4), np.nan)
    for name in ("polylines", "polygons"):
        _fill(boxes, _outline_boxes(_column(geometries, name)))
    _fill(boxes, _point_boxes(geometries))
    stated = _stated_boxes(geometries)
    known = ~np.isnan(stated[:, 0])
    boxes[known] = stated[known]
    return boxes


def _column(geometries: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    """Return a column in one chunk; all null where the rows do not have it."""
    if name not in geometries.schema.names:
        return pa.nulls(geometries.num_rows, TABLES["geometries"].schema.field(name).type)
    column = geometries.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _fill(boxes: Floats, more: Floats) -> None:
    """Widen boxes by others of the same rows."""
    boxes[:, :2] = np.fmin(boxes[:, :2], more[:, :2])
    boxes[:, 2:] = np.fmax(boxes[:, 2:], more[:, 2:])


def _stated_boxes(geometries: pa.RecordBatch | pa.Table) -> Floats:
    box = _column(geometries, "box")
    if box.null_count == len(box):
        return np.full((len(box), 4), np.nan)
    form = _column(geometries, "box_form")
    v = np.stack([_floats(pc.struct_field(box, i)) for i in range(4)], axis=1)
    size = v[:, 2:]
    corner = np.where(_is(form, "cxcywh"), v[:, :2] - size / 2, v[:, :2])
    end = np.where(_is(form, "xyxy"), size, corner + size)
    return np.concatenate([corner, end], axis=1)


def _is(values: pa.Array, word: str) -> NDArray[np.bool_]:
    return np.asarray(pc.equal(values, word).fill_null(False))[:, None]


def _floats(values: pa.Array) -> Floats:
    return np.asarray(values.fill_null(np.nan), np.float64)


def _outline_boxes(outlines: pa.Array) -> Floats:
    """Return the extents of rings of interleaved x, y, shape (n, 4)."""
    if outlines.null_count == len(outlines):
        return np.full((len(outlines), 4), np.nan)
    rings = outlines.flatten()
    row_of_ring = np.asarray(pc.list_parent_indices(outlines))
    values = np.asarray(rings.flatten(), np.float64)
    ring_of_value = np.asarray(pc.list_parent_indices(rings))
    sizes = np.asarray(pc.list_value_length(rings))
    place = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = row_of_ring[ring_of_value]
    return _extents(rows, values, place % 2 == 1, len(outlines))


def _point_boxes(geometries: pa.RecordBatch | pa.Table) -> Floats:
    """Return the extents of labelled keypoints in the plane, shape (n, 4)."""
    points = _column(geometries, "keypoints")
    if points.null_count == len(points):
        return np.full((len(points), 4), np.nan)
    dims = np.asarray(_column(geometries, "keypoint_dims").fill_null(2))
    rows = np.asarray(pc.list_parent_indices(points))
    sizes = np.asarray(pc.list_value_length(points).fill_null(0))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    axis = place % dims[rows]
    values = np.asarray(points.flatten(), np.float64).copy()
    values[axis > 1] = np.nan
    shown = _column(geometries, "visibility")
    labelled = np.asarray(shown.flatten()) > 0
    if len(labelled) * 2 == len(values) and (dims == 2).all():
        values[~np.repeat(labelled, 2)] = np.nan
    return _extents(rows, values, axis == 1, len(points))


def _extents(rows: NDArray[np.int64], values: Floats, is_y: NDArray[np.bool_], n: int) -> Floats:
    """Return the least and greatest x and y of each row; rows come in rising order."""
    boxes = np.full((n, 4), np.nan)
    if not len(values):
        return boxes
    starts = np.flatnonzero(np.append(True, rows[1:] != rows[:-1]))
    owners = rows[starts]
    for column, mask, reduce in ((0, is_y, np.fmin), (1, ~is_y, np.fmin)):
        own = np.where(mask, np.nan, values)
        boxes[owners, column] = reduce.reduceat(own, starts)
        boxes[owners, column + 2] = np.fmax.reduceat(own, starts)
    return boxes
