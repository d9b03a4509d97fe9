"""What lines of a task do not say of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import corners
from labelstore.geometry.covering import COLUMNS as COVERING
from labelstore.geometry.covering import covering_boxes
from labelstore_converters.yolo.shapes import SHORTEST, line_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN = 0.01
"""Part of a side by which the official reader lets coordinates leave the image."""
CENT = 0.011
"""Pixels by which a stated box may differ from its outline's, as official files round."""


def losses(
    annotations: pa.RecordBatch, geometries: pa.RecordBatch, items: pa.Table, task: str
) -> Mapping[str, int]:
    """Return how many labels lose something, by code.

    Args:
        annotations: n rows.
        geometries: the same rows' shapes.
        items: all items.
        task: detect, segment, pose, obb or any.
    """
    classed = np.asarray(annotations.column("category_id").is_valid())
    lines = np.bincount(line_numbers(geometries, task, None).rows, minlength=len(annotations))
    found = {
        "yolo-shapes-left-out": int(((lines == 0) & classed).sum()),
        "yolo-without-class": annotations.column("category_id").null_count,
        "yolo-outside-image": _outside(annotations, geometries, items),
        "yolo-rings-too-short": _short(geometries) if task in ("segment", "any") else 0,
    }
    outlined = geometries.column("polygons").is_valid()
    if task in ("segment", "any"):
        found["yolo-rings-apart"] = int((lines > 1).sum())
    if task == "segment":
        boxed = np.asarray(pc.and_(pc.invert(outlined), geometries.column("box").is_valid()))
        found["yolo-boxes-as-outlines"] = int(boxed.sum())
        boxes = pc.and_(outlined, geometries.column("box").is_valid())
        found["yolo-boxes-follow"] = pc.sum(boxes).as_py() or 0
        found["yolo-boxes-differ"] = _strange_boxes(geometries.filter(outlined))
    if task == "obb":
        bare = pc.and_(geometries.column("corners").is_null(),
                       geometries.column("rotated_box").is_valid())  # fmt: skip
        found["yolo-rotated-as-corners"] = pc.sum(bare).as_py() or 0
    return {code: count for code, count in found.items() if count}


def line_counts(
    annotations: pa.RecordBatch, geometries: pa.RecordBatch, task: str
) -> NDArray[np.int64]:
    """Return how many lines each label has, shape (n,)."""
    found = np.bincount(line_numbers(geometries, task, None).rows, minlength=len(annotations))
    return np.where(np.asarray(annotations.column("category_id").is_valid()), found, 0)


def _outside(annotations: pa.RecordBatch, geometries: pa.RecordBatch, items: pa.Table) -> int:
    """Return how many covering boxes leave their image by more than the reader allows."""
    ids = np.asarray(items.column("item_id"))
    order = np.argsort(ids)
    at = order[np.searchsorted(ids[order], np.asarray(annotations.column("item_id")))]
    columns = (items.column(n).cast(pa.float64()) for n in ("width", "height"))
    sides = [np.asarray(column.fill_null(np.nan))[at] for column in columns]
    if items.column("exif_orientation").null_count < items.num_rows:
        turned = np.isin(np.asarray(items.column("exif_orientation").fill_null(1))[at], (6, 8))
        sides = [np.where(turned, *pair) for pair in (sides[::-1], sides)]
    unit = np.asarray(pc.equal(geometries.column("frame").fill_null("pixel"), "unit"))
    edges = np.stack([np.asarray(annotations.column(n), np.float64) for n in COVERING], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = edges / np.where(unit[:, None], 1.0, np.stack(sides * 2, axis=1))
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
