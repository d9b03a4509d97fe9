"""Lists of points that differ by one step which all of them took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Floats = NDArray[np.float64]

SAME = 1e-9
"""What sums of floats may differ by, in the unit of the number; see `ROUNDED` for large ones."""
ROUNDED = 1e-12
"""The same, as a part of the number."""


def shifts(old: pa.Array, new: pa.Array, dims: NDArray[np.int64]) -> tuple[Mask, Mask]:
    """Return which lists differ by one step that all points took, and where that is none."""
    found, still = np.zeros(len(old), bool), np.zeros(len(old), bool)
    alike = _same_lengths(old, new)
    for axes in (1, 2, 3):
        own = alike & (dims == axes)
        flat = [_numbers(v.filter(pa.array(own))) for v in (old, new)]
        counts = lengths(flat[0])
        whole = (counts % axes == 0) & (counts > 0)
        own[own] = whole
        kept = np.repeat(whole, counts)
        steps = np.subtract(*(np.asarray(f.flatten(), np.float64)[kept] for f in reversed(flat)))
        if len(steps):
            taken = steps.reshape(-1, axes)
            found[own] = _constant(taken, counts[whole] // axes)
            starts = np.cumsum(counts[whole] // axes) - counts[whole] // axes
            still[own] = np.maximum.reduceat(np.abs(taken).max(axis=1), starts) < SAME
    return found, found & still


def _constant(steps: Floats, points: NDArray[np.int64]) -> Mask:
    """Return of which lists all steps are the same.

    Args:
        steps: shape (m, axes), of all points of all lists.
        points: shape (n,), points of each list, none 0.
    """
    starts = np.cumsum(points) - points
    low, high = (f.reduceat(steps, starts, axis=0) for f in (np.minimum, np.maximum))
    return ~any_of(~close(low, high))


def _same_lengths(old: pa.Array, new: pa.Array) -> Mask:
    """Return where two lists are as long as each other, and so are the lists in them."""
    same: Mask = lengths(old) == lengths(new)
    if not pa.types.is_list(old.type.value_type) or not same.any():
        return same
    chosen = pa.array(same)
    inner = [lengths(v.filter(chosen).flatten()) for v in (old, new)]
    owners = np.repeat(np.flatnonzero(same), lengths(old.filter(chosen)))
    same[owners[inner[0] != inner[1]]] = False
    return same


def _numbers(values: pa.Array) -> pa.Array:
    """Return lists of numbers; of lists of lists the numbers of all in one."""
    if not pa.types.is_list(values.type.value_type):
        return values
    inner = values.flatten()
    ends = np.concatenate([[0], np.cumsum(lengths(inner))])
    offsets = ends[np.concatenate([[0], np.cumsum(lengths(values))])].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), inner.flatten())


def any_of(flags: Mask) -> Mask:
    """Return which rows of flags, shape (n, k), have any."""
    return np.asarray(flags.any(axis=1))


def lengths(lists: pa.Array) -> NDArray[np.int64]:
    """Return how many members each list has, 0 where null; shape (n,)."""
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)


def close(a: Floats, b: Floats) -> Mask:
    """Return which numbers differ by rounding at most; NaN is NaN."""
    found: Mask = np.isclose(a, b, rtol=ROUNDED, atol=SAME, equal_nan=True)
    return found
