"""Rows as the numbers of label lines, in pixels and in the order in which they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import corners as box_corners
from labelstore.geometry.boxes import is_equal, members
from labelstore.geometry.columns import column
from labelstore.geometry.covering import covering_boxes
from labelstore_converters.yolo.numbertext import Floats, Ints

Rows: TypeAlias = "pa.RecordBatch | pa.Table"


SHORTEST = 6
"""Numbers of the shortest ring that is an outline."""


@dataclass(frozen=True)
class Numbers:
    """The numbers of some lines.

    Attributes:
        rows: shape (n,), the row of each line; a row may have several lines, or none.
        starts: shape (n + 1,), where each line's numbers begin.
        values: shape (m,), coordinates in pixels and other numbers.
        axes: shape (m,): 0 for x, 1 for y, 2 for what is no coordinate, 3 for a whole number.
    """

    rows: Ints
    starts: Ints
    values: Floats
    axes: Ints

    def parts(self, sizes: Floats) -> Floats:
        """Return the numbers with coordinates as parts of the image's sides, shape (m,).

        Args:
            sizes: shape (rows, 2), width and height of each row's image; 1 where its
                coordinates are parts already.
        """
        owners = np.repeat(self.rows, np.diff(self.starts))
        found: Floats = self.values.copy()
        measured = self.axes < 2
        found[measured] /= sizes[owners[measured], self.axes[measured]]
        return found

    def points(self) -> set[tuple[int, int]]:
        """Return how many points lines have after a box, and how many numbers each."""
        counts = np.diff(self.starts)
        third = self.starts[:-1] + 6
        there = counts > 6
        dims = np.full(len(counts), 2)
        dims[there] += self.axes[third[there]] > 1
        pairs = np.unique(np.stack([(counts - 4) // dims, dims], axis=1), axis=0)
        return {(int(points), int(size)) for points, size in pairs.tolist()}


def line_numbers(geometries: Rows, task: str, scores: pa.Array | None) -> Numbers:
    """Return the numbers of each row's lines.

    Args:
        geometries: n rows.
        task: detect, segment, pose or obb; `any` writes a row by the shape that it has.
        scores: shape (n,), to stand at the end of each line; none where there are none.
    """
    if task == "any":
        return _by_shape(geometries, scores)
    blocks = _blocks(geometries, task)
    return _with_scores(_ordered(blocks), scores)


def _by_shape(geometries: Rows, scores: pa.Array | None) -> Numbers:
    """Return each row's line by the shape that it has: the way back from a file."""
    tasks = {"obb": column(geometries, "corners"), "pose": column(geometries, "keypoints"),
             "segment": column(geometries, "polygons"),
             "detect": column(geometries, "box")}  # fmt: skip
    free = np.ones(geometries.num_rows, bool)
    blocks = []
    for task, shape in tasks.items():
        own = free & np.asarray(shape.is_valid())
        free &= ~own
        rows = np.flatnonzero(own)
        taken = geometries.take(pa.array(rows))
        blocks += [(rows[block[0]], *block[1:]) for block in _blocks(taken, task)]
    return _with_scores(_ordered(blocks), scores)


Block = tuple["Ints", "Ints", "Floats", "Ints"]
"""Rows of lines, numbers of each line, all numbers, the axis of each."""


def _blocks(geometries: Rows, task: str) -> list[Block]:
    if task == "segment":
        return _rings(geometries)
    if task == "obb":
        return _oriented(geometries)
    boxes = _boxes(geometries)
    return [_posed(geometries, boxes)] if task == "pose" else [boxes]


def _even(rows: Ints, numbers: Floats, axes: Sequence[int]) -> Block:
    """Return lines of the same length, of numbers of shape (n, k)."""
    counts = np.full(len(rows), numbers.shape[1])
    return rows, counts, numbers.reshape(-1), np.tile(axes, len(rows)).astype(np.int64)


def _boxes(geometries: Rows) -> Block:
    """Return centre and size of each box, as they are stated where they are."""
    form = column(geometries, "box_form")
    numbers = members(column(geometries, "box"))
    edges = box_corners(column(geometries, "box"), form)
    bare = np.isnan(edges).any(axis=1)
    if bare.any():
        edges[bare] = covering_boxes(geometries.filter(pa.array(bare)))
    centred = np.concatenate([(edges[:, :2] + edges[:, 2:]) / 2, edges[:, 2:] - edges[:, :2]], 1)
    stated = {"cxcywh": numbers, "xywh": np.c_[centred[:, :2], numbers[:, 2:]]}
    for word, own in stated.items():
        is_so = is_equal(form, word) & ~bare
        centred[is_so] = own[is_so]
    rows = np.flatnonzero(~np.isnan(centred).any(axis=1))
    return _even(rows, centred[rows], (0, 1, 0, 1))


def _posed(geometries: Rows, boxes: Block) -> Block:
    """Return boxes with their keypoints; those without any are left out."""
    points = column(geometries, "keypoints")
    has = np.asarray(points.is_valid())[boxes[0]]
    rows = boxes[0][has]
    heads = boxes[2].reshape(-1, 4)[has].tolist()
    names = ("keypoints", "visibility", "keypoint_scores", "keypoint_dims")
    lists = [column(geometries, n).take(pa.array(rows)).to_pylist() for n in names]
    values: list[float] = []
    axes: list[int] = []
    counts = []
    for head, flat, seen, scores, dims in zip(heads, *lists, strict=True):
        third = [seen] if seen else [scores] if scores else []
        step = dims or 2
        tail = list(zip(flat[::step], flat[1::step], *third, strict=True))
        values += [*head, *(number for point in tail for number in point)]
        axes += [0, 1, 0, 1, *(0, 1, 3 if seen else 2)[: 2 + len(third)] * len(tail)]
        counts.append(4 + (2 + len(third)) * len(tail))
    return rows, np.array(counts, np.int64), np.array(values, np.float64), np.array(axes, np.int64)


def _rings(geometries: Rows) -> list[Block]:
    """Return rings, a line each; a box, where there is no ring, as its four corners."""
    rings = column(geometries, "polygons")
    per_row = np.asarray(pc.fill_null(pc.list_value_length(rings), 0)).astype(np.int64)
    inner = rings.flatten()
    counts = np.asarray(pc.list_value_length(inner)).astype(np.int64)
    values = np.asarray(inner.flatten(), np.float64)
    axes = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.repeat(np.arange(len(per_row)), per_row)
    whole = counts >= SHORTEST
    kept = np.repeat(whole, counts)
    found: list[Block] = [(rows[whole], counts[whole], values[kept], axes[kept] % 2)]
    bare = np.flatnonzero(per_row == 0)
    if len(bare):
        boxes = _boxes(geometries.take(pa.array(bare)))
        x, y, w, h = boxes[2].reshape(-1, 4).T
        low, high = (x - w / 2, y - h / 2), (x + w / 2, y + h / 2)
        outline = np.stack([*low, high[0], low[1], *high, low[0], high[1]], axis=1)
        found.append(_even(bare[boxes[0]], outline, (0, 1) * 4))
    return found


def _oriented(geometries: Rows) -> list[Block]:
    """Return four corners; those of a rotated box where these are all there is."""
    stated = column(geometries, "corners")
    rows = np.flatnonzero(np.asarray(stated.is_valid()))
    numbers = np.asarray(stated.drop_null().flatten(), np.float64).reshape(-1, 8)
    found = [_even(rows, numbers, (0, 1) * 4)]
    turned = pc.and_(stated.is_null(), column(geometries, "rotated_box").is_valid())
    rows = np.flatnonzero(np.asarray(turned))
    cx, cy, w, h, angle = members(column(geometries, "rotated_box").take(pa.array(rows))).T
    cos, sin = np.cos(angle), np.sin(angle)
    outline = [
        (cx + sx * w / 2 * cos - sy * h / 2 * sin, cy + sx * w / 2 * sin + sy * h / 2 * cos)
        for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    numbers = np.stack([n for point in outline for n in point], axis=1)
    found.append(_even(rows, numbers, (0, 1) * 4))
    return found


def _ordered(blocks: Sequence[Block]) -> Numbers:
    """Return lines in the order of their rows."""
    rows, counts, values, axes = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    order = np.argsort(rows, kind="stable")
    begins = (np.cumsum(counts) - counts)[order]
    taken = counts[order].astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(taken)]).astype(np.int64)
    at = np.arange(starts[-1]) - np.repeat(starts[:-1], taken) + np.repeat(begins, taken)
    return Numbers(rows[order].astype(np.int64), starts, values[at], axes[at].astype(np.int64))


def _with_scores(lines: Numbers, scores: pa.Array | None) -> Numbers:
    """Return lines with the score of their row at the end, where it has one."""
    if scores is None or scores.null_count == len(scores):
        return lines
    own = np.asarray(scores.fill_null(np.nan), np.float64)[lines.rows]
    has = ~np.isnan(own)
    ends = lines.starts[1:][has]
    values = np.insert(lines.values, ends, own[has])
    axes = np.insert(lines.axes, ends, 2)
    starts = lines.starts + np.concatenate([[0], np.cumsum(has)])
    return Numbers(lines.rows, starts, values, axes)
