"""What COCO does not say of labels and items of other formats."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.plugins import Writing
from labelstore_converters.coco.annotation_objects import ENCODINGS
from labelstore_converters.coco.names import tracks_stand_alone, videos_of

KNOWN = pa.array(["image", "frame", "video"])
HELD = ("box", "polygons", "mask", "keypoints", "text")
"""Columns of which COCO needs one."""


def foreign_items(items: pa.Table) -> dict[str, int]:
    """Return how many items are no images, or are parts of what is no video, by code."""
    modality, parents = items.column("modality"), items.column("parent_id")
    others = pc.invert(pc.is_in(modality, value_set=KNOWN))
    inside = pc.is_in(parents, value_set=pa.array(sorted(videos_of(items)), pa.int64()))
    part = pc.or_(parents.is_valid(), items.column("frame_index").is_valid())
    part = pc.or_(part, pc.equal(modality, "frame"))
    alone = pc.and_(part, pc.or_(pc.invert(inside), pc.equal(modality, "video")))
    still = pc.and_(inside, pc.equal(modality, "image"))  # reads back as a frame
    return _counted({"no-images": others, "no-video": pc.or_(alone, still)})


def classes_of_tracks(data: Writing) -> int:
    """Return how many tracks have a class where the file lists no tracks, only their numbers."""
    described = json.loads(data.dataset["leftovers"] or "{}")
    if data.tracks is None or not tracks_stand_alone(described):
        return 0
    return int(pc.count(data.tracks.column("category_id")).as_py())


def labels_of_videos(data: Writing) -> int:
    """Return how many labels are of whole videos."""
    videos = pa.array(sorted(videos_of(data.items)), pa.int64())
    found = (pc.is_in(rows.column("item_id"), value_set=videos) for rows, _ in data.annotations)
    return sum(pc.sum(own).as_py() or 0 for own in found) if len(videos) else 0


def foreign_shapes(
    labels: pa.RecordBatch, geometries: pa.RecordBatch, *, scored: bool
) -> dict[str, int]:
    """Return how many labels have no class, or shapes that COCO cannot say, by code.

    Args:
        labels: n rows.
        geometries: the same rows' shapes.
        scored: whether keypoints may have scores in place of visibility.
    """
    masks = geometries.column("mask")
    names = ("keypoints", "visibility", "keypoint_scores")
    points, shown, scores = (geometries.column(name).is_valid() for name in names)
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
        "keypoint-scores-left-out": pc.and_(shown, scores),
        "visibility-unknown": pc.and_(points, pc.invert(pc.or_(shown, pc.and_(scores, scored)))),
        "masks-left-out": pc.and_(masks.is_valid(), pc.invert(own)),
    })  # fmt: skip


def _counted(flags: dict[str, pa.Array]) -> dict[str, int]:
    counts = {code: pc.sum(column).as_py() or 0 for code, column in flags.items()}
    return {code: count for code, count in counts.items() if count}
