"""Objects of a gold set that were found, missed or taken for others, by class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labelstore.analysis.agreement.units import MISSED, NONE, Units
from labelstore.analysis.scoring.report import ClassScore, Confusion, Shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

BACKGROUND = "(background)"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = np.linspace(0, 1, 11)


def judged(units: Units) -> tuple[Ids, Ids]:
    """Return the class of each object in the gold set, and as what it was labelled; shapes (u,).

    Args:
        units: of the gold set and of one who is scored; without a label counts as looked at.
    """
    found = np.where(units.labels != NONE, units.classes, MISSED)
    return found[:, 0], found[:, 1]


def class_scores(
    gold: Ids, said: Ids, names: Mapping[int | None, str], order: Sequence[int]
) -> Iterator[ClassScore]:
    """Yield the score of each class that either has.

    Args:
        gold: shape (u,), class of each object.
        said: shape (u,), of its label.
        names: of classes.
        order: ids of classes; others come last.
    """
    there = np.union1d(gold, said)
    there = there[there != MISSED]
    place = {number: i for i, number in enumerate(order)}
    for number in sorted(there.tolist(), key=lambda n: (place.get(n, len(place)), n)):
        yield ClassScore(
            names[None if number < 0 else number], int((gold == number).sum()),
            int((said == number).sum()), int(((gold == number) & (said == number)).sum()),
        )  # fmt: skip


def whole(gold: Ids, said: Ids) -> ClassScore:
    """Return the score of all classes together."""
    return ClassScore("", int((gold != MISSED).sum()), int((said != MISSED).sum()),
                      int(((gold == said) & (gold != MISSED)).sum()))  # fmt: skip


def confusions(gold: Ids, said: Ids, names: Mapping[int | None, str]) -> list[Confusion]:
    """Return what was taken for what, the most frequent first; what is correct is not told."""
    pairs = np.stack([gold, said], axis=1)[gold != said]
    level, counts = np.unique(pairs, axis=0, return_counts=True)
    found = [Confusion(_name(a, names), _name(b, names), int(n))
             for (a, b), n in zip(level.tolist(), counts, strict=True)]  # fmt: skip
    return sorted(found, key=lambda c: (-c.count, c.gold, c.said))


def _name(number: int, names: Mapping[int | None, str]) -> str:
    return BACKGROUND if number == MISSED else names[None if number < 0 else number]


def shapes_of(units: Units) -> Shapes | None:
    """Return how the shapes of objects that were found agree; None where none has one."""
    found = units.between[:, 0]
    found = found[~np.isnan(found)]
    if not len(found):
        return None
    told = np.quantile(found, QUANTILES)
    quantiles = {str(q): float(v) for q, v in zip(QUANTILES, told, strict=True)}
    bins = np.histogram(found, BINS)[0]
    return Shapes(len(found), float(found.mean()), quantiles, bins.tolist())
