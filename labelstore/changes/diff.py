"""The difference between two versions, by label, class and item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.classes import (
    MERGED,
    RECLASSIFIED,
    ClassEdit,
    class_edits,
    merged_classes,
    with_merges,
)
from labelstore.changes.meaning import SHAPE, as_lists, bit, counts, meanings, plain
from labelstore.changes.rows import Range, differences
from labelstore.model.tables import FAMILY, TABLES
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.changes.meaning import Words

    Ids = NDArray[np.int64]

CHANGES = ("added", "removed", "changed", "provenance")


@dataclass
class Counts:
    """How many rows came, went, changed, or changed in who wrote them or in order only."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    provenance: int = 0

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return bool(self.added or self.removed or self.changed or self.provenance)

    @property
    def content(self) -> int:
        """Return how many rows differ in what they say."""
        return self.added + self.removed + self.changed


@dataclass
class Diff:
    """What differs between two versions.

    Attributes:
        tables: counts by table; `annotations` counts a label once, whichever of its two rows
            changed; `geometries` is part of it.
        columns: how many labels differ in each column.
        meanings: how many labels changed in what way, such as `moved`; see `meaning.WORDS`.
        labels: one row per label that differs: layer, item_id, annotation_id, change,
            category_before, category_after (null for none), meanings (of a changed one),
            activity_id (that last wrote it, of one that is there after); of one that was found
            again under another number that number, and by which agreement.
        items: one row per item that differs: item_id, change.
        moves: one row per item whose place in a split differs: scheme, item_id, the subsets
            before and after (null for none).
        classes: what happened to classes.
        merged: classes that became others as a whole; their labels count as such, and not as
            reclassified.
    """

    tables: dict[str, Counts]
    columns: Mapping[str, int]
    meanings: Mapping[str, int]
    labels: pa.Table
    items: pa.Table
    moves: pa.Table
    classes: Sequence[ClassEdit] = ()
    merged: Mapping[int, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Say whether anything differs but provenance tables."""
        return any(counts for counts in self.tables.values())

    def of(self, labels: pa.Table) -> Diff:
        """Return the difference of some of its labels alone; columns are not known of them."""
        change = np.asarray(labels.column("change"))
        tally = Counts(**{name: int(np.sum(change == name)) for name in CHANGES})
        said = pc.value_counts(pc.list_flatten(labels.column("meanings"))).to_pylist()
        words = sorted(((c["values"], c["counts"]) for c in said), key=lambda entry: -entry[1])
        return replace(self, tables={"annotations": tally}, columns={}, meanings=dict(words),
                       labels=labels, items=self.items.slice(0, 0), moves=self.moves.slice(0, 0),
                       classes=())  # fmt: skip


LABELS = pa.schema(
    [
        ("layer", pa.string()),
        ("item_id", pa.int64()),
        ("annotation_id", pa.int64()),
        ("change", pa.string()),
        ("category_before", pa.int64()),
        ("category_after", pa.int64()),
        ("meanings", pa.list_(pa.string())),
        ("activity_id", pa.int64()),
        ("annotation_after", pa.int64()),
        ("agreement", pa.float64()),
    ]
)
ITEMS = pa.schema([("item_id", pa.int64()), ("change", pa.string())])
MOVES = pa.schema(
    [("scheme", pa.string()), ("item_id", pa.int64()), ("before", pa.string()),
     ("after", pa.string())]
)  # fmt: skip


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
            words = _words(area, shapes)
            rows = _label_rows(layer, area, words)
            self._tally(area)
            self._take(rows, words)
            shapes.told.append(_ids(area.old, area.changed[:, 0]))
            if self.progress:
                self.progress("comparing", done, 0)
        left = shapes.left
        if left.any():
            rows = _shape_rows(layer, shapes, left, after)
            self._take(rows, shapes.words[left])

    def _take(self, rows: pa.Table, words: Words) -> None:
        """Take labels that differ, and count them."""
        tally = self.tables["annotations"]
        self.meanings.update(counts(words))
        self.labels.append(rows)
        for change in CHANGES:
            more = int(np.sum(np.asarray(rows.column("change")) == change))
            setattr(tally, change, getattr(tally, change) + more)

    def _shape_changes(self, layer: str, before: Manifest, after: Manifest) -> _Shapes:
        """Return the labels whose shapes differ."""
        ids, words = [np.empty(0, np.int64)], [np.empty(0, np.uint32)]
        items = [np.empty(0, np.int64)]
        for area in differences(TABLES["geometries"], before, after, layer):
            ids.append(_ids(area.old, area.changed[:, 0]))
            items.append(_ids(area.old, area.changed[:, 0], "item_id"))
            if self.shapes:
                self._tally(area)
                words.append(meanings(area))
            else:
                words.append(np.full(len(area.changed), bit(SHAPE)))
        found = np.concatenate(ids)
        order = np.argsort(found)
        return _Shapes(found[order], np.concatenate(items)[order], np.concatenate(words)[order])

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


@dataclass
class _Shapes:
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


def _ids(rows: pa.Table, at: Ids, column: str = "annotation_id") -> Ids:
    return np.asarray(rows.column(column))[at]


def _shape_rows(layer: str, shapes: _Shapes, left: NDArray[np.bool_], after: Manifest) -> pa.Table:
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


def _words(area: Range, shapes: _Shapes) -> Words:
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


def _label_rows(layer: str, area: Range, words: Words) -> pa.Table:
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
