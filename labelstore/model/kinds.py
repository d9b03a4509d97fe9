"""Kinds of labels, and the columns that hold their shapes."""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "tag",
    "box",
    "rotated_box",
    "corners",
    "polygon",
    "polyline",
    "spline",
    "points",
    "keypoints",
    "ellipse",
    "mask",
    "segment",
    "cuboid2d",
    "cuboid3d",
    "mesh",
    "point_labels",
    "track",
    "span",
    "interval",
    "text",
]

SHAPES: dict[Kind, tuple[str, ...]] = {
    "interval": ("interval",),
    "text": ("text",),
    "point_labels": ("point_labels",),
    "segment": ("raster", "mask", "polygons"),
    "box": ("box",),
    "rotated_box": ("rotated_box",),
    "corners": ("corners",),
    "ellipse": ("ellipse",),
    "spline": ("spline",),
    "polyline": ("polylines",),
    "polygon": ("polygons",),
    "mask": ("mask",),
    "points": ("keypoints",),
    "keypoints": ("keypoints",),
    "cuboid2d": ("cuboid2d",),
    "cuboid3d": ("cuboid3d",),
    "mesh": ("mesh",),
    "span": ("spans",),
}
"""Columns of `geometries` that make a label of a kind, its own first; the richest kind last.

A tag has no shape, and a track's are those of its labels.
"""
