"""How far two labels agree, whatever their kinds, and which may be one at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import iou, members
from labelstore.geometry.columns import column
from labelstore.geometry.covering import covering_boxes
from labelstore.geometry.similarity import Rows, similarity
from labelstore.geometry.texts import text_similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Words = NDArray[np.object_]

COLUMN_OF = {
    "box": "box", "rotated_box": "rotated_box", "corners": "corners", "polygon": "polygons",
    "polyline": "polylines", "ellipse": "ellipse", "mask": "mask", "segment": "mask",
    "points": "keypoints", "keypoints": "keypoints", "spline": "", "cuboid2d": "",
    "cuboid3d": "cuboid3d", "interval": "interval", "span": "spans", "text": "text",
}  # fmt: skip
"""The column by which labels of a kind are compared; of some, only their covering boxes are."""
PLANE, SPACE, TIME, SPAN, TEXT, WHOLE = range(6)
"""Where labels are; those in different places are never one. `WHOLE` are without a place."""
PLACES = {"cuboid3d": SPACE, "interval": TIME, "span": SPAN, "text": TEXT}
THIN = ("polyline", "spline", "points", "keypoints")
"""Kinds whose covering boxes may have no area."""
NEAR = 32.0
"""Pixels within which single points may be one: the side of what COCO calls a small object."""
LEAST = {"polylines": 0.8, "cuboid3d": 0.25}
"""Least agreement of what is one label, where it is not `USUAL`, by column.

Lines agree by 1 - d / D, which unrelated ones often do by half; cuboids in space hardly overlap
even where people see one object.
"""
USUAL = 0.5


def places(kinds: Words, shapes: Rows, boxes: Floats) -> Ints:
    """Return where labels are, shape (n,).

    Args:
        kinds: shape (n,).
        shapes: n rows of `geometries`.
        boxes: shape (n, 4), their covering boxes.
    """
    found = np.array([PLACES.get(k, PLANE if k in COLUMN_OF else WHOLE) for k in kinds], np.int64)
    found[(found == PLANE) & np.isnan(boxes[:, 0])] = WHOLE
    unit = np.asarray(pc.equal(column(shapes, "frame"), "unit").fill_null(False))
    return np.where((found == PLANE) & unit, -1, found)


def reaches(kinds: Words, place: Ints, shapes: Rows, boxes: Floats) -> Floats:
    """Return boxes that meet where labels may be one, shape (n, 4); see `places`."""
    plane = (place == PLANE) | (place < 0)
    found = np.where(plane[:, None], boxes, 0.0)
    margins = np.hypot(*(found[:, 2:] - found[:, :2]).T) / 2
    margins = np.where(place < 0, margins, np.maximum(margins, NEAR / 2))
    thin = plane & np.isin(kinds, THIN)
    found[thin] += margins[thin, None] * np.array([-1, -1, 1, 1])
    for where, extent in ((SPACE, _in_space), (TIME, _in_time), (SPAN, _in_text)):
        own = place == where
        if own.any():
            found[own] = extent(shapes.filter(pa.array(own)))
    return found


def _in_space(shapes: Rows) -> Floats:
    numbers = members(column(shapes, "cuboid3d"))
    half = np.sqrt((numbers[:, 3:6] ** 2).sum(axis=1))[:, None]
    return np.concatenate([numbers[:, :2] - half, numbers[:, :2] + half], axis=1)


def _in_time(shapes: Rows) -> Floats:
    ends = [pc.struct_field(column(shapes, "interval"), n).fill_null(np.nan)
            for n in ("start", "end")]  # fmt: skip
    return _stretch(*(np.asarray(e, np.float64) for e in ends))


def _in_text(shapes: Rows) -> Floats:
    spans = column(shapes, "spans")
    owners = np.asarray(pc.list_parent_indices(spans))
    first, last = np.full(len(spans), np.inf), np.full(len(spans), -np.inf)
    np.minimum.at(first, owners, np.asarray(spans.flatten().field("start")))
    np.maximum.at(last, owners, np.asarray(spans.flatten().field("end")))
    return _stretch(first, last)


def _stretch(first: Floats, last: Floats) -> Floats:
    return np.stack([first, np.zeros(len(first)), last, np.ones(len(first))], axis=1)


def agreement(
    kinds: tuple[Words, Words], shapes: tuple[Rows, Rows], *, asked: float | None = None
) -> tuple[Floats, Floats]:
    """Return how far pairs of labels agree, and the least by which they are one.

    Those of one kind by its own measure, see `similarity`; texts by the letters that are the same;
    others, and shapes without an inside, by their covering boxes.

    Args:
        kinds: shape (n,) each.
        shapes: n rows of `geometries` each; the second is the reference.
        asked: least agreement that matters, 0 for all; else that by which they are one. Of pairs
            clearly below it 0 may be said.

    Returns:
        Shapes (n,); agreement from 0 to 1, NaN where they cannot be compared.
    """
    columns = [np.array([COLUMN_OF.get(k, "") for k in own], object) for own in kinds]
    found, least = np.full(len(kinds[0]), np.nan), np.full(len(kinds[0]), USUAL)
    same = (columns[0] == columns[1]) & (columns[0] != "")
    for name in sorted(set(columns[0][same])):
        own = np.flatnonzero(same & (columns[0] == name))
        a, b = (rows.take(pa.array(own)) for rows in shapes)
        if name == "text":
            found[own] = text_similarity(column(a, "text"), column(b, "text"))
        else:
            matters = LEAST.get(name, USUAL) if asked is None else asked
            found[own] = similarity(name, a, b, matters)
        least[own] = LEAST.get(name, USUAL)
    rest = np.flatnonzero(np.isnan(found) & (columns[0] != "cuboid3d"))
    if len(rest):
        found[rest] = _around(*(covering_boxes(rows.take(pa.array(rest))) for rows in shapes))
    return found, least


def _around(a: Floats, b: Floats) -> Floats:
    """Return how far covering boxes agree; where one has no area, by how far apart they lie."""
    found = iou(a, b)
    flat = ((a[:, 2:] == a[:, :2]) | (b[:, 2:] == b[:, :2])).any(axis=1)
    apart = np.hypot(*np.abs(a - b).reshape(-1, 2, 2).max(axis=1).T)
    spread = np.hypot(*(np.maximum(a, b)[:, 2:] - np.minimum(a, b)[:, :2]).T)
    share = np.maximum(1 - apart / np.maximum(spread, NEAR), 0)
    return np.where(flat, share, found)
