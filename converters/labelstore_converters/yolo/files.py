"""Where the label files of an Ultralytics data set go, and its YAML beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.errors import InvalidInput
from labelstore.plugins import Writing
from labelstore_converters.lined.filetext import text_of
from labelstore_converters.yolo.layout import image_path, label_path
from labelstore_converters.yolo.yamltext import yaml_text


class LabelFiles:
    """Where the labels of each image go, how large it is, and what stands beside them.

    Args:
        data: what is written.
        digits: significant digits to which numbers are rounded, if any.

    Attributes:
        labels: the label file of each image.
        place: of each item, by its id.
        sides: shape (n, 2), width and height as labels count them; NaN where nobody knows.
        classes: number of each class, by its id.
        points: how many points lines have after a box, and how many numbers each.
    """

    keeps = "yaml"
    """What a data set of this format keeps of itself."""

    def __init__(self, data: Writing, digits: int | None = None) -> None:
        self.digits = digits
        kept: dict[str, Any] = json.loads(data.dataset["leftovers"] or "{}")
        self.kept, self.categories = kept, data.categories
        names = ["item_id", "uri", "width", "height", "exif_orientation", "labelled_state",
                 "sources"]  # fmt: skip
        self.items = data.items.select(names).to_pylist()
        self._final_newline = kept.get("final_newline", True)
        self.own = self.keeps in kept
        self.labels = [self.label(item) for item in self.items]
        self.folders = sorted({_folder(label) for label in self.labels})
        self.points = set[tuple[int, int]]()
        self.place = {item["item_id"]: i for i, item in enumerate(self.items)}
        self.sides = np.array([_sides(item) for item in self.items], np.float64).reshape(-1, 2)
        self._below = kept.get("below", "")
        self._lists = kept.get("lists", {})
        self.classes = _numbered(data.categories, own=self.own)

    def label(self, item: Mapping[str, Any]) -> str:
        """Return the label file of an image, below the folder."""
        uri = item["uri"] or ""
        name = uri.partition("://")[2] if "://" in uri else uri
        parts = [part for part in name.split("/") if part not in ("", ".", "..")]
        if not parts:
            raise InvalidInput(f"item {item['item_id']}: {uri!r} is no path below a folder",
                               code="yolo-uri")  # fmt: skip
        listed = self.own and item["sources"][0]["source_id"] is None
        inside = listed or "images" in parts[:-1]
        return label_path("/".join(parts if inside else ["images", *parts]))

    def place_in(self, folder: Path) -> str:
        """Return where label files go."""
        return str(folder / self._below)

    def text(self, item: Mapping[str, Any], lines: str) -> str:
        """Return the text of a label file, as its source wrote it where that still holds.

        Args:
            item: its image.
            lines: of it, with line feeds between them.
        """
        kept = item["sources"][0]["leftovers"]
        if not kept:
            return lines + "\n" if lines and self._final_newline else lines
        return text_of(lines.split("\n") if lines else [], json.loads(kept), self._final_newline)

    def images(self) -> list[str]:
        """Return the path of each image without its suffix, as its label file tells it."""
        return [image_path(label) for label in self.labels]

    def finish(self, folder: Path, task: str) -> None:
        """Write the YAML, and the files that list images."""
        self._write_lists(folder / self._below)
        name, text = yaml_text(self.categories, self.kept, self, task)
        (folder / name).write_text(text, encoding="utf-8", newline="")

    def _write_lists(self, folder: Path) -> None:
        """Write the files that list images, without those that are gone."""
        there = {item["uri"] for item in self.items}
        for name, text in self._lists.items():
            lines = text.splitlines(keepends=True)
            inside = PurePosixPath(name).parent
            kept = [line for line in lines if not line.strip() or _uri(line, inside) in there]
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text if len(kept) == len(lines) else "".join(kept),
                            encoding="utf-8", newline="")  # fmt: skip


def _folder(label: str) -> str:
    """Return the folder of images that a label file belongs to."""
    parts = label.split("/")[:-1]
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
