"""Pairs that may be one, and the best choice among them, against all that there are."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstore.geometry import assignment, candidates
from labelstore.geometry.assignment import assigned

number = st.integers(0, 12)
box = st.tuples(number, number, number, number).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
rows = st.lists(st.tuples(st.integers(0, 3), box), max_size=12)


def sides(before: list[Any], after: list[Any]) -> tuple[Any, Any]:
    """Return groups and boxes of both sides."""
    groups = tuple(np.array([g for g, _ in own], np.int64) for own in (before, after))
    boxes = tuple(np.array([b for _, b in own], float).reshape(-1, 4) for own in (before, after))
    return groups, boxes


@settings(deadline=None)
@given(before=rows, after=rows, few=st.sampled_from([0, 5, 4_096]), block=st.sampled_from([1, 9]))
def test_candidates_are_all_pairs_that_meet(
    before: list[Any], after: list[Any], few: int, block: int
) -> None:
    expected = [
        (i, j)
        for i, (g, a) in enumerate(before)
        for j, (h, b) in enumerate(after)
        if g == h and a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "FEW", few)
        patch.setattr(candidates, "BLOCK", block)
        found = candidates.candidates(*sides(before, after))
    assert list(zip(*(side.tolist() for side in found), strict=True)) == expected


def best(scores: Any) -> float:
    """Return the highest sum of scores of which no two share a row or column."""
    n, m = scores.shape
    if n > m:
        return best(scores.T)
    return max(
        float(sum(scores[i, j] for i, j in enumerate(p))) for p in permutations(range(m), n)
    )


@settings(deadline=None)
@given(st.data())
def test_the_best_is_chosen(data: st.DataObject) -> None:
    n, m = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    cells = st.sampled_from([0.0, 0.0, 0.25, 0.5, 0.625, 1.0])
    scores = np.array([[data.draw(cells) for _ in range(m)] for _ in range(n)])
    a, b = np.nonzero(scores)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "DENSE", data.draw(st.sampled_from([0, 1 << 20])))
        chosen = assigned(a, b, scores[a, b])
    assert len(set(a[chosen])) == len(set(b[chosen])) == chosen.sum()
    assert scores[a, b][chosen].sum() == best(scores)


def test_clusters_that_share_no_pair_are_solved_apart() -> None:
    """Twenty thousand rows in a table would take 1.6 GB."""
    places = np.arange(20_000)
    a, b = np.repeat(places, 2), np.stack([places, places ^ 1], axis=1).ravel()
    score = np.tile([0.75, 0.5], len(places))
    assert (assigned(a, b, score) == (score == 0.75)).all()
