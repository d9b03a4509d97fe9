"""Keypoints, lines, curves, spans and intervals against plain code and others' libraries."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.cocoeval import COCOeval
from rows import column, shapes

from labelstore.geometry import curves, intervals, keypoints, lines
from labelstore.geometry.covering import covering_boxes
from labelstore.geometry.rules import RULES, broken
from labelstore.geometry.similarity import similarity

numbers = st.integers(-100, 100).map(lambda n: n / 4)
points = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=6)


@given(
    st.lists(st.tuples(numbers, numbers), min_size=17, max_size=17),
    st.lists(st.tuples(numbers, numbers, st.integers(0, 2)), min_size=17, max_size=17),
    st.floats(1, 1e4),
)
def test_keypoints_agree_as_cocos_evaluation_says(found: Any, wanted: Any, area: float) -> None:
    evaluation = COCOeval(iouType="keypoints")
    truth = {"keypoints": [v for p in wanted for v in p], "area": area, "bbox": [0, 0, 1, 1],
             "ignore": 0}  # fmt: skip
    seen = {"keypoints": [v for p in found for v in (*p, 2)], "score": 1.0}
    evaluation._gts[1, 1], evaluation._dts[1, 1] = [truth], [seen]
    evaluation.params.useCats = 1
    oks = evaluation.computeOks(1, 1)[0, 0]
    ours = keypoints.similarity(
        column("keypoints", [[v for p in found for v in p]]),
        column("keypoints", [[v for p in wanted for v in p[:2]]]),
        column("visibility", [[p[2] for p in wanted]]),
        np.array([area]),
    )
    if any(p[2] for p in wanted):
        np.testing.assert_allclose(ours, [oks], atol=1e-9)
    else:
        assert np.isnan(ours).all()


def test_keypoints_are_as_near_as_their_labelled_points() -> None:
    row = shapes([{"keypoints": [0, 0, 10, 10, 99, 99], "visibility": [1, 2, 0]}])
    moved = shapes([{"keypoints": [0, 0, 10, 10, 5, 5], "visibility": [2, 2, 2]}])
    assert similarity("keypoints", moved, row).tolist() == [1]
    assert similarity("keypoints", row, moved)[0] < 1
    assert covering_boxes(row).tolist() == [[0, 0, 10, 10]]
    flat = shapes([{"keypoints": [1.0, 2.0, 3.0, 5.0, 6.0, 7.0], "keypoint_dims": 3}])
    assert covering_boxes(flat).tolist() == [[1, 2, 5, 6]]


def ring(line: Any) -> list[float]:
    return [float(v) for p in line for v in p]


def distances(a: Any, b: Any) -> Any:
    return np.linalg.norm(np.array(a)[:, None] - np.array(b)[None], axis=2)


@given(st.lists(st.tuples(points, points), min_size=1, max_size=5))
def test_lines_lie_apart_as_plain_code_says(pairs: list[Any]) -> None:
    drawn: Any = [
        lines.shapes(column("polylines", [[ring(p[i])] for p in pairs]),
                     column("polylines_closed", [None] * len(pairs)))
        for i in (0, 1)
    ]  # fmt: skip

    def frechet(a: Any, b: Any) -> float:
        apart = distances(a, b)

        @cache
        def leash(i: int, j: int) -> float:
            if i == j == 0:
                return float(apart[0, 0])
            before = [leash(i - di, j - dj) for di, dj in ((1, 0), (0, 1), (1, 1))
                      if i >= di and j >= dj]  # fmt: skip
            return max(min(before), float(apart[i, j]))

        return leash(len(a) - 1, len(b) - 1)

    np.testing.assert_allclose(
        lines.frechet(*drawn), [frechet(*map(tuple, p)) for p in pairs], atol=1e-9
    )
    found = lines.hausdorff(*drawn)
    np.testing.assert_array_equal(found, lines.hausdorff(*drawn[::-1]))
    assert lines.hausdorff(drawn[0], drawn[0]).tolist() == [0] * len(pairs)
    for value, (a, b) in zip(found, pairs, strict=True):
        far = []
        for one, other in ((a, b), (b, a)):
            tried = np.concatenate([np.linspace(p, q, 5) for p, q in pairwise(one)])
            far.append(shapely.distance(shapely.points(tried), shapely.LineString(other)).max())
        assert value == pytest.approx(max(far))


def test_lines_have_a_length_and_a_way_back() -> None:
    square = [0.0, 0.0, 4.0, 0.0, 4.0, 3.0, 0.0, 3.0]
    rows = column("polylines", [[square, [0.0, 0.0, 0.0, 2.0]], [square], None, [[1.0, 1.0]]])
    closed = column("polylines_closed", [[True, False], None, None, [True]])
    assert lines.lengths(rows, closed).tolist() == [16, 11, 0, 0]
    drawn = lines.shapes(rows, closed)
    assert [None if d is None else d.length for d in drawn] == [16, 11, None, None]
    one, other = (shapes([{"polylines": [[0.0, y, 10.0, y]]}]) for y in (0.0, 3.0))
    apart = 1 - 3 / np.hypot(10, 3)
    np.testing.assert_allclose(similarity("polylines", one, other), [apart])
    np.testing.assert_allclose(similarity("polylines", one, one), [1])


spans = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=3).map(
    lambda found: [{"start": s, "end": s + n} for s, n in found]
)


@given(st.lists(st.tuples(st.none() | spans, st.none() | spans), min_size=1, max_size=6))
def test_spans_share_what_their_sets_share(pairs: list[Any]) -> None:
    wanted = []
    for pair in pairs:
        if None in pair:
            wanted.append(np.nan)
            continue
        a, b = ({i for s in side for i in range(s["start"], s["end"])} for side in pair)
        wanted.append(len(a & b) / len(a | b) if a & b else 0)
    sides = [column("spans", [p[i] for p in pairs]) for i in (0, 1)]
    np.testing.assert_allclose(intervals.span_overlap(*sides), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, 1 / 3),
        ({"channel": 1}, 1 / 3),
        ({"channel": 2}, 0),
        ({"low_hz": 0, "high_hz": 50}, 1 / 3),
    ],
)
def test_intervals_overlap_in_time_and_band(more: dict[str, Any], wanted: float) -> None:
    one = column("interval", [{"start": 0.0, "end": 2.0, "channel": 1}])
    other = column("interval", [{"start": 1.0, "end": 3.0, **more}])
    np.testing.assert_allclose(intervals.interval_overlap(one, other), [wanted])


def test_bands_count_where_both_have_one() -> None:
    one, other = (
        column("interval", [{"start": 0.0, "end": 2.0, "low_hz": low, "high_hz": low + 100}])
        for low in (0.0, 50.0)
    )
    np.testing.assert_allclose(intervals.interval_overlap(one, other), [1 / 3])


def test_curves_go_through_the_points_they_should() -> None:
    # four cubic pieces around a circle: never more than 0.03 % off it
    k = 4 / 3 * (np.sqrt(2) - 1)
    quarter = np.array([[1, 0], [1, k], [k, 1]])
    turn = np.array([[0, -1], [1, 0]])
    circle = np.concatenate([quarter @ np.linalg.matrix_power(turn, i).T for i in range(4)])
    found = curves.polyline("cubic_bezier", circle, degree=3, closed=True, knots=None)
    np.testing.assert_allclose(np.hypot(*found.T), 1, atol=3e-4)
    assert len(found) == 4 * curves.STEPS
    control = np.array([[0, 0], [1, 2], [3, 2], [4, 0], [6, 1]], float)
    through = curves.polyline("catmull_rom", control, degree=3, closed=False, knots=None)
    np.testing.assert_allclose(through[:: curves.STEPS], control)
    straight = curves.polyline("b_spline", control, degree=1, closed=False, knots=None)
    np.testing.assert_allclose(straight[:: curves.STEPS], control)
    smooth = curves.polyline("b_spline", control, degree=3, closed=False, knots=None)
    np.testing.assert_allclose(smooth[[0, -1]], control[[0, -1]])
    ring = curves.polyline("b_spline", circle, degree=3, closed=True, knots=None)
    steps = np.linalg.norm(np.diff(np.append(ring, ring[:1], axis=0), axis=0), axis=1)
    assert steps.max() < 2 * steps.mean()  # no jump where it closes


def test_what_stands_under_a_null_does_not_count() -> None:
    """Arrow may keep members of a list that is null."""
    kind = column("spans", []).type
    members = pa.array([{"start": 0, "end": 5}, {"start": 9, "end": 2}], kind.value_type)
    mask = pa.array([False, True])
    hidden = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), members, kind, mask=mask)
    found = intervals.span_overlap(hidden, hidden)
    assert found[0] == 1
    assert np.isnan(found[1])
    rows = pa.table({"spans": hidden})
    assert [r.code for r in RULES if r.shape == "spans" and len(broken(r, rows))] == []
