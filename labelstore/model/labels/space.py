"""Labels in space and of point clouds, in metres of their frame."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from labelstore.model.geometries import PointLabels
from labelstore.model.labels.label import Label
from labelstore.model.labels.numbers import Number, Point3, Positive, flat

Corner = Annotated[int, Field(ge=0, le=2**31 - 1)]


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
    faces: list[tuple[Corner, Corner, Corner]]
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
