"""Rows of `items`, `categories` and `tracks` as COCO images, videos, categories and tracks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from labelstore_converters.coco.names import Names, source_key

IMAGE_ORDER = ["id", "width", "height", "file_name", "video_id", "frame_index"]
VIDEO_ORDER = ["id", "name", "width", "height"]
TRACK_ORDER = ["id", "category_id", "video_id"]
CATEGORY_ORDER = [
    "id", "name", "supercategory", "keypoints", "skeleton", "isthing", "color",
]  # fmt: skip


def image_object(row: dict[str, Any], order: Sequence[str] | None, names: Names) -> dict[str, Any]:
    """Return a COCO image, keys in the source's order."""
    values = {"id": source_key(row), "width": row["width"], "height": row["height"],
              "file_name": row["uri"]}  # fmt: skip
    if row["parent_id"] in names.videos:
        values["video_id"] = names.items[row["parent_id"]]
        values[names.words["frame"]] = row["frame_index"]
    return arranged(row["sources"][0]["leftovers"], values, order, IMAGE_ORDER)


def video_object(row: dict[str, Any], order: Sequence[str] | None, names: Names) -> dict[str, Any]:
    """Return a video, keys in the source's order."""
    values = {"id": source_key(row), "name": row["uri"], "width": row["width"],
              "height": row["height"]}  # fmt: skip
    return arranged(row["sources"][0]["leftovers"], values, order, VIDEO_ORDER)


def track_object(row: dict[str, Any], order: Sequence[str] | None, names: Names) -> dict[str, Any]:
    """Return a track, keys in the source's order."""
    values = {
        "id": names.tracks[row["track_id"]],
        "category_id": names.classes.get(row["category_id"]),
        "video_id": names.items.get(row["item_id"]),
    }
    return arranged(row["leftovers"], values, order, TRACK_ORDER)


def category_object(
    row: dict[str, Any], order: Sequence[str] | None, names: Names
) -> dict[str, Any]:
    """Return a COCO category, keys in the source's order."""
    edges = row["skeleton"]
    thing = row["is_thing"]
    values = {
        "id": source_key(row),
        "name": row["name"],
        "supercategory": row["supercategory"],
        "keypoints": row["keypoint_names"],
        "skeleton": None if edges is None else [[e["a"] + 1, e["b"] + 1] for e in edges],
        "isthing": None if thing is None else int(thing),
        "color": row["color"],
    }
    return arranged(row["sources"][0]["leftovers"], values, order, CATEGORY_ORDER)


def arranged(
    leftovers: str | None,
    values: dict[str, Any],
    order: Sequence[str] | None,
    default_order: Sequence[str],
) -> dict[str, Any]:
    """Return values and leftovers in one object: null values are absent, leftovers win.

    Args:
        leftovers: JSON text of `keys`, `order` and `without` (keys that are absent), or None.
        values: what columns say, by key.
        order: usual order of the keys in the source, or None.
        default_order: order where there is no source.
    """
    kept = json.loads(leftovers) if leftovers else {}
    absent = kept.get("without", ())
    found = {k: v for k, v in values.items() if v is not None and k not in absent}
    found.update(kept.get("keys", {}))
    chosen = kept.get("order") or order or default_order
    ranked = [k for k in chosen if k in found]
    ranked += [k for k in found if k not in ranked]
    return {k: found[k] for k in ranked}
