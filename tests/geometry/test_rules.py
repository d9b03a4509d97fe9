"""Every rule of a shape both accepts and rejects, and says which row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco
from rows import shapes

from labelstore.geometry.masks import lengths as lengths_of
from labelstore.geometry.rules import RULES, broken

SQUARE = [0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]
SMALL = [1.0, 1.0, 2.0, 1.0, 2.0, 2.0]
ROTATED = {"cx": 1.0, "cy": 2.0, "w": 3.0, "h": 4.0, "angle": 0.5}
ELLIPSE = {"cx": 1.0, "cy": 2.0, "rx": 3.0, "ry": 4.0, "angle": 0.5}
CUBOID = {
    "cx": 0.0, "cy": 0.0, "cz": 0.0, "length": 4.0, "width": 2.0, "height": 1.5,
    "qw": 0.6, "qx": 0.0, "qy": 0.8, "qz": 0.0, "anchor": "center",
}  # fmt: skip
SPLINE = {"form": "b_spline", "degree": 3, "closed": False, "control_points": SQUARE}
BEZIER = {**SPLINE, "form": "cubic_bezier"}
RUNS: dict[str, Any] = {"encoding": "coco_rle", "h": 3, "w": 2, "counts": b"123"}
LISTED: dict[str, Any] = {
    **RUNS,
    "encoding": "coco_rle_list",
    "counts": np.array([1, 2, 3], "<u4").tobytes(),
}
POINTS = {"keypoints": [1.0, 2.0, 3.0, 4.0]}
MESH: dict[str, Any] = {"vertices": [0.0, 0, 0, 1, 0, 0, 0, 1, 0], "faces": [0, 1, 2]}
LABELS = {"encoding": "uint16", "count": 2, "labels": b"\1\0\2\0"}
TIME = {"start": 1.0, "end": 2.0}

CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "rotated-box-not-positive": (
        [{"rotated_box": ROTATED}], [{"rotated_box": {**ROTATED, "w": 0.0}}]),
    "rotated-box-beyond-turn": (
        [{"rotated_box": {**ROTATED, "angle": -6.0}}],
        [{"rotated_box": {**ROTATED, "angle": 90.0}}]),
    "ellipse-beyond-turn": (
        [{"ellipse": {**ELLIPSE, "angle": 6.0}}], [{"ellipse": {**ELLIPSE, "angle": -90.0}}]),
    "polygon-odd-numbers": ([{"polygons": [SQUARE]}], [{"polygons": [SQUARE, SMALL[:5]]}]),
    "polygon-too-few-points": ([{"polygons": [SMALL]}], [{"polygons": [SQUARE, SMALL[:4]]},
                                                         {"polygons": [[]]}]),
    "polygon-crosses-itself": (
        [{"polygons": [SQUARE, SMALL]}, {"polygons": [SMALL[:4]]}],
        [{"polygons": [SMALL, [0.0, 0.0, 4.0, 4.0, 4.0, 0.0, 0.0, 4.0]]}]),
    "hole-without-ring": (
        [{"polygons": [SQUARE, SMALL], "holes_of": [-1, 0]},
         {"polygons": [SMALL, SQUARE], "holes_of": [1, -1]}],
        [{"polygons": [SQUARE, SMALL], "holes_of": [-1, 2]},
         {"polygons": [SQUARE, SMALL], "holes_of": [-1]},
         {"polygons": [SQUARE, SMALL, SMALL], "holes_of": [-1, 0, 1]},
         {"holes_of": [0]}]),
    "polyline-odd-numbers": ([{"polylines": [SMALL]}], [{"polylines": [SMALL[:5]]}]),
    "polyline-too-few-points": ([{"polylines": [SMALL[:4]]}], [{"polylines": [SMALL[:2]]}]),
    "polyline-closed-differs": (
        [{"polylines": [SMALL], "polylines_closed": [True]}],
        [{"polylines": [SMALL, SMALL], "polylines_closed": [True]}]),
    "spline-broken": (
        [{"spline": SPLINE}, {"spline": BEZIER},
         {"spline": {**SPLINE, "knots": [0.0] * 4 + [1.0] * 4}},
         {"spline": {**SPLINE, "form": "catmull_rom", "control_points": SMALL[:4]}},
         {"spline": {**BEZIER, "closed": True, "control_points": SMALL}}],
        [{"spline": {**SPLINE, "degree": 4}}, {"spline": {**SPLINE, "knots": [0.0] * 7}},
         {"spline": {**BEZIER, "control_points": [*SQUARE, 1.0, 2.0]}},
         {"spline": {**SPLINE, "knots": [0.0] * 8}}, {"spline": {**SPLINE, "knots": []}},
         {"spline": {**SPLINE, "knots": [3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]}},
         {"spline": {**SPLINE, "control_points": [*SQUARE, 1.0]}}]),
    "keypoints-broken": (
        [POINTS, {"keypoints": SMALL, "keypoint_dims": 3}], [{"keypoints": [1.0, 2.0, 3.0]},
                                                             {**POINTS, "keypoint_dims": 3},
                                                             {**POINTS, "keypoint_dims": 1},
                                                             {**POINTS, "keypoint_dims": -1}]),
    "visibility-differs": ([{**POINTS, "visibility": [0, 2]}], [{**POINTS, "visibility": [2]},
                                                                {"visibility": [1]}]),
    "keypoint-scores-differ": (
        [{**POINTS, "keypoint_scores": [0.1, 0.2]}], [{**POINTS, "keypoint_scores": [0.1]}]),
    "ellipse-not-positive": ([{"ellipse": ELLIPSE}], [{"ellipse": {**ELLIPSE, "ry": -1.0}}]),
    "mask-runs-broken": (
        [{"mask": RUNS}, {"mask": LISTED},
         {"mask": {**RUNS, "encoding": "cvat_rle", "counts": b"1,5"}}],
        [{"mask": {**RUNS, "h": 4}}, {"mask": {**LISTED, "w": 3}},
         {"mask": {**RUNS, "counts": b"\xff"}}, {"mask": {**RUNS, "counts": b"12S"}},
         {"mask": {**RUNS, "encoding": "cvat_rle", "counts": b"1,4"}},
         {"mask": {**RUNS, "encoding": "cvat_rle", "counts": b"1,five"}},
         {"mask": {**RUNS, "encoding": "ls_rle", "counts": b"12"}},
         {"mask": {**LISTED, "counts": LISTED["counts"] + b"\1"}}]),
    "cuboid-not-positive": ([{"cuboid3d": CUBOID}], [{"cuboid3d": {**CUBOID, "height": 0.0}}]),
    "quaternion-not-unit": ([{"cuboid3d": CUBOID}], [{"cuboid3d": {**CUBOID, "qw": 0.61}}]),
    "mesh-broken": (
        [{"mesh": MESH}], [{"mesh": {**MESH, "faces": [0, 1]}},
                           {"mesh": {**MESH, "faces": [0, 1, 3]}},
                           {"mesh": {**MESH, "vertices": MESH["vertices"][:8]}}]),
    "point-labels-broken": (
        [{"point_labels": LABELS}, {"point_labels": {**LABELS, "encoding": "uint8", "count": 4}}],
        [{"point_labels": {**LABELS, "count": 3}},
         {"point_labels": {"encoding": "uint32", "count": 2**62, "labels": b""}}]),
    "span-backwards": (
        [{"spans": [{"start": 3, "end": 3}]}],
        [{"spans": [{"start": 3, "end": 5}, {"start": 9, "end": 8}]}]),
    "interval-backwards": (
        [{"interval": TIME}, {"interval": {**TIME, "low_hz": 5.0, "high_hz": 6.0}}],
        [{"interval": {**TIME, "end": 0.5}},
         {"interval": {**TIME, "low_hz": 7.0, "high_hz": 6.0}}]),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_accepts_and_rejects(rule: Any) -> None:
    good, bad = CASES[rule.code]
    assert broken(rule, shapes([*good, {}])).tolist() == []
    assert broken(rule, shapes([{}, *bad, *good])).tolist() == list(range(1, 1 + len(bad)))
    assert broken(rule, shapes([*good, *bad]).slice(len(good))).tolist() == list(range(len(bad)))


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=12))
def test_compressed_runs_have_the_lengths_that_pycocotools_wrote(lengths: list[int]) -> None:
    size = [sum(lengths), 1]
    made = coco.frPyObjects({"size": size, "counts": lengths}, *size)
    mask = {"encoding": "coco_rle", "h": size[0], "w": 1, "counts": made["counts"]}
    found = lengths_of(mask)
    assert found is not None
    assert found.tolist() == lengths
