"""Labels as pixels of one image, of which each belongs to one label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pycocotools import mask as coco

from labelstore.geometry.columns import column
from labelstore.geometry.conversions import to_mask
from labelstore.geometry.masks import decode
from labelstore.model.tables import TABLES
from labelstore.plugins import Lost, Writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.int64]

Size = tuple[int, int]
MASK = TABLES["geometries"].schema.field("mask").type


def sizes_of(items: pa.Table) -> dict[int, Size]:
    """Return height and width of the items that have them."""
    columns = (items.column(n).to_pylist() for n in ("item_id", "height", "width"))
    return {i: (h, w) for i, h, w in zip(*columns, strict=True) if h and w}


def with_pixels(
    rows: pa.RecordBatch, shapes: pa.RecordBatch, sizes: Mapping[int, Size]
) -> pa.Array:
    """Return the pixels of each label: its mask, else its outline filled; null where none.

    Args:
        rows: n labels.
        shapes: the same rows' shapes.
        sizes: height and width of images.

    Returns:
        n values of `mask`.
    """
    masks: list[Any] = column(shapes, "mask").to_pylist()
    outlines = column(shapes, "polygons")
    items = rows.column("item_id").to_pylist()
    for at, (mask, item) in enumerate(zip(masks, items, strict=True)):
        rings = outlines[at].as_py() if mask is None else None
        if mask is not None and item not in sizes and mask["x0"] is not None:
            masks[at] = None
        if rings and any(len(ring) >= 6 for ring in rings) and item in sizes:
            one = pa.Table.from_batches([shapes.slice(at, 1)])
            masks[at] = to_mask(one, *sizes[item])[0].as_py()
    return pa.array(masks, MASK)


def mask_of(pixels: Any) -> dict[str, Any]:
    """Return pixels of an image as COCO's compressed runs."""
    runs = coco.encode(np.asfortranarray(pixels, dtype=np.uint8))
    h, w = pixels.shape
    return {"encoding": "coco_rle", "h": h, "w": w, "counts": runs["counts"]}


def painted(labels: list[tuple[dict[str, Any], int]], size: Size | None) -> Pixels | None:
    """Return an image of ids, later labels over earlier ones; None where no size is known.

    Args:
        labels: masks and values.
        size: height and width; else that of a mask.
    """
    known = [(m["h"], m["w"]) for m, _ in labels if m["x0"] is None]
    size = size or next(iter(known), None)
    if size is None:
        return None
    found = np.zeros(size, np.int64)
    for mask, value in labels:
        pixels = decode(mask)
        if pixels is not None:
            x, y = mask["x0"] or 0, mask["y0"] or 0
            window = found[y : y + mask["h"], x : x + mask["w"]]
            window[pixels[: window.shape[0], : window.shape[1]] > 0] = value
    return found


def losses(data: Writing) -> Lost:
    """Return how many labels lose what a segment cannot say, by code.

    Args:
        data: what is to be written; its annotations are read through.
    """
    sizes = sizes_of(data.items)
    found = Lost()
    labels: dict[int, list[tuple[dict[str, Any], int]]] = defaultdict(list)
    for rows, shapes in data.annotations:
        masks = with_pixels(rows, shapes, sizes)
        bare = np.asarray(column(shapes, "mask").is_null())
        has = np.asarray(masks.is_valid())
        items = rows.column("item_id").to_pylist()
        unsized = np.array([item not in sizes for item in items], bool)
        found["outlines-as-pixels"] += int((bare & has).sum())
        found["size-unknown"] += int((~has & unsized).sum())
        found["shapes-left-out"] += int((~has & ~unsized).sum())
        for item, mask in zip(items, masks.to_pylist(), strict=True):
            if mask is not None:
                labels[item].append((mask, len(labels[item]) + 1))
    for item, own in labels.items():
        found["overlaps"] += _covered(own, sizes.get(item))
    return found


def _covered(labels: list[tuple[dict[str, Any], int]], size: Size | None) -> int:
    """Return how many labels have fewer pixels in the image than they have themselves."""
    image = painted(labels, size)
    if image is None:
        return 0
    shown = np.bincount(image.reshape(-1), minlength=len(labels) + 1)
    whole = [decode(mask) for mask, _ in labels]
    pairs = zip(whole, labels, strict=True)
    return sum(bool(p is not None and int(p.sum()) > shown[v]) for p, (_, v) in pairs)
