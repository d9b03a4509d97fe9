"""The rules of each kind of shape, as data: what `check` looks for in `geometries`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelstore.geometry import validity as v
from labelstore.geometry.columns import column

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        code: stable.
        shape: the column that it is about; rows without one keep the rule.
        severity: `error` where nobody can tell what the shape is, `warning` where it is odd,
            `info` where it is allowed and worth knowing.
        words: what a row that breaks it is.
        broken: which of some rows break it; all of them have the shape.
    """

    code: str
    shape: str
    severity: str
    words: str
    broken: Callable[[v.Rows], NDArray[np.bool_]]


RULES = (
    Rule("rotated-box-not-positive", "rotated_box", "warning", "rotated boxes without width or "
         "height", partial(v.not_positive, "rotated_box")),
    Rule("rotated-box-beyond-turn", "rotated_box", "warning", "rotated boxes turned by more than "
         "2 pi radians", partial(v.beyond_turn, "rotated_box")),
    Rule("ellipse-beyond-turn", "ellipse", "warning", "ellipses turned by more than 2 pi radians",
         partial(v.beyond_turn, "ellipse")),
    Rule("polygon-odd-numbers", "polygons", "error", "labels with a ring in which an x has no y",
         partial(v.odd_numbers, "polygons")),
    Rule("polygon-too-few-points", "polygons", "warning",
         "labels with a ring of fewer than three points",
         partial(v.too_few_points, "polygons", 3)),
    Rule("polygon-crosses-itself", "polygons", "info",
         "labels with a ring that crosses or touches itself",
         v.crosses_itself),
    Rule("hole-without-ring", "holes_of", "error",
         "labels with a hole of no ring, or of another hole",
         v.holes_without_ring),
    Rule("polyline-odd-numbers", "polylines", "error", "labels with a line in which an x has no y",
         partial(v.odd_numbers, "polylines")),
    Rule("polyline-too-few-points", "polylines", "warning", "labels with a line of a single point",
         partial(v.too_few_points, "polylines", 2)),
    Rule("polyline-closed-differs", "polylines_closed", "error", "lines without a word on whether "
         "each is closed", partial(v.differs_in_length, "polylines_closed", "polylines")),
    Rule("spline-broken", "spline", "error", "splines with too few points, or knots that do not "
         "fit", v.broken_spline),
    Rule("keypoints-broken", "keypoints", "error", "numbers that do not divide into points",
         v.broken_points),
    Rule("visibility-differs", "visibility", "error", "not one visibility for each point",
         partial(v.differs_in_length, "visibility", "keypoints")),
    Rule("keypoint-scores-differ", "keypoint_scores", "error", "not one score for each point",
         partial(v.differs_in_length, "keypoint_scores", "keypoints")),
    Rule("ellipse-not-positive", "ellipse", "warning", "ellipses without a radius",
         partial(v.not_positive, "ellipse")),
    Rule("mask-runs-broken", "mask", "error", "masks whose runs are not height times width",
         v.broken_runs),
    Rule("cuboid-not-positive", "cuboid3d", "warning", "cuboids without length, width or height",
         partial(v.not_positive, "cuboid3d")),
    Rule("quaternion-not-unit", "cuboid3d", "error", "cuboids whose quaternion has not length one",
         v.not_unit),
    Rule("mesh-broken", "mesh", "error", "meshes that are no triangles between their points",
         v.broken_mesh),
    Rule("point-labels-broken", "point_labels", "error", "point labels that are not one each",
         v.broken_labels),
    Rule("span-backwards", "spans", "error", "spans that end before they begin",
         partial(v.backwards, "spans")),
    Rule("interval-backwards", "interval", "error", "intervals that end before they begin",
         partial(v.backwards, "interval")),
)  # fmt: skip


def broken(rule: Rule, geometries: pa.Table | pa.RecordBatch) -> NDArray[np.int64]:
    """Return the places of rows that break a rule, rising.

    Args:
        rule: one of `RULES`.
        geometries: rows of `geometries`.
    """
    there = np.flatnonzero(np.asarray(column(geometries, rule.shape).is_valid()))
    if not len(there):
        return there
    found: NDArray[np.int64] = there[rule.broken(geometries.take(pa.array(there)))]
    return found
