"""Lines of label files as rows of `annotations` and `geometries`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.covering import COLUMNS, covering_boxes
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore_converters.columns import batch, json_text
from labelstore_converters.yolo.lines import Lines
from labelstore_converters.yolo.numbertext import Floats, Ints, joined, spans, style_of
from labelstore_converters.yolo.shapes import line_numbers

BOX = ("v0", "v1", "v2", "v3")


@dataclass
class LabelRows:
    """Rows of some lines.

    Args:
        lines: of label files.
        sizes: shape (n, 2), width and height of each line's image; NaN where nobody knows.
        classes: how many the data set lists.
        keypoints: points and numbers of each, of a pose data set.
        task: `obb` where four points are corners, `plain` where lines are boxes and nothing else.

    Attributes:
        unlisted: classes that lines use and the data set does not list, as JSON text.
        notices: counts of what is unusual.
    """

    lines: Lines
    sizes: Floats
    classes: int
    keypoints: tuple[int, int] | None
    task: str | None
    unlisted: list[str] = field(default_factory=list)
    notices: Counter[str] = field(default_factory=Counter)

    def faults(self) -> Iterator[tuple[int, str]]:
        """Yield lines that are no labels, with what is wrong."""
        lines = self.lines
        for row in np.flatnonzero(self._shapes() == "").tolist():
            yield row, f"has {lines.counts[row] + 1} columns, which is no label"
        owners = np.repeat(np.arange(len(lines)), lines.counts + 1)
        for at in np.flatnonzero(np.isnan(lines.values)).tolist():
            row = int(owners[at])
            column = at - int(lines.starts[row]) + 1
            yield row, f"column {column}: {lines.tokens[at]!r} is no finite number"
        numbers = np.nan_to_num(lines.classes)
        for row in np.flatnonzero((numbers % 1 != 0) | (numbers < 0)).tolist():
            yield row, f"column 1: {lines.tokens[lines.starts[row]]!r} is no class"

    def tables(self, seqs: Ints) -> tuple[pa.Table, pa.Table]:
        """Return the rows of both families, in the order of the lines.

        Args:
            seqs: shape (n,), the place of each line in the source.
        """
        count = len(self.lines)
        shapes = self._geometries()
        annotations: dict[str, Any] = {
            "layer": pa.repeat("", count),
            "item_id": self.lines.files,
            "annotation_id": seqs,
            "seq": seqs,
            "category_id": self._classes(),
            "kind": pa.array(KINDS[s] for s in self._shapes().tolist()),
            "score": self._scores(),
        }
        boxes = covering_boxes(shapes)
        covered = {n: pa.array(boxes[:, i], from_pandas=True) for i, n in enumerate(COLUMNS)}
        found = pa.Table.from_batches([batch(TABLES["annotations"], {**annotations, **covered})])
        return self._styled(found, shapes), shapes

    def _shapes(self) -> Any:
        """Return which shape each line has, or none; shape (n,)."""
        counts = self.lines.counts
        if self.keypoints is not None:
            wanted = 4 + self.keypoints[0] * self.keypoints[1]
            return np.where((counts == wanted) | (counts == wanted + 1), "keypoints", "")
        if self.task == "plain":
            return np.where(counts == 4, "box", "")
        if self.task == "obb":
            return np.where((counts == 8) | (counts == 9), "corners", "")
        return np.select([(counts == 4) | (counts == 5), counts >= 6], ["box", "polygon"], "")

    def _extra(self) -> Any:
        """Return which lines end with a score, shape (n,)."""
        if self.keypoints is not None:
            return self.lines.counts == 5 + self.keypoints[0] * self.keypoints[1]
        return self.lines.counts % 2 == 1

    def _scores(self) -> pa.Array:
        last = self.lines.values[self.lines.starts[1:] - 1]
        return pa.array(last, mask=~self._extra())

    def _classes(self) -> Ints:
        numbers = self.lines.classes.astype(np.int64)
        beyond = numbers >= self.classes
        if beyond.any():
            strange = np.unique(numbers[beyond])
            self.unlisted += [str(n) for n in strange.tolist()]
            numbers[beyond] = -1 - np.searchsorted(strange, numbers[beyond])
        return numbers

    def _geometries(self) -> pa.Table:
        """Return the shapes, in pixels where the image's size is known, else as parts of it."""
        kinds = self._shapes()
        known: Any = ~np.isnan(self.sizes).any(axis=1)
        groups, order = [], []
        makers = {"box": self._boxes, "polygon": self._polygons, "keypoints": self._keypoints,
                  "corners": self._corners}  # fmt: skip
        for kind, make in makers.items():
            rows = np.flatnonzero(kinds == kind)
            if len(rows):
                groups.append(pa.table(make(rows)))
                order.append(rows)
        given: dict[str, Any] = {}
        if groups:
            back = pa.array(np.argsort(np.concatenate(order)))
            joined = pa.concat_tables(groups, promote_options="default").take(back)
            given = {name: joined.column(name).combine_chunks() for name in joined.column_names}
        frame = pa.array(["unit"] * len(kinds), mask=known)
        keys = {"layer": pa.repeat("", len(known)), "item_id": self.lines.files,
                "annotation_id": np.arange(len(known))}  # fmt: skip
        return pa.Table.from_batches(
            [batch(TABLES["geometries"], {**keys, "frame": frame, **given})]
        )

    def _pixels(self, values: Floats, rows: Ints) -> Floats:
        """Return x and y in turn, as pixels; values of shape (k, 2 j)."""
        sides = np.where(np.isnan(self.sizes[rows]), 1.0, self.sizes[rows])
        pixels: Floats = values * np.tile(sides, values.shape[1] // 2)
        return pixels

    def _boxes(self, rows: Ints) -> dict[str, Any]:
        numbers = self._pixels(self.lines.block(rows, 4), rows)
        box = pa.StructArray.from_arrays([pa.array(c) for c in numbers.T], list(BOX))
        return {"box": box, "box_form": pa.repeat("cxcywh", len(rows))}

    def _corners(self, rows: Ints) -> dict[str, Any]:
        numbers = self._pixels(self.lines.block(rows, 8), rows)
        return {"corners": _lists(numbers.reshape(-1), np.full(len(rows), 8))}

    def _polygons(self, rows: Ints) -> dict[str, Any]:
        counts = self.lines.counts[rows] // 2 * 2
        begins = self.lines.starts[rows] + 1
        ends = np.cumsum(counts)
        at = np.arange(int(counts.sum())) + np.repeat(begins - ends + counts, counts)
        pairs = self.lines.values[at].reshape(-1, 2)
        pixels = self._pixels(pairs, np.repeat(rows, counts // 2))
        rings = _lists(pixels.reshape(-1), counts)
        return {"polygons": pa.ListArray.from_arrays(_offsets(np.ones(len(rows))), rings)}

    def _keypoints(self, rows: Ints) -> dict[str, Any]:
        assert self.keypoints is not None
        points, dims = self.keypoints
        numbers = self.lines.block(rows, 4 + points * dims)[:, 4:].reshape(len(rows), points, dims)
        pixels = self._pixels(numbers[:, :, :2].reshape(len(rows), -1), rows)
        found = {
            **self._boxes(rows),
            "keypoints": _lists(pixels.reshape(-1), np.full(len(rows), 2 * points)),
            "keypoint_dims": pa.repeat(pa.scalar(2, pa.int8()), len(rows)),
        }
        if dims == 2:
            return found
        third = numbers[:, :, 2]
        seen: Any = np.isin(third, (0, 1, 2)).all(axis=1)
        self.notices["yolo-keypoint-scores"] += int((~seen).sum())
        each = np.full(len(rows), points)
        visible = _lists(
            np.where(seen[:, None], third, 0).astype(np.int8).reshape(-1), each, ~seen
        )
        return {
            **found,
            "visibility": visible,
            "keypoint_scores": _lists(third.reshape(-1), each, seen),
        }

    def _styled(self, annotations: pa.Table, shapes: pa.Table) -> pa.Table:
        """Return rows that say how their numbers were written, or keep the line as it is."""
        lines = self.lines
        numbers = line_numbers(shapes, "any", annotations.column("score").combine_chunks())
        sides = np.where(np.isnan(self.sizes), 1.0, self.sizes)
        parts = numbers.parts(sides)
        whole = numbers.axes == 3
        tokens = pa.array(lines.tokens, pa.string())
        counts = np.full(len(lines), -1)
        counts[numbers.rows] = np.diff(numbers.starts)
        fits = np.flatnonzero(counts == lines.counts)
        own = spans(lines.starts[fits] + 1, counts[fits])
        begins = np.zeros(len(lines), np.int64)
        begins[numbers.rows] = numbers.starts[:-1]
        at = spans(begins[fits], counts[fits])
        found = style_of(parts[at], whole[at], tokens.take(pa.array(own)), counts[fits])
        styles = np.full(len(lines), None)
        styles[fits] = found.to_numpy(zero_copy_only=False)
        told = joined(lines.classes.astype(np.int64), tokens.take(pa.array(
            spans(lines.starts[:-1] + 1, lines.counts))), lines.counts)  # fmt: skip
        usual = pc.and_(pa.array(styles, pa.string()).is_valid(),
                        pc.equal(told, pa.array(lines.texts, pa.string())))  # fmt: skip
        kept = [None if same else json_text({"line": text})
                for same, text in zip(usual.to_pylist(), lines.texts, strict=True)]  # fmt: skip
        rows = with_column(annotations, "number_style", pa.array(styles, pa.string()))
        return with_column(rows, "leftovers", pa.array(kept, pa.string()))


KINDS: Mapping[str, str] = {
    "box": "box", "polygon": "polygon", "keypoints": "keypoints", "corners": "corners", "": "tag",
}  # fmt: skip


def _offsets(counts: Any) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))


def _lists(values: Any, counts: Sequence[int] | Ints, absent: Any = None) -> pa.Array:
    """Return flat values as lists of so many each; null where absent."""
    found = pa.ListArray.from_arrays(_offsets(counts), pa.array(values))
    if absent is None or not np.any(absent):
        return found
    return pa.array(found.to_pylist(), found.type, mask=np.asarray(absent))
