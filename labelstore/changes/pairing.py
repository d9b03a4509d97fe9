"""Labels that went and labels that came, of which some are the same under another number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.difference import CHANGES, ITEMS, LABELS, MOVES, Counts, Diff
from labelstore.changes.matching import Labels, Pairs, matched
from labelstore.changes.meaning import as_lists, counts, meanings, plain
from labelstore.changes.rows import DERIVED
from labelstore.changes.said import NUMBERS, digests
from labelstore.geometry.assignment import assigned
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.compare import differing
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Flags = NDArray[np.bool_]

BLOCK = 50_000
"""Labels of a side that are matched together; an item is never cut."""
KEYS = frozenset({"layer", *NUMBERS})
KEY_COLUMNS = ["item_id", "annotation_id"]
COMPARED = {
    name: [c for c in TABLES[name].columns("content") if c not in KEYS | DERIVED | {"track_id"}]
    for name in FAMILY
}
"""Columns of labels that say the same under any number; tracks have numbers of their own."""


@dataclass(frozen=True)
class Side:
    """Some labels of a layer of a version.

    Attributes:
        keys: `item_id` and `annotation_id` of each.
        classes: other class that stands for one, such as the first of its name.
    """

    manifest: Manifest
    layer: str
    keys: pa.Table
    classes: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def whole(
        cls, manifest: Manifest, layer: str, classes: Mapping[int, int] | None = None
    ) -> Side:
        """Return all labels of a layer."""
        keys = manifest.table(TABLES["annotations"], KEY_COLUMNS, layer)
        return cls(manifest, layer, keys, classes or {})

    def only(self, ids: Ids) -> Side:
        """Return the labels of these ids alone."""
        chosen = pc.is_in(self.keys.column("annotation_id"), value_set=pa.array(ids))
        return replace(self, keys=self.keys.filter(chosen))

    def rows(self, items: Ids) -> dict[str, pa.Table]:
        """Return the labels of some items, of both families, in the order of their keys.

        Args:
            items: rising; only parts that hold some of them are opened.
        """
        own = self.keys.filter(pc.is_in(self.keys.column("item_id"), value_set=pa.array(items)))
        ids = own.column("annotation_id").combine_chunks()
        return {name: self._rows(name, items, ids) for name in FAMILY}

    def _rows(self, name: str, items: Ids, ids: pa.Array) -> pa.Table:
        table = TABLES[name]
        found = [table.schema.empty_table()]
        for part in self.manifest.parts_of(name, self.layer):
            at = np.searchsorted(items, part.first_key)
            if at < len(items) and items[at] <= part.last_key:
                rows = self.manifest.read(part)
                rows = rows.filter(pc.is_in(rows.column("item_id"), value_set=pa.array(items)))
                found.append(rows.filter(pc.is_in(rows.column("annotation_id"), value_set=ids)))
        keys = [("item_id", "ascending"), ("annotation_id", "ascending")]
        rows = pa.concat_tables(found).sort_by(keys).combine_chunks()
        return self.with_classes(rows) if name == "annotations" else rows

    def with_classes(self, rows: pa.Table) -> pa.Table:
        """Return rows with the classes that stand for theirs."""
        column = rows.column("category_id")
        for own, other in self.classes.items():
            column = pc.if_else(pc.equal(column, own).fill_null(False), other, column)
        return with_column(rows, "category_id", column)


class Compared:
    """Labels that are one, side by side.

    Args:
        old, new: rows of both families, aligned.
        relinked: shape (n,), which are on another track.
    """

    def __init__(
        self, old: Mapping[str, pa.Table], new: Mapping[str, pa.Table], relinked: Flags
    ) -> None:
        self._sides, self._relinked = (_joined(old), _joined(new)), relinked
        self.count = len(relinked)

    @cached_property
    def changed_columns(self) -> dict[str, Flags]:
        """Return of each column that differs anywhere in which rows it does."""
        columns = [c for name in FAMILY for c in COMPARED[name]]
        found = differing(*self._sides, columns)
        return {**found, **({"track_id": self._relinked} if self._relinked.any() else {})}

    def values(self, names: Sequence[str], chosen: Flags) -> tuple[pa.Table, pa.Table]:
        """Return columns of chosen rows on both sides."""
        old, new = (rows.select(list(names)).filter(pa.array(chosen)) for rows in self._sides)
        return old, new


def _joined(rows: Mapping[str, pa.Table]) -> pa.Table:
    """Return the content of labels in one table."""
    columns = {c: rows[name].column(c) for name in FAMILY for c in COMPARED[name]}
    return pa.table(columns)


def paired(
    found: Diff,
    before: Manifest,
    after: Manifest,
    *,
    least: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Diff:
    """Return a difference in which labels that went and came again are one change each.

    Args:
        found: the difference by number.
        before: the older version.
        after: the newer.
        least: agreement below which no two labels are one; else what suits their kind.
        progress: told how many labels were matched.
    """
    for layer in pc.unique(found.labels.column("layer")).to_pylist():
        own = found.labels.filter(pc.equal(found.labels.column("layer"), layer))
        gone, came = (
            own.filter(pc.equal(own.column("change"), change)).select(KEY_COLUMNS)
            for change in ("removed", "added")
        )
        sides = Side(before, layer, gone), Side(after, layer, came)
        found = _with_pairs(found, sides, list(_pairs(*sides, least, progress)))
    return found


def across(
    before: Side,
    after: Side,
    *,
    least: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Diff:
    """Compare two layers whose labels have numbers of their own; see `paired`."""
    rows = [_listed(side, change)
            for side, change in ((before, "removed"), (after, "added"))]  # fmt: skip
    tally = Counts(added=rows[1].num_rows, removed=rows[0].num_rows)
    found = Diff({"annotations": tally}, {}, {}, pa.concat_tables(rows), ITEMS.empty_table(),
                 MOVES.empty_table())  # fmt: skip
    return _with_pairs(found, (before, after), list(_pairs(before, after, least, progress)))


def _listed(side: Side, change: str) -> pa.Table:
    """Return all labels of a side as rows of a difference."""
    names = [*KEY_COLUMNS, "category_id", "changed_in"]
    rows = side.manifest.table(TABLES["annotations"], names, side.layer)
    rows = side.with_classes(rows)
    count = rows.num_rows
    classes = {"removed": "category_before", "added": "category_after"}
    columns: dict[str, Any] = {
        "layer": pa.repeat(side.layer, count), "change": pa.repeat(change, count),
        "item_id": rows.column("item_id"), "annotation_id": rows.column("annotation_id"),
        "meanings": as_lists(np.zeros(count, np.uint32)),
        classes[change]: rows.column("category_id"),
        "activity_id": pa.nulls(count, pa.int64()) if change == "removed"
        else rows.column("changed_in"),
    }  # fmt: skip
    return pa.table(
        [columns.get(f.name, pa.nulls(count, f.type)) for f in LABELS], schema=LABELS
    ).combine_chunks()


@dataclass(frozen=True)
class _Block:
    """Labels that are one, of some items.

    Attributes:
        rows: one for each, of a difference.
        columns, words: how many differ in each column, and in what way.
    """

    rows: pa.Table
    columns: Counter[str]
    words: dict[str, int]


def _pairs(
    before: Side, after: Side, least: float | None,
    progress: Callable[[str, int, int], None] | None,
) -> Iterator[_Block]:  # fmt: skip
    """Yield labels of two sides that are one, block by block."""
    items = [np.asarray(side.keys.column("item_id")) for side in (before, after)]
    shared, total = np.intersect1d(items[0], items[1]), len(items[0])
    done = 0
    for block in blocks(shared, items):
        old, new = before.rows(block), after.rows(block)
        found = matched(labels_of(old), labels_of(new), least=least)
        yield _compared(before.layer, old, new, found)
        done += old["annotations"].num_rows
        if progress:
            progress("matching", done, total)


def blocks(shared: Ids, items: Sequence[Ids]) -> Iterator[Ids]:
    """Yield items that have some `BLOCK` labels on a side together.

    Args:
        shared: the items, rising.
        items: of each side, the item of each label.
    """
    sizes = np.zeros(len(shared), np.int64)
    for own in items:
        ordered = np.sort(own)
        ends = [np.searchsorted(ordered, shared, side=side) for side in ("left", "right")]
        sizes = np.maximum(sizes, ends[1] - ends[0])
    number = np.cumsum(sizes) // BLOCK
    yield from (own for own in np.split(shared, np.flatnonzero(np.diff(number)) + 1) if len(own))


def labels_of(rows: Mapping[str, pa.Table]) -> Labels:
    """Return rows of both families as the matcher takes them."""
    notes = rows["annotations"]
    return Labels(
        np.asarray(notes.column("item_id").combine_chunks()),
        np.asarray(notes.column("category_id").fill_null(-1).combine_chunks()),
        np.asarray(notes.column("kind").cast(pa.string()).to_pylist(), object),
        rows["geometries"],
        digests(dict(rows), {"track_id"}),
    )


def _compared(
    layer: str, old: Mapping[str, pa.Table], new: Mapping[str, pa.Table], pairs: Pairs
) -> _Block:
    """Return what differs about labels that are one."""
    sides = [{name: rows.take(pa.array(at)) for name, rows in side.items()}
             for side, at in ((old, pairs.before), (new, pairs.after))]  # fmt: skip
    notes = [side["annotations"] for side in sides]
    tracks = [n.column("track_id") for n in notes]
    area = Compared(sides[0], sides[1], _relinked(tracks[0], tracks[1]))
    words = plain(meanings(area))
    columns: dict[str, Any] = {
        "layer": pa.repeat(layer, len(pairs)),
        "item_id": notes[0].column("item_id"),
        "annotation_id": notes[0].column("annotation_id"),
        "change": pa.array(np.where(words > 0, "changed", "provenance").tolist(), pa.string()),
        "category_before": notes[0].column("category_id"),
        "category_after": notes[1].column("category_id"),
        "meanings": as_lists(words),
        "activity_id": notes[1].column("changed_in"),
        "annotation_after": notes[1].column("annotation_id"),
        "agreement": pa.array(pairs.agreement),
    }
    rows = pa.table([columns[f.name] for f in LABELS], schema=LABELS)
    tally = Counter({name: int(flags.sum()) for name, flags in area.changed_columns.items()})
    return _Block(rows, tally, counts(words))


def _relinked(before: Any, after: Any) -> Flags:
    """Return which labels are not on the track that most labels of their track are on now."""
    ids = [np.asarray(column.fill_null(-1).combine_chunks()) for column in (before, after)]
    moves, at, size = np.unique(
        np.stack(ids, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    linked = np.asarray((moves >= 0).all(axis=1))
    usual = np.asarray((moves < 0).all(axis=1))  # on no track before and after
    usual[linked] = assigned(moves[linked, 0], moves[linked, 1], size[linked].astype(np.float64))
    flags: Flags = ~usual[at.reshape(-1)]
    return flags


def _with_pairs(found: Diff, sides: tuple[Side, Side], blocks: Sequence[_Block]) -> Diff:
    """Return a difference in which pairs are one row each."""
    rows = pa.concat_tables([LABELS.empty_table(), *(b.rows for b in blocks)])
    taken = [(sides[0].layer, "removed", rows.column("annotation_id")),
             (sides[1].layer, "added", rows.column("annotation_after"))]  # fmt: skip
    left = found.labels
    for layer, change, ids in taken:
        own = pc.and_(pc.equal(left.column("change"), change),
                      pc.equal(left.column("layer"), layer))  # fmt: skip
        one = pc.is_in(left.column("annotation_id"), value_set=ids.combine_chunks())
        left = left.filter(pc.invert(pc.and_(own, one)))
    labels = pa.concat_tables([left, rows])
    tally = Counts(**{c: int(pc.sum(pc.equal(labels.column("change"), c)).as_py() or 0)
                      for c in CHANGES})  # fmt: skip
    columns, words = Counter(found.columns), Counter(found.meanings)
    for block in blocks:
        columns.update(block.columns)
        words.update(block.words)
    return replace(
        found, tables={**found.tables, "annotations": tally}, labels=labels,
        columns=dict(columns.most_common()), meanings=dict(words.most_common()),
    )  # fmt: skip
