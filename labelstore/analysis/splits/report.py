"""What a split gave, and how far it is from what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.analysis.splits.groups import Groups, Strata

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Deviation:
    """How one class, or other stratum, is shared out.

    Attributes:
        count: labels, or items where items were asked for.
        groups: how many groups have it: of fewer than there are subsets some subset has none.
        shares: of each subset.
        error: the largest distance of a share from what was asked.
    """

    stratum: str
    count: int
    groups: int
    shares: Mapping[str, float]
    error: float


@dataclass(frozen=True)
class SplitReport:
    """What a split gave.

    Attributes:
        wanted: share that was asked for, of each subset.
        subsets: items per subset.
        groups: groups per subset.
        moved: items that another assignment of the scheme had elsewhere.
        left_out: new items of groups that are in a frozen subset; they are in none.
        frozen: subsets that no item joins or leaves.
        deviations: of classes or other strata, the worst first.
    """

    scheme: str
    mode: str
    wanted: Mapping[str, float]
    subsets: Mapping[str, int]
    groups: Mapping[str, int]
    moved: int
    left_out: int = 0
    frozen: Sequence[str] = ()
    deviations: Sequence[Deviation] = ()

    @property
    def shares(self) -> dict[str, float]:
        """Return the share of items that each subset has."""
        total = sum(self.subsets.values())
        return {name: count / total if total else 0.0 for name, count in self.subsets.items()}

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**vars(self), "shares": self.shares,
                "deviations": [vars(d) for d in self.deviations]}  # fmt: skip


def deviations(
    strata: Strata, groups: Groups, subset: Ids, names: Sequence[str], wanted: Mapping[str, float]
) -> list[Deviation]:
    """Return how each stratum is shared out, the worst first.

    Args:
        strata: what is counted.
        groups: that have it.
        subset: shape (g,), of each group; below 0 for none.
        names: of the subsets.
        wanted: shares that were asked for; subsets that were not asked for are not judged.
    """
    at = subset[strata.group]
    counts = np.zeros((len(strata.names), len(names)))
    inside = at >= 0
    np.add.at(counts, (strata.stratum[inside], at[inside]), strata.count[inside])
    totals = counts.sum(axis=1)
    having = np.bincount(strata.stratum, minlength=len(strata.names))
    found = []
    for i in np.flatnonzero(totals).tolist():
        shares = dict(zip(names, (counts[i] / totals[i]).tolist(), strict=True))
        error = max((abs(shares[n] - share) for n, share in wanted.items() if n in shares),
                    default=0.0)  # fmt: skip
        own = Deviation(strata.names[i], int(totals[i]), int(having[i]), shares, error)
        found.append(own)
    return sorted(found, key=lambda d: (-d.error, d.stratum))
