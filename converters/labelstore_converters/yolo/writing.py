"""Writing label files, a line a label, and what stands beside them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.errors import InvalidInput
from labelstore.plugins import Writing, whole_folder
from labelstore_converters.yolo.files import LabelFiles
from labelstore_converters.yolo.lines import split_lines
from labelstore_converters.yolo.numbertext import Floats, line_text, texts
from labelstore_converters.yolo.shapes import Numbers, line_numbers


def write(
    data: Writing, target: Path, files: LabelFiles, task: str, *, scores: bool
) -> Iterator[int]:
    """Write a data set, yielding the number of annotations written so far.

    The folder appears whole or not at all.

    Args:
        data: what to write.
        target: a folder that is not there yet, or is empty.
        files: where labels go, and what stands beside them.
        task: see `shapes.line_numbers`.
        scores: whether lines end with one.
    """
    with whole_folder(target) as aside:
        count = 0
        lines: dict[int, list[str]] = defaultdict(list)
        for annotations, geometries in data.annotations:
            rows = _Rows(annotations, geometries, files)
            rows.add_to(lines, line_numbers(
                geometries, task, annotations.column("score") if scores else None))  # fmt: skip
            count += len(annotations)
            yield count
        files.write(aside, lines)
        files.finish(aside, task)


class _Rows:
    """Some annotations, as lines of their images."""

    def __init__(
        self, annotations: pa.RecordBatch, geometries: pa.RecordBatch, files: LabelFiles
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
        self._files.points |= numbers.points()
        rows = self._annotations
        styles = rows.column("number_style").to_pylist()
        if self._files.digits is not None:
            styles = [f"{self._files.digits}g"] * len(styles)
        kept = rows.column("leftovers").to_pylist()
        ids = rows.column("category_id").to_pylist()
        classes = [None if c is None else self._files.classes[c] for c in ids]
        parts, whole = numbers.parts(self._sides), numbers.axes == 3
        words = texts(parts, whole, None)
        items, starts = self._items.tolist(), numbers.starts.tolist()
        for i, row in enumerate(numbers.rows.tolist()):
            category = classes[row]
            if category is None:
                continue
            at = slice(starts[i], starts[i + 1])
            text = None
            if kept[row] and self._files.digits is None:
                text = self._kept(kept[row], category, numbers, at, row)
            if text is None:
                style = styles[row]
                own = words[at] if style is None else texts(parts[at], whole[at], style)
                text = line_text(category, own)
            lines[items[row]].append(text)

    def _kept(self, kept: str, category: int, numbers: Numbers, at: slice, row: int) -> str | None:
        """Return the line as its source wrote it, where it still says the same."""
        line = json.loads(kept).get("line")
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
                "images, so their parts of the image cannot be told; --images or --sizes of the "
                "import tell them",
                code="yolo-size-missing",
            )


def _pixels(values: Floats, axes: Any, sides: Floats) -> Floats:
    lengths = np.where(axes < 2, sides[np.minimum(axes, 1)], 1.0)
    return np.where(axes < 2, values * lengths, values)
