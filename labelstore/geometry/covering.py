"""Covering boxes: the smallest axis-aligned box around each annotation's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import corners, members
from labelstore.geometry.columns import column
from labelstore.geometry.curves import polyline, turned_rectangles
from labelstore.geometry.rings import Rings
from labelstore.geometry.validity import broken_points, broken_spline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COLUMNS = ("xmin", "ymin", "xmax", "ymax")


def covering_boxes(geometries: pa.RecordBatch | pa.Table) -> Floats:
    """Return the covering box of each row: its stated box, else that of its other planar shapes.

    Args:
        geometries: rows of `geometries`, n of them.

    Returns:
        Shape (n, 4), float64: xmin, ymin, xmax, ymax in the units of the row's frame; NaN where
        the row has no planar shape.
    """
    boxes = corners(column(geometries, "box"), column(geometries, "box_form"))
    open_ = np.isnan(boxes[:, 0])
    if open_.any():
        boxes[open_] = _of_other_shapes(geometries.filter(pa.array(open_)))
    return boxes


def _of_other_shapes(geometries: pa.RecordBatch | pa.Table) -> Floats:
    boxes = np.full((geometries.num_rows, 4), np.nan)
    for name, extents in EXTENTS.items():
        shapes = column(geometries, name)
        there = np.flatnonzero(np.asarray(shapes.is_valid()))
        if len(there):
            own = extents(geometries.take(pa.array(there)))
            boxes[there, :2] = np.fmin(boxes[there, :2], own[:, :2])
            boxes[there, 2:] = np.fmax(boxes[there, 2:], own[:, 2:])
    return boxes


def _rings(name: str, rows: pa.RecordBatch | pa.Table) -> Floats:
    """Return the extents of rings of interleaved x, y."""
    rings = Rings.of(column(rows, name))
    return extents(rings.rows[rings.owners], rings.xy, rows.num_rows)


def _pairs(name: str, rows: pa.RecordBatch | pa.Table) -> Floats:
    """Return the extents of flat lists of interleaved x, y."""
    points = column(rows, name)
    single = pa.ListArray.from_arrays(pa.array(np.arange(len(points) + 1, dtype=np.int32)), points)
    rings = Rings.of(single)
    return extents(rings.owners, rings.xy, len(points))


def _rotated(rows: pa.RecordBatch | pa.Table) -> Floats:
    found = turned_rectangles(members(column(rows, "rotated_box")))
    return np.concatenate([found.min(axis=1), found.max(axis=1)], axis=1)


def _ellipses(rows: pa.RecordBatch | pa.Table) -> Floats:
    cx, cy, rx, ry, angle = members(column(rows, "ellipse")).T
    x, y = (np.hypot(rx * a, ry * b) for a, b in (_turn(angle), _turn(angle)[::-1]))
    return np.stack([cx - x, cy - y, cx + x, cy + y], axis=1)


def _turn(angle: Floats) -> tuple[Floats, Floats]:
    return np.cos(angle), np.sin(angle)


def _splines(rows: pa.RecordBatch | pa.Table) -> Floats:
    found = []
    unusable = broken_spline(rows)
    for spline, bad in zip(column(rows, "spline").to_pylist(), unusable.tolist(), strict=True):
        if bad:
            found.append([np.nan] * 4)
            continue
        points = np.array(spline["control_points"], np.float64).reshape(-1, 2)
        line = polyline(spline["form"], points, degree=spline["degree"],
                        closed=spline["closed"], knots=spline["knots"])  # fmt: skip
        found.append([*line.min(axis=0), *line.max(axis=0)])
    return np.array(found)


def _keypoints(rows: pa.RecordBatch | pa.Table) -> Floats:
    """Return the extents of labelled keypoints in the plane."""
    boxes = np.full((rows.num_rows, 4), np.nan)
    usable = ~broken_points(rows)
    boxes[usable] = _of_points(rows.filter(pa.array(usable)))
    return boxes


def _of_points(rows: pa.RecordBatch | pa.Table) -> Floats:
    """Return the extents of labelled keypoints whose numbers divide into points."""
    points = column(rows, "keypoints")
    dims = np.asarray(column(rows, "keypoint_dims").fill_null(2)).astype(np.int64)
    sizes = np.asarray(pc.list_value_length(points)).astype(np.int64)
    counts = sizes // dims
    owners = np.repeat(np.arange(len(points)), counts)
    place = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = (np.cumsum(sizes) - sizes)[owners] + place * dims[owners]
    values = np.asarray(points.flatten(), np.float64)
    shown = column(rows, "visibility")
    said = np.asarray(pc.fill_null(pc.list_value_length(shown), -1)) == counts
    labelled = np.ones(len(owners), bool)
    labelled[said[owners]] = np.asarray(shown.filter(pa.array(said)).flatten()) > 0
    at, owners = at[labelled], owners[labelled]
    return extents(owners, np.stack([values[at], values[at + 1]], axis=1), len(points))


def _masks(rows: pa.RecordBatch | pa.Table) -> Floats:
    from labelstore.geometry.masks import boxes

    return boxes(column(rows, "mask"))


EXTENTS = {
    "polylines": lambda rows: _rings("polylines", rows),
    "polygons": lambda rows: _rings("polygons", rows),
    "corners": lambda rows: _pairs("corners", rows),
    "cuboid2d": lambda rows: _pairs("cuboid2d", rows),
    "keypoints": _keypoints,
    "rotated_box": _rotated,
    "ellipse": _ellipses,
    "spline": _splines,
    "mask": _masks,
}
"""How far the shapes of a column reach, for rows that have one: shape (n, 4)."""


def extents(rows: NDArray[np.int64], xy: Floats, n: int) -> Floats:
    """Return the least and greatest x and y of the points of each row, shape (n, 4).

    Args:
        rows: shape (m,), rising.
        xy: shape (m, 2).
        n: how many rows there are; NaN for those without a point.
    """
    boxes = np.full((n, 4), np.nan)
    if len(rows):
        starts = np.flatnonzero(np.append(True, rows[1:] != rows[:-1]))
        boxes[rows[starts], :2] = np.minimum.reduceat(xy, starts)
        boxes[rows[starts], 2:] = np.maximum.reduceat(xy, starts)
    return boxes
