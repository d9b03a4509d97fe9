"""Labels as pycocotools takes them: rows with a box, runs or keypoints, in pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.agreement.units import UNCLASSED
from labelstore.analysis.images import ImageSizes
from labelstore.analysis.scoring.ignoring import are_flagged
from labelstore.geometry.area import areas
from labelstore.geometry.covering import covering_boxes
from labelstore.geometry.masks import on_canvas, rasterise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.analysis.agreement.units import Author

    Floats = NDArray[np.float64]
    Ids = NDArray[np.int64]
    Row = dict[str, Any]

KINDS = ("bbox", "segm", "keypoints")
BOXED = ("box", "polygon", "mask", "segment", "keypoints")
"""Kinds whose covering boxes are compared; of others the box is not what was drawn."""


@dataclass(frozen=True)
class Side:
    """Labels of one side.

    Attributes:
        rows: what every label tells.
        boxes: shape (n, 4), covering boxes in pixels; NaN where there is none.
        shapes: n rows of `geometries`.
        scales: shape (n, 2), pixels of a unit in x and y.
        canvases: shape (n, 2), width and height of each label's image, or of what is known of it.
        kinds: shape (n,).
    """

    rows: Sequence[Row]
    boxes: Floats
    shapes: pa.Table
    scales: Floats
    canvases: Floats
    kinds: Any

    def of(self, kind: str) -> list[Row]:
        """Return the labels that have such a shape: `bbox`, `segm` or `keypoints`."""
        return FORMS[kind](self)


def pictured(authors: Sequence[Author], items: Ids) -> list[Side]:
    """Return the labels of each author on some images, rising; of one image on one canvas."""
    found = [author.side.rows(items) for author in authors]
    sizes = ImageSizes.of(authors[0].side.manifest)
    sides = [_side(rows["annotations"], rows["geometries"], sizes) for rows in found]
    reach = np.zeros((len(items), 2))
    at = [np.searchsorted(items, np.asarray(rows["annotations"].column("item_id")))
          for rows in found]  # fmt: skip
    for side, own in zip(sides, at, strict=True):
        np.maximum.at(reach, own, np.ceil(np.nan_to_num(side.boxes[:, 2:])))
        masks = side.shapes.column("mask").combine_chunks()
        sizes_ = np.stack([np.asarray(pc.struct_field(masks, n).fill_null(0)) for n in "wh"], 1)
        np.maximum.at(reach, own, sizes_)
    whole = np.where(np.isnan(sizes.of_items(items)), reach, sizes.of_items(items))
    return [replace(side, canvases=whole[own]) for side, own in zip(sides, at, strict=True)]


def _side(notes: pa.Table, shapes: pa.Table, sizes: ImageSizes) -> Side:
    image = sizes.of_items(np.asarray(notes.column("item_id")))
    parts = np.asarray(pc.equal(shapes.column("frame"), "unit").fill_null(False))
    scales = np.where(parts[:, None], image, 1.0)
    boxes = covering_boxes(shapes) * np.tile(scales, 2)
    stated = np.asarray(shapes.column("area").fill_null(np.nan))
    area = np.where(np.isnan(stated), areas(shapes), stated) * scales.prod(axis=1)
    area = np.where(np.isnan(area), (boxes[:, 2:] - boxes[:, :2]).prod(axis=1), area)
    crowds = are_flagged(notes).cast(pa.int8())
    columns = {
        "image_id": notes.column("item_id"), "id": notes.column("annotation_id"),
        "category_id": notes.column("category_id").fill_null(UNCLASSED), "iscrowd": crowds,
        "area": pa.array(np.nan_to_num(area)), "score": notes.column("score").fill_null(1.0),
    }  # fmt: skip
    kinds = np.array(notes.column("kind").to_pylist(), object)
    return Side(pa.table(columns).to_pylist(), boxes, shapes, scales, image, kinds)


def _boxes(side: Side) -> list[Row]:
    own = np.flatnonzero(np.isin(side.kinds, BOXED) & ~np.isnan(side.boxes).any(axis=1))
    ends = side.boxes[own]
    return [{**side.rows[i], "bbox": _around(e)} for i, e in zip(own.tolist(), ends, strict=True)]


def _runs(side: Side) -> list[Row]:
    there = [side.shapes.column(n).is_valid() for n in ("mask", "polygons")]
    own = np.flatnonzero(np.asarray(pc.or_(*there)))
    shapes = side.shapes.select(["mask", "polygons", "holes_of"]).take(pa.array(own)).to_pylist()
    found = []
    for i, shape, size, scale in zip(
        own.tolist(), shapes, side.canvases[own].tolist(), side.scales[own], strict=True
    ):
        told = _run(shape, int(size[1]), int(size[0]), scale)
        if told is not None:
            found.append({**side.rows[i], "segmentation": told})
    return found


def _run(shape: Row, h: int, w: int, scale: Floats) -> Any:
    """Return the pixels of a mask, or within an outline; None where nobody can read it."""
    if shape["mask"]:
        return on_canvas(shape["mask"], h, w)
    rings = [(np.reshape(ring, (-1, 2)) * scale).reshape(-1).tolist()
             for ring in shape["polygons"]]  # fmt: skip
    holes = [owner >= 0 for owner in shape["holes_of"] or [-1] * len(rings)]
    outer, inner = ([r for r, is_hole in zip(rings, holes, strict=True) if is_hole == wanted]
                    for wanted in (False, True))  # fmt: skip
    return rasterise(outer, h, w, inner)


def _keypoints(side: Side) -> list[Row]:
    points, shown = (side.shapes.column(n) for n in ("keypoints", "visibility"))
    flat = np.asarray(pc.equal(side.shapes.column("keypoint_dims").fill_null(2), 2))
    own = np.flatnonzero(np.asarray(points.is_valid()) & flat)
    at = pa.array(own)
    found = []
    for i, xy, seen, scale in zip(own.tolist(), points.take(at).to_pylist(),
                                  shown.take(at).to_pylist(), side.scales[own],
                                  strict=True):  # fmt: skip
        places = np.reshape(xy, (-1, 2)) * scale
        flags = np.full(len(places), 2) if seen is None else np.array(seen)
        told = np.concatenate([places, flags[:, None]], axis=1)
        found.append({**side.rows[i], "keypoints": told.reshape(-1).tolist(),
                      "bbox": _around(side.boxes[i]),
                      "num_keypoints": int((flags > 0).sum())})  # fmt: skip
    return found


def _around(ends: Floats) -> list[float]:
    return [*ends[:2].tolist(), *(ends[2:] - ends[:2]).tolist()]


FORMS: dict[str, Callable[[Side], list[Row]]] = {
    "bbox": _boxes, "segm": _runs, "keypoints": _keypoints,
}  # fmt: skip
"""How labels of each kind are told."""
