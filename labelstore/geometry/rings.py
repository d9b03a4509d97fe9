"""Nested lists of interleaved x, y as flat arrays, to compute with outlines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rings:
    """The outlines of n rows, without a Python object each.

    Attributes:
        xy: shape (m, 2), the points of all rings, one after another.
        sizes: shape (r,), points of each ring; a number without a partner is left out.
        counts: shape (n,), rings of each row, 0 where it has none.
    """

    xy: Floats
    sizes: Ints
    counts: Ints

    @classmethod
    def of(cls, column: pa.Array) -> Rings:
        """Return the rings of a column.

        Args:
            column: n values of type list<list<float64>>; null and empty are the same here.
        """
        rings = column.flatten()
        values = np.asarray(rings.flatten(), np.float64)
        numbers = lengths(rings)
        counts = lengths(column)
        if (numbers % 2).any():
            ends = np.cumsum(numbers)
            keep = np.ones(len(values), bool)
            keep[ends[numbers % 2 == 1] - 1] = False
            values = values[keep]
        return cls(values.reshape(-1, 2), numbers // 2, counts)

    @cached_property
    def rows(self) -> Ints:
        """Return the row of each ring, shape (r,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @cached_property
    def owners(self) -> Ints:
        """Return the ring of each point, shape (m,)."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def of_rows(self, values: Floats) -> Floats:
        """Return the sum over the rings of each row, shape (n,).

        Args:
            values: shape (r,).
        """
        return np.bincount(self.rows, values, len(self.counts)).astype(np.float64)

    def signed_areas(self) -> Floats:
        """Return the area of each ring by the shoelace formula, shape (r,).

        Positive where it runs clockwise on the screen, whose y points down.
        """
        x, y = self.xy[:, 0], self.xy[:, 1]
        cross = np.empty(len(x))
        cross[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
        first, last = self._ends
        cross[last] = x[last] * y[first] - x[first] * y[last]
        return self._of_rings(cross) / 2

    def lengths(self, closed: NDArray[np.bool_]) -> Floats:
        """Return the length of each ring, shape (r,).

        Args:
            closed: shape (r,), whether the way back to the first point counts.
        """
        steps = np.empty(len(self.xy))
        steps[:-1] = np.hypot(*np.diff(self.xy, axis=0).T)
        first, last = self._ends
        back = np.hypot(*(self.xy[last] - self.xy[first]).T)
        steps[last] = np.where(closed[self.sizes > 0], back, 0)
        return self._of_rings(steps)

    @cached_property
    def _ends(self) -> tuple[Ints, Ints]:
        """Return the first and the last point of each ring that has any."""
        after = np.cumsum(self.sizes)
        there = self.sizes > 0
        return (after - self.sizes)[there], after[there] - 1

    def _of_rings(self, values: Floats) -> Floats:
        """Return the sum over the points of each ring, shape (r,)."""
        found = np.zeros(len(self.sizes))
        if len(values):
            found[self.sizes > 0] = np.add.reduceat(values, self._ends[0])
        return found


def owners_of_holes(counts: Ints, column: pa.Array) -> Ints:
    """Return for each ring of all rows which ring it is a hole of, -1 for an outer one.

    Args:
        counts: shape (n,), rings of each row.
        column: n values of `holes_of`; a row may say nothing, or not the same number.

    Returns:
        Shape (rings,), counted through all rows; -1 too where the row has no such ring.
    """
    found = np.full(int(counts.sum()), -1)
    said = (lengths(column) == counts) & (counts > 0)
    told = np.repeat(said, counts)
    own = np.asarray(column.filter(pa.array(said)).flatten()).astype(np.int64)
    limits, begins = (np.repeat(v, counts)[told] for v in (counts, np.cumsum(counts) - counts))
    found[told] = np.where((own >= 0) & (own < limits), begins + own, -1)
    return found


def lengths(lists: pa.Array) -> Ints:
    """Return how many members each list has, shape (n,); 0 for null."""
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)
