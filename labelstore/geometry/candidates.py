"""Pairs of shapes that may be one: on one item, and near each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FEW = 4_096
"""Pairs on an item up to which each is looked at; beyond it a tree finds those that are near."""
BLOCK = 1 << 20
"""Pairs that are looked at together."""


def candidates(groups: tuple[Ints, Ints], reach: tuple[Floats, Floats]) -> tuple[Ints, Ints]:
    """Return pairs of rows of two sides that are of one group and whose boxes meet.

    Args:
        groups: shapes (n,) and (m,), such as numbers of items.
        reach: shapes (n, 4) and (m, 4): xmin, ymin, xmax, ymax; boxes that touch meet.

    Returns:
        Places on either side, shape (k,) each, rising.
    """
    orders = [np.argsort(own, kind="stable") for own in groups]
    ordered = [own[order] for own, order in zip(groups, orders, strict=True)]
    shared = np.intersect1d(ordered[0], ordered[1])
    first = [np.searchsorted(own, shared) for own in ordered]
    count = [np.searchsorted(own, shared, side="right") - f
             for own, f in zip(ordered, first, strict=True)]  # fmt: skip
    found = [np.empty((0, 2), np.int64)]
    many = count[0] * count[1] > FEW
    for chosen in _blocks(np.where(many, 0, count[0] * count[1])):
        pairs = _all_pairs(first[0][chosen], first[1][chosen], count[0][chosen], count[1][chosen])
        both = np.stack([order[own] for order, own in zip(orders, pairs, strict=True)], axis=1)
        found.append(both[_meet(reach[0][both[:, 0]], reach[1][both[:, 1]])])
    for k in np.flatnonzero(many).tolist():
        sides = [orders[s][first[s][k] : first[s][k] + count[s][k]] for s in (0, 1)]
        found.append(_by_tree(sides[0], sides[1], reach))
    a, b = np.concatenate(found).T
    order = np.lexsort((b, a))
    return a[order], b[order]


def _blocks(counts: Ints) -> Iterator[slice]:
    """Yield stretches of groups that have at most `BLOCK` pairs together, or are one group."""
    if not len(counts):
        return
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + BLOCK, side="right")))
        yield slice(begin, end)
        begin = end


def _all_pairs(first: Ints, second: Ints, own: Ints, other: Ints) -> tuple[Ints, Ints]:
    """Return all pairs of rows of some groups, by where their rows begin and how many they are."""
    counts = np.where(own * other > FEW, 0, own * other)
    group = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)
    return first[group] + place // other[group], second[group] + place % other[group]


def _meet(a: Floats, b: Floats) -> NDArray[np.bool_]:
    """Return which pairs of boxes share a point, shape (k,); NaN shares none."""
    return np.asarray(((a[:, :2] <= b[:, 2:]) & (b[:, :2] <= a[:, 2:])).all(axis=1))


def _by_tree(own: Ints, other: Ints, reach: tuple[Floats, Floats]) -> Ints:
    """Return the pairs of rows of two sides whose boxes meet, shape (k, 2)."""
    own, other = (rows[~np.isnan(reach[s][rows]).any(axis=1)]
                  for s, rows in enumerate((own, other)))  # fmt: skip
    boxes = [shapely.box(*reach[s][rows].T) for s, rows in enumerate((own, other))]
    at = shapely.STRtree(boxes[1]).query(boxes[0])
    return np.stack([own[at[0]], other[at[1]]], axis=1)
