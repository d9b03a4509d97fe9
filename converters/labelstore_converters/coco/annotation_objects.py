"""Rows of `annotations` and `geometries` as COCO annotations, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput
from labelstore_converters.coco.annotation_rows import RLE_ORDER
from labelstore_converters.coco.listed_objects import arranged
from labelstore_converters.coco.names import Names
from labelstore_converters.coco.numbers import styled

ORDER = [
    "id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation",
    "keypoints", "num_keypoints", "caption", "score", "track_id", "instance_id", "attributes",
]  # fmt: skip


ENCODINGS = ("coco_rle", "coco_rle_list")
"""Of masks, those that COCO has."""


def annotation_objects(
    annotations: pa.RecordBatch,
    geometries: pa.RecordBatch,
    names: Names,
    order: Sequence[str] | None,
) -> list[dict[str, Any]]:
    """Return COCO annotations, keys in the source's order.

    Args:
        annotations: n rows.
        geometries: the same rows' shapes.
        names: the source's ids.
        order: usual order of the keys in the source, or None.
    """
    columns = _columns(annotations, geometries)
    styles = annotations.column("number_style").to_pylist()
    leftovers = annotations.column("leftovers").to_pylist()
    columns["id"] = _ids(annotations)
    columns["image_id"] = [names.items.get(i) for i in annotations.column("item_id").to_pylist()]
    classes = annotations.column("category_id").to_pylist()
    columns["category_id"] = [None if c is None else names.classes.get(c) for c in classes]
    tracks = annotations.column("track_id")
    if tracks.null_count < len(tracks):
        columns[names.words["track"]] = [names.tracks.get(t) for t in tracks.to_pylist()]
    present = key_order(order, columns)
    objects = []
    for values, style, kept in zip(
        zip(*(columns[k] for k in present), strict=True), styles, leftovers, strict=True
    ):
        found = {k: v for k, v in zip(present, values, strict=True) if v is not None}
        if style is not None:
            _restyle(found, style)
        objects.append(_with_leftovers(found, kept, order) if kept else found)
    return objects


def key_order(order: Sequence[str] | None, keys: Iterable[str]) -> list[str]:
    """Return keys in the source's usual order, those that it does not have last."""
    known = [*(order or ()), *ORDER]
    return sorted(dict.fromkeys(keys), key=lambda key: known.index(key))


def _with_leftovers(
    found: dict[str, Any], kept: str, order: Sequence[str] | None
) -> dict[str, Any]:
    rle = json.loads(kept).get("rle")
    if rle and isinstance(found.get("segmentation"), dict):
        found["segmentation"] = {k: found["segmentation"][k] for k in rle}
    return arranged(kept, found, order, ORDER)


def _restyle(found: dict[str, Any], style: str) -> None:
    """Give the row's numbers the types that the source wrote."""
    rings = found.get("segmentation") if isinstance(found.get("segmentation"), list) else []
    points = found.get("keypoints", [])
    numbers = [found[k] for k in ("area", "score") if k in found]
    numbers += found.get("bbox", [])
    numbers += [v for ring in rings or [] for v in ring]
    scored = any(type(v) is float for v in points[2::3])
    numbers += [v for i, v in enumerate(points) if i % 3 != 2]
    numbers += points[2::3] if scored else []
    typed = iter(styled(numbers, style))
    for key in ("area", "score"):
        if key in found:
            found[key] = next(typed)
    if "bbox" in found:
        found["bbox"] = [next(typed) for _ in range(4)]
    if rings:
        found["segmentation"] = [[next(typed) for _ in ring] for ring in rings]
    if points:
        found["keypoints"] = [v if i % 3 == 2 else next(typed) for i, v in enumerate(points)]
    if points and scored:
        found["keypoints"][2::3] = list(typed)


def _columns(annotations: pa.RecordBatch, geometries: pa.RecordBatch) -> dict[str, list[Any]]:
    """Return the values of each COCO key that any row has."""
    columns: dict[str, list[Any]] = {}
    _add(columns, "area", geometries.column("area"))
    _add(columns, "score", annotations.column("score"))
    _add(columns, "num_keypoints", geometries.column("num_keypoints"))
    _add(columns, "caption", geometries.column("text"))
    crowd = annotations.column("is_crowd")
    _add(columns, "iscrowd", crowd.cast(pa.int8()))
    box = geometries.column("box")
    if box.null_count < len(box):
        columns["bbox"] = _boxes(geometries)
    shapes = _segmentations(geometries)
    if shapes is not None:
        columns["segmentation"] = shapes
    if geometries.column("keypoints").null_count < len(geometries):
        columns["keypoints"] = list(_keypoints(geometries))
    attributes = annotations.column("attributes")
    if attributes.null_count < len(attributes):
        columns["attributes"] = [
            None if pairs is None else {k: json.loads(v) for k, v in pairs}
            for pairs in attributes.to_pylist()
        ]
    return columns


def _add(columns: dict[str, list[Any]], key: str, values: pa.Array) -> None:
    if values.null_count < len(values):
        columns[key] = values.to_pylist()


def _ids(annotations: pa.RecordBatch) -> list[Any]:
    whole = annotations.column("source_id").to_pylist()
    keys = annotations.column("source_key")
    if keys.null_count == len(keys):
        return list(whole)
    pairs = zip(whole, keys.to_pylist(), strict=True)
    return [number if key is None else json.loads(key) for number, key in pairs]


def box_numbers(geometries: pa.RecordBatch) -> tuple[Any, Any]:
    """Return x, y, w, h of each row, shape (n, 4), and which rows have a box, shape (n,)."""
    box, form = geometries.column("box"), geometries.column("box_form")
    v = np.stack([np.asarray(box.field(i).fill_null(0.0)) for i in range(4)], axis=1)
    edges, centred = (np.asarray(pc.equal(form, name).fill_null(False))[:, None]
                      for name in ("xyxy", "cxcywh"))  # fmt: skip
    v = np.where(edges, np.c_[v[:, :2], v[:, 2:] - v[:, :2]], v)
    v = np.where(centred, np.c_[v[:, :2] - v[:, 2:] / 2, v[:, 2:]], v)
    return v, np.asarray(box.is_valid())


def _boxes(geometries: pa.RecordBatch) -> list[Any]:
    """Return x, y, w, h of each row; other forms are turned into it."""
    numbers, there = box_numbers(geometries)
    return [r if ok else None for r, ok in zip(numbers.tolist(), there.tolist(), strict=True)]


def _segmentations(geometries: pa.RecordBatch) -> list[Any] | None:
    polygons, masks = geometries.column("polygons"), geometries.column("mask")
    none = len(geometries)
    if polygons.null_count == none and masks.null_count == none:
        return None
    shapes = _rings(polygons) if polygons.null_count < none else [None] * none
    own = pc.is_in(masks.field("encoding"), value_set=pa.array(ENCODINGS))
    for i in np.flatnonzero(np.asarray(pc.and_(masks.is_valid(), own))).tolist():
        shapes[i] = _mask(masks[i].as_py())
    return shapes


def _rings(polygons: pa.ListArray) -> list[Any]:
    """Return rings as lists of lists of numbers; None where there are none."""
    inner = polygons.flatten()
    numbers = np.asarray(inner.flatten()).tolist()
    ends = np.cumsum(np.asarray(pc.list_value_length(inner))).tolist()
    rings = [numbers[a:b] for a, b in pairwise([0, *ends])]
    counts = np.asarray(pc.list_value_length(polygons).fill_null(0))
    outer = np.cumsum(counts).tolist()
    found = [rings[a:b] for a, b in pairwise([0, *outer])]
    return [
        own if there else None
        for own, there in zip(found, polygons.is_valid().to_pylist(), strict=True)
    ]


def _mask(mask: dict[str, Any]) -> dict[str, Any]:
    counts = mask["counts"]
    try:
        listed = mask["encoding"] == "coco_rle_list"
        text: Any = np.frombuffer(counts, "<u4").tolist() if listed else counts.decode()
    except ValueError as error:
        raise InvalidInput(f"a mask cannot be read ({error}); `labelstore check` names it",
                           code="mask-broken") from error  # fmt: skip
    values = {"counts": text, "size": [mask["h"], mask["w"]]}
    return {k: values[k] for k in RLE_ORDER}


def _keypoints(geometries: pa.RecordBatch) -> Iterable[list[Any] | None]:
    """Yield x, y and visibility of each point, or else its score."""
    names = ("keypoints", "visibility", "keypoint_scores", "keypoint_dims")
    columns = (geometries.column(name).to_pylist() for name in names)
    for flat, shown, scores, dims in zip(*columns, strict=True):
        if flat is None:
            yield None
            continue
        step = dims or 2
        known = scores if shown is None else shown
        marks = [2] * (len(flat) // step) if known is None else known
        yield [n for i, m in enumerate(marks) for n in (flat[step * i], flat[step * i + 1], m)]
