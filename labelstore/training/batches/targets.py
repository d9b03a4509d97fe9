"""What a batch has of each label, as NumPy arrays; one function per target, over whole columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput
from labelstore.geometry.boxes import members
from labelstore.geometry.rings import lengths
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

KINDS = {f.name: f.type for n in ("annotations", "geometries") for f in TABLES[n].schema}


@dataclass(frozen=True)
class Labels:
    """The labels of a batch, m of them on k items.

    Attributes:
        rows: annotations with their shapes; columns without a value may be missing.
        offsets: shape (k + 1,), where the labels of each item begin and end.
        sizes: shape (k, 2), height and width in pixels; -1 where unknown.
        names: what each item is called, for messages.
        classes: ids in the order of the ontology.
        points: keypoints of the class that has most.
    """

    rows: pa.RecordBatch
    offsets: Ints
    sizes: Ints
    names: Sequence[str]
    classes: Ints
    points: int

    @property
    def owners(self) -> Ints:
        """Return the item of each label, shape (m,)."""
        return np.repeat(np.arange(len(self.sizes)), np.diff(self.offsets))

    def column(self, name: str) -> pa.Array:
        """Return a column; nulls where no label has a value."""
        if name in self.rows.schema.names:
            return self.rows.column(name)
        return pa.nulls(self.rows.num_rows, KINDS[name])

    def scales(self) -> Floats:
        """Return how many pixels one unit is along x and y, shape (m, 2); 1 for pixels.

        Raises:
            InvalidInput: labels are parts of an image whose size is not known.
        """
        found = np.ones((self.rows.num_rows, 2))
        frame = self.column("frame")
        if frame.null_count == len(frame):
            return found.astype(np.float32)
        unit = np.asarray(pc.equal(frame, "unit").fill_null(False))
        found[unit] = self.sizes[self.owners[unit]][:, ::-1]
        if (found <= 0).any():
            item = self.names[int(self.owners[(found <= 0).any(axis=1)][0])]
            raise InvalidInput(
                f"{item}: its labels are parts of the image, whose size is not known; import "
                "with --images DIR or --sizes FILE",
                code="size-unknown",
            )
        return found.astype(np.float32)


def boxes(labels: Labels) -> Floats:
    """Return xmin, ymin, xmax, ymax [px], shape (m, 4); NaN where a label has no planar shape.

    The box as its source states it, else the one that covers the label's other shapes.
    """
    found = np.empty((labels.rows.num_rows, 4), np.float32)
    for place, name in enumerate(("xmin", "ymin", "xmax", "ymax")):
        found[:, place] = _numbers(labels, name)
    if "frame" in labels.rows.schema.names:
        found *= np.tile(labels.scales(), 2)
    return found


def classes(labels: Labels) -> Ints:
    """Return the place of each label's class in the order of the ontology, (m,); -1 for none."""
    ids = labels.column("category_id")
    own = np.asarray(ids.fill_null(0) if ids.null_count else ids, np.int64)
    if not len(labels.classes):
        return np.full(len(own), -1)
    order = np.argsort(labels.classes)
    ranks = np.searchsorted(labels.classes, own, sorter=order)
    places = order[np.minimum(ranks, len(order) - 1)]
    known = labels.classes[places] == own
    return np.where(known & np.asarray(ids.is_valid()) if ids.null_count else known, places, -1)


def areas(labels: Labels) -> Floats:
    """Return areas as stated, else of the box [px²], shape (m,)."""
    stated = _numbers(labels, "area")
    own = boxes(labels)
    covering = (own[:, 2] - own[:, 0]) * (own[:, 3] - own[:, 1])
    return np.where(np.isnan(stated), covering, stated).astype(np.float32)


def crowds(labels: Labels) -> NDArray[np.bool_]:
    """Return which labels are crowds, shape (m,); not stated is no."""
    return np.asarray(labels.column("is_crowd").fill_null(False))


def keypoints(labels: Labels) -> Floats:
    """Return x, y [px] and visibility, shape (m, n, 3); n is that of the class that has most.

    Points that a label does not have are 0, as COCO has those that are not labelled.

    Raises:
        InvalidInput: points are in space, or a number has no partner; read the column `keypoints`.
    """
    xy, seen = labels.column("keypoints"), labels.column("visibility")
    numbers, sights = lengths(xy), lengths(seen)
    if (numbers % 2).any() or pc.any(pc.equal(labels.column("keypoint_dims"), 3)).as_py():
        raise InvalidInput("keypoints that are no pairs of x and y: read the column keypoints",
                           code="keypoints-3d")  # fmt: skip
    most = max([labels.points, *(numbers // 2), *sights])
    found = np.zeros((labels.rows.num_rows, most, 3), np.float32)
    owners, places = _members(numbers // 2)
    pairs = np.asarray(xy.flatten(), np.float64).reshape(-1, 2)
    found[owners, places, :2] = pairs * labels.scales()[owners]
    found[owners, places, 2] = 2
    owners, places = _members(sights)
    found[owners, places, 2] = np.asarray(seen.flatten())
    return found


def _members(counts: Ints) -> tuple[Ints, Ints]:
    """Return the row and the place in it of each member of lists of such lengths."""
    owners = np.repeat(np.arange(len(counts)), counts)
    return owners, np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)


def rotated_boxes(labels: Labels) -> Floats:
    """Return cx, cy, w, h [px] and angle [rad, clockwise], shape (m, 5); NaN where none.

    Raises:
        InvalidInput: some are parts of their image.
    """
    found = members(labels.column("rotated_box")).astype(np.float32)
    if (labels.scales()[~np.isnan(found[:, 0])] != 1).any():
        raise InvalidInput("rotated boxes that are parts of their image turn into no rectangle: "
                           "read the column rotated_box", code="rotated-unit")  # fmt: skip
    return found


def cuboids(labels: Labels) -> Floats:
    """Return cx, cy, cz, length, width, height [m], qw, qx, qy, qz, shape (m, 10); NaN where none.

    In the frame that the label has; `anchor` is a column.
    """
    return members(labels.column("cuboid3d")).astype(np.float32)


def ids(labels: Labels) -> Ints:
    """Return the id of each label, shape (m,)."""
    return np.asarray(labels.column("annotation_id"), np.int64)


def _numbers(labels: Labels, name: str) -> NDArray[np.float64]:
    values = labels.column(name)
    return np.asarray(values.fill_null(np.nan) if values.null_count else values, np.float64)


@dataclass(frozen=True)
class Target:
    """One thing that batches can have of their labels.

    Attributes:
        make: returns an array whose first axis is that of the labels.
        columns: what it needs.
    """

    make: Callable[[Labels], Any]
    columns: tuple[str, ...]


PLANE = ("xmin", "ymin", "xmax", "ymax", "frame")
TARGETS: Mapping[str, Target] = {
    "boxes": Target(boxes, PLANE),
    "labels": Target(classes, ("category_id",)),
    "annotation_id": Target(ids, ()),
    "area": Target(areas, (*PLANE, "area")),
    "iscrowd": Target(crowds, ("is_crowd",)),
    "keypoints": Target(keypoints, ("keypoints", "keypoint_dims", "visibility", "frame")),
    "rotated_boxes": Target(rotated_boxes, ("rotated_box", "frame")),
    "cuboids": Target(cuboids, ("cuboid3d",)),
}
"""By the names that torchvision's detection models use, where they have one."""
