"""Writing a panoptic file and its PNGs."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow.compute as pc

from labelstore.errors import InvalidInput
from labelstore.plugins import Writing, shared, target_file
from labelstore_converters.coco.annotation_objects import annotation_objects
from labelstore_converters.coco.names import Names, source_key
from labelstore_converters.coco.writing import DEFAULT_STYLE, JsonText, on_images
from labelstore_converters.painting import painted, sizes_of, with_pixels

RECORD = ["segments_info", "file_name", "image_id"]


def write(data: Writing, target: Path) -> Iterator[int]:
    """Write a file and a folder of PNGs beside it, yielding the number of annotations so far."""
    target = target_file(target)
    folder = target.with_suffix("")
    if folder == target:
        said = f"{target}: needs a suffix, such as .json; the PNGs take the name without it"
        raise InvalidInput(said, code="target-kind")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"{folder}: is in the way of the PNGs", code="target-kind")
    described = json.loads(data.dataset["leftovers"] or "{}")
    files = data.dataset["files"] or [{}]
    style = json.loads(files[0].get("json_style") or "null") or DEFAULT_STYLE
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        (aside / "png").mkdir(parents=True)
        with open(aside / "json", "wb") as file:
            text = _PanopticText(file.write, style, aside / "png", described)
            own = data if "video" in described else replace(data, tracks=None)
            yield from text.document(own, described, files[0])
        if folder.exists():
            folder.rmdir()
        os.replace(aside / "png", folder)
        os.replace(aside / "json", target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


class _PanopticText(JsonText):
    """JSON text whose annotations are images with their segments."""

    def __init__(self, out: Any, style: dict[str, Any], folder: Path, described: Any) -> None:
        super().__init__(out, style)
        self._folder = folder
        self._orders = described.get("key_orders", {})

    def annotations(
        self, data: Writing, order: Sequence[str] | None, names: Names
    ) -> Iterator[int]:
        """Write records, each with its segments, and their PNGs."""
        found = self._segments(data, names)
        sizes = sizes_of(data.items)
        count = 0
        records = _records(data, found)
        for i, (item, kept) in enumerate(records):
            own = found.get(item["item_id"], [])
            name = kept["keys"].get("file_name") or _png_name(item)
            pixels = [(mask, value) for _, mask, value in own if mask is not None]
            image = painted(pixels, sizes.get(item["item_id"]))
            if image is not None and (pixels or not own):
                if (self._folder / name).exists():
                    raise shared(name, item["uri"], "coco-panoptic")
                _save(image, self._folder / name)
            segments = [segment for segment, _, _ in own if not segment.get("png_only")]
            record = {"segments_info": segments, "image_id": source_key(item),
                      **kept["keys"], "file_name": name}  # fmt: skip
            ranked = kept.get("order") or self._orders.get("record") or RECORD
            ranked = [*(k for k in ranked if k in record), *(k for k in record if k not in ranked)]
            self.members([{k: record[k] for k in ranked}], begun=i > 0)
            count += len(own)
            yield count
        self.close_list(begun=bool(records))

    def _segments(
        self, data: Writing, names: Names
    ) -> dict[int, list[tuple[dict[str, Any], Any, int]]]:
        """Return the segments of each item: object, mask and value."""
        nameless = Names(classes=names.classes, words=names.words)
        sizes = sizes_of(data.items)
        found: dict[int, list[tuple[dict[str, Any], Any, int]]] = defaultdict(list)
        for rows, shapes in on_images(data.annotations, names.videos):
            objects = annotation_objects(rows, shapes, nameless, self._orders.get("segment"))
            masks = with_pixels(rows, shapes, sizes).to_pylist()
            rasters = shapes.column("raster").to_pylist()
            items = rows.column("item_id").to_pylist()
            for segment, mask, raster, item in zip(objects, masks, rasters, items, strict=True):
                if mask is None and raster is None:
                    continue
                for key in ("image_id", "segmentation"):
                    segment.pop(key, None)
                value = segment["id"] if raster is None else raster["value"]
                found[item].append(({**segment, "id": value}, mask, value))
        return found


def _records(data: Writing, found: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the items that have a record, in the source's order, and what is kept of it."""
    images = data.items.filter(pc.not_equal(data.items.column("modality"), "video"))
    rows = images.select(["item_id", "uri", "sources"]).to_pylist()
    native = bool(data.dataset["leftovers"])
    pairs = []
    for at, row in enumerate(rows):
        kept = json.loads(row["sources"][0]["leftovers"] or "{}").get("record")
        if kept or row["item_id"] in found or not native:
            pairs.append((row, kept or {"seq": len(rows) + at, "keys": {}}))
    return sorted(pairs, key=lambda pair: int(pair[1]["seq"]))


def _png_name(item: dict[str, Any]) -> str:
    return PurePosixPath(item["uri"] or str(item["item_id"])).stem + ".png"


def _save(ids: Any, path: Path) -> None:
    """Write an image of ids as panopticapi reads it: R + 256 G + 65,536 B."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65_536], axis=2).astype(np.uint8)
    Image.fromarray(colours).save(path)
