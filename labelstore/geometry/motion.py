"""How one shape became another: moved, resized, rotated, or reshaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import corners, members
from labelstore.geometry.columns import column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Floats = NDArray[np.float64]

Rows: TypeAlias = "pa.Table | pa.RecordBatch"
Motions: TypeAlias = "Mapping[str, Mask]"
SAME = 1e-9
"""Relative or absolute, in the unit of the number: what sums of floats may differ by."""
PLACE_SIZE_ANGLE = {
    "rotated_box": ((0, 1), (2, 3)),
    "ellipse": ((0, 1), (2, 3)),
    "cuboid3d": ((0, 1, 2), (3, 4, 5)),
}
"""Members of a shape that say where it is and how large, by place; the rest is its turn."""
POINTS = ("corners", "polygons", "polylines", "keypoints", "cuboid2d")
NEEDED = {"box": ("box", "box_form"), "keypoints": ("keypoints", "keypoint_dims")}
"""The columns that a shape is read from, where it is not its own alone."""


def motions(shape: str, old: Rows, new: Rows) -> Motions:
    """Say how shapes differ.

    Args:
        shape: a column of `geometries` that holds a shape.
        old: n rows with it, see `NEEDED`.
        new: n rows; none is null on both sides.

    Returns:
        By word which of the rows it is true of, each of shape (n,): `moved`, `resized`, `rotated`
        or `reshaped` (another outline that is none of these), in any number; `shape added` and
        `shape dropped` alone. None where a shape is stated otherwise and stays what it was.
    """
    before, after = (np.asarray(column(r, shape).is_valid()) for r in (old, new))
    both = before & after
    chosen = pa.array(both)
    found = _motions(shape, *(r.filter(chosen) for r in (old, new)))
    spread = {word: np.zeros(len(both), bool) for word in found}
    for word, mask in found.items():
        spread[word][both] = mask
    return {"shape added": after & ~before, "shape dropped": before & ~after, **spread}


def _motions(shape: str, old: Rows, new: Rows) -> Motions:
    if shape == "box":
        return _box(*(corners(*(column(r, n) for n in NEEDED[shape])) for r in (old, new)))
    values = column(old, shape), column(new, shape)
    if shape in PLACE_SIZE_ANGLE:
        return _placed(shape, *map(members, values))
    if shape not in POINTS:
        return {"reshaped": np.ones(len(values[0]), bool)}
    dims = np.full(len(values[0]), 2)
    if shape == "keypoints":
        dims = np.asarray(column(new, "keypoint_dims").fill_null(2)).astype(np.int64)
    shifted, still = _shifted(*values, dims)
    return {"moved": shifted & ~still, "reshaped": ~shifted}


def _box(old: Floats, new: Floats) -> Motions:
    """Return how boxes differ: one whose edge was dragged is resized, and has not moved."""
    ends = ~_close(old, new)
    both = ends[:, :2] & ends[:, 2:]
    size = ~_close(old[:, 2:] - old[:, :2], new[:, 2:] - new[:, :2])
    centre = ~_close(old[:, 2:] + old[:, :2], new[:, 2:] + new[:, :2])
    return {"moved": _any(both & centre), "resized": _any(size)}


def _placed(shape: str, old: Floats, new: Floats) -> Motions:
    place, size = PLACE_SIZE_ANGLE[shape]
    found = {
        "moved": _any(~_close(old[:, place], new[:, place])),
        "resized": _any(~_close(old[:, size], new[:, size])),
    }
    if shape == "cuboid3d":  # a quaternion and its opposite are one turn
        turns = old[:, 6:10], new[:, 6:10]
        other = [_any(~_close(turns[0], turn)) for turn in (turns[1], -turns[1])]
        return {**found, "rotated": other[0] & other[1]}
    turned = np.remainder(new[:, 4:] - old[:, 4:] + np.pi, 2 * np.pi) - np.pi
    return {**found, "rotated": _any(~_close(turned, np.zeros_like(turned)))}


def _shifted(old: pa.Array, new: pa.Array, dims: NDArray[np.int64]) -> tuple[Mask, Mask]:
    """Return which lists differ by one step that all points took, and where that is none."""
    found, still = np.zeros(len(old), bool), np.zeros(len(old), bool)
    alike = _same_lengths(old, new)
    for axes in (2, 3):
        own = alike & (dims == axes)
        flat = [_numbers(v.filter(pa.array(own))) for v in (old, new)]
        counts = _counts(flat[0])
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
    return ~_any(~_close(low, high))


def _same_lengths(old: pa.Array, new: pa.Array) -> Mask:
    """Return where two lists are as long as each other, and so are the lists in them."""
    same: Mask = _counts(old) == _counts(new)
    if not pa.types.is_list(old.type.value_type) or not same.any():
        return same
    chosen = pa.array(same)
    inner = [_counts(v.filter(chosen).flatten()) for v in (old, new)]
    owners = np.repeat(np.flatnonzero(same), _counts(old.filter(chosen)))
    same[owners[inner[0] != inner[1]]] = False
    return same


def _numbers(values: pa.Array) -> pa.Array:
    """Return lists of numbers; of lists of lists the numbers of all in one."""
    if not pa.types.is_list(values.type.value_type):
        return values
    inner = values.flatten()
    ends = np.concatenate([[0], np.cumsum(_counts(inner))])
    offsets = ends[np.concatenate([[0], np.cumsum(_counts(values))])].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), inner.flatten())


def _any(flags: Mask) -> Mask:
    """Return which rows of flags, shape (n, k), have any."""
    return np.asarray(flags.any(axis=1))


def _counts(lists: pa.Array) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)


def _close(a: Floats, b: Floats) -> Mask:
    found: Mask = np.isclose(a, b, rtol=SAME, atol=SAME, equal_nan=True)
    return found
