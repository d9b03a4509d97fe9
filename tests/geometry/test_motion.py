"""How one shape became another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import shapes

from labelstore.geometry.motion import motions

NUMBER = st.floats(-1e4, 1e4).map(lambda v: round(v, 3))
STEP = st.floats(0.01, 1e3) | st.floats(-1e3, -0.01)


def box(x: float, y: float, w: float, h: float, form: str = "xywh") -> dict[str, Any]:
    numbers = {"xywh": (x, y, w, h), "xyxy": (x, y, x + w, y + h),
               "cxcywh": (x + w / 2, y + h / 2, w, h)}[form]  # fmt: skip
    return {"box": dict(zip(("v0", "v1", "v2", "v3"), numbers, strict=True)), "box_form": form}


def said(shape: str, old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    found = motions(shape, shapes([old]), shapes([new]))
    return {word for word, mask in found.items() if mask.item()}


FORMS = st.sampled_from(["xywh", "xyxy", "cxcywh"])


@given(NUMBER, NUMBER, STEP.map(abs), STEP.map(abs), STEP, FORMS, FORMS)
def test_boxes(x: float, y: float, w: float, h: float, step: float, form: str, other: str) -> None:
    old = box(x, y, w, h, form)
    assert said("box", old, box(x, y, w, h, other)) == set()
    assert said("box", old, box(x + step, y, w, h, other)) == {"moved"}
    assert said("box", old, box(x, y, w, h + abs(step), other)) == {"resized"}
    assert said("box", old, box(x - abs(step), y, w + abs(step), h, other)) == {"resized"}
    grown = box(x - abs(step), y, w + 2 * abs(step), h, other)
    assert said("box", old, grown) == {"resized"}
    both = box(x + abs(step), y, w + abs(step), h, other)
    assert said("box", old, both) == {"moved", "resized"}


def turned(name: str, **values: float) -> dict[str, Any]:
    usual = {"cx": 5.0, "cy": 6.0, "angle": 0.25}
    sizes = {"rotated_box": {"w": 4.0, "h": 2.0}, "ellipse": {"rx": 4.0, "ry": 2.0}}[name]
    return {name: {**usual, **sizes, **values}}


@pytest.mark.parametrize("name", ["rotated_box", "ellipse"])
def test_turned_shapes(name: str) -> None:
    size = {"rotated_box": "w", "ellipse": "rx"}[name]
    old = turned(name)
    assert said(name, old, turned(name, cx=5.5)) == {"moved"}
    assert said(name, old, turned(name, **{size: 4.5})) == {"resized"}
    assert said(name, old, turned(name, angle=0.5)) == {"rotated"}
    assert said(name, old, turned(name, angle=0.25 + 6.283185307179586)) == set()
    assert said(name, old, turned(name, cy=0.0, angle=-3.0)) == {"moved", "rotated"}


def cuboid(**values: float) -> dict[str, Any]:
    usual = {"cx": 1.0, "cy": 2.0, "cz": 3.0, "length": 4.0, "width": 2.0, "height": 1.5,
             "qw": 0.8, "qx": 0.0, "qy": 0.0, "qz": 0.6, "anchor": "center"}  # fmt: skip
    return {"cuboid3d": {**usual, **values}}


def test_cuboids() -> None:
    assert said("cuboid3d", cuboid(), cuboid(cz=0.0)) == {"moved"}
    assert said("cuboid3d", cuboid(), cuboid(height=1.0)) == {"resized"}
    assert said("cuboid3d", cuboid(), cuboid(qw=0.6, qz=0.8)) == {"rotated"}
    assert said("cuboid3d", cuboid(), cuboid(qw=-0.8, qz=-0.6)) == set()
    below = {"cuboid3d": {**cuboid(cz=2.25)["cuboid3d"], "anchor": "bottom"}}
    assert said("cuboid3d", cuboid(), below) == set()
    beside = {"cuboid3d": {**cuboid()["cuboid3d"], "anchor": "bottom"}}
    assert said("cuboid3d", cuboid(), beside) == {"moved"}
    taller = {"cuboid3d": {**below["cuboid3d"], "height": 2.0}}
    assert said("cuboid3d", below, taller) == {"resized"}


def test_far_from_the_origin_a_millimetre_is_a_move() -> None:
    assert said("cuboid3d", cuboid(cx=5e6), cuboid(cx=5e6 + 0.001)) == {"moved"}


def test_splines() -> None:
    def spline(step: float = 0.0, **values: Any) -> dict[str, Any]:
        points = [0.0, 0.0, 1.0, 2.0, 3.0, 1.0]
        usual = {"form": "b_spline", "degree": 1, "closed": False, "knots": [0.0, 0, 1, 2, 2]}
        return {"spline": {**usual, "control_points": [p + step for p in points], **values}}

    assert said("spline", spline(), spline(2.0)) == {"moved"}
    assert said("spline", spline(knots=None), spline(2.0, knots=None)) == {"moved"}
    assert said("spline", spline(), spline(2.0, closed=True)) == {"reshaped"}
    assert said("spline", spline(), spline(2.0, knots=None)) == {"reshaped"}
    assert said("spline", spline(), spline(knots=[0.0, 0, 1.5, 2, 2])) == {"reshaped"}
    assert said("spline", spline(), spline(control_points=[0.0, 0.0, 1.0, 2.0])) == {"reshaped"}


def test_windows_of_masks() -> None:
    def mask(**values: Any) -> dict[str, Any]:
        usual = {"encoding": "cvat_rle", "h": 1, "w": 2, "x0": 5, "y0": 6, "counts": b"1,1"}
        return {"mask": {**usual, **values}}

    assert said("mask", mask(), mask(x0=7)) == {"moved"}
    assert said("mask", mask(x0=None), mask()) == {"moved"}
    assert said("mask", mask(), mask(x0=7, counts=b"0,2")) == {"reshaped"}
    assert said("mask", mask(x0=None, y0=None), mask(x0=0, y0=0)) == set()
    listed = {"encoding": "coco_rle_list", "counts": bytes([1, 0, 0, 0, 1, 0, 0, 0])}
    assert said("mask", mask(), mask(**listed)) == set()
    assert said("mask", mask(), mask(**{**listed, "x0": 9})) == {"moved"}
    assert said("mask", mask(), mask(**{**listed, "counts": bytes([0, 0, 0, 0, 2, 0, 0, 0])})) == {
        "reshaped"
    }


def test_an_ellipse_is_the_same_after_half_a_turn_and_a_circle_after_any() -> None:
    old = turned("ellipse")
    assert said("ellipse", old, turned("ellipse", angle=0.25 - 3.141592653589793)) == set()
    round_ = turned("ellipse", rx=2.0)
    assert said("ellipse", round_, turned("ellipse", rx=2.0, angle=1.0)) == set()
    half = turned("rotated_box", angle=0.25 - 3.141592653589793)
    assert said("rotated_box", turned("rotated_box"), half) == {"rotated"}


RING = st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=6)


def flat(ring: list[tuple[float, float]], dx: float = 0, dy: float = 0) -> list[float]:
    return [number for x, y in ring for number in (x + dx, y + dy)]


@given(st.lists(RING, min_size=1, max_size=3), STEP, STEP)
def test_outlines(rings: list[list[tuple[float, float]]], dx: float, dy: float) -> None:
    for name in ("polygons", "polylines"):
        old = {name: [flat(r) for r in rings]}
        assert said(name, old, {name: [flat(r, dx, dy) for r in rings]}) == {"moved"}
        more = [flat([*r, (0.0, 0.0)]) for r in rings]
        assert said(name, old, {name: more}) == {"reshaped"}
        assert said(name, old, {name: [*old[name], [1.0, 2.0]]}) == {"reshaped"}
        moved = [flat(r, dx, dy) for r in rings]
        moved[0][0] += 1
        many = sum(map(len, rings)) > 1
        assert said(name, old, {name: moved}) == ({"reshaped"} if many else {"moved"})


def test_outlines_are_told_apart_by_their_rings() -> None:
    old = {"polygons": [[0.0, 0.0, 1.0, 1.0], [2.0, 2.0]]}
    new = {"polygons": [[0.0, 0.0], [1.0, 1.0, 2.0, 2.0]]}
    assert said("polygons", old, new) == {"reshaped"}


def test_what_stays_has_not_moved() -> None:
    old = {"polygons": [[0.0, 1.0, 2.0, 3.0, 4.0, 9.0]]}
    assert said("polygons", old, {"polygons": [[-0.0, 1.0, 2.0, 3.0, 4.0, 9.0 + 1e-13]]}) == set()


def test_points_of_two_and_three_axes_in_one_table() -> None:
    plane = {"keypoints": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    space = {**plane, "keypoint_dims": 3}
    steps = {"keypoints": [2.0, 4.0, 4.0, 6.0, 6.0, 8.0]}
    found = motions(
        "keypoints",
        shapes([plane, space, plane, {"keypoints": [1.0]}]),
        shapes([steps, {**steps, "keypoint_dims": 3}, {"keypoints": []}, {"keypoints": [2.0]}]),
    )
    assert found["moved"].tolist() == [True, False, False, False]
    assert found["reshaped"].tolist() == [False, True, True, True]


def test_a_shape_that_comes_or_goes() -> None:
    mask = {"mask": {"encoding": "cvat_rle", "h": 1, "w": 2, "counts": b"1,1"}}
    assert said("mask", {}, mask) == {"shape added"}
    assert said("mask", mask, {}) == {"shape dropped"}
    other = {"mask": {**mask["mask"], "counts": b"0,2"}}
    assert said("mask", mask, other) == {"reshaped"}
