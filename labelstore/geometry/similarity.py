"""How far two shapes of a kind agree, from 0 to 1, by the measure that suits the kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from labelstore.errors import NotFound
from labelstore.geometry import cuboids, intervals, keypoints, lines, masks, planar
from labelstore.geometry.area import areas
from labelstore.geometry.boxes import corners, iou
from labelstore.geometry.columns import column
from labelstore.geometry.covering import covering_boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Rows: TypeAlias = "pa.Table | pa.RecordBatch"
Measure = Callable[[Rows, Rows, float], "Floats"]


def similarity(shape: str, a: Rows, b: Rows, least: float = 0.0) -> Floats:
    """Return how far pairs of rows agree in one of their shapes.

    Intersection over union for what has an inside, object keypoint similarity for keypoints, the
    share in common for spans and intervals; for lines 1 - d / D, where d is their Hausdorff
    distance and D the diagonal of the box around both.

    Args:
        shape: a column of `geometries` that holds a shape, see `MEASURES`.
        a: n rows of `geometries`.
        b: n rows of `geometries`; for keypoints the reference.
        least: what matters; of pairs that are clearly below it 0 may be said.

    Returns:
        Shape (n,), 0 to 1; NaN where one has no such shape, or they cannot be compared.

    Raises:
        NotFound: the column has no measure.
    """
    if shape not in MEASURES:
        raise NotFound(
            f"{shape!r} has no similarity; these have: {', '.join(MEASURES)}",
            code="measure-unknown",
        )
    return MEASURES[shape](a, b, least)


def _boxes(a: Rows, b: Rows, _least: float) -> Floats:
    one, other = (corners(column(r, "box"), column(r, "box_form")) for r in (a, b))
    return iou(one, other)


def _polygons(a: Rows, b: Rows, least: float) -> Floats:
    one, other = (planar.polygons(column(r, "polygons"), column(r, "holes_of")) for r in (a, b))
    return planar.iou(one, other, least)


def _keypoints(a: Rows, b: Rows, _least: float) -> Floats:
    own = areas(b)
    boxes = covering_boxes(b)
    around = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    own = np.where(np.isnan(own), around, own)  # points alone: the box around them
    points = column(a, "keypoints"), column(b, "keypoints")
    return keypoints.similarity(*points, column(b, "visibility"), own)


def _lines(a: Rows, b: Rows, _least: float) -> Floats:
    drawn = [lines.shapes(column(r, "polylines"), column(r, "polylines_closed")) for r in (a, b)]
    one, other = covering_boxes(a), covering_boxes(b)
    spread = np.fmax(one[:, 2:], other[:, 2:]) - np.fmin(one[:, :2], other[:, :2])
    diagonal = np.hypot(*spread.T)
    distance = lines.hausdorff(drawn[0], drawn[1])
    share = np.divide(distance, diagonal, out=np.zeros_like(distance), where=distance > 0)
    return np.where(np.isnan(distance), np.nan, np.maximum(1 - share, 0))


def _cuboids(a: Rows, b: Rows, _least: float) -> Floats:
    found = cuboids.iou_in_space(column(a, "cuboid3d"), column(b, "cuboid3d"), column(b, "frame"))
    same = np.asarray(column(a, "frame").fill_null("")) == np.asarray(
        column(b, "frame").fill_null("")
    )
    return np.where(same, found, np.nan)


def _of(name: str, measure: Callable[[pa.Array, pa.Array], Floats]) -> Measure:
    return lambda a, b, _least: measure(column(a, name), column(b, name))


def _as_polygons(name: str, drawn: Callable[[pa.Array], NDArray[np.object_]]) -> Measure:
    return lambda a, b, least: planar.iou(drawn(column(a, name)), drawn(column(b, name)), least)


MEASURES: dict[str, Measure] = {
    "box": _boxes,
    "rotated_box": _as_polygons("rotated_box", planar.rotated_boxes),
    "corners": _as_polygons("corners", planar.quadrangles),
    "polygons": _polygons,
    "ellipse": _as_polygons("ellipse", planar.ellipses),
    "mask": _of("mask", masks.iou),
    "keypoints": _keypoints,
    "polylines": _lines,
    "cuboid3d": _cuboids,
    "spans": _of("spans", intervals.span_overlap),
    "interval": _of("interval", intervals.interval_overlap),
}
"""The measure of each column that has one."""
