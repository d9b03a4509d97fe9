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
from labelstore_converters.yolo.layout import label_path
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
        name, text = yaml_text(data.categories, kept, files.folders, task)
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
        self._labels = [self._label(item) for item in self._items]
        _refuse_shared(self._items, self._labels)
        self.folders = sorted({_folder(label) for label in self._labels})
        self.place = {item["item_id"]: i for i, item in enumerate(self._items)}
        self.sides = np.array([_sides(item) for item in self._items], np.float64).reshape(-1, 2)
        ids = data.categories.column("category_id").to_pylist()
        sources = data.categories.column("sources").to_pylist()
        own = [s[0]["source_id"] for s in sources] if self._own else [None]
        numbers = range(len(ids)) if None in own else own
        self.classes = dict(zip(ids, numbers, strict=True))

    def _label(self, item: Mapping[str, Any]) -> str:
        uri = item["uri"] or ""
        name = PurePosixPath(uri.partition("://")[2] if "://" in uri else uri.lstrip("/"))
        if not name.parts or ".." in name.parts:
            raise InvalidInput(f"item {item['item_id']}: {uri!r} is no path below a folder",
                               code="yolo-uri")  # fmt: skip
        if self._own or "images" in name.parts[:-1]:
            return label_path(name.as_posix())
        return label_path(f"images/{name.as_posix()}")

    def write(self, folder: Path, lines: Mapping[int, list[str]]) -> None:
        """Write the label files of all images."""
        for i, (item, label) in enumerate(zip(self._items, self._labels, strict=True)):
            own = lines.get(i, [])
            if not own and item["labelled_state"] == "listed_no_file":
                continue
            path = folder / label
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._text(item, own), encoding="utf-8", newline="")

    def _text(self, item: Mapping[str, Any], lines: list[str]) -> str:
        """Return the text of a label file, as its source wrote it where that still holds."""
        kept = json.loads(item["sources"][0]["leftovers"] or "{}")
        given = kept.get("text")
        if given is not None and split_lines([(0, given)]).texts == lines:
            return str(given)
        end = kept.get("final_newline", self._final_newline)
        return "\n".join(lines) + ("\n" if lines and end else "")


def _folder(label: str) -> str:
    """Return the folder of images that a label file belongs to."""
    parts = PurePosixPath(label).parts[:-1]
    at = len(parts) - 1 - parts[::-1].index("labels") if "labels" in parts else None
    return "/".join(parts if at is None else (*parts[:at], "images", *parts[at + 1 :])) or "."


def _sides(item: Mapping[str, Any]) -> tuple[float, float]:
    """Return width and height as labels count them; NaN where nobody knows."""
    width, height = (item[k] or np.nan for k in ("width", "height"))
    jpeg = (item["uri"] or "").lower().endswith((".jpg", ".jpeg"))
    sideways = item["exif_orientation"] in (6, 8) and jpeg
    return (height, width) if sideways else (width, height)


def _refuse_shared(items: list[dict[str, Any]], labels: list[str]) -> None:
    """Refuse images that would share a label file.

    Raises:
        FormatError: with all of them.
    """
    owners: dict[str, str] = {}
    faults = []
    for item, label in zip(items, labels, strict=True):
        other = owners.setdefault(label, item["uri"])
        if other != item["uri"]:
            faults.append(f"{label}: {other} and {item['uri']} would share this label file")
    if faults:
        raise FormatError("export", faults, code="yolo-label-shared")


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
        rows = self._annotations
        styles = rows.column("number_style").to_pylist()
        kept = rows.column("leftovers").to_pylist()
        classes = [self._files.classes[c] for c in rows.column("category_id").to_pylist()]
        parts = numbers.parts(self._sides)
        for i, row in enumerate(numbers.rows.tolist()):
            at = slice(int(numbers.starts[i]), int(numbers.starts[i + 1]))
            text = self._kept(kept[row], classes[row], numbers, at, row)
            if text is None:
                whole = numbers.axes[at] == 3
                text = line_text(classes[row], texts(parts[at], whole, styles[row]))
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
