"""Geometries: the shapes of an annotation, one row each."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from labelstore.model.columns import Column, Row
from labelstore.model.units import (
    Count,
    Hertz,
    Id,
    Metres,
    Pixels,
    Radians,
    Seconds,
    SquarePixels,
)

BoxForm = Literal["xywh", "xyxy", "cxcywh"]
MaskEncoding = Literal["coco_rle", "coco_rle_list", "cvat_rle", "ls_rle", "png"]


class Box(Row):
    """Four numbers as the source states them; `box_form` says what they are."""

    v0: Pixels
    v1: Pixels
    v2: Pixels
    v3: Pixels


class RotatedBox(Row):
    """Centre, size and angle, clockwise on the screen from the x axis."""

    cx: Pixels
    cy: Pixels
    w: Pixels
    h: Pixels
    angle: Radians


class Ellipse(Row):
    """Centre, radii and angle; a circle has equal radii."""

    cx: Pixels
    cy: Pixels
    rx: Pixels
    ry: Pixels
    angle: Radians


class Spline(Row):
    """A smooth line by its control points, interleaved x, y."""

    form: Literal["cubic_bezier", "b_spline", "catmull_rom"]
    degree: Annotated[int, Field(ge=1, le=127), Column(0, pa.int8())]
    closed: bool
    control_points: list[Pixels]
    knots: list[float] | None = None


class Mask(Row):
    """Runs or pixels of one object, as the source has them.

    `coco_rle` keeps COCO's compressed text; `coco_rle_list` the runs as little-endian uint32;
    `png` a whole PNG file, whose pixels are the object where they are not 0.
    """

    encoding: MaskEncoding
    h: Annotated[Count, Column(0, pa.int32())]
    w: Annotated[Count, Column(0, pa.int32())]
    x0: Annotated[int, Column(0, pa.int32())] | None = None
    """Left edge of a window in the image; null where the mask covers the whole image."""
    y0: Annotated[int, Column(0, pa.int32())] | None = None
    counts: bytes


class Raster(Row):
    """A value in an image of ids."""

    form: Literal["semantic", "instance", "panoptic"]
    uri: str
    value: int


class Cuboid3D(Row):
    """Centre, size and turn of a cuboid in `frame`."""

    cx: Metres
    cy: Metres
    cz: Metres
    length: Metres
    width: Metres
    height: Metres
    qw: float
    qx: float
    qy: float
    qz: float
    anchor: Literal["center", "bottom"]


class Mesh(Row):
    """Vertices, interleaved x, y, z, and triangles."""

    vertices: list[Metres]
    faces: list[Annotated[int, Field(ge=0, le=2**31 - 1), Column(0, pa.int32())]]


class PointLabels(Row):
    """One label per point of the item's point cloud."""

    encoding: Literal["uint8", "uint16", "uint32"]
    count: Annotated[int, Field(ge=0)]
    labels: bytes


class Span(Row):
    """Code points [start, end) of the item's text."""

    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]


class Interval(Row):
    """A stretch of time, with channel, band and frames where the source gives them."""

    start: Seconds
    end: Seconds
    channel: Annotated[int, Column(0, pa.int32())] | None = None
    low_hz: Hertz | None = None
    high_hz: Hertz | None = None
    first_frame: int | None = None
    last_frame: int | None = None


class Geometry(Row):
    """The shapes of one annotation; all null for a tag."""

    layer: Annotated[str, Field(min_length=1), Column(1)]
    item_id: Annotated[Id, Column(2)]
    annotation_id: Annotated[Id, Column(3)]
    frame: Annotated[str, Field(min_length=1), Column(4)] | None = None
    """pixel, unit, camera, lidar, ego, world or a sensor's name; null means pixel.

    A frame in space is that of cuboids, meshes and points; beside them boxes and other shapes of
    the plane are in pixels.
    """
    box: Annotated[Box, Column(5)] | None = None
    box_form: Annotated[BoxForm, Column(6)] | None = None
    rotated_box: Annotated[RotatedBox, Column(7)] | None = None
    corners: Annotated[list[Pixels], Field(min_length=8, max_length=8), Column(8)] | None = None
    """x, y of four corners in the source's order."""
    polygons: Annotated[list[list[Pixels]], Column(9)] | None = None
    """Rings of interleaved x, y; a ring whose first point is repeated stays so."""
    holes_of: (
        Annotated[list[Annotated[int, Field(ge=-1), Column(0, pa.int32())]], Column(10)] | None
    ) = None
    """For each ring -1, or the index of the ring it is a hole of."""
    polylines: Annotated[list[list[Pixels]], Column(11)] | None = None
    polylines_closed: Annotated[list[bool], Column(12)] | None = None
    spline: Annotated[Spline, Column(13)] | None = None
    keypoints: Annotated[list[Pixels], Column(14)] | None = None
    """Interleaved x, y (or x, y, z), in the order of the category's names."""
    keypoint_dims: Annotated[int, Field(ge=2, le=3), Column(15, pa.int8())] | None = None
    visibility: (
        Annotated[
            list[Annotated[int, Field(ge=0, le=2), Column(0, pa.int8())]],
            Column(16),
        ]
        | None
    ) = None
    """Per point: 0 not labelled, 1 hidden, 2 visible."""
    keypoint_scores: Annotated[list[float], Column(17)] | None = None
    ellipse: Annotated[Ellipse, Column(18)] | None = None
    mask: Annotated[Mask, Column(19)] | None = None
    raster: Annotated[Raster, Column(20)] | None = None
    cuboid2d: Annotated[list[Pixels], Field(min_length=16, max_length=16), Column(21)] | None = (
        None
    )
    """x, y of eight projected corners."""
    cuboid3d: Annotated[Cuboid3D, Column(22)] | None = None
    yaw_stated: Annotated[Radians, Column(23)] | None = None
    alpha: Annotated[Radians, Column(24)] | None = None
    velocity: (
        Annotated[
            list[float],
            Field(min_length=3, max_length=3),
            Column(25),
        ]
        | None
    ) = None
    """Metres a second along the axes of `frame`."""
    mesh: Annotated[Mesh, Column(26)] | None = None
    point_labels: Annotated[PointLabels, Column(27)] | None = None
    spans: Annotated[list[Span], Column(28)] | None = None
    surface: Annotated[str, Column(29)] | None = None
    """The text of the spans as the source had it."""
    interval: Annotated[Interval, Column(30)] | None = None
    text: Annotated[str, Column(31)] | None = None
    """Caption, transcript or what a sign says."""
    area: Annotated[SquarePixels, Column(32)] | None = None
    """As stated; never recomputed."""
    num_keypoints: Annotated[Count, Column(33, pa.int32())] | None = None
    z_order: Annotated[int, Column(34, pa.int32())] | None = None
    blobs: Annotated[dict[str, str], Column(35)] | None = None
    """Column name to content hash, for values too large for a row."""
    geometry_hash: Annotated[int, Field(ge=0), Column(36, pa.uint64(), role="hash")]
