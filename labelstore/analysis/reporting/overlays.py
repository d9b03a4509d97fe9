"""What changed on an item, drawn over its image where that can be read."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.pairing import Side
from labelstore.changes.summary import by_item
from labelstore.geometry.columns import column
from labelstore.geometry.covering import covering_boxes
from labelstore.geometry.drawing import elements, number

if TYPE_CHECKING:
    from labelstore.changes.report import Report

Row = dict[str, Any]
LARGEST = 640
"""Pixels of the longer side of an image in the page."""
CANVAS = (320.0, 240.0)
"""Size of an item of which nobody knows one, and whose labels have no place in the plane."""
LABELS = 200
"""Labels of an item that are drawn."""


def overlays(report: Report, images: Path, count: int) -> Iterator[str]:
    """Yield a figure for each of the items that changed most.

    Args:
        report: the difference.
        images: folder below which images are.
        count: how many items.
    """
    ranked = by_item(report.found).slice(0, count)
    ids = np.sort(np.asarray(ranked.column("item_id")))
    items = _items(report, ids)
    drawn = [_labels(report, side, ids) for side in (0, 1)]
    for row in ranked.to_pylist():
        number_of = row["item_id"]
        own = [labels.get(number_of, []) for labels in drawn]
        item = items.get(number_of, {"uri": None, "width": None, "height": None, "text": None})
        said = f"{row['added']} added, {row['removed']} removed, {row['changed']} changed"
        name = escape(item["uri"] or str(number_of))
        picture = _picture(item, own, images)
        yield f"<figure>{picture}<figcaption>{name}<br>{said}</figcaption></figure>"


def _items(report: Report, ids: np.ndarray[Any, Any]) -> dict[int, Row]:
    """Return what is known of items, the later version first."""
    found: dict[int, Row] = {}
    wanted = pa.array(ids)
    names = ["item_id", "uri", "width", "height", "text"]
    for manifest in report.sides:
        for part in manifest.parts_of("items"):
            at = np.searchsorted(ids, part.first_key)
            if at < len(ids) and ids[at] <= part.last_key:
                rows = manifest.read(part, names)
                rows = rows.filter(pc.is_in(rows.column("item_id"), value_set=wanted))
                found |= {row["item_id"]: row for row in rows.to_pylist()}
    return found


def _labels(report: Report, side: int, ids: np.ndarray[Any, Any]) -> dict[int, list[Row]]:
    """Return the changed labels of items on one side, with their shapes."""
    labels = report.found.labels
    gone = "added" if side == 0 else "removed"
    there = pc.and_(pc.not_equal(labels.column("change"), "provenance"),
                    pc.not_equal(labels.column("change"), gone))  # fmt: skip
    labels = labels.filter(pc.and_(there, pc.is_in(labels.column("item_id"), pa.array(ids))))
    found: dict[int, list[Row]] = {}
    for layer in pc.unique(labels.column("layer")).to_pylist():
        own = labels.filter(pc.equal(labels.column("layer"), layer))
        number_of = own.column("annotation_id")
        if side == 1:
            number_of = pc.coalesce(own.column("annotation_after"), number_of)
        keys = pa.table({"item_id": own.column("item_id"), "annotation_id": number_of})
        rows = Side(report.sides[side], report.layers[side] or layer, keys).rows(ids)
        said = {r["number"]: f"{report.names[r['category']]}: {r['words']}"
                for r in _said(own, number_of, side)}  # fmt: skip
        for row in _in_pixels(rows["geometries"]):
            row["said"] = said[row["annotation_id"]]
            found.setdefault(row["item_id"], []).append(row)
    return found


def _said(labels: pa.Table, number_of: Any, side: int) -> Iterator[Row]:
    """Yield number, class and what changed of each label."""
    category = labels.column("category_after" if side else "category_before")
    columns = (number_of, category, labels.column("change"), labels.column("meanings"))
    for own, known, change, words in zip(*(c.to_pylist() for c in columns), strict=True):
        yield {"number": own, "category": known, "words": ", ".join(words) or change}


def _in_pixels(shapes: pa.Table) -> Iterator[Row]:
    boxes = covering_boxes(shapes)
    frames = column(shapes, "frame").to_pylist()
    for row, box, frame in zip(shapes.to_pylist(), boxes.tolist(), frames, strict=True):
        yield {**row, "around": box, "unit": frame == "unit"}


def _picture(item: Row, own: list[list[Row]], images: Path) -> str:
    width, height = _size(item, own)
    marks = [f'<image href="{data}" width="{number(width)}" height="{number(height)}"/>'
             for data in _image(images, item["uri"])]  # fmt: skip
    for kind, labels in zip(("was", "now"), own, strict=True):
        shapes = "".join(_marks(row, width, height, item["text"]) for row in labels[:LABELS])
        marks.append(f'<g class="{kind}">{shapes}</g>')
    return (f'<svg viewBox="0 0 {number(width)} {number(height)}" role="img">'
            f"{''.join(marks)}</svg>")  # fmt: skip


def _marks(row: Row, width: float, height: float, text: str | None) -> str:
    try:
        marks = "".join(elements(row, width, height, text=text))
    except (ValueError, IndexError, TypeError, OverflowError, MemoryError):
        return ""  # a shape that `check` tells of, and that nobody can draw
    scale = f' transform="scale({number(width)} {number(height)})"' if row["unit"] else ""
    return f"<g{scale}><title>{escape(row['said'])}</title>{marks}</g>"


def _size(item: Row, own: list[list[Row]]) -> tuple[float, float]:
    """Return the size of an item's image, else one that holds all that is drawn."""
    if item["width"] and item["height"]:
        return float(item["width"]), float(item["height"])
    ends = [row["around"][2:] for labels in own for row in labels if not row["unit"]]
    known = np.array([e for e in ends if np.isfinite(e).all()]).reshape(-1, 2)
    if not len(known):
        return CANVAS
    width, height = np.maximum(known.max(axis=0) * 1.05, 8)
    return float(width), float(height)


def _image(folder: Path, uri: str | None) -> Iterator[str]:
    """Yield an item's image as a data URI, small; nothing where it cannot be read."""
    from PIL import Image, UnidentifiedImageError

    if not uri or "://" in uri:
        return
    try:
        path = (folder / uri).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            return  # a delivery must not bring files into the page that lie elsewhere
        with Image.open(path) as image:
            image.thumbnail((LARGEST, LARGEST))
            data = io.BytesIO()
            image.convert("RGB").save(data, "JPEG", quality=80)
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
        return
    yield "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
