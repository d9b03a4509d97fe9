"""Coefficients of agreement: Krippendorff's alpha, Cohen's and Fleiss' kappa, Pearson's r.

Formulas: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011); Cohen 1960 and 1968;
Fleiss 1971. A coefficient is None where nothing can be said: fewer than two judgements of one
thing. Where all judgements are one value, and so nothing could disagree, it is 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

Metric = Literal["nominal", "ordinal", "interval", "ratio"]
Weights = Literal["none", "linear", "quadratic"]
ROWS = 500
"""Levels that are compared with all others at once."""


def alpha(units: Ints, values: Any, metric: Metric = "nominal") -> float | None:
    """Return Krippendorff's alpha of judgements; missing ones are simply not given.

    Args:
        units: shape (n,), what each judgement is about.
        values: shape (n,), what it says: anything that sorts for `nominal`, else numbers.
        metric: how far two values are apart.

    Example:
        >>> alpha(np.array([0, 0, 1, 1]), np.array(["cat", "cat", "dog", "dog"]))
        1.0
    """
    units, values = _paired(np.asarray(units), np.asarray(values))
    if not len(units):
        return None
    if metric == "nominal":
        observed, expected = _nominal(units, values)
    elif metric == "ratio":
        observed, expected = _ratio(units, values.astype(np.float64))
    else:
        scale = _middles(values) if metric == "ordinal" else values.astype(np.float64)
        observed, expected = _squares(units, scale)
    return 1.0 if expected <= 0 else float(1 - observed / expected)


def _paired(units: Ints, values: Any) -> tuple[Ints, Any]:
    """Return judgements of units that several judged, in order of units, numbered from 0."""
    order = np.argsort(units, kind="stable")
    _, at, count = np.unique(units[order], return_inverse=True, return_counts=True)
    several = count[at] > 1
    _, numbers = np.unique(at[several], return_inverse=True)
    return numbers, values[order][several]


def _nominal(units: Ints, values: Any) -> tuple[float, float]:
    """Return the pairs that differ, observed and expected."""
    _, codes = np.unique(values, return_inverse=True)
    sizes = np.bincount(units)
    of, same = counted_pairs(units, codes)
    alike = np.bincount(of, same.astype(np.float64) ** 2, len(sizes))
    observed = ((sizes**2 - alike) / (sizes - 1)).sum()
    totals = np.bincount(codes).astype(np.float64)
    count = len(units)
    return float(observed), float((count**2 - (totals**2).sum()) / (count - 1))


def counted_pairs(units: Ints, codes: Ints) -> tuple[Ints, Ints]:
    """Return the unit of each pair of unit and value that occurs, in order, and how often.

    Args:
        units: shape (n,), from 0.
        codes: shape (n,), of the values, from 0.
    """
    width = int(codes.max(initial=0)) + 1
    pairs, counts = np.unique(units * width + codes, return_counts=True)
    return pairs // width, counts


def _middles(values: Any) -> Floats:
    """Return the middle rank of each value: ordinal distance is the distance of these."""
    _, codes, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - count / 2)[codes], np.float64)


def _squares(units: Ints, values: Floats) -> tuple[float, float]:
    """Return the sums of squared differences, observed and expected."""
    values = values - values.mean()  # sums of squares lose digits far from 0
    sizes = np.bincount(units)
    sums, squares = np.bincount(units, values), np.bincount(units, values**2)
    observed = (2 * (sizes * squares - sums**2) / (sizes - 1)).sum()
    count = len(units)
    expected = 2 * (count * (values**2).sum() - values.sum() ** 2) / (count - 1)
    return float(max(observed, 0.0)), float(expected)


def _ratio(units: Ints, values: Floats) -> tuple[float, float]:
    """Return the sums of squared differences, each by the sum of the two, squared."""
    sizes = np.bincount(units)
    observed = 0.0
    for reach in range(1, int(sizes.max())):  # pairs of a unit that stand so far apart
        same = units[reach:] == units[:-reach]
        apart = _relative(values[reach:][same], values[:-reach][same])
        observed += float((2 * apart / (sizes[units[reach:][same]] - 1)).sum())
    level, codes = np.unique(values, return_inverse=True)
    totals = np.bincount(codes).astype(np.float64)
    expected = 0.0
    for first in range(0, len(level), ROWS):
        own = slice(first, first + ROWS)
        expected += float(totals[own] @ _relative(level[own, None], level) @ totals)
    return observed, expected / (len(units) - 1)


def _relative(a: Floats, b: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(((a - b) / (a + b)) ** 2)


def cohen(confusion: Any, weights: Weights = "none") -> float | None:
    """Return Cohen's kappa of two authors.

    Args:
        confusion: shape (k, k), how often the first said the row and the second the column.
        weights: of disagreements: all alike, by distance, or by its square.

    Example:
        >>> cohen([[20, 5], [10, 15]])
        0.4
    """
    counts = np.asarray(confusion, np.float64)
    total = counts.sum()
    if not total:
        return None
    at = np.arange(len(counts))
    distance = np.abs(at[:, None] - at).astype(np.float64)
    power = {"none": 0, "linear": 1, "quadratic": 2}[weights]
    apart = (distance > 0).astype(np.float64) if not power else distance**power
    expected = np.outer(counts.sum(1), counts.sum(0)) / total
    chance = (apart * expected).sum()
    return 1.0 if chance == 0 else float(round(1 - (apart * counts).sum() / chance, 15))


def fleiss(counts: Any) -> float | None:
    """Return Fleiss' kappa.

    Args:
        counts: shape (units, categories), how many said so; every unit by as many authors.

    Raises:
        ValueError: not all units were judged as often.

    Example:
        >>> fleiss([[3, 0], [0, 3]])
        1.0
    """
    table = np.asarray(counts, np.float64)
    sizes = table.sum(1)
    if not len(table) or sizes[0] < 2:
        return None
    if (sizes != sizes[0]).any():
        raise ValueError("Fleiss' kappa is for units that all were judged as often")
    observed = ((table**2).sum(1) - sizes) / (sizes * (sizes - 1))
    expected = float(((table.sum(0) / table.sum()) ** 2).sum())
    return 1.0 if expected == 1 else float((observed.mean() - expected) / (1 - expected))


def pearson(first: Any, second: Any) -> float | None:
    """Return Pearson's correlation of two authors' values, None where one does not vary.

    Example:
        >>> pearson([1, 2, 3], [2, 4, 6])
        1.0
    """
    a, b = (np.asarray(v, np.float64) for v in (first, second))
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return None
    return float(round(np.corrcoef(a, b)[0, 1], 15))
