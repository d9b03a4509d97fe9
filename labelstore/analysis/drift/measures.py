"""Measures of how far two distributions are apart, and whether chance alone would do it.

The effect comes first: with many labels the smallest shift is beyond chance. Formulas: Lin 1991
(Jensen-Shannon), Cramér 1946, Dvoretzky, Kiefer and Wolfowitz 1956 with Massart's constant 1990,
Newcombe 1998 (difference of shares), Holm 1979.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EMPTY_SHARE = 1e-6
"""Stands for a share of zero in the population stability index, which has no value there."""
BINS = 10
"""Of the population stability index of numbers: tenths of the older side."""
Z = 1.959963984540054
"""Of intervals that hold the truth 95 times of 100."""
LARGE = 1e5
RARE = 5
"""Expected counts below which a share is compared exactly."""


def jensen_shannon(p: Sequence[float], q: Sequence[float]) -> float:
    """Return the Jensen-Shannon distance of two distributions, base 2.

    Example:
        >>> round(jensen_shannon([0.6, 0.3, 0.1], [0.5, 0.3, 0.2]) ** 2, 6)
        0.015539
    """
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return math.sqrt(max(0.0, (_divergence(p, middle) + _divergence(q, middle)) / 2))


def _divergence(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(a * math.log2(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def population_stability(p: Sequence[float], q: Sequence[float]) -> float:
    """Return the population stability index; empty classes count as one in a million.

    Example:
        >>> round(population_stability([0.6, 0.3, 0.1], [0.5, 0.3, 0.2]), 6)
        0.087547
    """
    pairs = [(max(a, EMPTY_SHARE), max(b, EMPTY_SHARE)) for a, b in zip(p, q, strict=True)]
    return sum((b - a) * math.log(b / a) for a, b in pairs)


def stability_of_numbers(before: Floats, after: Floats) -> float:
    """Return the population stability index over tenths of the older numbers."""
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = [np.bincount(np.searchsorted(edges, own, side="right"), minlength=len(edges) + 1)
              / len(own) for own in (before, after)]  # fmt: skip
    return population_stability(shares[0].tolist(), shares[1].tolist())


def cramers_v(counts: Any) -> float:
    """Return Cramér's V of a table of counts: how far rows and columns depend, 0 to 1.

    Example:
        >>> cramers_v([[10, 0], [0, 10]]), cramers_v([[5, 5], [5, 5]])
        (1.0, 0.0)
    """
    table = np.asarray(counts, np.float64)
    return math.sqrt(_chi2(table) / table.sum() / max(min(table.shape) - 1, 1))


def _chi2(table: Floats) -> float:
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    there = expected > 0
    return float(((table - expected)[there] ** 2 / expected[there]).sum())


def chance_of_groups(counts: Any) -> float:
    """Return how often chance alone moves groups at least so far (chi-square), 0 to 1."""
    from scipy.stats import chi2

    table = np.asarray(counts, np.float64)
    used = table[:, table.sum(axis=0) > 0]
    return float(chi2.sf(_chi2(used), max(used.shape[1] - 1, 1)))


def interval_of_groups(counts: Any) -> tuple[float, float]:
    """Return between which values the true Cramér's V lies, at 95 %.

    The chi-square of samples is a noncentral one (Steiger 2004). What is seen is on average a
    little more than what is true, for chance adds to it; so the interval begins at 0 where chance
    alone may do it.
    """
    table = np.asarray(counts, np.float64)
    used = table[:, table.sum(axis=0) > 0]
    square, free = _chi2(used), max(used.shape[1] - 1, 1)
    scale = table.sum() * max(min(table.shape) - 1, 1)
    low, high = (_noncentral(square, free, share) for share in (0.975, 0.025))
    return math.sqrt(min(low / scale, 1.0)), math.sqrt(min(max(high, square) / scale, 1.0))


def _noncentral(square: float, free: int, share: float) -> float:
    """Return the noncentrality under which so much of the distribution is below a value."""
    from scipy.optimize import brentq
    from scipy.stats import ncx2, norm

    def below(noncentral: float) -> float:
        if noncentral > LARGE:  # nearly normal, and the series takes long
            spread = math.sqrt(2 * (free + 2 * noncentral))
            return float(norm.cdf((square - free - noncentral) / spread)) - share
        return float(ncx2.cdf(square, free, noncentral)) - share

    if below(0.0) <= 0:
        return 0.0
    return float(brentq(below, 0.0, 2 * square + 20 * math.sqrt(square + free) + 100))


def interval_of_numbers(effect: float, counts: tuple[int, int]) -> tuple[float, float]:
    """Return between which values the distance of the true distribution functions surely lies.

    By the inequality of Dvoretzky, Kiefer and Wolfowitz, for any distribution; at 95 %.
    """
    reach = sum(math.sqrt(math.log(4 / 0.05) / (2 * n)) for n in counts)
    return max(0.0, effect - reach), min(1.0, effect + reach)


def chance_of_share(hits: tuple[int, int], totals: tuple[int, int]) -> float:
    """Return how often chance alone moves a share at least so far; exact where it is rare.

    Args:
        hits: labels of the class on either side.
        totals: all labels on either side.
    """
    from scipy.stats import fisher_exact

    table = [[h, n - h] for h, n in zip(hits, totals, strict=True)]
    share = sum(hits) / sum(totals)
    if min(totals) * min(share, 1 - share) < RARE:
        return float(fisher_exact(table).pvalue)
    return chance_of_groups(table)


def interval_of_change(hits: tuple[int, int], totals: tuple[int, int]) -> tuple[float, float]:
    """Return between which values the change of a share lies, at 95 % (Newcombe's, from Wilson's).

    Args:
        hits: labels of the class on either side.
        totals: all labels on either side.
    """
    shares = [h / n for h, n in zip(hits, totals, strict=True)]
    ends = [_wilson(h, n) for h, n in zip(hits, totals, strict=True)]
    change = shares[1] - shares[0]
    low = math.hypot(shares[1] - ends[1][0], ends[0][1] - shares[0])
    high = math.hypot(ends[1][1] - shares[1], shares[0] - ends[0][0])
    return change - low, change + high


def _wilson(hits: int, total: int) -> tuple[float, float]:
    share, square = hits / total, Z * Z
    middle = (share + square / (2 * total)) / (1 + square / total)
    reach = Z / (1 + square / total) * math.sqrt(
        share * (1 - share) / total + square / (4 * total * total)
    )  # fmt: skip
    return middle - reach, middle + reach


def holm(chances: Sequence[float]) -> list[float]:
    """Return chances corrected for being so many, in their order.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    found, worst = [0.0] * len(chances), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, chances[i] * (len(chances) - rank)))
        found[i] = worst
    return found
