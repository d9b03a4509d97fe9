"""Balanced splits: the rarest class first, and what was assigned before stays.

Groups are placed one after the other, those of the rarest class first, each where it brings the
shares of its classes nearest to what is asked; then single groups move while that still helps.
Sechidis et al. 2011 place by the rarest class alone; here all classes of a group count at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.analysis.splits.groups import Strata

    Ids = NDArray[np.int64]

FREE = -1
"""Stands for a group that is in no subset yet."""
ROUNDS = 4
LOOKED_AT = 20_000
"""Groups that are looked at again, those of the rarest classes: common ones come out right."""
SIZES = 40.0
"""How much the number of items counts beside one class."""


def place(
    ratios: Sequence[float],
    sizes: Ids,
    strata: Strata,
    draws: NDArray[np.str_],
    fixed: Ids,
) -> Ids:
    """Return the subset of each group, shape (g,), 0 to s - 1.

    Args:
        ratios: shape (s,), the share of each subset; a share of 0 takes no new group.
        sizes: shape (g,), items of each group.
        strata: what else is to be balanced.
        draws: shape (g,), texts that decide between groups that are alike.
        fixed: shape (g,), the subset that a group is in already, or `FREE`.
    """
    open_ = [s for s, ratio in enumerate(ratios) if ratio > 0]
    state = _State(ratios, sizes, strata, fixed)
    order = _order(strata, sizes, draws, fixed)
    for group in order:
        state.put(group, open_)
    state.settle()
    for _ in range(ROUNDS):
        if not sum(state.improve(group, open_) for group in order[:LOOKED_AT]):
            break
    return np.array(state.subset, np.int64)


def _order(strata: Strata, sizes: Ids, draws: NDArray[np.str_], fixed: Ids) -> list[int]:
    """Return the free groups, those of the rarest stratum first and of these the largest."""
    totals = np.bincount(strata.stratum, strata.count, len(strata.names))
    rarest = np.full(len(sizes), np.inf)
    np.minimum.at(rarest, strata.group, totals[strata.stratum])
    mass = np.bincount(strata.group, strata.count, len(sizes))
    order = np.lexsort((draws, -sizes, -mass, rarest))
    return [int(g) for g in order[fixed[order] == FREE]]


class _State:
    """Where groups are, and how far each subset is from what is asked.

    The cost is the sum, over subsets and strata, of the squared error of the subset's share; so
    one unit of a stratum that occurs t times weighs 1 / t². Plain lists: the loops look at single
    values, where arrays are ten times slower.
    """

    def __init__(self, ratios: Sequence[float], sizes: Ids, strata: Strata, fixed: Ids) -> None:
        totals = np.bincount(strata.stratum, strata.count, len(strata.names))
        every = np.concatenate([totals, [sizes.sum()]])
        with np.errstate(divide="ignore"):
            weights = np.where(every > 0, 1 / every**2, 0.0)
        weights[-1] *= SIZES
        self._plain: list[float] = weights.tolist()
        self._weights = [(weights / r).tolist() if r else self._plain for r in ratios]
        self._over: list[list[float]] = [[-r * t for t in every.tolist()] for r in ratios]
        self.subset: list[int] = fixed.tolist()
        self._ends = np.searchsorted(strata.group, np.arange(len(sizes) + 1)).tolist()
        self._kinds, self._counts = strata.stratum.tolist(), strata.count.tolist()
        self._sizes = sizes.tolist()
        for group in np.flatnonzero(fixed != FREE).tolist():
            self._shift(self._own(group), self.subset[group], 1)

    def settle(self) -> None:
        """Count errors of all subsets alike from now on.

        Before, those of small subsets count more, so that all fill at one pace and no class is
        left for the end.
        """
        self._weights = [self._plain] * len(self._weights)

    def put(self, group: int, open_: Sequence[int]) -> None:
        """Place a group where it costs least."""
        own = self._own(group)
        self.subset[group] = best = self._best(own, open_)
        self._shift(own, best, 1)

    def improve(self, group: int, open_: Sequence[int]) -> bool:
        """Move a group to where it costs least; say whether it moved."""
        own, was = self._own(group), self.subset[group]
        self._shift(own, was, -1)
        now = self._best(own, [was, *(s for s in open_ if s != was)])
        self.subset[group] = now
        self._shift(own, now, 1)
        return now != was

    def _own(self, group: int) -> list[tuple[int, int]]:
        """Return the strata of a group, each with how much; the last is the items."""
        first, end = self._ends[group], self._ends[group + 1]
        own = list(zip(self._kinds[first:end], self._counts[first:end], strict=True))
        own.append((-1, self._sizes[group]))
        return own

    def _best(self, own: Sequence[tuple[int, int]], open_: Sequence[int]) -> int:
        """Return where the cost grows least, the first of several."""
        best, least = open_[0], np.inf
        for subset in open_:
            over, weights, cost = self._over[subset], self._weights[subset], 0.0
            for kind, n in own:
                cost += weights[kind] * n * (2 * over[kind] + n)
            if cost < least - 1e-15:
                best, least = subset, cost
        return best

    def _shift(self, own: Sequence[tuple[int, int]], subset: int, sign: int) -> None:
        over = self._over[subset]
        for kind, n in own:
            over[kind] += sign * n
