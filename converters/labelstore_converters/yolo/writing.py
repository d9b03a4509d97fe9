"""Writing an Ultralytics data set: its YAML, and a label file for each image."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.errors import FormatError, InvalidInput
from labelstore.plugins import Writing, target_folder
from labelstore_converters.lined.filetext import text_of
from labelstore_converters.yolo.layout import image_path, label_path
from labelstore_converters.yolo.lines import split_lines
from labelstore_converters.yolo.numbertext import Floats, line_text, texts
from labelstore_converters.yolo.shapes import Numbers, line_numbers
from labelstore_converters.yolo.yamltext import yaml_text


def write(data: Writing, target: Path, task: str, *, scores: bool) -> Iterator[int]:
    """Write a data set, yielding the number of annotations written so far.

    The folder appears whole or not at all.

    Args:
        data: what to write.
        target: a folder that is not there yet, or is empty.
        task: see `shapes.line_numbers`.
        scores: whether lines end with one.
    """
    target = target_folder(target)
    kept = json.loads(data.dataset["leftovers"] or "{}")
    files = _Files(data, kept)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        aside.mkdir(parents=True)
        count = 0
        lines: dict[int, list[str]] = defaultdict(list)
        for annotations, geometries in data.annotations:
            rows = _Rows(annotations, geometries, files)
            rows.add_to(lines, line_numbers(
                geometries, task, annotations.column("score") if scores else None))  # fmt: skip
            count += len(annotations)
            yield count
        files.write(aside, lines)
        name, text = yaml_text(data.categories, kept, files, task)
        (aside / name).write_text(text, encoding="utf-8", newline="")
        if target.exists():
            target.rmdir()
        os.replace(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


class _Files:
    """Where the labels of each image go, and how large it is."""

    def __init__(self, data: Writing, kept: Mapping[str, Any]) -> None:
        names = ["item_id", "uri", "width", "height", "exif_orientation", "labelled_state",
                 "sources"]  # fmt: skip
        self._items = data.items.select(names).to_pylist()
        self._final_newline = kept.get("final_newline", True)
        self._own = "yaml" in kept
        self.labels = [self._label(item) for item in self._items]
        self.folders = sorted({_folder(label) for label in self.labels})
        self.points = set[int]()
        self.place = {item["item_id"]: i for i, item in enumerate(self._items)}
        self.sides = np.array([_sides(item) for item in self._items], np.float64).reshape(-1, 2)
        self._below = kept.get("below", "")
        self._lists = kept.get("lists", {})
        self.classes = _numbered(data.categories, own=self._own)

    def _label(self, item: Mapping[str, Any]) -> str:
        uri = item["uri"] or ""
        name = PurePosixPath(uri.partition("://")[2] if "://" in uri else uri.lstrip("/"))
        name = PurePosixPath(*(part for part in name.parts if part != ".."))
        if not name.parts:
            raise InvalidInput(f"item {item['item_id']}: {uri!r} is no path below a folder",
                               code="yolo-uri")  # fmt: skip
        listed = self._own and item["sources"][0]["source_id"] is None
        if listed or "images" in name.parts[:-1]:
            return label_path(name.as_posix())
        return label_path(f"images/{name.as_posix()}")

    def write(self, folder: Path, lines: Mapping[int, list[str]]) -> None:
        """Write the label files of all images."""
        for i, (item, label) in enumerate(zip(self._items, self.labels, strict=True)):
            own = lines.get(i, [])
            if not own and item["labelled_state"] == "listed_no_file":
                continue
            path = folder / self._below / label
            text = self._text(item, own)
            if path.exists() and path.read_bytes() != text.encode():
                said = f"{label}: {item['uri']} and another image would share this label file"
                raise FormatError("export", [said], code="yolo-label-shared")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        self._write_lists(folder / self._below)

    def _write_lists(self, folder: Path) -> None:
        """Write the files that list images, without those that are gone."""
        there = {item["uri"] for item in self._items}
        for name, text in self._lists.items():
            lines = text.splitlines(keepends=True)
            inside = PurePosixPath(name).parent
            kept = [line for line in lines if not line.strip() or _uri(line, inside) in there]
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text if len(kept) == len(lines) else "".join(kept),
                            encoding="utf-8", newline="")  # fmt: skip

    def _text(self, item: Mapping[str, Any], lines: list[str]) -> str:
        """Return the text of a label file, as its source wrote it where that still holds."""
        kept = json.loads(item["sources"][0]["leftovers"] or "{}")
        return text_of(lines, kept, self._final_newline)


def image_paths(data: Writing) -> list[str]:
    """Return the path of each image without its suffix, as its label file tells it."""
    files = _Files(data, json.loads(data.dataset["leftovers"] or "{}"))
    return [image_path(label) for label in files.labels]


def _folder(label: str) -> str:
    """Return the folder of images that a label file belongs to."""
    parts = PurePosixPath(label).parts[:-1]
    at = len(parts) - 1 - parts[::-1].index("labels") if "labels" in parts else None
    return "/".join(parts if at is None else (*parts[:at], "images", *parts[at + 1 :])) or "."


def _sides(item: Mapping[str, Any]) -> tuple[float, float]:
    """Return width and height as labels count them; NaN where nobody knows."""
    width, height = (item[k] or np.nan for k in ("width", "height"))
    sideways = item["exif_orientation"] in (6, 8)
    return (height, width) if sideways else (width, height)


def _uri(line: str, inside: PurePosixPath) -> str:
    """Return the image that a line of a list names, as items have it."""
    name = line.strip().removeprefix("\ufeff")
    path = inside / name[2:] if name.startswith("./") else PurePosixPath(name)
    found: str = os.path.normpath(path.as_posix())
    return found


def _numbered(categories: pa.Table, *, own: bool) -> dict[int, int]:
    """Return the number of each class: its rank among those that the YAML lists.

    Args:
        categories: in their order.
        own: they came as YOLO, where a class that is not listed keeps its number.
    """
    rows = categories.select(["category_id", "unlisted", "sources"]).to_pylist()
    listed = [r for r in rows if not (own and r["unlisted"])]
    found = {r["category_id"]: i for i, r in enumerate(listed)}
    for row in (r for r in rows if own and r["unlisted"]):
        said = row["sources"][0]["source_id"]
        found[row["category_id"]] = max(said or 0, len(listed))
    return found


class _Rows:
    """Some annotations, as lines of their images."""

    def __init__(
        self, annotations: pa.RecordBatch, geometries: pa.RecordBatch, files: _Files
    ) -> None:
        self._annotations = annotations
        self._files = files
        items = [files.place[i] for i in annotations.column("item_id").to_pylist()]
        self._items = np.array(items, np.int64)
        unit = np.asarray(geometries.column("frame").fill_null("pixel").to_numpy(False) == "unit")
        self._sides = np.where(unit[:, None], 1.0, files.sides[self._items].reshape(-1, 2))

    def add_to(self, lines: dict[int, list[str]], numbers: Numbers) -> None:
        """Put lines below their images."""
        self._refuse_unsized(numbers)
        self._files.points |= set(np.unique(np.diff(numbers.starts)).tolist())
        rows = self._annotations
        styles = rows.column("number_style").to_pylist()
        kept = rows.column("leftovers").to_pylist()
        ids = rows.column("category_id").to_pylist()
        classes = [None if c is None else self._files.classes[c] for c in ids]
        parts = numbers.parts(self._sides)
        for i, row in enumerate(numbers.rows.tolist()):
            category = classes[row]
            if category is None:
                continue
            at = slice(int(numbers.starts[i]), int(numbers.starts[i + 1]))
            text = self._kept(kept[row], category, numbers, at, row)
            if text is None:
                whole = numbers.axes[at] == 3
                text = line_text(category, texts(parts[at], whole, styles[row]))
            lines[int(self._items[row])].append(text)

    def _kept(
        self, kept: str | None, category: int, numbers: Numbers, at: slice, row: int
    ) -> str | None:
        """Return the line as its source wrote it, where it still says the same."""
        line = json.loads(kept).get("line") if kept else None
        if line is None:
            return None
        said = split_lines([(0, line)])
        axes = numbers.axes[at]
        if said.classes[0] != category or len(said.values) != 1 + len(axes):
            return None
        values = _pixels(said.values[1:], axes, self._sides[row])
        return line if np.array_equal(values, numbers.values[at]) else None

    def _refuse_unsized(self, numbers: Numbers) -> None:
        bad = np.unique(numbers.rows[np.isnan(self._sides[numbers.rows]).any(axis=1)])
        if len(bad):
            raise InvalidInput(
                f"{len(bad):,} labels are in pixels, and nobody knows width and height of their "
                "images, so their parts of the image cannot be told",
                code="yolo-size-missing",
            )


def _pixels(values: Floats, axes: Any, sides: Floats) -> Floats:
    lengths = np.where(axes < 2, sides[np.minimum(axes, 1)], 1.0)
    return np.where(axes < 2, values * lengths, values)
