"""What authors say together of each object: whether it is there, and its class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labelstore.analysis.agreement.units import MISSED, NONE, UNSEEN, Units
from labelstore.analysis.consensus.dawid_skene import dawid_skene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

OPEN = -4
"""Stands for a class: nobody can say."""
SURE = 0.5
"""Chance that Dawid and Skene's estimate must exceed."""


@dataclass(frozen=True)
class Decided:
    """What holds of each of u objects.

    Attributes:
        classes: shape (u,), category id or `UNCLASSED`; `MISSED` where it is no object, `OPEN`
            where nobody can say.
        confidence: shape (u,), share of the authors who looked that say so, or its chance.
        accuracy: shape (a,), how often each author is right, where that was estimated.
    """

    classes: Ids
    confidence: Floats
    accuracy: Floats | None = None


def by_quorum(units: Units, quorum: int | None = None) -> Decided:
    """Return what most say: an object is one if enough have it; its class is the most frequent.

    Two classes of as many votes are open, and so is an object at which fewer looked than must
    have it.

    Args:
        units: what authors judged.
        quorum: how many must have it; more than half of those who looked, if not given.
    """
    classes, there = units.classes, units.labels != NONE
    seen = (classes != UNSEEN).sum(axis=1)
    needed = seen // 2 + 1 if quorum is None else np.full(len(units), quorum)
    same = [(classes == own[:, None]).sum(axis=1) for own in classes.T]
    votes = np.where(there, np.stack(same, axis=1), 0)
    rows, best = np.arange(len(units)), votes.argmax(axis=1)
    most, chosen = votes[rows, best], classes[rows, best]
    tied = ((votes == most[:, None]) & (classes != chosen[:, None])).any(axis=1)
    found = np.where(tied | (seen < needed), OPEN, chosen)
    is_none = (there.sum(axis=1) < needed) & (seen >= needed)
    count = np.where(is_none, seen - there.sum(axis=1), most)
    return Decided(np.where(is_none, MISSED, found), count / np.maximum(seen, 1))


def by_dawid_skene(units: Units, sure: float = SURE) -> Decided:
    """Return what is most likely, of how often each author errs, and with which class.

    That there is no object counts as a class; those whom nobody labelled are not known.

    Args:
        units: what authors judged.
        sure: what is not likelier is open.
    """
    if not len(units):
        return Decided(np.empty(0, np.int64), np.empty(0), np.full(len(units.authors), np.nan))
    patterns, at, counts = np.unique(
        units.classes, axis=0, return_inverse=True, return_counts=True
    )
    unit, author = np.nonzero(patterns != UNSEEN)
    estimate = dawid_skene(unit, author, patterns[unit, author], counts=counts)
    best = estimate.truth.argmax(axis=1)
    chance = estimate.truth[np.arange(len(best)), best]
    chosen = np.where(chance > sure, estimate.levels[best], OPEN)
    places = at.reshape(-1)
    return Decided(chosen[places], chance[places], estimate.accuracy())
