"""How far shapes went, and by how much they turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from labelstore.geometry.boxes import members
from labelstore.geometry.columns import column
from labelstore.geometry.covering import covering_boxes
from labelstore.geometry.cuboids import centres
from labelstore.geometry.similarity import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Words = NDArray[np.object_]

PIXELS, PARTS, METRES, SECONDS = "px", "of the image", "m", "s"
HALF_TURN = {"ellipse": 180.0, "rotated_box": 360.0}
"""After how many degrees a shape is what it was."""


def distances(a: Rows, b: Rows) -> tuple[Floats, Words]:
    """Return how far the middles of shapes went, and in what.

    Of cuboids in space their centres in metres, of intervals their middles in seconds, of others
    the middles of their covering boxes: in pixels, or in parts of the image.

    Args:
        a: n rows of `geometries`.
        b: n rows of `geometries`.

    Returns:
        Shapes (n,); NaN and None where there is nothing to measure, or not in one frame.
    """
    frames = [np.asarray(column(r, "frame").fill_null("pixel").to_pylist(), object)
              for r in (a, b)]  # fmt: skip
    found = np.full(a.num_rows, np.nan)
    units = np.full(a.num_rows, None, object)
    boxes = [covering_boxes(r) for r in (a, b)]
    plane = [(box[:, :2] + box[:, 2:]) / 2 for box in boxes]
    unit = np.where(frames[0] == "unit", PARTS, PIXELS)
    space = [centres(column(r, "cuboid3d")) for r in (a, b)]
    time = [_middles(r) for r in (a, b)]
    for (one, other), words in ((time, SECONDS), (plane, unit), (space, METRES)):
        apart = np.sqrt(((one - other) ** 2).sum(axis=1))
        known = ~np.isnan(apart) & (frames[0] == frames[1])
        found[known] = apart[known]
        units[known] = np.broadcast_to(np.asarray(words, object), len(known))[known]
    return found, units


def _middles(rows: Rows) -> Floats:
    """Return the middles of intervals in seconds, shape (n, 1)."""
    interval = column(rows, "interval")
    ends = [np.asarray(pc.struct_field(interval, n).fill_null(np.nan), np.float64)
            for n in ("start", "end")]  # fmt: skip
    return ((ends[0] + ends[1]) / 2)[:, None]


def turns(a: Rows, b: Rows) -> Floats:
    """Return by how many degrees shapes turned, 0 to 180; shape (n,), NaN where they cannot.

    Rotated boxes and ellipses in the plane; cuboids about whatever axis took them from one turn to
    the other.
    """
    found = np.full(a.num_rows, np.nan)
    for name, around in HALF_TURN.items():
        angles = [np.degrees(members(column(r, name))[:, 4]) for r in (a, b)]
        step = np.abs(angles[0] - angles[1]) % around
        found = np.where(np.isnan(step), found, np.minimum(step, around - step))
    quaternions = [members(column(r, "cuboid3d"))[:, 6:10] for r in (a, b)]
    lengths = np.prod([np.linalg.norm(q, axis=1) for q in quaternions], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.abs((quaternions[0] * quaternions[1]).sum(axis=1)) / lengths
    angle = 2 * np.degrees(np.arccos(np.clip(cosine, 0, 1)))
    return np.where(np.isnan(angle), found, angle)
