"""What COCO does not say of labels and items of other formats."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from labelstore_converters.coco.annotation_objects import ENCODINGS

PICTURES = pa.array(["image", "frame"])
HELD = ("box", "polygons", "mask", "keypoints", "text")
"""Columns of which COCO needs one."""


def foreign_items(items: pa.Table) -> dict[str, int]:
    """Return how many items are no images, by code."""
    others = pc.invert(pc.is_in(items.column("modality"), value_set=PICTURES))
    return _counted({"no-images": others})


def foreign_shapes(labels: pa.RecordBatch, geometries: pa.RecordBatch) -> dict[str, int]:
    """Return how many labels have no class, or shapes that COCO cannot say, by code."""
    masks = geometries.column("mask")
    points = geometries.column("keypoints")
    own = pc.is_in(masks.field("encoding"), value_set=pa.array(ENCODINGS))
    captions = geometries.column("text").is_valid()
    there = [geometries.column(name).is_valid() for name in HELD]
    bare = pc.invert(there[0])
    for column in there[1:]:
        bare = pc.and_(bare, pc.invert(column))
    tag = pc.equal(labels.column("kind"), "tag")
    return _counted({
        "without-class": pc.and_(labels.column("category_id").is_null(), pc.invert(captions)),
        "without-shape": pc.and_(bare, pc.invert(tag)),
        "keypoints-flat": pc.equal(geometries.column("keypoint_dims"), 3),
        "visibility-unknown": pc.and_(points.is_valid(),
                                           geometries.column("visibility").is_null()),
        "masks-left-out": pc.and_(masks.is_valid(), pc.invert(own)),
    })  # fmt: skip


def _counted(flags: dict[str, pa.Array]) -> dict[str, int]:
    counts = {code: pc.sum(column).as_py() or 0 for code, column in flags.items()}
    return {code: count for code, count in counts.items() if count}
