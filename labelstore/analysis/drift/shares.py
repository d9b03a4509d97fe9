"""Drift of class shares between two versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labelstore.analysis.balance import class_counts
from labelstore.analysis.drift.measures import (
    chance_of_share,
    interval_of_change,
    jensen_shannon,
    population_stability,
)
from labelstore.analysis.drift.report import ClassDrift, Drift
from labelstore.changes.summary import class_names
from labelstore.versions.manifest import Manifest

Counts = Mapping[int | None, int]


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
    counts = class_counts(before, layer), class_counts(after, other or layer)
    return drift_of(counts, class_names(before, after))


def drift_of(counts: tuple[Counts, Counts], names: Mapping[int | None, str]) -> Drift | None:
    """Return how class shares moved, or None where a side has no labels.

    Args:
        counts: labels per class on either side.
        names: of classes.
    """
    totals = [sum(c.values()) for c in counts]
    if not all(totals):
        return None
    ids = sorted({*counts[0], *counts[1]}, key=lambda c: (c is None, c))
    p, q = ([c.get(i, 0) / n for i in ids] for c, n in zip(counts, totals, strict=True))
    classes = []
    for number, a, b in zip(ids, p, q, strict=True):
        hits = counts[0].get(number, 0), counts[1].get(number, 0)
        low, high = interval_of_change(hits, (totals[0], totals[1]))
        classes.append(ClassDrift(names[number], a, b, hits, low, high))
    ordered = sorted(classes, key=lambda c: (-abs(c.change), c.category))
    return Drift(jensen_shannon(p, q), population_stability(p, q), ordered)


def with_chances(drift: Drift) -> Drift:
    """Return a drift whose classes tell how often chance alone would do it, not corrected yet."""
    totals = (sum(c.counts[0] for c in drift.classes), sum(c.counts[1] for c in drift.classes))
    classes = [replace(c, chance=chance_of_share(c.counts, totals)) for c in drift.classes]
    return replace(drift, classes=classes)
