"""Writing images of ids."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.plugins import Lost, Told, Writing, shared, whole_folder, write_text
from labelstore_converters.id_images.reading import image_of
from labelstore_converters.painting import losses as pixel_losses
from labelstore_converters.painting import painted, sizes_of, with_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore_converters.id_images import IdImages

    Values = NDArray[np.int64]

LIMIT = 1 << 16


class Numbered:
    """Values of labels: as their source had them, else the next of their class in their image.

    Args:
        converter: the format.
        data: what is written.
    """

    def __init__(self, converter: IdImages, data: Writing) -> None:
        self._factor = converter.factor
        self._own = bool(json.loads(data.dataset["leftovers"] or "{}").get("ids"))
        rows = data.categories.select(["category_id", "name", "sources"]).to_pylist()
        self._classes = {row["category_id"]: _number(i, row, own=self._own)
                         for i, row in enumerate(rows, 1)}  # fmt: skip
        self._names = {row["category_id"]: row["name"] for row in rows}
        self._sizes = sizes_of(data.items)
        self._last: Counter[tuple[int, int]] = Counter()

    def values(self, rows: pa.RecordBatch, shapes: pa.RecordBatch) -> tuple[pa.Array, Values]:
        """Return pixels and value of each label, 0 where it has none; in order, once for all."""
        masks = with_pixels(rows, shapes, self._sizes)
        found = np.zeros(len(rows), np.int64)
        columns = (rows.column(n).to_pylist() for n in ("item_id", "category_id"))
        rasters = shapes.column("raster").to_pylist()
        for i, (item, category, raster) in enumerate(zip(*columns, rasters, strict=True)):
            number = self._classes.get(category)
            if number is None or not masks[i].is_valid:
                continue
            told = raster["value"] if raster and self._own else 0
            if self._factor == 1:
                found[i] = number if 0 < number < LIMIT else 0
            elif told and told // self._factor == number:
                found[i] = told
            else:
                self._last[item, number] += 1
                place = self._factor // 2 * self._own + self._last[item, number]
                value = number * self._factor + place
                found[i] = value if place < self._factor and value < LIMIT else 0
        return masks, found

    def misnamed(self, rows: pa.RecordBatch, values: Values) -> int:
        """Return how many labels have a class that is called otherwise when it is read."""
        written = rows.column("category_id").filter(pa.array(values > 0)).to_pylist()
        return sum(self._names[c] != f"class {self._classes[c]}" for c in written)


def _number(rank: int, row: Mapping[str, Any], *, own: bool) -> int | None:
    """Return the number of a class: its source's, or that of its name, or its rank."""
    if own and row["sources"][0]["source_id"] is not None:
        return int(row["sources"][0]["source_id"])
    last = (row["name"] or "").removeprefix("class ")
    return int(last) if last.isdigit() else rank


def path_of(item: Mapping[str, Any], converter: IdImages) -> str:
    """Return where an item's image of ids goes, below the folder."""
    kept = json.loads(item["sources"][0]["leftovers"] or "{}").get("path")
    if kept:
        return str(kept)
    path = PurePosixPath((item["uri"] or str(item["item_id"])).lstrip("/")).with_suffix(".png")
    steps = [part for part in path.parts if part != ".."]
    parts = [converter.folder if part == converter.images else part for part in steps]
    return "/".join(parts if converter.folder in parts[:-1] else [converter.folder, *parts])


def uris(converter: IdImages, data: Writing) -> list[str]:
    """Return the path of each image, as its image of ids tells it."""
    names = data.items.select(["item_id", "uri", "sources"]).to_pylist()
    return [image_of(PurePosixPath(path_of(item, converter)), converter) for item in names]


def _by_item(converter: IdImages, data: Writing) -> dict[int, list[tuple[dict[str, Any], int]]]:
    """Return pixels and value of the labels of each item."""
    numbered = Numbered(converter, data)
    found: dict[int, list[tuple[dict[str, Any], int]]] = defaultdict(list)
    for rows, shapes in data.annotations:
        masks, values = numbered.values(rows, shapes)
        items = rows.column("item_id").to_pylist()
        for item, mask, value in zip(items, masks.to_pylist(), values.tolist(), strict=True):
            if value:
                found[item].append((mask, value))
    return found


def write(converter: IdImages, data: Writing, target: Path) -> Iterator[int]:
    """Write images of ids, yielding the number of annotations written so far.

    The folder appears whole or not at all.
    """
    labels = _by_item(converter, data)
    with whole_folder(target, f"{converter.folder}/**/*.png") as aside:
        yield data.annotation_count
        sizes = sizes_of(data.items)
        for item in data.items.select(["item_id", "uri", "sources"]).to_pylist():
            image = painted(labels[item["item_id"]], sizes.get(item["item_id"]))
            path = aside / path_of(item, converter)
            if image is not None and path.exists():
                raise shared(path.name, item["uri"], converter.name)
            if image is not None:
                _save(image, path, item)
        for name, text in json.loads(data.dataset["leftovers"] or "{}").get("files", {}).items():
            write_text(aside, name, text)


def _save(ids: Values, path: Path, item: Mapping[str, Any]) -> None:
    """Write an image of ids in 16 bits, or in 8 where its source had these and they suffice."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    depth = json.loads(item["sources"][0]["leftovers"] or "{}").get("depth", "1000")
    small = depth.startswith("08") and int(ids.max(initial=0)) < 256
    Image.fromarray(ids.astype(np.uint8 if small else np.uint16)).save(path)


def _shown(converter: IdImages, data: Writing) -> set[tuple[int, int]]:
    """Return item and value of each label of which a pixel is left."""
    labels, sizes = _by_item(converter, data), sizes_of(data.items)
    images = {item: painted(own, sizes.get(item)) for item, own in labels.items()}
    return {(item, int(v)) for item, image in images.items() if image is not None
            for v in np.unique(image) if v}  # fmt: skip


def records(converter: IdImages, data: Writing) -> Iterator[Told]:
    """Yield annotations with whether any pixel has their value, by which they are sorted."""
    shown, numbered = _shown(converter, data), Numbered(converter, data)
    for rows, shapes in data.annotations:
        values = numbered.values(rows, shapes)[1]
        there = []
        for pair in zip(rows.column("item_id").to_pylist(), values.tolist(), strict=True):
            there.append(pair in shown)
            shown.discard(pair)  # the next of its class joins it
        yield Told(rows, np.array(there, np.int64), values)


def losses(converter: IdImages, data: Writing) -> Lost:
    """Return how many labels lose what a value cannot say, by code."""
    numbered, shown = Numbered(converter, data), _shown(converter, data)
    seen = Counter[tuple[int, int]]()
    found = pixel_losses(data)
    for rows, shapes in data.annotations:
        masks, values = numbered.values(rows, shapes)
        shaped = np.asarray(masks.is_valid())
        classed = np.asarray(rows.column("category_id").is_valid())
        found["class-unknown"] += int((shaped & ~classed).sum())
        pairs = list(zip(rows.column("item_id").to_pylist(), values.tolist(), strict=True))
        seen.update(pair for pair in pairs if pair in shown)
        found["hidden"] += sum(value > 0 and (item, value) not in shown for item, value in pairs)
        found["too-many"] += int((shaped & classed & (values == 0)).sum())
        found["class"] += numbered.misnamed(rows, values)
    found["joined"] = seen.total() - len(seen)
    return found.begun(converter.name)
