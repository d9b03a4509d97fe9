"""Boxes, rotated boxes, outlines and ellipses: laws, and agreement with others' libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco
from rows import column, shapes

from labelstore.geometry import planar
from labelstore.geometry.boxes import corners, iou, members
from labelstore.geometry.covering import covering_boxes
from labelstore.geometry.curves import ellipse_outlines, turned_rectangles
from labelstore.geometry.similarity import MEASURES, similarity

numbers = st.integers(-200, 200).map(lambda n: n / 4)
sizes = st.integers(1, 200).map(lambda n: n / 4)
angles = st.floats(-7, 7)
xywh = st.tuples(numbers, numbers, sizes, sizes)
turned = st.tuples(numbers, numbers, sizes, sizes, angles)


def boxes(values: list[Any], form: str = "xywh") -> Any:
    rows = [dict(zip(("v0", "v1", "v2", "v3"), v, strict=True)) for v in values]
    return column("box", rows), column("box_form", [form] * len(rows))


@given(st.lists(st.tuples(xywh, xywh, st.booleans()), min_size=1, max_size=20))
def test_boxes_agree_as_pycocotools_says(pairs: list[Any]) -> None:
    one, other = (corners(*boxes([p[i] for p in pairs])) for i in (0, 1))
    crowd = np.array([p[2] for p in pairs])
    wanted = [coco.iou([list(p[0])], [list(p[1])], [p[2]])[0, 0] for p in pairs]
    np.testing.assert_allclose(iou(one, other, crowd), wanted, atol=1e-12)
    np.testing.assert_array_equal(iou(one, other), iou(other, one))
    np.testing.assert_allclose(iou(one, one), 1, atol=1e-12)


def test_the_form_of_a_box_counts() -> None:
    for form, value in (
        ("xywh", (1, 2, 3, 4)), ("xyxy", (1, 2, 4, 6)), ("cxcywh", (2.5, 4, 3, 4)),
    ):  # fmt: skip
        assert corners(*boxes([value], form)).tolist() == [[1, 2, 4, 6]]
    assert np.isnan(corners(column("box", [None]), column("box_form", [None]))).all()


@given(st.lists(st.tuples(turned, turned), min_size=1, max_size=10))
def test_rotated_boxes_agree_as_shapely_says(pairs: list[Any]) -> None:
    def by_shapely(v: Any) -> Any:
        box = shapely.box(-v[2] / 2, -v[3] / 2, v[2] / 2, v[3] / 2)
        turn = shapely.affinity.rotate(box, v[4], origin=(0, 0), use_radians=True)
        return shapely.affinity.translate(turn, v[0], v[1])

    names = ("cx", "cy", "w", "h", "angle")
    rows = [
        shapes([{"rotated_box": dict(zip(names, p[i], strict=True))} for p in pairs])
        for i in (0, 1)
    ]
    wanted = []
    for a, b in pairs:
        one, other = by_shapely(a), by_shapely(b)
        inner = one.intersection(other, grid_size=1e-9).area
        wanted.append(inner / (one.area + other.area - inner))
    found = similarity("rotated_box", *rows)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_allclose(found, similarity("rotated_box", *rows[::-1]), atol=1e-6)
    np.testing.assert_allclose(similarity("rotated_box", rows[0], rows[0]), 1, atol=1e-9)
    bounds = [by_shapely(p[0]).bounds for p in pairs]
    np.testing.assert_allclose(covering_boxes(rows[0]), bounds, atol=1e-9)


def test_rotated_boxes_on_the_same_edges_overlap() -> None:
    # GEOS alone finds nothing in common in about one of a thousand of these
    rng = np.random.default_rng(0)
    values = np.column_stack(
        [rng.integers(-40, 40, (5000, 2)) / 4, rng.integers(1, 200, (5000, 2)) / 4,
         rng.uniform(-7, 7, 5000)]
    )  # fmt: skip
    wider = values.copy()
    wider[np.arange(5000), rng.integers(2, 4, 5000)] = rng.integers(1, 200, 5000) / 4
    inner = np.minimum(values, wider)[:, 2:4].prod(axis=1)
    one, other = (planar.outlines(turned_rectangles(v)) for v in (values, wider))
    np.testing.assert_allclose(planar.common_areas(one, other), inner, rtol=1e-5)


def star(points: int, radius: float, x: float, y: float) -> list[float]:
    """Return a ring that goes round a centre, so that it never crosses itself."""
    turn = np.arange(points) * 2 * np.pi / points
    far = radius * (1 + 0.5 * (np.arange(points) % 2))
    ring = np.stack([x + far * np.cos(turn), y + far * np.sin(turn)], axis=1)
    return [float(v) for v in ring.reshape(-1)]


stars = st.tuples(st.integers(3, 9), sizes, numbers, numbers)


@given(st.lists(st.tuples(st.lists(stars, min_size=1, max_size=3), stars), min_size=1, max_size=6))
def test_outlines_of_several_parts_agree_as_shapely_says(rows: list[Any]) -> None:
    one = shapes([{"polygons": [star(*s) for s in parts]} for parts, _ in rows])
    other = shapes([{"polygons": [star(*s)]} for _, s in rows])
    wanted = []
    for parts, single in rows:
        a = shapely.union_all([shapely.Polygon(np.reshape(star(*s), (-1, 2))) for s in parts])
        b = shapely.Polygon(np.reshape(star(*single), (-1, 2)))
        wanted.append(a.intersection(b).area / a.union(b).area)
    np.testing.assert_allclose(similarity("polygons", one, other), wanted, atol=1e-7)
    np.testing.assert_allclose(similarity("polygons", one, one), 1, atol=1e-7)


def test_holes_are_cut_from_the_ring_they_belong_to() -> None:
    square, hole = [0, 0, 10, 0, 10, 10, 0, 10], [2, 2, 4, 2, 4, 4, 2, 4]
    over = [3, 3, 9, 3, 9, 9, 3, 9]
    cases: list[tuple[list[Any], list[int] | None, float]] = [
        ([square], None, 100),
        ([square, hole], [-1, 0], 96),
        ([hole, square], [1, -1], 96),
        ([square, hole, over], [-1, 0, -1], 97),  # a part over the hole fills a corner of it
        ([square, hole], None, 100),
        ([square, [5, 5, 6, 6]], [-1, 0], 100),  # two points have no inside
        ([[0, 0, 10, 10, 10, 0, 0, 10]], None, 50),  # crosses itself
    ]
    rings = column("polygons", [[list(map(float, r)) for r in c[0]] for c in cases])
    found = planar.areas(planar.polygons(rings, column("holes_of", [c[1] for c in cases])))
    assert found.tolist() == [c[2] for c in cases]
    nothing = column("polygons", [None, [], [[]], [[1.0, 2.0, 3.0]]])
    assert np.isnan(planar.areas(planar.polygons(nothing, column("holes_of", [None] * 4)))).all()


@given(st.lists(st.tuples(turned, st.integers(1, 8)), min_size=1, max_size=10))
def test_ellipses_of_one_form_agree_by_the_ratio_of_their_areas(rows: list[Any]) -> None:
    names = ("cx", "cy", "rx", "ry", "angle")
    sides = [
        shapes([{"ellipse": dict(zip(names, (v[0], v[1], v[2] * k**i, v[3] * k**i, v[4]),
                                     strict=True))} for v, k in rows])
        for i in (0, 1)
    ]  # fmt: skip
    wanted = [1 / k**2 for _, k in rows]
    np.testing.assert_allclose(similarity("ellipse", *sides), wanted, rtol=1e-7)
    drawn = planar.ellipses(sides[0].column("ellipse").combine_chunks())
    areas = [np.pi * v[2] * v[3] for v, _ in rows]
    np.testing.assert_allclose(planar.areas(drawn), areas, rtol=1e-9)
    fine = ellipse_outlines(members(sides[0].column("ellipse").combine_chunks()), 4096)
    bounds = np.concatenate([fine.min(axis=1), fine.max(axis=1)], axis=1)
    np.testing.assert_allclose(covering_boxes(sides[0]), bounds, atol=1e-4)


@pytest.mark.parametrize("shape", sorted(MEASURES))
def test_no_shape_is_not_comparable(shape: str) -> None:
    assert np.isnan(similarity(shape, shapes([{}]), shapes([{}]))).all()
