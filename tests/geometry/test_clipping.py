"""The area that outlines share is that of GEOS wherever it is said to be sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given
from hypothesis import strategies as st

from labelstore.geometry import planar
from labelstore.geometry.clipping import MOST, shared_areas

GRID = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=3, max_size=9)


def stars(count: int, corners: int, seed: int, *, back: bool = False) -> Any:
    """Return outlines that are star-shaped about the origin, most of them not convex."""
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, (count, corners)), axis=1)
    reach = rng.uniform(2, 10, (count, corners))
    points = np.stack([np.cos(turn) * reach, np.sin(turn) * reach], axis=2)
    found = shapely.polygons(points[:, ::-1] if back else points)
    return found[shapely.is_valid(found)]


def agrees(a: Any, b: Any) -> float:
    """Compare with GEOS where it is sure; return which share that is."""
    found, sure = shared_areas(a, b)
    expected = shapely.area(shapely.intersection(a, b))
    assert found[sure] == pytest.approx(expected[sure], rel=1e-9, abs=1e-9)
    return float(sure.mean())


@pytest.mark.parametrize("corners", [3, 4, 7, 8, 16, 33, MOST])
@pytest.mark.parametrize("back", [False, True])
def test_areas_are_those_of_geos(corners: int, back: bool) -> None:
    """Outlines of either turn, beside, across and within each other, far from the origin too."""
    a = stars(500, corners, corners)
    for step in (0.0, 3.0, 9.0, 40.0):
        b = stars(500, max(3, corners - 1), 99 + corners, back=back)
        count = min(len(a), len(b))
        for far in (0.0, 1e5):
            moved = shapely.transform(b[:count], lambda p, f=far, s=step: p + np.array([f + s, f]))
            own = shapely.transform(a[:count], lambda p, f=far: p + f)
            assert agrees(own, moved) > 0.95


@given(st.lists(st.tuples(GRID, GRID), min_size=1, max_size=20))
def test_corners_and_edges_that_touch_are_left_or_right(pairs: list[Any]) -> None:
    """On a grid outlines share corners and edges; what is said of them must be right."""
    sides = [np.array([shapely.Polygon(pair[i]) for pair in pairs], object) for i in (0, 1)]
    own = shapely.is_valid(sides[0]) & shapely.is_valid(sides[1])
    if own.any():
        agrees(sides[0][own], sides[1][own])


def test_what_is_no_single_small_outline_is_left_to_geos() -> None:
    square = shapely.box(0, 0, 4, 4)
    others = np.array([
        shapely.Polygon(square.exterior.coords, [[(1, 1), (2, 1), (2, 2)]]),
        shapely.MultiPolygon([square, shapely.box(9, 9, 12, 12)]),
        shapely.Point(1, 1).buffer(3, quad_segs=MOST),
        None,
        shapely.Polygon(),
    ], object)  # fmt: skip
    boxes = np.full(len(others), shapely.box(0.5, 0.5, 3.5, 3.5), object)
    assert not shared_areas(others, boxes)[1].any()
    expected = shapely.area(shapely.intersection(others, boxes))
    assert planar.common_areas(others, boxes) == pytest.approx(np.nan_to_num(expected))


def test_nothing_is_asked_of_nothing() -> None:
    found, sure = shared_areas(np.empty(0, object), np.empty(0, object))
    assert (len(found), len(sure)) == (0, 0)


def test_edges_that_lie_nearly_on_each_other_are_left_to_geos() -> None:
    """The same outline, turned there and back: its edges cross anywhere, by rounding alone."""
    square = shapely.box(0, 0, 0.25, 0.25)
    turned = np.array([shapely.affinity.rotate(shapely.affinity.rotate(square, t), -t)
                       for t in (1e-6, 0.1, 17.0, 45.0)], object)  # fmt: skip
    squares = np.full(len(turned), square, object)
    agrees(squares, turned)
    assert planar.iou(squares, turned) == pytest.approx(np.ones(len(turned)), rel=1e-9)
