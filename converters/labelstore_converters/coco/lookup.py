"""Which local number an id means: vectorised for integers, a dictionary for anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labelstore_converters.coco.numbers import is_int
from labelstore_converters.columns import json_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNHASHABLE = (list, dict)


class Lookup:
    """Local numbers by id; of equal ids the last counts, as in pycocotools.

    Args:
        ids: the id of each object of the file's list, in order.
    """

    def __init__(self, ids: Sequence[Any]) -> None:
        self._known = {value: i for i, value in enumerate(ids) if is_int(value)}
        self._by_key = {json_text(v): i for i, v in enumerate(ids) if not is_int(v)}
        values = np.fromiter(self._known, np.int64, len(self._known))
        order = np.argsort(values)
        self._values = values[order]
        self._numbers = np.fromiter(self._known.values(), np.int64, len(values))[order]

    def many(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the local number of each integer id, -1 where there is none; shape (n,)."""
        if not len(self._values):
            return np.full(len(ids), -1)
        at = np.minimum(np.searchsorted(self._values, ids), len(self._values) - 1)
        return np.where(self._values[at] == ids, self._numbers[at], -1)

    def one(self, value: Any) -> int:
        """Return the local number of any id, -1 where there is none."""
        if is_int(value):
            return self._known.get(value, -1)
        return self._by_key.get(json_text(value), -1)


class Unlisted:
    """Ids that annotations use and the file does not list, numbered from -1 downwards."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._at: dict[str, int] = {}

    def number(self, value: Any) -> int:
        """Return the number that stands for an id: -1 - its place in `keys`."""
        key = json_text(value)
        if key not in self._at:
            self._at[key] = len(self.keys)
            self.keys.append(key)
        return -1 - self._at[key]
