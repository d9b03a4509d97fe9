"""Writing label files, a line a label, and what stands beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput
from labelstore.plugins import Writing, whole_folder
from labelstore_converters.yolo.files import LabelFiles
from labelstore_converters.yolo.filetexts import FileTexts
from labelstore_converters.yolo.lines import split_lines
from labelstore_converters.yolo.numbertext import Floats, Ints, line_texts
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
        texts = FileTexts(files, aside)
        for annotations, geometries in data.annotations:
            rows = _Rows(annotations, geometries, files)
            texts.add(*rows.lines(line_numbers(
                geometries, task, annotations.column("score") if scores else None)))  # fmt: skip
            count += len(annotations)
            yield count
        texts.finish()
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

    def lines(self, numbers: Numbers) -> tuple[Ints, pa.StringArray]:
        """Return the place of the image of each line, shape (n,), and the lines."""
        self._refuse_unsized(numbers)
        self._files.points |= numbers.points()
        rows, counts = self._annotations, np.diff(numbers.starts)
        styles = rows.column("number_style").take(pa.array(numbers.rows))
        if self._files.digits is not None:
            styles = pa.repeat(f"{self._files.digits}g", len(counts))
        ids = rows.column("category_id").to_pylist()
        known = [-1 if c is None else self._files.classes[c] for c in ids]
        classes = np.array(known, np.int64)[numbers.rows]
        parts, whole = numbers.parts(self._sides), numbers.axes == 3
        found = line_texts(classes, parts, whole, counts, styles)
        if self._files.digits is None:
            found = self._as_kept(found, classes, numbers)
        named = classes >= 0
        return self._items[numbers.rows][named], found.filter(pa.array(named))

    def _as_kept(self, lines: pa.StringArray, classes: Ints, numbers: Numbers) -> pa.StringArray:
        """Return lines, as their source wrote them where they still say the same."""
        leftovers = self._annotations.column("leftovers")
        own = np.flatnonzero(np.asarray(leftovers.is_valid())[numbers.rows])
        mask, texts = np.zeros(len(lines), bool), []
        for at, row in zip(own.tolist(), numbers.rows[own].tolist(), strict=True):
            inside = slice(int(numbers.starts[at]), int(numbers.starts[at + 1]))
            text = self._kept(leftovers[row].as_py(), int(classes[at]), numbers, inside, row)
            mask[at] = text is not None
            texts += [text] if text is not None else []
        if not texts:
            return lines
        return pc.replace_with_mask(lines, pa.array(mask), pa.array(texts, pa.string()))

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
