"""Labels as typed objects, for people who add some by hand.

Each class is one kind of label; `rows` turns a list of them into a table, as `edit.add` does.
Numbers are in the units of `geometries`: pixels, metres, radians, seconds, code points.

Example:
    >>> box = Box(item="a.jpg", category="car", x=10, y=20, width=30, height=40)
    >>> rows([box]).column_names
    ['uri', 'category', 'kind', 'box', 'box_form']
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from labelstore.errors import InvalidInput
from labelstore.model.annotations import CategoryScore, Flag, Kind, Origin, ReviewState
from labelstore.model.geometries import MaskEncoding, PointLabels
from labelstore.model.tables import FAMILY, TABLES

LARGEST = 2**1023


def _exact(value: Any) -> Any:
    """Refuse what only looks like a number, and whole numbers that a float64 would round."""
    if isinstance(value, str | bytes | bool):
        raise ValueError("input should be a number")
    if isinstance(value, int) and (abs(value) > LARGEST or float(value) != value):
        raise ValueError("no float64 is this whole number")
    return value


Number = Annotated[float, BeforeValidator(_exact)]
Point = tuple[Number, Number]
Point3 = tuple[Number, Number, Number]
Positive = Annotated[Number, Field(gt=0)]


class Label(BaseModel):
    """What every label has; a label of this class itself is a tag: a class and no shape.

    Attributes:
        item: URI of the item, or its id.
        category: name of the class, or its id.
        attributes: values of any JSON type by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    kind: ClassVar[Kind] = "tag"
    item: str | int
    category: str | int | None = None
    layer: str | None = None
    category_scores: list[CategoryScore] | None = None
    attributes: dict[str, Any] | None = None
    tags: list[str] | None = None
    track_id: int | None = None
    group_id: int | None = None
    parent_annotation_id: int | None = None
    is_crowd: bool | None = None
    occluded: Number | None = None
    occluded_scale: Literal["flag", "fraction", "level"] | None = None
    truncated: Number | None = None
    difficult: bool | None = None
    ignore: bool | None = None
    keyframe: bool | None = None
    outside: bool | None = None
    score: Number | None = None
    confidence: Annotated[Number, Field(ge=0, le=1)] | None = None
    flag: Flag | None = None
    review_state: ReviewState | None = None
    origin: Origin | None = None
    frame: str | None = None
    z_order: int | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {}


class Tag(Label):
    """A class of a whole item; several of one item make it multi-label."""


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
        own = self.model_dump(include={"form", "degree", "closed", "knots"})
        return {"spline": {**own, "control_points": flat(self.control_points)}}


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
        return {"ellipse": self.model_dump(include={"cx", "cy", "rx", "ry", "angle"})}


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
        return {"mask": self.model_dump(include={"encoding", "h", "w", "counts", "x0", "y0"})}


class Segment(Label):
    """A value in an image of ids: semantic, instance or panoptic."""

    kind = "segment"
    form: Literal["semantic", "instance", "panoptic"]
    uri: str
    value: int

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"raster": self.model_dump(include={"form", "uri", "value"})}


class Cuboid2D(Label):
    """Eight projected corners of a cuboid."""

    kind = "cuboid2d"
    points: Annotated[list[Point], Field(min_length=8, max_length=8)]

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"cuboid2d": flat(self.points)}


class Cuboid3D(Label):
    """A cuboid by its centre, its length, width and height, and a unit quaternion w, x, y, z."""

    kind = "cuboid3d"
    center: Point3
    size: tuple[Positive, Positive, Positive]
    rotation: tuple[Number, Number, Number, Number] = (1.0, 0.0, 0.0, 0.0)
    anchor: Literal["center", "bottom"] = "center"
    frame: str
    velocity: Point3 | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        names = ("cx", "cy", "cz", "length", "width", "height", "qw", "qx", "qy", "qz")
        values = (*self.center, *self.size, *self.rotation)
        cuboid = {**dict(zip(names, values, strict=True)), "anchor": self.anchor}
        return {"cuboid3d": cuboid, "velocity": self.velocity and list(self.velocity)}


class Mesh(Label):
    """Points in space and triangles between them."""

    kind = "mesh"
    vertices: list[Point3]
    faces: list[tuple[int, int, int]]
    frame: str

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"mesh": {"vertices": flat(self.vertices), "faces": flat(self.faces)}}


class PointCloudLabels(Label):
    """One label for each point of the item's point cloud."""

    kind = "point_labels"
    labels: PointLabels

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"point_labels": self.labels.model_dump()}


class Span(Label):
    """Stretches of the item's text: code points from a start to before an end."""

    kind = "span"
    spans: Annotated[list[tuple[int, int]], Field(min_length=1)]
    surface: str | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        spans = [{"start": start, "end": end} for start, end in self.spans]
        return {"spans": spans, "surface": self.surface}


class Interval(Label):
    """A stretch of time, with channel and frequency band where there are any."""

    kind = "interval"
    start: Number
    end: Number
    channel: int | None = None
    low_hz: Number | None = None
    high_hz: Number | None = None
    first_frame: int | None = None
    last_frame: int | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        names = {"start", "end", "channel", "low_hz", "high_hz", "first_frame", "last_frame"}
        return {"interval": self.model_dump(include=names)}


class Text(Label):
    """A caption, a transcript, or what a sign says; of a stretch of time where it has one."""

    kind = "text"
    text: str
    interval: tuple[Number, Number] | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        if self.interval is None:
            return {"text": self.text}
        return {"text": self.text, "interval": dict(zip(("start", "end"), self.interval,
                                                        strict=True))}  # fmt: skip


def flat(points: Sequence[Sequence[Any]]) -> list[Any]:
    """Return points as one list of interleaved numbers."""
    return [number for point in points for number in point]


SHARED = tuple(n for n in Label.model_fields if n not in ("item", "category", "attributes"))


def rows(labels: Sequence[Label]) -> pa.Table:
    """Return labels as a table, with the columns that any of them fills.

    Raises:
        InvalidInput: some name their item or class and others give an id.
    """
    filled = [_row(label) for label in labels]
    for name, key in (("uri", "item_id"), ("category", "category_id")):
        if any(name in row for row in filled) and any(key in row for row in filled):
            raise InvalidInput(
                f"some labels have `{name}` and others `{key}`: add them in two calls",
                code="edit-column",
            )
    names = list(dict.fromkeys(name for row in filled for name in row))
    types = {"uri": pa.string(), "category": pa.string()}
    types |= {f.name: f.type for table in FAMILY for f in TABLES[table].schema}
    columns = {n: array(n, [row.get(n) for row in filled], types[n]) for n in names}
    return pa.table(columns)


def array(name: str, values: Sequence[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Return Python values as a column.

    Raises:
        InvalidInput: they do not fit its type, or each other.
    """
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError) as error:
        said = f"is {kind}" if kind is not None else "has values that fit no one type"
        raise InvalidInput(f"column {name!r} {said}: {error}", code="edit-type") from error


def as_pairs(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return attributes by name as pairs of name and JSON text.

    Raises:
        InvalidInput: a value cannot be written as JSON.
    """
    return [(name, _as_json(name, value)) for name, value in attributes.items()]


def _as_json(name: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"attribute {name!r} cannot be written as JSON: {error}", code="edit-type"
        ) from error


def _row(label: Label) -> dict[str, Any]:
    """Return the columns that a label fills."""
    row: dict[str, Any] = {"uri" if isinstance(label.item, str) else "item_id": label.item}
    if label.category is not None:
        row["category" if isinstance(label.category, str) else "category_id"] = label.category
    row["kind"] = label.kind
    if label.attributes is not None:
        row["attributes"] = as_pairs(label.attributes)
    own = label.model_dump(include=set(SHARED))
    return row | {k: v for k, v in {**own, **label.shape()}.items() if v is not None}
