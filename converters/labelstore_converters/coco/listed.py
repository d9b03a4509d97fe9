"""COCO images and categories as rows of `items` and `categories`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from labelstore.model.tables import TABLES
from labelstore_converters.coco.columns import batch, json_text, leftovers
from labelstore_converters.coco.numbers import is_int


def image_rows(images: Sequence[dict[str, Any]], order: Sequence[str]) -> pa.Table:
    """Return rows of `items`, numbered from 0 in file order."""
    columns: dict[str, list[Any]] = {n: [] for n in ("uri", "width", "height", "sources")}
    for seq, image in enumerate(images):
        carried = ["id"]
        for key in ("width", "height"):
            fits = is_int(image.get(key), 32) and image[key] >= 0
            columns[key].append(image[key] if fits else None)
            carried += [key] if fits else []
        name = image.get("file_name")
        uri = normalised(name) if isinstance(name, str) else image.get("coco_url")
        columns["uri"].append(uri if isinstance(uri, str) else None)
        if isinstance(name, str) and uri == name:
            carried.append("file_name")
        columns["sources"].append([_source(image, seq, carried, order)])
    rows = {**columns, "item_id": range(len(images)), "modality": ["image"] * len(images)}
    return pa.Table.from_batches([batch(TABLES["items"], rows, len(images))])


def normalised(name: str) -> str:
    """Return a medium's name with forward slashes and without empty or `.` steps.

    Example:
        >>> normalised("./train\\\\a.jpg")
        'train/a.jpg'
    """
    if "://" in name or not ("\\" in name or "//" in name or "./" in name):
        return name
    steps = name.replace("\\", "/").split("/")
    return "/".join(s for i, s in enumerate(steps) if s != "." and (s or i == 0))


def category_rows(categories: Sequence[dict[str, Any]], order: Sequence[str]) -> pa.Table:
    """Return rows of `categories`, numbered from 0 in file order."""
    names = ("name", "supercategory", "keypoint_names", "skeleton", "is_thing", "color", "sources")
    columns: dict[str, list[Any]] = {n: [] for n in names}
    for seq, found in enumerate(categories):
        values, carried = _category_values(found)
        for name in names[:-1]:
            columns[name].append(values.get(name))
        columns["sources"].append([_source(found, seq, carried, order)])
    count = len(categories)
    rows = {**columns, "category_id": range(count), "position": range(count)}
    return pa.Table.from_batches([batch(TABLES["categories"], rows, count)])


def _category_values(found: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the values of columns and the keys that they carry exactly."""
    values: dict[str, Any] = {}
    carried = ["id"]
    for key, column, fits in (
        ("name", "name", lambda v: isinstance(v, str) and v),
        ("supercategory", "supercategory", lambda v: isinstance(v, str)),
        ("keypoints", "keypoint_names", _is_names),
        ("color", "color", lambda v: _is_ints(v, 0, 255) and len(v) == 3),
    ):
        if key in found and fits(found[key]):
            values[column] = found[key]
            carried.append(key)
    thing = found.get("isthing")
    if type(thing) is int and thing in (0, 1):
        values["is_thing"] = bool(thing)
        carried.append("isthing")
    edges = found.get("skeleton")
    if isinstance(edges, list) and all(_is_ints(e, 1, 2**31 - 1) and len(e) == 2 for e in edges):
        values["skeleton"] = [{"a": a - 1, "b": b - 1} for a, b in edges]
        carried.append("skeleton")
    return values, carried


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _is_ints(value: Any, low: int, high: int) -> bool:
    return isinstance(value, list) and all(type(v) is int and low <= v <= high for v in value)


def _source(
    found: dict[str, Any], seq: int, carried: Sequence[str], order: Sequence[str]
) -> dict[str, Any]:
    kept = leftovers(found, carried, order)
    whole = is_int(found["id"])
    return {
        "dataset_id": 0,
        "seq": seq,
        "source_id": found["id"] if whole else None,
        "source_key": None if whole else json_text(found["id"]),
        "leftovers": json_text(kept) if kept else None,
    }
