"""Optimal assignment: of pairs that may be one, those that agree best together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

DENSE = 4_000_000
"""Cells of a table of rows against rows up to which it is laid out; beyond it only its pairs."""


def assigned(a: Ints, b: Ints, score: Floats) -> NDArray[np.bool_]:
    """Return which pairs are chosen: no row twice, and the sum of scores as high as can be.

    The rows fall into clusters that share no pair; each is solved by itself, so cost grows with
    the rows and not with their product. Of equal sums always the same is chosen.

    Args:
        a: shape (k,), row of one side of each pair.
        b: shape (k,), row of the other side; no pair stands twice.
        score: shape (k,), above 0.

    Returns:
        Shape (k,).
    """
    chosen = np.zeros(len(a), bool)
    if not len(a):
        return chosen
    cluster = _clusters(a, b)
    sizes = np.bincount(cluster)
    chosen[sizes[cluster] == 1] = True
    rest = np.flatnonzero(~chosen)
    order = rest[np.argsort(cluster[rest], kind="stable")]
    cuts = np.flatnonzero(np.diff(cluster[order])) + 1
    for own in np.split(order, cuts):
        if len(own):
            chosen[own] = _solved(a[own], b[own], score[own])
    return chosen


def _clusters(a: Ints, b: Ints) -> Ints:
    """Return the number of the cluster of each pair, shape (k,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, own = np.unique(a, return_inverse=True)
    columns, other = np.unique(b, return_inverse=True)
    size = len(rows) + len(columns)
    graph = coo_array((np.ones(len(a), np.int8), (own, len(rows) + other)), (size, size))
    labels: Ints = connected_components(graph, directed=False)[1][own].astype(np.int64)
    return labels


def _solved(a: Ints, b: Ints, score: Floats) -> NDArray[np.bool_]:
    """Return which pairs of one cluster are chosen."""
    from scipy.optimize import linear_sum_assignment

    rows, own = np.unique(a, return_inverse=True)
    columns, other = np.unique(b, return_inverse=True)
    if len(rows) * len(columns) > DENSE:
        return _solved_sparse(own, other, score, (len(rows), len(columns)))
    scores = np.zeros((len(rows), len(columns)))
    scores[own, other] = score
    chosen = np.zeros(scores.shape, bool)
    chosen[linear_sum_assignment(scores, maximize=True)] = True
    return chosen[own, other]


def _solved_sparse(
    own: Ints, other: Ints, score: Floats, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return which pairs of one large cluster are chosen; each row may also stay alone."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    count, width = shape
    alone = np.arange(count)
    weights = np.concatenate([1 + score, np.ones(count)])
    places = np.concatenate([own, alone]), np.concatenate([other, width + alone])
    graph = coo_array((weights, places), (count, width + count)).tocsr()
    taken = np.empty(count, np.int64)
    rows, columns = min_weight_full_bipartite_matching(graph, maximize=True)
    taken[rows] = columns
    found: NDArray[np.bool_] = taken[own] == other
    return found
