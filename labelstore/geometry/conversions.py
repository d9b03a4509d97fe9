"""Conversions between kinds of shapes; each says what it loses.

Every function takes rows of `geometries` and returns the columns that the new shape fills, null
where a row does not have the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from labelstore.errors import NotFound
from labelstore.geometry import planar
from labelstore.geometry.boxes import members
from labelstore.geometry.columns import column
from labelstore.geometry.covering import covering_boxes
from labelstore.geometry.curves import ellipse_outlines, polyline, turned_rectangles
from labelstore.geometry.validity import broken_spline
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Rows: TypeAlias = "pa.Table | pa.RecordBatch"
Columns = dict[str, pa.Array]


@dataclass(frozen=True)
class Conversion:
    """One conversion.

    Attributes:
        source: column that holds the old shape.
        target: column that holds the new one.
        loss: what is lost, in words; empty where nothing is.
        convert: does it.
    """

    source: str
    target: str
    loss: str
    convert: Callable[[Rows], Columns]


def convert(source: str, target: str, rows: Rows) -> Columns:
    """Return the columns of another kind of shape.

    Args:
        source: column of the old shape.
        target: column of the new one.
        rows: n rows of `geometries`.

    Raises:
        NotFound: there is no such conversion, see `CONVERSIONS`.
    """
    targets = {c.target: c for c in CONVERSIONS if c.source == source}
    if target not in targets:
        known = ", ".join(targets) or "nothing else"
        raise NotFound(
            f"no conversion from {source!r} to {target!r}; it can become {known}",
            code="conversion-unknown",
        )
    return targets[target].convert(rows)


def _typed(name: str, values: Any) -> pa.Array:
    return pa.array(values, TABLES["geometries"].schema.field(name).type)


def _to_box(source: str, rows: Rows) -> Columns:
    """Return covering boxes as `box`."""
    only = {source: column(rows, source)}
    if source == "keypoints":
        only |= {n: column(rows, n) for n in ("keypoint_dims", "visibility")}
    sides = covering_boxes(pa.table(only))
    known = ~np.isnan(sides[:, 0])
    numbers = [sides[:, 0], sides[:, 1], sides[:, 2] - sides[:, 0], sides[:, 3] - sides[:, 1]]
    kind = TABLES["geometries"].schema.field("box").type
    box = pa.StructArray.from_arrays(
        [pa.array(np.where(known, v, 0)) for v in numbers],
        fields=list(kind),
        mask=pa.array(~known),
    )
    return {"box": box, "box_form": _typed("box_form", ["xywh" if k else None for k in known])}


def _outlined(points: Floats) -> Columns:
    """Return points of equally many corners as `polygons` of one ring each."""
    rings = [None if flat is None else [flat] for flat in _flat(points)]
    return {"polygons": _typed("polygons", rings)}


def _flat(points: Floats) -> list[Floats | None]:
    """Return the interleaved numbers of each row, None where they are NaN."""
    return [None if np.isnan(own).any() else own.reshape(-1) for own in points]


def _corners(rows: Rows) -> Columns:
    points = turned_rectangles(members(column(rows, "rotated_box")))
    return {"corners": _typed("corners", _flat(points))}


def _splines(rows: Rows) -> Columns:
    lines: list[Any] = []
    closed: list[Any] = []
    splines = column(rows, "spline")
    there = np.asarray(splines.is_valid())
    there[there] = ~broken_spline(rows.filter(pa.array(there)))
    for own, usable in zip(splines.to_pylist(), there.tolist(), strict=True):
        if not usable:
            lines.append(None)
            closed.append(None)
            continue
        points = np.array(own["control_points"], np.float64).reshape(-1, 2)
        drawn = polyline(own["form"], points, degree=own["degree"], closed=own["closed"],
                         knots=own["knots"])  # fmt: skip
        lines.append([drawn.reshape(-1)])
        closed.append([own["closed"]])
    return {
        "polylines": _typed("polylines", lines),
        "polylines_closed": _typed("polylines_closed", closed),
    }


def _masks(rows: Rows) -> Columns:
    """Return the outlines of masks along the edges of their pixels, with holes."""
    import shapely

    from labelstore.geometry.masks import decode

    found: list[Any] = []
    owners: list[Any] = []
    for own in column(rows, "mask").to_pylist():
        pixels = decode(own) if own else None
        if pixels is None:
            found.append(None)
            owners.append(None)
            continue
        y, x = np.nonzero(pixels)
        x, y = x + (own["x0"] or 0), y + (own["y0"] or 0)
        rings, holes = _rings(shapely.union_all(shapely.box(x, y, x + 1, y + 1)))
        found.append(rings)
        owners.append(holes)
    return {"polygons": _typed("polygons", found), "holes_of": _typed("holes_of", owners)}


def _rings(shape: Any) -> tuple[list[Any], list[int]]:
    """Return the rings of a shape, without their last point, and whose hole each is."""
    import shapely

    rings: list[Any] = []
    owners: list[int] = []
    for part in shapely.get_parts(shape):
        if shapely.is_empty(part):
            continue
        outer = len(rings)
        for i, ring in enumerate([part.exterior, *part.interiors]):
            rings.append(shapely.get_coordinates(ring)[:-1].reshape(-1))
            owners.append(-1 if i == 0 else outer)
    return rings, owners


def _quadrangles(rows: Rows) -> Columns:
    return _outlined(planar.points_of(column(rows, "corners"), 4))


def _polygons_of(source: str, corners_of: Callable[[Floats], Floats], rows: Rows) -> Columns:
    """Return polygons through points that follow from the numbers of a shape."""
    return _outlined(corners_of(members(column(rows, source))))


BOXED = "everything but the box around it"
WITH_BOX = ("polygons", "rotated_box", "corners", "ellipse", "spline", "polylines", "keypoints",
            "mask", "cuboid2d")  # fmt: skip
CONVERSIONS = (
    *(Conversion(name, "box", BOXED, partial(_to_box, name)) for name in WITH_BOX),
    Conversion("rotated_box", "corners", "", _corners),
    Conversion("rotated_box", "polygons", "that it is a rectangle",
               partial(_polygons_of, "rotated_box", turned_rectangles)),
    Conversion("corners", "polygons", "that it has four corners", _quadrangles),
    Conversion("ellipse", "polygons", "the curve: 128 corners of the same area",
               partial(_polygons_of, "ellipse", ellipse_outlines)),
    Conversion("spline", "polylines", "the curve: sixteen points a piece", _splines),
    Conversion("mask", "polygons", "that it is made of pixels", _masks),
)  # fmt: skip
"""All conversions that need nothing but the shape; others are functions of their own."""


def to_mask(rows: Rows, h: int, w: int) -> pa.Array:
    """Return outlines as masks of an image, by the rule of pycocotools; holes are cut out.

    What is lost: everything below a pixel.

    Args:
        rows: n rows of `geometries` with `polygons`.
        h: height of the image in pixels.
        w: width of the image in pixels.
    """
    from labelstore.geometry.masks import rasterise

    found: list[dict[str, Any] | None] = []
    pairs = (column(rows, name).to_pylist() for name in ("polygons", "holes_of"))
    for rings, owners in zip(*pairs, strict=True):
        if rings is None:
            found.append(None)
            continue
        inner = [owner >= 0 for owner in owners or [-1] * len(rings)]
        outer = [ring for ring, is_hole in zip(rings, inner, strict=True) if not is_hole]
        holes = [ring for ring, is_hole in zip(rings, inner, strict=True) if is_hole]
        counts = rasterise(outer, h, w, holes)["counts"]
        found.append({"encoding": "coco_rle", "h": h, "w": w, "counts": counts})
    return _typed("mask", found)
