"""What lines of a task do not say of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import corners
from labelstore.geometry.covering import COLUMNS as COVERING
from labelstore.geometry.covering import covering_boxes
from labelstore.plugins import Lost
from labelstore_converters.yolo.numbertext import Floats
from labelstore_converters.yolo.shapes import SHORTEST, Numbers, line_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN = 0.01
"""Part of a side by which the official reader lets coordinates leave the image."""
EXACT = 1e-9
"""Pixels by which numbers with all their digits may differ."""
CENT = 0.011
"""Pixels by which a stated box may differ from its outline's, as official files round."""


def losses(
    annotations: pa.RecordBatch,
    geometries: pa.RecordBatch,
    items: Sides,
    task: str,
    digits: int | None,
) -> Lost:
    """Return how many labels lose something, by code.

    Args:
        annotations: n rows.
        geometries: the same rows' shapes.
        items: how large all images are.
        task: detect, segment, pose, obb or any.
        digits: to which numbers are rounded, if any.
    """
    classed = np.asarray(annotations.column("category_id").is_valid())
    numbers = line_numbers(geometries, task, None)
    lines = np.bincount(numbers.rows, minlength=len(annotations))
    sides = items.of(annotations, geometries)
    found = Lost({
        "shapes-left-out": int(((lines == 0) & classed).sum()),
        "without-class": annotations.column("category_id").null_count,
        "outside-image": _outside(annotations, sides),
        "rings-too-short": _short(geometries) if task in ("segment", "any") else 0,
    })  # fmt: skip
    errors = _rounding(numbers, sides, digits)
    found.largest = float(errors.max(initial=0))
    if digits is not None:
        owners = np.repeat(numbers.rows, np.diff(numbers.starts))[numbers.axes < 2]
        found["rounded"] = len(np.unique(owners[errors > EXACT]))
    outlined = geometries.column("polygons").is_valid()
    if task in ("segment", "any"):
        found["rings-apart"] = int((lines > 1).sum())
    if task == "segment":
        boxed = np.asarray(pc.and_(pc.invert(outlined), geometries.column("box").is_valid()))
        found["boxes-as-outlines"] = int(boxed.sum())
        boxes = pc.and_(outlined, geometries.column("box").is_valid())
        found["boxes-follow"] = pc.sum(boxes).as_py() or 0
        found["boxes-differ"] = _strange_boxes(geometries.filter(outlined))
    if task in ("pose", "any"):
        flat = pc.equal(geometries.column("keypoint_dims"), 3)
        found["keypoints-flat"] = pc.sum(flat).as_py() or 0
    if task == "obb":
        bare = pc.and_(geometries.column("corners").is_null(),
                       geometries.column("rotated_box").is_valid())  # fmt: skip
        found["rotated-as-corners"] = pc.sum(bare).as_py() or 0
    return found


def line_counts(
    annotations: pa.RecordBatch, geometries: pa.RecordBatch, task: str
) -> NDArray[np.int64]:
    """Return how many lines each label has, shape (n,)."""
    found = np.bincount(line_numbers(geometries, task, None).rows, minlength=len(annotations))
    return np.where(np.asarray(annotations.column("category_id").is_valid()), found, 0)


class Sides:
    """Width and height of images, as labels count them.

    Args:
        items: rows of `items`.
    """

    def __init__(self, items: pa.Table) -> None:
        ids = np.asarray(items.column("item_id"))
        order = np.argsort(ids)
        self._ids = ids[order]
        columns = (items.column(n).cast(pa.float64()) for n in ("width", "height"))
        sides = [np.asarray(column.fill_null(np.nan)) for column in columns]
        turned = np.isin(np.asarray(items.column("exif_orientation").fill_null(1)), (6, 8))
        shown = np.where(turned[:, None], np.stack(sides[::-1], 1), np.stack(sides, 1))
        self._sides = shown[order]

    def of(self, annotations: pa.RecordBatch, geometries: pa.RecordBatch) -> Floats:
        """Return those of each label's image, shape (n, 2): 1 where it is in parts already."""
        at = np.searchsorted(self._ids, np.asarray(annotations.column("item_id")))
        unit = np.asarray(pc.equal(geometries.column("frame").fill_null("pixel"), "unit"))
        found: Floats = np.where(unit[:, None], 1.0, self._sides[at])
        return found


def _rounding(numbers: Numbers, sides: Floats, digits: int | None) -> Floats:
    """Return how far coordinates are from what reads back, shape (coordinates,)."""
    owners = np.repeat(numbers.rows, np.diff(numbers.starts))
    measured = numbers.axes < 2
    values, scale = numbers.values[measured], sides[owners[measured], numbers.axes[measured]]
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = values / scale
    if digits is not None:
        parts = np.array([float(f"{part:.{digits}g}") for part in parts.tolist()], np.float64)
    errors: Floats = np.nan_to_num(np.abs(parts * scale - values))
    return errors


def _outside(annotations: pa.RecordBatch, sides: Floats) -> int:
    """Return how many covering boxes leave their image by more than the reader allows."""
    edges = np.stack([np.asarray(annotations.column(n), np.float64) for n in COVERING], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = edges / np.concatenate([sides, sides], axis=1)
    return int(((parts < -MARGIN) | (parts > 1 + MARGIN)).any(axis=1).sum())


def _short(geometries: pa.RecordBatch) -> int:
    """Return how many labels have a ring that is no outline."""
    rings = geometries.column("polygons")
    short = np.asarray(pc.list_value_length(rings.flatten())) < SHORTEST
    return len(np.unique(np.asarray(pc.list_parent_indices(rings))[short]))


def _strange_boxes(geometries: pa.RecordBatch) -> int:
    """Return how many stated boxes are not those of the outline."""
    stated = corners(geometries.column("box"), geometries.column("box_form"))
    bare = geometries.drop_columns(["box", "box_form"])
    follows = covering_boxes(bare)
    return int((np.abs(stated - follows) > CENT).any(axis=1).sum())
