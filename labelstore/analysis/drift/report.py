"""What is told of drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ClassDrift:
    """Share of one class before and after.

    Attributes:
        counts: labels before and after.
        low, high: between which the change lies, at 95 %.
        chance: how often chance alone would do it, corrected for the number of questions; None
            where that was not asked.
    """

    category: str
    before: float
    after: float
    counts: tuple[int, int] = (0, 0)
    low: float | None = None
    high: float | None = None
    chance: float | None = None

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
        low, high: between which the effect lies, at 95 %.
        chance: how often chance alone would do it, corrected for the number of questions.
    """

    what: str
    effect: float
    psi: float
    distance: float
    unit: str
    before: float | str
    after: float | str
    counts: tuple[int, int]
    low: float
    high: float
    chance: float


@dataclass(frozen=True)
class Driver:
    """An activity or author without whom class shares would have moved less, or more.

    Attributes:
        by: name of the author.
        what: kind of the activity and its message; empty for an author.
        labels: written or removed by them, of those that differ.
        share: by how much less they would have moved, of all that they did: 1 for all of it,
            below 0 where they would have moved more.
    """

    by: str
    what: str
    labels: int
    share: float


@dataclass(frozen=True)
class Drift:
    """How far class shares moved.

    Attributes:
        jensen_shannon: distance in base 2, 0 for equal shares, 1 for disjoint classes.
        psi: population stability index; by convention 0.1 is small and 0.25 large.
        classes: by size of the change, the largest first.
        shifts: how far labels as a whole moved, where that was asked; see `shifts.shifts`.
        skipped: what too few labels say anything about.
        drivers: activities and authors that drive the change of class shares, where asked.
    """

    jensen_shannon: float
    psi: float
    classes: Sequence[ClassDrift]
    shifts: Sequence[Shift] = ()
    skipped: Sequence[str] = ()
    drivers: Sequence[Driver] = ()


def as_json(drift: Drift) -> Mapping[str, object]:
    """Return a drift as JSON values."""
    return {
        "jensen_shannon": drift.jensen_shannon, "psi": drift.psi,
        "classes": [vars(c) for c in drift.classes],
        "measures": [vars(s) for s in drift.shifts],
        "skipped": list(drift.skipped), "drivers": [vars(d) for d in drift.drivers],
    }  # fmt: skip
