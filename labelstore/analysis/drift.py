"""Drift of class shares between two versions; effect size first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelstore.analysis.balance import class_counts
from labelstore.changes.summary import class_names
from labelstore.versions.manifest import Manifest

EMPTY_SHARE = 1e-6
"""Stands for a share of zero in the population stability index, which has no value there."""


@dataclass(frozen=True)
class ClassDrift:
    """Share of one class before and after."""

    category: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """Return by how much the share grew."""
        return self.after - self.before


@dataclass(frozen=True)
class Shift:
    """How far one thing moved.

    Attributes:
        what: such as area, or class.
        effect: 0 for no difference, 1 for nothing in common: the Kolmogorov-Smirnov statistic of
            numbers, Cramér's V of groups.
        psi: population stability index, over tenths of the older numbers, or over groups.
        distance: Wasserstein's of numbers, in `unit`; Jensen-Shannon's of groups, 0 to 1.
        before, after: medians of numbers; the most frequent group.
        counts: how many values each side has.
    """

    what: str
    effect: float
    psi: float
    distance: float
    unit: str
    before: float | str
    after: float | str
    counts: tuple[int, int]


@dataclass(frozen=True)
class Drift:
    """How far class shares moved.

    Attributes:
        jensen_shannon: distance in base 2, 0 for equal shares, 1 for disjoint classes.
        psi: population stability index; by convention 0.1 is small and 0.25 large.
        classes: by size of the change, the largest first.
        shifts: how far labels as a whole moved, where that was asked; see `distributions.shifts`.
    """

    jensen_shannon: float
    psi: float
    classes: Sequence[ClassDrift]
    shifts: Sequence[Shift] = ()


def class_drift(
    before: Manifest, after: Manifest, layer: str | None = None, other: str | None = None
) -> Drift | None:
    """Return how class shares moved, or None where a side has no labels.

    Args:
        before: the older version.
        after: the newer.
        layer: the layer to look at; all where there is none.
        other: the layer of the newer version, where it is another.
    """
    names = class_names(before, after)
    counts = [class_counts(before, layer), class_counts(after, other or layer)]
    if not all(sum(c.values()) for c in counts):
        return None
    ids = sorted({*counts[0], *counts[1]}, key=lambda c: (c is None, c))
    p, q = ([c.get(i, 0) / sum(c.values()) for i in ids] for c in counts)
    classes = [ClassDrift(names[i], a, b) for i, a, b in zip(ids, p, q, strict=True)]
    ordered = sorted(classes, key=lambda c: (-abs(c.change), c.category))
    return Drift(jensen_shannon(p, q), population_stability(p, q), ordered)


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


def as_json(drift: Drift) -> Mapping[str, object]:
    """Return a drift as JSON values."""
    classes = [
        {"category": c.category, "before": c.before, "after": c.after} for c in drift.classes
    ]
    return {
        "jensen_shannon": drift.jensen_shannon, "psi": drift.psi, "classes": classes,
        "measures": [vars(s) for s in drift.shifts],
    }  # fmt: skip
