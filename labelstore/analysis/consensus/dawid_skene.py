"""Dawid and Skene's estimate of what is true, and of how each author errs.

Dawid and Skene, Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm,
1979.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

ROUNDS = 200
STILL = 1e-6
"""Mean change of a unit's chances that ends the rounds; with many classes of which some are rare
it is small long before each chance stands still."""
TINY = 1e-100
"""Stands for a chance of nothing, of which there is no logarithm."""


@dataclass(frozen=True)
class Estimate:
    """What is true of each unit, and how each author errs.

    Attributes:
        levels: shape (k,), the values, in order.
        truth: shape (u, k), chance that each value is true of each unit.
        shares: shape (k,), of each value among all units.
        said: shape (a, k, k), chance that an author says the last where the middle is true.
    """

    levels: Any
    truth: Floats
    shares: Floats
    said: Floats

    def accuracy(self) -> Floats:
        """Return how often each author says what is true, shape (a,)."""
        right: Floats = np.einsum("ajj,j->a", self.said, self.shares)
        return right


def dawid_skene(units: Ids, authors: Ids, values: Any, *, counts: Any = None) -> Estimate:
    """Return what is most likely true; it begins with the shares of votes.

    Args:
        units: shape (n,), the unit of each judgement, from 0.
        authors: shape (n,), who judged, from 0.
        values: shape (n,), what they say. An author may judge a unit several times.
        counts: shape (u,), how many units there are of each; one if not given.

    Example:
        >>> units, authors = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
        >>> found = dawid_skene(units, authors, np.array([3, 3, 5, 5]))
        >>> found.levels[found.truth.argmax(axis=1)].tolist(), found.shares.tolist()
        ([3, 5], [0.5, 0.5])
    """
    levels, codes = np.unique(values, return_inverse=True)
    kinds, people = len(levels), int(authors.max(initial=-1)) + 1
    height = int(units.max(initial=-1)) + 1
    weights = np.ones(height) if counts is None else np.asarray(counts, np.float64)
    votes = csr_matrix((np.ones(len(units)), (units, authors * kinds + codes)),
                       shape=(height, people * kinds))  # fmt: skip
    truth = _shares(sum(votes[:, a * kinds : (a + 1) * kinds].toarray() for a in range(people)))
    for _ in range(ROUNDS):
        shares, said = _learned(votes, truth, weights, people)
        before, truth = truth, _judged(votes, shares, said)
        if weights @ np.abs(truth - before).sum(axis=1) <= STILL * weights.sum():
            break
    return Estimate(levels, truth, *_learned(votes, truth, weights, people))


def _learned(votes: Any, truth: Floats, weights: Floats, people: int) -> tuple[Floats, Floats]:
    """Return shares of the values, and what authors say where each is true."""
    own = truth * weights[:, None]
    kinds = truth.shape[1]
    together = (votes.T @ own).reshape(people, kinds, kinds).transpose(0, 2, 1)
    return own.sum(axis=0) / max(weights.sum(), 1.0), _shares(together)


def _judged(votes: Any, shares: Floats, said: Floats) -> Floats:
    """Return the chance of each value, of what authors said and how they err."""
    people, kinds, _ = said.shape
    likely = np.log(np.maximum(said, TINY)).transpose(0, 2, 1).reshape(people * kinds, kinds)
    found = votes @ likely + np.log(np.maximum(shares, TINY))
    found -= found.max(axis=1, keepdims=True, initial=-np.inf)
    return _shares(np.exp(found))


def _shares(counts: Any) -> Floats:
    """Return counts as shares along the last axis; all alike where there are none."""
    table = np.asarray(counts, np.float64)
    total = table.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Floats = np.where(total > 0, table / total, 1 / max(table.shape[-1], 1))
    return shares
