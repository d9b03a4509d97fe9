"""How one shape became another: moved, resized, rotated, or reshaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import corners, members
from labelstore.geometry.columns import column
from labelstore.geometry.cuboids import centres
from labelstore.geometry.masks import runs
from labelstore.geometry.shifts import any_of, close, lengths, shifts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Floats = NDArray[np.float64]

Rows: TypeAlias = "pa.Table | pa.RecordBatch"
Motions: TypeAlias = "Mapping[str, Mask]"
PLACE_SIZE = {
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
    if shape == "cuboid3d":
        return _cuboid(*values)
    if shape in PLACE_SIZE:
        return _turned(shape, *map(members, values))
    dims = np.full(len(values[0]), 2)
    if shape in ("spline", "mask"):
        shifted, still = (_spline if shape == "spline" else _window)(*values, dims)
        return {"moved": shifted & ~still, "reshaped": ~shifted}
    if shape not in POINTS:
        return {"reshaped": np.ones(len(values[0]), bool)}
    if shape == "keypoints":
        dims = np.asarray(column(new, "keypoint_dims").fill_null(2)).astype(np.int64)
    shifted, still = shifts(*values, dims)
    return {"moved": shifted & ~still, "reshaped": ~shifted}


def _box(old: Floats, new: Floats) -> Motions:
    """Return how boxes differ: one whose edge was dragged is resized, and has not moved."""
    ends = ~close(old, new)
    both = ends[:, :2] & ends[:, 2:]
    size = ~close(old[:, 2:] - old[:, :2], new[:, 2:] - new[:, :2])
    centre = ~close(old[:, 2:] + old[:, :2], new[:, 2:] + new[:, :2])
    return {"moved": any_of(both & centre), "resized": any_of(size)}


def _turned(shape: str, old: Floats, new: Floats) -> Motions:
    around = np.pi if shape == "ellipse" else 2 * np.pi
    turned = np.remainder(new[:, 4:] - old[:, 4:] + around / 2, around) - around / 2
    rotated = any_of(~close(turned, np.zeros_like(turned)))
    if shape == "ellipse":  # a circle is the same at any angle
        rotated &= ~(close(old[:, 2], old[:, 3]) & close(new[:, 2], new[:, 3]))
    return {**_placed(shape, old, new), "rotated": rotated}


def _placed(shape: str, old: Floats, new: Floats) -> Motions:
    place, size = PLACE_SIZE[shape]
    return {
        "moved": any_of(~close(old[:, place], new[:, place])),
        "resized": any_of(~close(old[:, size], new[:, size])),
    }


def _cuboid(*values: pa.Array) -> Motions:
    """Return how cuboids differ: by their centres where they are anchored differently."""
    old, new = map(members, values)
    anchored = np.asarray(pc.equal(*(pc.struct_field(v, "anchor") for v in values)))
    apart = any_of(~close(*map(centres, values)))
    found = _placed("cuboid3d", old, new)
    turns = (new[:, 6:10], -new[:, 6:10])  # a quaternion and its opposite are one turn
    other = [any_of(~close(old[:, 6:10], turn)) for turn in turns]
    moved = np.where(anchored, found["moved"], apart)
    return {**found, "moved": moved, "rotated": other[0] & other[1]}


def _spline(old: pa.Array, new: pa.Array, dims: NDArray[np.int64]) -> tuple[Mask, Mask]:
    """Return which splines were shifted as a whole, and which of them stay."""
    knots, points = (
        [pc.struct_field(v, n) for v in (old, new)] for n in ("knots", "control_points")
    )
    alike = _alike(old, new, ("form", "degree", "closed"))
    bare = [lengths(k) == 0 for k in knots]
    alike &= (bare[0] & bare[1]) | shifts(knots[0], knots[1], np.ones_like(dims))[1]
    shifted, still = shifts(points[0], points[1], dims)
    return shifted & alike, still & alike


def _window(old: pa.Array, new: pa.Array, dims: NDArray[np.int64]) -> tuple[Mask, Mask]:
    """Return which masks are the same runs at another place, and which at the same."""
    alike = _alike(old, new, ("encoding", "h", "w", "counts"))
    recoded = ~_alike(old, new, ("encoding",)) & _alike(old, new, ("h", "w"))
    for row in np.flatnonzero(recoded).tolist():
        sides = [runs(v[row].as_py()) for v in (old, new)]
        alike[row] = None not in sides and sides[0] == sides[1]
    still = np.ones(len(old), bool)
    for name in ("x0", "y0"):
        still &= np.asarray(pc.equal(*(pc.struct_field(v, name).fill_null(0) for v in (old, new))))
    return alike, alike & still


def _alike(old: pa.Array, new: pa.Array, names: Sequence[str]) -> Mask:
    """Return where these members of structs are equal; null is equal to null."""
    found = np.ones(len(old), bool)
    for name in names:
        sides = [pc.struct_field(v, name) for v in (old, new)]
        same = pc.fill_null(pc.equal(*sides), False)
        found &= np.asarray(pc.or_(same, pc.and_(*(s.is_null() for s in sides))))
    return found
