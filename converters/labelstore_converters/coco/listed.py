"""COCO images and categories as rows of `items` and `categories`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.model.tables import TABLES
from labelstore.model.uris import normalised
from labelstore_converters.coco.leftovers import leftovers
from labelstore_converters.coco.numbers import is_int
from labelstore_converters.columns import batch, json_text

NO_FILE_NAME = "\0no file_name"
"""Marks an image whose URI stands for a name that its source does not give."""


def _own_id(found: dict[str, Any]) -> set[str]:
    """Return the keys that identify an object and that columns hold; null is no id."""
    return {"id"} if found["id"] is not None else set()


def image_rows(
    images: Sequence[dict[str, Any]],
    order: Sequence[str],
    *,
    place: Callable[[dict[str, Any]], Mapping[str, int]] | None = None,
    first: int = 0,
    name: str = "file_name",
    modality: str = "image",
) -> pa.Table:
    """Return rows of `items`, numbered in file order.

    Args:
        images: objects of the list.
        order: usual order of their keys.
        place: gives number of the video and place in it, by the keys that say so.
        first: number of the first.
        name: key that says the URI.
        modality: of those that are in no video.
    """
    names = ("uri", "width", "height", "parent_id", "frame_index", "modality")
    columns: dict[str, list[Any]] = {n: [] for n in names}
    carried = []
    for image in images:
        own = _own_id(image)
        for key in ("width", "height"):
            value = image.get(key)
            fits = type(value) is int and 0 <= value < 2**31
            columns[key].append(value if fits else None)
            if fits:
                own.add(key)
        said = image.get(name)
        uri = normalised(said) if isinstance(said, str) else image.get("coco_url")
        columns["uri"].append(uri if isinstance(uri, str) else None)
        if uri is not None and uri == said:
            own.add(name)
        elif said is None and uri is not None:
            own.add(NO_FILE_NAME)
        inside = {} if place is None else place(image)
        places = [*inside.values(), None, None]
        columns["parent_id"].append(places[0])
        columns["frame_index"].append(places[1])
        columns["modality"].append("frame" if inside else modality)
        carried.append(own | inside.keys())
    rows = {
        **columns,
        "item_id": range(first, first + len(images)),
        "sources": _sources(images, carried, order, "items", first, name),
    }
    return pa.Table.from_batches([batch(TABLES["items"], rows)])


def category_rows(categories: Sequence[dict[str, Any]], order: Sequence[str]) -> pa.Table:
    """Return rows of `categories`, numbered from 0 in file order."""
    names = ("name", "supercategory", "keypoint_names", "skeleton", "is_thing", "color")
    pairs = [_category_values(found) for found in categories]
    columns: dict[str, Any] = {n: [values.get(n) for values, _ in pairs] for n in names}
    columns["sources"] = _sources(categories, [keys for _, keys in pairs], order, "categories")
    columns["category_id"] = columns["position"] = range(len(categories))
    return pa.Table.from_batches([batch(TABLES["categories"], columns)])


def _category_values(found: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return the values of columns and the keys that they carry exactly."""
    values: dict[str, Any] = {}
    carried = _own_id(found)
    for key, column, fits in (
        ("name", "name", lambda v: isinstance(v, str) and v),
        ("supercategory", "supercategory", lambda v: isinstance(v, str)),
        ("keypoints", "keypoint_names", _is_names),
        ("color", "color", lambda v: _is_ints(v, 0, 255) and len(v) == 3),
    ):
        if key in found and fits(found[key]):
            values[column] = found[key]
            carried.add(key)
    thing = found.get("isthing")
    if type(thing) is int and thing in (0, 1):
        values["is_thing"] = bool(thing)
        carried.add("isthing")
    edges = found.get("skeleton")
    if isinstance(edges, list) and all(_is_ints(e, 1, 2**31 - 1) and len(e) == 2 for e in edges):
        values["skeleton"] = [{"a": a - 1, "b": b - 1} for a, b in edges]
        carried.add("skeleton")
    return values, carried


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _is_ints(value: Any, low: int, high: int) -> bool:
    return isinstance(value, list) and all(type(v) is int and low <= v <= high for v in value)


def _sources(
    objects: Sequence[dict[str, Any]],
    carried: Sequence[Collection[str]],
    order: Sequence[str],
    table: str,
    first: int = 0,
    name: str = "name",
) -> pa.Array:
    """Return the `sources` column: one entry per object of the list."""
    kind = TABLES[table].schema.field("sources").type
    whole = [is_int(o["id"]) for o in objects]
    kept = [leftovers(o, keys, order) for o, keys in zip(objects, carried, strict=True)]
    for i, keys in enumerate(carried):
        if NO_FILE_NAME in keys:
            kept[i] = {"without": [name], **kept[i]}
    pairs = list(zip(objects, whole, strict=True))
    columns = {
        "dataset_id": np.zeros(len(objects), np.int64),
        "seq": np.arange(first, first + len(objects)),
        "source_id": [o["id"] if fits else None for o, fits in pairs],
        "source_key": [None if fits else json_text(o["id"]) for o, fits in pairs],
        "leftovers": [json_text(k) if k else None for k in kept],
        "stated": [None] * len(objects),
    }
    fields = list(kind.value_type)
    arrays = [pa.array(columns[f.name], f.type) for f in fields]
    entries = pa.StructArray.from_arrays(arrays, fields=fields)
    offsets = pa.array(np.arange(len(objects) + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, entries, type=kind)
