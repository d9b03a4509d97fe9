"""Where parts end: content-defined boundaries along the key.

A part closes after a unit whose hash falls below a chance that grows with the part's size: none
below half the target, a small one up to the target, a large one above it, certain at twice the
target. A unit is an item; an item of more than four targets is cut between its annotations. The
decision looks only at keys since the last boundary, so the same rows have the same parts whatever
their history, and an edit moves boundaries only near itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Keys = NDArray[np.int64]

GIANT = 4
"""An item of more than this many targets is cut by annotation id."""


def mix(values: NDArray[np.generic], salt: int) -> NDArray[np.uint64]:
    """Return splitmix64 of the values: a fixed, well-spread 64-bit hash of integers."""
    with np.errstate(over="ignore"):
        z = values.astype(np.uint64) + np.uint64((2 * salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def cut(
    first: Keys, second: Keys | None, target: int, *, last: bool, inside: bool = False
) -> list[int]:
    """Return the row positions at which parts end.

    Args:
        first: shape (n,), sorted: the key along which parts are cut (an item, or a row's own id).
        second: shape (n,): the row's id within the item, or None where rows are units.
        target: rows a part should have.
        last: whether the table ends here, so that the rows left over make a part too; otherwise
            rows after the last end belong to a part that goes on.
        inside: whether the first rows are the tail of an item that a boundary has cut.
    """
    starts, unit_keys = _units(first, second, target, inside)
    sizes_to = np.append(starts[1:], len(first))
    chance = (mix(unit_keys, 99) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    ends: list[int] = []
    base = unit = 0
    while unit < len(unit_keys):
        stop = min(int(np.searchsorted(sizes_to, base + 2 * target)) + 1, len(unit_keys))
        after = (sizes_to[unit:stop] - base).astype(np.float64)
        before = (starts[unit:stop] - base).astype(np.float64)
        hazard = _hazard(after, target) - _hazard(before, target)
        closing = np.flatnonzero((chance[unit:stop] < hazard) | (after >= 2 * target))
        if not len(closing):
            break
        unit += int(closing[0]) + 1
        base = int(sizes_to[unit - 1])
        ends.append(base)
    if last and base < len(first):
        ends.append(len(first))
    return ends


def _hazard(size: NDArray[np.float64], target: int) -> NDArray[np.float64]:
    low = np.clip(size - 0.5 * target, 0, 0.5 * target) * 0.5
    high = np.maximum(size - target, 0) * 4.0
    return (low + high) / target


def _units(first: Keys, second: Keys | None, target: int, inside: bool) -> tuple[Keys, Keys]:
    """Return where each unit starts and the key that is hashed for it."""
    if second is None or not len(first):
        return np.arange(len(first)), first
    starts = np.flatnonzero(np.append(True, first[1:] != first[:-1]))
    sizes = np.diff(np.append(starts, len(first)))
    giant = sizes > GIANT * target
    giant[0] |= inside
    if not giant.any():
        return starts, first[starts]
    alone = np.repeat(giant, sizes)
    is_start = np.zeros(len(first), bool)
    is_start[starts] = True
    rows = np.flatnonzero(is_start | alone)
    return rows, np.where(alone[rows], second[rows], first[rows])
