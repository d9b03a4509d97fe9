"""A reason to look at items: how strong it is for each, and how it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reason:
    """A reason to look at items.

    Attributes:
        name: as it is asked for.
        items: shape (n,), ids, rising; others have no such reason.
        score: shape (n,), 0 to 1.
        tell: returns in words what is so of the n-th of them.
    """

    name: str
    items: Ids
    score: Floats
    tell: Callable[[int], str]

    @classmethod
    def of(cls, name: str, items: Ids, score: Floats, tell: Callable[[int], str]) -> Reason:
        """Return a reason of items in any order."""
        order = np.argsort(items, kind="stable")
        return cls(name, items[order], score[order], lambda i: tell(int(order[i])))

    def scores(self, items: Ids) -> Floats:
        """Return the score of each item given, shape (m,)."""
        at, there = self._places(items)
        return np.where(there, self.score[at], 0.0) if len(self.items) else np.zeros(len(items))

    def words(self, item: int) -> str | None:
        """Return what is so of an item, None where nothing is."""
        at, there = self._places(np.array([item], np.int64))
        return self.tell(int(at[0])) if there[0] and self.score[at[0]] > 0 else None

    def _places(self, items: Ids) -> tuple[Ids, NDArray[np.bool_]]:
        if not len(self.items):
            return np.zeros(len(items), np.int64), np.zeros(len(items), bool)
        at = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        return at, self.items[at] == items


def labelled(manifest: Manifest, layer: str | None) -> Ids:
    """Return the items that have a label in a layer, or in any; rising."""
    column = manifest.table(TABLES["annotations"], ["item_id"], layer).column(0)
    return np.unique(np.asarray(column, np.int64))


def several(counts: Any) -> Floats:
    """Return counts as scores: 0 for none, a half for one, nearly 1 for many; shape (n,)."""
    found: Floats = counts / (1 + counts)
    return found
