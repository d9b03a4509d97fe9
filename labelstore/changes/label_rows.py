"""Rows of a difference: one per label, from both of its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.difference import LABELS
from labelstore.changes.meaning import as_lists, meanings, plain
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.changes.meaning import Words
    from labelstore.changes.rows import Range
    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]


@dataclass
class Shapes:
    """Labels whose shapes differ; each of shape (n,).

    Attributes:
        ids: of the labels, rising.
        items: that they are on.
        words: what changed about each.
        told: ids of labels that were told with what else differs.
    """

    ids: Ids
    items: Ids
    words: Words
    told: list[Ids] = field(default_factory=list)

    @property
    def left(self) -> NDArray[np.bool_]:
        """Return those of which nothing else differs, not even who wrote them."""
        return ~np.isin(self.ids, np.concatenate([np.empty(0, np.int64), *self.told]))


NOTED = ("category_id", "changed_in")
"""Columns that are told of every label that differs."""


def ids_at(rows: pa.Table, at: Ids, column: str = "annotation_id") -> Ids:
    """Return the ids of rows at some places."""
    return np.asarray(rows.column(column))[at]


def shape_rows(layer: str, shapes: Shapes, left: NDArray[np.bool_], after: Manifest) -> pa.Table:
    """Return one row per label of which shapes alone differ."""
    ids, items = pa.array(shapes.ids[left]), np.unique(shapes.items[left])
    names = ["annotation_id", *NOTED]
    found = [TABLES["annotations"].schema.empty_table().select(names)]
    for part in after.parts_of("annotations", layer):
        at = np.searchsorted(items, part.first_key)
        if at < len(items) and items[at] <= part.last_key:
            rows = after.read(part, names)
            found.append(rows.filter(pc.is_in(rows.column("annotation_id"), value_set=ids)))
    notes = pa.concat_tables(found).combine_chunks()
    notes = notes.take(pc.index_in(ids, value_set=_plain(notes.column("annotation_id"))))
    category, last = (_plain(notes.column(name)) for name in NOTED)
    count = len(ids)
    columns = [pa.repeat(layer, count), pa.array(shapes.items[left]), ids,
               pa.repeat("changed", count), category, category, as_lists(shapes.words[left]), last,
               pa.nulls(count, pa.int64()), pa.nulls(count, pa.float64())]  # fmt: skip
    return pa.Table.from_arrays(columns, schema=LABELS)


def label_words(area: Range, shapes: Shapes) -> Words:
    """Return what changed about each label of a range of `annotations`, shape (n,).

    None of it for those that differ only in who said it or in order.
    """
    ids = np.asarray(area.old.column("annotation_id"))[area.changed[:, 0]]
    found = meanings(area)
    known, words = shapes.ids, shapes.words
    if len(known):
        at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        found |= np.where(known[at] == ids, words[at], np.uint32(0))
    return plain(found)


def label_rows(layer: str, area: Range, words: Words) -> pa.Table:
    """Return one row per label of a range that differs."""
    content = words > 0
    blocks = [
        (area.new, area.added, "added"),
        (area.old, area.removed, "removed"),
        (area.old, area.changed[content, 0], "changed"),
        (area.old, area.changed[~content, 0], "provenance"),
    ]
    after = {"changed": area.changed[content, 1], "provenance": area.changed[~content, 1]}
    tables = []
    for side, at, change in blocks:
        rows = side.take(pa.array(at))
        nothing = pa.nulls(len(at), pa.int64())
        old = nothing if change == "added" else _plain(rows.column("category_id"))
        new = _plain(rows.column("category_id")) if change == "added" else nothing
        last = _plain(rows.column("changed_in")) if change == "added" else nothing
        if change in after:
            others = area.new.take(pa.array(after[change]))
            new, last = (_plain(others.column(n)) for n in ("category_id", "changed_in"))
        columns = [
            pa.repeat(layer, len(at)),
            _plain(rows.column("item_id")),
            _plain(rows.column("annotation_id")),
            pa.repeat(change, len(at)),
            old,
            new,
            as_lists(words[content] if change == "changed" else np.zeros(len(at), np.uint32)),
            last,
            nothing,
            pa.nulls(len(at), pa.float64()),
        ]
        tables.append(pa.Table.from_arrays(columns, schema=LABELS))
    return pa.concat_tables(tables)


def _plain(column: pa.ChunkedArray) -> Any:
    return column.combine_chunks()
