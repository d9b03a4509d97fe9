"""Writing folders of label files whose lines are labels."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.plugins import Writing, shared, whole_folder, write_text
from labelstore_converters.lined.cells import (
    Cells,
    Fields,
    Layout,
    line_texts,
    style_numbers,
)
from labelstore_converters.lined.filetext import text_of
from labelstore_converters.lined.tokens import Ints, Mask, split_lines

Row = Mapping[str, Any]


class Target(ABC):
    """Where the labels of each item go, and what stands beside them.

    Args:
        data: what is written.

    Attributes:
        items: all rows of `items`.
        kept: what the data set keeps of its source.
    """

    def __init__(self, data: Writing) -> None:
        self.items: list[dict[str, Any]] = data.items.to_pylist()
        self.kept: dict[str, Any] = json.loads(data.dataset["leftovers"] or "{}")
        self.classes = _names(data.categories)
        self.written = {i: name if self.kept or not name else "_".join(name.split())
                        for i, name in self.classes.items()}  # fmt: skip
        self.tracks = {} if data.tracks is None else _track_numbers(data.tracks)
        self.place = {item["item_id"]: i for i, item in enumerate(self.items)}
        self.parents = [self.place.get(item["parent_id"]) for item in self.items]

    @abstractmethod
    def path(self, item: Row) -> str:
        """Return the label file of an image or a sequence, below the folder."""

    def is_file(self, item: Row) -> bool:
        """Say whether an item that is no frame has a label file."""
        return True

    @abstractmethod
    def uri(self, path: str) -> str:
        """Return what an image or a sequence is called by the path of its label file."""

    def uris(self) -> list[str]:
        """Return what each item is called when the files are read."""
        found = []
        for item, up in zip(self.items, self.parents, strict=True):
            if up is None:
                found.append(self.uri(self.path(item)) if self.is_file(item) else "")
            else:
                name = self.uri(self.path(self.items[up]))
                found.append(self.frame_uri(name, self.frame(item)))
        return found

    def frame_uri(self, sequence: str, number: int) -> str:
        """Return what a frame of a sequence is called."""
        return f"{sequence}/{number:06d}.png"

    def frame(self, item: Row) -> int:
        """Return the number of a frame, as files have it."""
        return int(item["frame_index"])

    def usable(self, annotations: pa.RecordBatch, shapes: pa.RecordBatch, layout: Layout) -> Mask:
        """Return which labels have a line, shape (n,): of a named class, with what it can say."""
        named = pc.not_equal(pc.fill_null(class_names(annotations, self), ""), "")
        held = layout.holds(annotations, shapes) & self.placed(annotations)
        usable: Mask = held & np.asarray(named)
        return usable

    def placed(self, annotations: pa.RecordBatch) -> Mask:
        """Return which labels are on items that a line can be about, shape (n,)."""
        return np.ones(len(annotations), bool)

    def prepared(self, geometries: pa.RecordBatch) -> pa.RecordBatch:
        """Return shapes as lines say them."""
        return geometries

    def texts(self) -> Mapping[str, str]:
        """Return the text of each file beside the label files, by its path."""
        return {}


def write(data: Writing, target: Path, layout: Layout, to: Target) -> Iterator[int]:
    """Write label files, yielding the number of annotations written so far.

    The folder appears whole or not at all.

    Args:
        data: what to write.
        target: a folder that is not there yet, or is empty.
        layout: what lines are.
        to: which file each item's labels go to.
    """
    with whole_folder(target, "*.txt") as aside:
        count = 0
        lines: dict[int, list[str]] = defaultdict(list)
        for annotations, geometries in data.annotations:
            shapes = to.prepared(geometries)
            own = to.usable(annotations, shapes, layout)
            rows, shapes = (b.filter(pa.array(own)) for b in (annotations, shapes))
            for at, text in zip(*_lines(rows, shapes, layout, to), strict=True):
                lines[at].append(text)
            count += len(annotations)
            yield count
        _write_files(aside, to, lines)
        for path, text in to.texts().items():
            write_text(aside, path, text)


def fields_of(rows: pa.RecordBatch, shapes: pa.RecordBatch, to: Target) -> Fields:
    """Return labels as what their lines say."""
    own = {name: rows.column(name) for name in rows.schema.names}
    forms = {name: shapes.column(name) for name in shapes.schema.names}
    places = [to.place[i] for i in rows.column("item_id").to_pylist()]
    frames = None
    if any(to.parents[at] is not None for at in set(places)):
        frames = np.array([to.frame(to.items[at]) for at in places], np.int64)
    tracks = [to.tracks.get(t) for t in rows.column("track_id").to_pylist()]
    return Fields(own, forms, class_names(rows, to), frames, pa.array(tracks, pa.int64()))


def class_names(rows: pa.RecordBatch, to: Target) -> pa.StringArray:
    """Return the name of each label's class, as a line has it."""
    return pa.array(map(to.written.get, rows.column("category_id").to_pylist()), pa.string())


def _lines(
    rows: pa.RecordBatch, shapes: pa.RecordBatch, layout: Layout, to: Target
) -> tuple[list[int], list[str]]:
    """Return the item whose file each label goes to, and its line."""
    cells = layout.lines(fields_of(rows, shapes, to))
    how = style_numbers(rows.column("number_style"), cells, layout)
    texts: list[str] = line_texts(cells, how, layout.separator).to_pylist()
    for at, line in _kept(rows, cells, layout):
        texts[at] = line
    places = [to.place[i] for i in rows.column("item_id").to_pylist()]
    parents = [to.parents[at] for at in places]
    return [at if up is None else up for at, up in zip(places, parents, strict=True)], texts


def _kept(rows: pa.RecordBatch, cells: Cells, layout: Layout) -> Iterator[tuple[int, str]]:
    """Yield lines as their source wrote them, where they still say the same."""
    leftovers = rows.column("leftovers")
    own = np.flatnonzero(np.asarray(leftovers.is_valid()))
    said = [json.loads(text).get("line") for text in leftovers.take(pa.array(own)).to_pylist()]
    given = [(int(at), line) for at, line in zip(own, said, strict=True) if line is not None]
    if not given:
        return
    found = layout.canonical(split_lines(given, layout.separator))
    there = np.array([at for at, _ in given])
    same = found.alike(part(cells, there))
    yield from (pair for pair, alike in zip(given, same.tolist(), strict=True) if alike)


def part(cells: Cells, rows: Ints | Mask) -> Cells:
    """Return some lines."""
    at = pa.array(np.flatnonzero(rows) if rows.dtype == bool else rows)
    return Cells(cells.values[rows], {k: words.take(at) for k, words in cells.words.items()})


def _write_files(folder: Path, to: Target, lines: Mapping[int, list[str]]) -> None:
    seen = set[str]()
    for at, item in enumerate(to.items):
        if to.parents[at] is not None or not to.is_file(item):
            continue
        own = lines.get(at, [])
        if not own and item["labelled_state"] == "listed_no_file":
            continue
        path = to.path(item)
        if path in seen:
            raise shared(path, item["uri"], "kitti")
        seen.add(path)
        kept = json.loads(item["sources"][0]["leftovers"] or "{}")
        write_text(folder, path, text_of(own, kept, to.kept.get("final_newline", True)))


def _names(categories: pa.Table) -> dict[int, str | None]:
    ids = categories.column("category_id").to_pylist()
    return dict(zip(ids, categories.column("name").to_pylist(), strict=True))


def _track_numbers(tracks: pa.Table) -> dict[int, int]:
    """Return the number of each track: its source's own, else the next of its sequence."""
    given = pc.max(tracks.column("source_id")).as_py()
    found, after = {}, 0 if given is None else given + 1
    names = ("track_id", "source_id")
    for track, own in zip(*(tracks.column(n).to_pylist() for n in names), strict=True):
        found[track] = after if own is None else own
        after += own is None
    return found
