"""What lines of a task do not say of labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import corners
from labelstore.geometry.covering import covering_boxes
from labelstore_converters.yolo.shapes import line_numbers

CENT = 0.011
"""Pixels by which a stated box may differ from its outline's, as official files round."""


def losses(
    annotations: pa.RecordBatch, geometries: pa.RecordBatch, task: str
) -> Mapping[str, int]:
    """Return how many labels lose something, by code.

    Args:
        annotations: n rows.
        geometries: the same rows' shapes.
        task: detect, segment, pose, obb or any.
    """
    lines = np.bincount(line_numbers(geometries, task, None).rows, minlength=len(annotations))
    found = {"yolo-shapes-left-out": int((lines == 0).sum())}
    outlined = geometries.column("polygons").is_valid()
    if task in ("segment", "any"):
        found["yolo-rings-apart"] = int((lines > 1).sum())
    if task == "segment":
        boxed = np.asarray(pc.and_(pc.invert(outlined), geometries.column("box").is_valid()))
        found["yolo-boxes-as-outlines"] = int(boxed.sum())
        found["yolo-boxes-follow"] = _strange_boxes(geometries.filter(outlined))
    if task == "obb":
        bare = pc.and_(geometries.column("corners").is_null(),
                       geometries.column("rotated_box").is_valid())  # fmt: skip
        found["yolo-rotated-as-corners"] = pc.sum(bare).as_py() or 0
    return {code: count for code, count in found.items() if count}


def _strange_boxes(geometries: pa.RecordBatch) -> int:
    """Return how many stated boxes are not those of the outline."""
    stated = corners(geometries.column("box"), geometries.column("box_form"))
    bare = geometries.drop_columns(["box", "box_form"])
    follows = covering_boxes(bare)
    return int((np.abs(stated - follows) > CENT).any(axis=1).sum())
