"""What is known of a data set's labels without going through them again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.foreign import EXAMPLES
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins.pages.comparing import SILENT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

WIDTH = 40
"""Of a value that is shown."""
ALWAYS = frozenset(
    ("layer", "item_id", "annotation_id", "kind", "xmin", "ymin", "xmax", "ymax", "frame")
)
"""Keys, and what follows from the shapes."""


class Tally:
    """What labels say, counted as they go by.

    Attributes:
        items, categories, tracks: ids that they use, sorted.
        filled: columns of `geometries` that any label fills; an empty list is nothing.
        full: columns of `geometries` that all labels fill.
        in_parts: how many labels are in parts of their image.
        with_ids: how many have an id of their source.
    """

    def __init__(self) -> None:
        none: Ids = np.empty(0, np.int64)
        self.items = self.categories = self.tracks = none
        self.filled = set[str]()
        self.full = set(TABLES["geometries"].columns("content"))
        self.in_parts = self.with_ids = 0
        self._said: Counter[str] = Counter()
        self._examples: dict[str, list[tuple[int, int, Any]]] = defaultdict(list)

    def add(self, notes: pa.Table, shapes: pa.Table) -> None:
        """Take some labels into account."""
        self.items, self.categories, self.tracks = (
            np.union1d(known, np.asarray(notes.column(name).drop_null().unique()))
            for known, name in (
                (self.items, "item_id"), (self.categories, "category_id"),
                (self.tracks, "track_id"),
            )
        )  # fmt: skip
        self.filled |= {n for n in self.full | self._others if _is_filled(shapes.column(n))}
        self.full -= {n for n in self.full if shapes.column(n).null_count}
        self.in_parts += pc.sum(pc.equal(shapes.column("frame"), "unit")).as_py() or 0
        named = pc.or_(notes.column("source_id").is_valid(), notes.column("source_key").is_valid())
        self.with_ids += pc.sum(named).as_py() or 0
        for name, rows in zip(FAMILY, (notes, shapes), strict=True):
            for column in TABLES[name].columns("content"):
                if column not in ALWAYS and rows.column(column).null_count < rows.num_rows:
                    self._see(column, notes, rows)

    @property
    def _others(self) -> set[str]:
        return set(TABLES["geometries"].columns("content")) - self.full - self.filled

    def _see(self, column: str, notes: pa.Table, rows: pa.Table) -> None:
        """Count the labels that say something in a column, and keep the first."""
        saying = _saying(column, rows)
        self._said[column] += pc.sum(saying).as_py() or 0
        missing = EXAMPLES - len(self._examples[column])
        if missing:
            places = pa.array(np.flatnonzero(np.asarray(saying))[:missing])
            there = notes.select(["item_id", "source_id", "annotation_id"]).take(places)
            items, theirs, ours = (c.to_pylist() for c in there.columns)
            labels = [a if b is None else b for a, b in zip(ours, theirs, strict=True)]
            values = rows.column(column).take(places).to_pylist()
            self._examples[column] += zip(labels, items, values, strict=True)

    def losses(self, carried: Collection[str]) -> dict[str, int]:
        """Return how many labels say something in a column that a format does not carry."""
        columns = (c for name in FAMILY for c in TABLES[name].columns("content"))
        return {c: self._said[c] for c in columns if c not in carried and self._said[c]}

    def examples(self, column: str, items: pa.Table) -> list[str]:
        """Return the first labels that say something in a column: id, image and value.

        Args:
            column: of `annotations` or `geometries`.
            items: rows of `items`.
        """
        uris = dict(zip(*(items.column(n).to_pylist() for n in ("item_id", "uri")), strict=True))
        return [f"label {label} on {uris.get(item)}: {_short(value)}"
                for label, item, value in self._examples[column]]  # fmt: skip


def _short(value: Any) -> str:
    """Return a value as text, not more than a few words of it."""
    text = str(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _saying(name: str, rows: pa.Table) -> pa.ChunkedArray:
    """Return which rows say something in a column; where pixels are says nothing beside them."""
    found = saying(name, rows.column(name))
    return pc.and_(found, rows.column("mask").is_null()) if name == "raster" else found


def saying(name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return which values of a column say something.

    That a label is no crowd, or not out of sight, says nothing, nor does an empty list.
    """
    if name in SILENT:
        return pc.fill_null(values, False)
    if pa.types.is_list(values.type):
        return pc.fill_null(pc.greater(pc.list_value_length(values), 0), False)
    return values.is_valid()


def _is_filled(values: pa.ChunkedArray) -> bool:
    """Say whether any value is there; an empty list is none."""
    if pa.types.is_list(values.type):
        return bool(pc.max(pc.list_value_length(values)).as_py())
    return bool(values.null_count < len(values))
