"""Labels in an image, in pixels and radians."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from labelstore.model.geometries import MaskEncoding
from labelstore.model.kinds import Kind
from labelstore.model.labels.label import Label
from labelstore.model.labels.numbers import Number, Point, Positive, flat


class Box(Label):
    """An axis-aligned box by its upper left corner."""

    kind = "box"
    x: Number
    y: Number
    width: Positive
    height: Positive

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        numbers = (self.x, self.y, self.width, self.height)
        return {"box": {f"v{i}": v for i, v in enumerate(numbers)}, "box_form": "xywh"}


class RotatedBox(Label):
    """A box by its centre, turned clockwise on the screen by an angle in radians."""

    kind = "rotated_box"
    cx: Number
    cy: Number
    width: Positive
    height: Positive
    angle: Number

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        names = ("cx", "cy", "w", "h", "angle")
        values = (self.cx, self.cy, self.width, self.height, self.angle)
        return {"rotated_box": dict(zip(names, values, strict=True))}


class Corners(Label):
    """Four corners of an oriented box, in their order."""

    kind = "corners"
    points: Annotated[list[Point], Field(min_length=4, max_length=4)]

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"corners": flat(self.points)}


class Polygon(Label):
    """Rings of at least three points; `holes_of` says for each ring -1, or whose hole it is."""

    kind = "polygon"
    rings: Annotated[list[Annotated[list[Point], Field(min_length=3)]], Field(min_length=1)]
    holes_of: list[Annotated[int, Field(ge=-1)]] | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"polygons": [flat(ring) for ring in self.rings], "holes_of": self.holes_of}


class Polyline(Label):
    """Lines of at least two points."""

    kind = "polyline"
    lines: Annotated[list[Annotated[list[Point], Field(min_length=2)]], Field(min_length=1)]
    closed: list[bool] | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"polylines": [flat(line) for line in self.lines], "polylines_closed": self.closed}


class Spline(Label):
    """A smooth line by its control points."""

    kind = "spline"
    form: Literal["cubic_bezier", "b_spline", "catmull_rom"]
    control_points: Annotated[list[Point], Field(min_length=2)]
    degree: Annotated[int, Field(ge=1, le=127)] = 3
    closed: bool = False
    knots: list[Number] | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"spline": {**self.own(), "control_points": flat(self.control_points)}}


class Keypoints(Label):
    """Points in the order of the class's names, each with a visibility of 0, 1 or 2."""

    kind: ClassVar[Kind] = "keypoints"
    points: Annotated[list[Point], Field(min_length=1)]
    visibility: list[Annotated[int, Field(ge=0, le=2)]] | None = None
    scores: list[Number] | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {
            "keypoints": flat(self.points),
            "keypoint_dims": 2,
            "visibility": self.visibility,
            "keypoint_scores": self.scores,
        }


class Points(Keypoints):
    """Points without names."""

    kind = "points"


class Ellipse(Label):
    """An ellipse by its centre and radii, turned clockwise; a circle has equal radii."""

    kind = "ellipse"
    cx: Number
    cy: Number
    rx: Positive
    ry: Positive
    angle: Number = 0.0

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"ellipse": self.own()}


class Mask(Label):
    """The pixels of one object as runs; `x0` and `y0` place a window in its image."""

    kind = "mask"
    encoding: MaskEncoding
    h: Annotated[int, Field(ge=1)]
    w: Annotated[int, Field(ge=1)]
    counts: bytes
    x0: int | None = None
    y0: int | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"mask": self.own()}


class Segment(Label):
    """A value in an image of ids: semantic, instance or panoptic."""

    kind = "segment"
    form: Literal["semantic", "instance", "panoptic"]
    uri: str
    value: int

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"raster": self.own()}


class Cuboid2D(Label):
    """Eight projected corners of a cuboid."""

    kind = "cuboid2d"
    points: Annotated[list[Point], Field(min_length=8, max_length=8)]

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"cuboid2d": flat(self.points)}
