"""A new delivery against what is there: the same labels keep their ids, equal ones stay.

Labels of one data set match by item and source id (the k-th of an id with the k-th), then by what
they are; where source ids lead to other labels than before, by what they are alone. Columns that
the format cannot hold (a review state, say) are left as the store has them; shapes are compared
whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.completing import completed, edit_activities
from labelstore.exchange.leftovers import without_order
from labelstore.exchange.notices import MATCHED_ANEW
from labelstore.exchange.rematching import LOOKED_AT, are_renumbered, rematched
from labelstore.exchange.spill import Spill
from labelstore.exchange.unsourced import given_ids, is_alone
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.compare import differing
from labelstore.storage.rewriting import Edits, blocks
from labelstore.versions.stage import Draft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Rows = dict[str, pa.Table]

Notices = Callable[[str, int], None]
PLACE = ("item_id", "annotation_id", "seq", "source_id", "source_key")
NUMBERS = ("source_id", "source_key")
ORIGIN = ("seq", "source_id", "source_key", "dataset_id")
FOLLOWING = frozenset(
    {"layer", "item_id", "annotation_id", "kind", "xmin", "ymin", "xmax", "ymax"}
)
"""Columns that every delivery states, since they follow from the rest."""
CREATION = ("origin", "created_by", "created_at", "created_in", "reviewed_by", "reviewed_at")


def added(draft: Draft, layer: str, source: Spill) -> dict[tuple[str, str], Edits]:
    """Return edits that add all rows of a source to a layer that has some already."""
    keys = source.keys
    ids = draft.ids.take(len(keys))
    edits = {}
    for name in FAMILY:
        rows = source.rows_of_items(name, int(keys[0]), int(keys[-1]))
        edits[name, layer] = Edits(with_column(rows, "annotation_id", ids), _no_keys())
    return edits


def reconciled(
    draft: Draft,
    layer: str,
    source: Spill,
    *,
    dataset_id: int,
    carries: frozenset[str],
    keep_origin: bool,
    among: Ids | None,
    notice: Notices,
) -> dict[tuple[str, str], Edits]:
    """Return edits that make one data set of a layer equal to its new delivery.

    Args:
        draft: the import's draft.
        layer: the layer.
        source: the delivery, decoded.
        dataset_id: the data set.
        carries: content columns that the format can hold; others are left as the store has them.
        keep_origin: leave order and source ids of matched rows as they are.
        among: the items that the delivery speaks of, where it does not speak of all; its numbers
            then mean nothing beside those of other items, and new labels get numbers of their own.
        notice: told by code how many labels matched by what they are.
    """
    before = _places(draft, layer, dataset_id)
    last_seq, last_id = (max(pc.max(before.column(n)).as_py() or 0, 0)
                         for n in ("seq", "source_id"))  # fmt: skip
    if among is not None:
        before = before.filter(pc.is_in(before.column("item_id"), value_set=pa.array(among)))
    keys, seqs = source.order()
    after = _incoming_places(source)
    old_of_new = _matches(before, after)
    numbered = not are_renumbered(before, after, old_of_new)
    if not numbered:
        old_of_new[:] = -1
    stated = carries | FOLLOWING
    known = old_of_new >= 0
    blocks_of = partial(_old_rows, draft, layer, dataset_id, carries)
    old_of_new = rematched(old_of_new, before, source, blocks_of, stated)
    fresh = old_of_new < 0
    anew = ~fresh & ~known
    notice(MATCHED_ANEW, int(anew.sum()))
    ids = np.empty(len(keys), np.int64)
    ids[fresh] = draft.ids.take(int(fresh.sum()))
    before_ids = np.asarray(before.column("annotation_id").combine_chunks())
    ids[~fresh] = before_ids[old_of_new[~fresh]]
    if keep_origin:
        seqs = seqs.copy()
        seqs[fresh] = 1 + last_seq + np.argsort(np.argsort(seqs[fresh]))
    numbers = None
    if among is not None:
        numbers, anew = 1 + last_id + np.cumsum(fresh) - 1, np.zeros(len(keys), bool)
    delivery = _Delivery(source, keys, seqs, ids, fresh, anew, stated, keep_origin, numbers,
                         edit_activities(draft.manifest))  # fmt: skip
    gone = np.asarray(before.column("dataset_id").is_valid().combine_chunks()).copy()
    gone[old_of_new[~fresh]] = False
    dropped = before.filter(pa.array(gone)).select(["item_id", "annotation_id"])
    rows = {name: [TABLES[name].schema.empty_table()] for name in FAMILY}
    for first, last, old in _old_rows(draft, layer, dataset_id, carries):
        for name, changed in delivery.changed(first, last, old).items():
            rows[name].append(changed)
    return {(name, layer): Edits(pa.concat_tables(rows[name]), dropped) for name in FAMILY}


@dataclass(frozen=True)
class _Delivery:
    """The new rows, in the order (item, seq), with the ids they get."""

    source: Spill
    keys: Ids
    seqs: Ids
    ids: Ids
    fresh: NDArray[np.bool_]
    anew: NDArray[np.bool_]
    """Which were found by what they are: they take the delivery's source ids."""
    stated: frozenset[str]
    keep_origin: bool
    numbers: Ids | None
    """Source ids that new rows take, in place of those that they have."""
    edits: pa.Array
    """Activities that were edits by hand."""

    def changed(self, first: int, last: int, old: dict[str, pa.Table]) -> dict[str, pa.Table]:
        """Return the rows of a range of items that are new or differ, of both families."""
        a = int(np.searchsorted(self.keys, first, side="left"))
        b = int(np.searchsorted(self.keys, last, side="right"))
        if a == b:
            return {}
        fresh, ids = self.fresh[a:b], self.ids[a:b]
        columns: dict[str, Any] = {"annotation_id": ids, "seq": self.seqs[a:b]}
        new = {
            name: _replaced(self.source.rows_of_items(name, first, last), columns)
            for name in FAMILY
        }
        if self.numbers is not None:
            new["annotations"] = _renumbered(new["annotations"], fresh, self.numbers[a:b])
        at = _positions(old["annotations"], ids[~fresh])
        result = {name: [rows.filter(pa.array(fresh))] for name, rows in new.items()}
        pairs = {
            name: (old[name].take(pa.array(at)), rows.filter(pa.array(~fresh)))
            for name, rows in new.items()
        }
        told = self._completed(pairs["annotations"], pairs["geometries"][1])
        content = TABLES["geometries"].columns("content")
        shape_differs = _differs(pairs["geometries"][0], told["geometries"], content)
        sides = pairs["annotations"][0], told["annotations"]
        before, after = (self._unordered(t) for t in sides)
        row_differs = _differs(before, after, self._compared())
        anew = self.anew[a:b][~fresh] & np.asarray(before.column("dataset_id").is_valid())
        anew &= _differs(before, after, list(NUMBERS))
        touched = pa.array(row_differs | shape_differs | anew)
        result["geometries"].append(pairs["geometries"][1].filter(pa.array(shape_differs)))
        chosen = [t.filter(touched) for t in pairs["annotations"]]
        merged = self._kept(chosen[0], chosen[1], pa.array(anew).filter(touched))
        result["annotations"].append(merged)
        return {name: pa.concat_tables(tables) for name, tables in result.items()}

    def _completed(self, notes: tuple[pa.Table, pa.Table], shapes: pa.Table) -> Rows:
        """Return labels with what follows from their shapes, as what they were has it.

        A file says all of it; a sidecar has labels that were made by hand as these were made.
        """
        made = with_column(notes[1], "changed_in", notes[0].column("changed_in"))
        rows, shapes, _ = completed(made, shapes, self.edits, self.stated)
        return {"annotations": rows, "geometries": shapes}

    def _compared(self) -> list[str]:
        columns = TABLES["annotations"].columns("content")
        chosen = [c for c in columns if c in self.stated or c == "leftovers"]
        chosen.append("number_style")
        if not self.keep_origin:
            chosen += [c for c in ORIGIN if c != "dataset_id"]
        return chosen

    def _unordered(self, rows: pa.Table) -> pa.Table:
        """Return rows without how they are written, where that is not to be looked at."""
        if not self.keep_origin:
            return rows
        return with_column(rows, "leftovers", without_order(rows.column("leftovers")))

    def _kept(self, old: pa.Table, new: pa.Table, anew: pa.BooleanArray) -> pa.Table:
        """Return the new rows with what only the store knows, and where they first came from."""
        content = TABLES["annotations"].columns("content")
        kept = [c for c in content if c not in self.stated and c != "leftovers"]
        kept += CREATION
        if self.keep_origin:
            kept += ORIGIN
        columns = {name: old.column(name) for name in kept}
        for name in columns.keys() & set(NUMBERS):
            columns[name] = pc.if_else(anew, new.column(name), columns[name])
        return _replaced(new, columns)


def _places(draft: Draft, layer: str, dataset_id: int) -> pa.Table:
    """Return item, id and source of the rows that the delivery may speak of, in key order.

    These are the data set's, and those without a source under the ids that an export gives them.
    """
    parts = draft.manifest.parts_of("annotations", layer)
    columns = list(dict.fromkeys([*PLACE, *LOOKED_AT, "dataset_id"]))
    tables = [draft.manifest.read(p, columns) for p in parts]
    rows = pa.concat_tables(tables).combine_chunks()
    alone = is_alone(draft.manifest, layer)
    rows = rows.filter(_own(rows, dataset_id, alone=alone)).combine_chunks()
    bare = rows.column("dataset_id").is_null().combine_chunks()
    for name, values in (
        ("source_id", given_ids(rows)),
        ("seq", np.arange(pc.sum(bare).as_py() or 0)),
    ):
        known = rows.column(name).combine_chunks()
        rows = with_column(rows, name, pc.replace_with_mask(known, bare, pa.array(values)))
    return rows


def _own(rows: pa.Table, dataset_id: int, *, alone: bool) -> pa.ChunkedArray:
    """Return which rows belong to a data set; where it is alone, also those without a source."""
    return pc.equal(rows.column("dataset_id"), dataset_id).fill_null(alone)


def _incoming_places(source: Spill) -> pa.Table:
    """Return item, seq and source ids of the new rows, in the order (item, seq)."""
    keys, seqs = source.order()
    if not source.pieces:
        columns = list(dict.fromkeys([*PLACE, *LOOKED_AT]))
        return TABLES["annotations"].schema.empty_table().select(columns)
    names = ["source_id", "source_key", *(c for c in LOOKED_AT if c != "item_id")]
    tables = [source.columns(p, names) for p in range(len(source.pieces))]
    found = pa.concat_tables(tables)
    order = np.lexsort(
        (
            np.concatenate([p.seqs for p in source.pieces]),
            np.concatenate([p.keys for p in source.pieces]),
        )
    )
    found = found.take(pa.array(order))
    return found.append_column("item_id", pa.array(keys)).append_column("seq", pa.array(seqs))


def _matches(before: pa.Table, after: pa.Table) -> Ids:
    """Return for each new row the place of the old row with the same item and source id, or -1."""
    codes = _codes(before, after)
    old = _ranked(codes[: before.num_rows], np.asarray(before.column("seq")))
    new = _ranked(codes[before.num_rows :], np.asarray(after.column("seq")))
    width = 1 + max(int(old[:, 1].max(initial=0)), int(new[:, 1].max(initial=0)))
    _, in_new, in_old = np.intersect1d(
        new[:, 0] * width + new[:, 1], old[:, 0] * width + old[:, 1], return_indices=True
    )
    found = np.full(after.num_rows, -1, np.int64)
    found[in_new] = in_old
    return found


def _codes(before: pa.Table, after: pa.Table) -> Ids:
    """Return one number per (item, source id) for old and new rows together."""
    columns = ["item_id", "source_id", "source_key"]
    both = pa.concat_tables(
        [before.select(columns), after.select(columns)], promote_options="permissive"
    )
    number = both.column("source_id").cast(pa.string())
    source = pc.coalesce(number, pc.binary_join_element_wise(both.column("source_key"), "", "k"))
    encoded = source.combine_chunks().dictionary_encode().indices.fill_null(-1)
    items = np.unique(np.asarray(both.column("item_id")), return_inverse=True)[1]
    pairs = items.astype(np.int64) * (len(both) + 1) + np.asarray(encoded) + 1
    return np.unique(pairs, return_inverse=True)[1].astype(np.int64)


def _ranked(codes: Ids, seqs: Ids) -> Ids:
    """Return (code, how many of that code come before in the source), shape (n, 2)."""
    order = np.lexsort((seqs, codes))
    ordered = codes[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    sizes = np.diff(np.append(starts, len(ordered)))
    ranks = np.empty(len(codes), np.int64)
    ranks[order] = np.arange(len(ordered)) - np.repeat(starts, sizes)
    return np.stack([codes, ranks], axis=1)


def _old_rows(
    draft: Draft, layer: str, dataset_id: int, carries: Collection[str],
    wanted: Ids | None = None,
) -> Iterator[tuple[int, int, dict[str, pa.Table]]]:  # fmt: skip
    """Yield ranges of items that cover all ids, with the data set's rows as an export has them.

    Ranges without any of the items that are wanted are left out, where some are.
    """
    manifest = draft.manifest
    alone, edits = is_alone(manifest, layer), edit_activities(manifest)
    grouped = {name: blocks(manifest.parts_of(name, layer)) for name in FAMILY}
    first = np.iinfo(np.int64).min
    count = len(grouped["annotations"])
    for i, parts in enumerate(zip(*grouped.values(), strict=True)):
        last = parts[0][-1].last_key if i < count - 1 else np.iinfo(np.int64).max
        if wanted is not None and not ((wanted >= first) & (wanted <= last)).any():
            first = last + 1 if i < count - 1 else last
            continue
        tables = {
            name: pa.concat_tables([manifest.read(p) for p in own])
            for name, own in zip(FAMILY, parts, strict=True)
        }
        own = _own(tables["annotations"], dataset_id, alone=alone)
        rows, shapes, _ = completed(
            tables["annotations"].filter(own), tables["geometries"].filter(own), edits, carries
        )
        yield first, last, {"annotations": rows, "geometries": shapes}
        first = last + 1 if i < count - 1 else last


def _positions(rows: pa.Table, ids: Ids) -> Ids:
    """Return where each id stands among the rows."""
    there = np.asarray(rows.column("annotation_id").combine_chunks())
    order = np.argsort(there)
    return order[np.searchsorted(there[order], ids)]


def _differs(before: pa.Table, after: pa.Table, columns: list[str]) -> NDArray[np.bool_]:
    found = np.zeros(before.num_rows, bool)
    for flags in differing(before, after, columns).values():
        found |= flags
    return found


def _replaced(rows: pa.Table, columns: dict[str, Any]) -> pa.Table:
    for name, values in columns.items():
        if name in rows.column_names:
            rows = with_column(rows, name, values)
    return rows


def _renumbered(rows: pa.Table, fresh: NDArray[np.bool_], numbers: Ids) -> pa.Table:
    """Return rows of which new ones have other source ids, where they have numbers."""
    column = rows.column("source_id").combine_chunks()
    chosen = pc.and_(pa.array(fresh), column.is_valid())
    return with_column(rows, "source_id", pc.if_else(chosen, pa.array(numbers), column))


def _no_keys() -> pa.Table:
    return TABLES["annotations"].schema.empty_table().select(["item_id", "annotation_id"])
