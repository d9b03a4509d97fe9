"""The difference between two versions, by label, class and item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.classes import (
    MERGED,
    RECLASSIFIED,
    class_edits,
    merged_classes,
    with_merges,
)
from labelstore.changes.difference import CHANGES, ITEMS, LABELS, MOVES, Counts, Diff
from labelstore.changes.label_rows import (
    NOTED,
    Shapes,
    ids_at,
    label_rows,
    label_words,
    shape_rows,
)
from labelstore.changes.meaning import SHAPE, bit, counts, meanings
from labelstore.changes.rows import Range, differences
from labelstore.model.tables import FAMILY, TABLES
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.changes.meaning import Words


def diff(
    before: Manifest,
    after: Manifest,
    *,
    shapes: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> Diff:
    """Compare two versions.

    Args:
        before: the older.
        after: the newer.
        shapes: name the columns in which shapes differ; without, shapes are only counted, which
            reads no coordinates.
        progress: told how many ranges were compared.
    """
    found = _Found(shapes=shapes, progress=progress)
    for name, table in TABLES.items():
        if name in FAMILY:
            continue
        for partition in sorted({*before.partitions(name), *after.partitions(name)}):
            for area in differences(table, before, after, partition):
                found.plain(name, area)
                if name == "splits":
                    found.moves.append(_moves(partition, area))
    layers = sorted({*before.partitions("annotations"), *after.partitions("annotations")})
    for layer in layers:
        found.layer(layer, before, after)
    return _with_classes(found.result(), before, after)


def _with_classes(found: Diff, before: Manifest, after: Manifest) -> Diff:
    """Return a difference in which merged classes are such, and no thousands of labels."""
    if not found.tables.get("categories"):
        return found
    merged = merged_classes(before, after, found.labels)
    edits = class_edits(before, after, found.labels, merged)
    labels, count = with_merges(found.labels, merged)
    words = dict(found.meanings)
    if count:
        words = {**words, RECLASSIFIED: words.get(RECLASSIFIED, 0) - count, MERGED: count}
    told = sorted(((w, n) for w, n in words.items() if n), key=lambda entry: -entry[1])
    return replace(found, labels=labels, meanings=dict(told), classes=edits, merged=merged)


def _moves(scheme: str, area: Range) -> pa.Table:
    """Return the items whose subset differs."""
    blocks = []
    old, new = (area.rows(0, area.removed), area.rows(1, area.added))
    was, now = (area.rows(side, area.changed[:, side]) for side in (0, 1))
    for rows, before, after in ((old, old, None), (new, None, new), (was, was, now)):
        sides = [pa.nulls(rows.num_rows, pa.string()) if side is None else side.column("subset")
                 for side in (before, after)]  # fmt: skip
        columns = [pa.repeat(scheme, rows.num_rows), rows.column("item_id"), *sides]
        blocks.append(pa.table(columns, schema=MOVES))
    found = pa.concat_tables(blocks)
    other = pc.not_equal(found.column("before"), found.column("after")).fill_null(True)
    return found.filter(other)


@dataclass
class _Found:
    shapes: bool
    progress: Callable[[str, int, int], None] | None
    tables: dict[str, Counts] = field(default_factory=dict)
    columns: Counter[str] = field(default_factory=Counter)
    meanings: Counter[str] = field(default_factory=Counter)
    labels: list[pa.Table] = field(default_factory=list)
    items: list[pa.Table] = field(default_factory=list)
    moves: list[pa.Table] = field(default_factory=list)

    def plain(self, name: str, area: Range) -> None:
        """Take a range of a table that stands alone."""
        content = _content(area)
        counts = self.tables.setdefault(name, Counts())
        counts.added += len(area.added)
        counts.removed += len(area.removed)
        counts.changed += int(content.sum())
        counts.provenance += int((~content).sum())
        if name == "items":
            self._items(area, content)

    def _items(self, area: Range, content: NDArray[np.bool_]) -> None:
        old, new = (np.asarray(t.column("item_id")) for t in (area.old, area.new))
        ids = [new[area.added], old[area.removed], old[area.changed[content, 0]]]
        for change, own in zip(CHANGES, ids, strict=False):
            columns = [pa.array(own), pa.repeat(change, len(own))]
            self.items.append(pa.Table.from_arrays(columns, schema=ITEMS))

    def layer(self, layer: str, before: Manifest, after: Manifest) -> None:
        """Take all of a layer: both families, each label once."""
        shapes = self._shape_changes(layer, before, after)
        table = TABLES["annotations"]
        self.tables.setdefault("annotations", Counts())
        for done, area in enumerate(differences(table, before, after, layer, NOTED), 1):
            words = label_words(area, shapes)
            rows = label_rows(layer, area, words)
            self._tally(area)
            self._take(rows, words)
            shapes.told.append(ids_at(area.old, area.changed[:, 0]))
            if self.progress:
                self.progress("comparing", done, 0)
        left = shapes.left
        if left.any():
            rows = shape_rows(layer, shapes, left, after)
            self._take(rows, shapes.words[left])

    def _take(self, rows: pa.Table, words: Words) -> None:
        """Take labels that differ, and count them."""
        tally = self.tables["annotations"]
        self.meanings.update(counts(words))
        self.labels.append(rows)
        for change in CHANGES:
            more = int(np.sum(np.asarray(rows.column("change")) == change))
            setattr(tally, change, getattr(tally, change) + more)

    def _shape_changes(self, layer: str, before: Manifest, after: Manifest) -> Shapes:
        """Return the labels whose shapes differ."""
        ids, words = [np.empty(0, np.int64)], [np.empty(0, np.uint32)]
        items = [np.empty(0, np.int64)]
        for area in differences(TABLES["geometries"], before, after, layer):
            ids.append(ids_at(area.old, area.changed[:, 0]))
            items.append(ids_at(area.old, area.changed[:, 0], "item_id"))
            if self.shapes:
                self._tally(area)
                words.append(meanings(area))
            else:
                words.append(np.full(len(area.changed), bit(SHAPE)))
        found = np.concatenate(ids)
        order = np.argsort(found)
        return Shapes(found[order], np.concatenate(items)[order], np.concatenate(words)[order])

    def _tally(self, area: Range) -> None:
        for name, flags in area.changed_columns.items():
            self.columns[name] += int(flags.sum())

    def result(self) -> Diff:
        """Return the whole difference."""
        labels = pa.concat_tables([LABELS.empty_table(), *self.labels])
        items = pa.concat_tables([ITEMS.empty_table(), *self.items])
        columns, words = (dict(c.most_common()) for c in (self.columns, self.meanings))
        moves = pa.concat_tables([MOVES.empty_table(), *self.moves])
        return Diff(self.tables, columns, words, labels, items, moves)


def _content(area: Range) -> NDArray[np.bool_]:
    """Return which changed rows differ in what they say, not only in who said it or in order."""
    found = np.zeros(len(area.changed), bool)
    for flags in area.changed_columns.values():
        found |= flags
    return found
