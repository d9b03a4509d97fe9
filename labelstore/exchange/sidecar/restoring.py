"""A source read with its sidecar: what it still says as the export did is as the store had it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.sidecar.changed import finished, merged, same_labels
from labelstore.exchange.sidecar.file import Sidecar
from labelstore.exchange.sidecar.joining import (
    Listing,
    anonymous,
    counted,
    filled,
    mapped,
    renumbered,
)
from labelstore.exchange.sidecar.records import Records, records_of, rows_at
from labelstore.geometry.covering import COLUMNS
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Format, Piece, Reading, find_format
from labelstore.storage.parquet import conform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

NUMBERS = ("item_id", "category_id", "track_id", "seq", "source_id", *COLUMNS)
"""Columns of all labels of a sidecar that are looked at."""


@dataclass(frozen=True)
class Matches:
    """Which labels of a sidecar (n) and of its source (m) are the same.

    Attributes:
        restored: shape (n,), those that are as they were.
        left: shape (m,), those that are new.
        pairs: places of labels that somebody changed, in the sidecar and in the source.
        links: places of all labels that are the same, and on the same track.
        relinked: places of changed labels in the source that are on another track.
    """

    restored: NDArray[np.bool_]
    left: NDArray[np.bool_]
    pairs: list[tuple[int, int]]
    links: list[tuple[int, int]]
    relinked: list[int]


class Restored(Reading):
    """A source with its sidecar; see `labelstore.plugins.Reading`.

    Args:
        reading: the source as its format tells it.
        sidecar: what the export left beside it.
        converter: of the source.
    """

    def __init__(self, reading: Reading, sidecar: Sidecar, converter: Format) -> None:
        self._reading, self._sidecar, self._converter = reading, sidecar, converter
        self.pieces = len(sidecar.groups) + 1
        rows = {"items": reading.items(), "categories": reading.categories()}
        keys = {"items": self._item_keys(), "categories": self._class_keys()}
        self._items, self._classes = (
            Listing(*keys[name], rows[name], sidecar.table(name), sidecar.extra.get(name, []),
                    self._used(name, rows[name]))
            for name in ("items", "categories")
        )  # fmt: skip
        self.notices = {**reading.notices, **self._counts()}

    def _item_keys(self) -> tuple[list[str], list[str | None]]:
        uris = self._reading.items().column("uri").to_pylist()
        return [self._converter.item_key(uri or "") for uri in uris], self._sidecar.keys

    def _class_keys(self) -> tuple[list[str], list[str | None]]:
        """Return names of classes; those that the source does not list stay all the same."""
        own: list[str] = self._reading.categories().column("name").to_pylist()
        there = set(own)
        return own, [key if key in there else None for key in self._sidecar.class_keys]

    def _used(self, name: str, rows: pa.Table) -> set[int]:
        """Return the numbers of items or classes that labels are of, and of their parents."""
        records = self._records
        found = set(records.items.tolist())
        if name == "categories":
            found = set(records.linked.column("category_id").drop_null().to_pylist())
        parents = rows.column("parent_id").to_pylist() if "parent_id" in rows.column_names else []
        while more := {parents[i] for i in found if 0 <= i < len(parents)} - {None} - found:
            found |= more
        return {i for i in found if i >= 0}

    @property
    def dataset(self) -> Mapping[str, Any]:
        """Return what the data set said of itself before the export."""
        row = self._sidecar.dataset
        return row if row["format"] else self._reading.dataset

    def items(self) -> pa.Table:
        """Return the items: as they were, then those that only the source has."""
        return counted(self._items.rows)

    def categories(self) -> pa.Table:
        """Return the classes: as they were, then those that only the source has."""
        return counted(self._classes.rows)

    def tracks(self) -> pa.Table | None:
        """Return the tracks: as they were, then those that only new labels have."""
        before, own = self._sidecar.table("tracks"), self._reading.tracks()
        ids = {"item_id": self._items.ids, "category_id": self._classes.ids}
        found = [renumbered(before, ids)]
        if own is not None:
            places = {"item_id": self._items.places, "category_id": self._classes.places}
            found.append(mapped(own.take(pa.array(self._tracks[1], pa.int64())), places))
        rows = pa.concat_tables([conform(rows, TABLES["tracks"]) for rows in found])
        return with_column(rows, "track_id", np.arange(rows.num_rows)) if rows.num_rows else None

    @cached_property
    def _tracks(self) -> tuple[Ids, list[int]]:
        """Return the number of each of the source's tracks among all, and those that are new.

        A track of the source is the one of the sidecar that the labels on it had.
        """
        own = self._reading.tracks()
        count, known = 0 if own is None else own.num_rows, self._sidecar.table("tracks").num_rows
        named = [rows.column("track_id").to_pylist()
                 for rows in (self._before, self._records.linked)]  # fmt: skip
        way = np.full(count, -1, np.int64)
        for row, at in self._matches.links:
            if named[0][row] is not None and named[1][at] is not None:
                way[named[1][at]] = named[0][row]
        fresh = [*np.flatnonzero(self._matches.left).tolist(), *self._matches.relinked]
        used = {named[1][at] for at in fresh if named[1][at] is not None}
        new = sorted(track for track in used if way[track] < 0)
        way[new] = known + np.arange(len(new))
        return way, new

    def annotations(self, piece: int) -> Piece:
        """Return labels: those restored, piece by piece; then those changed and those new."""
        if piece == len(self._sidecar.groups):
            return self._others()
        begin = int(self._sidecar.counts[:piece].sum())
        rows = self._numbered(self._sidecar.labels(self._sidecar.groups[piece]))
        restored = self._matches.restored
        own = pa.array(restored[begin : begin + rows["annotations"].num_rows])
        notes, shapes = (rows[name].filter(own) for name in FAMILY)
        first = int(restored[:begin].sum())
        return self._piece(notes, shapes, first)

    def _piece(self, notes: pa.Table, shapes: pa.Table, first: int) -> Piece:
        """Return labels with their places; first is how many come before them."""
        notes = with_column(anonymous(notes), "seq", self._seqs[first : first + notes.num_rows])
        records = self._records
        return Piece(notes, shapes, records.unlisted_items, records.unlisted_categories)

    @cached_property
    def _seqs(self) -> Ids:
        """Return the place in the source of each label: restored, changed, then new."""
        was = np.array([i for i, _ in self._matches.pairs], np.int64)
        at = np.concatenate([np.flatnonzero(self._matches.restored), was])
        new = pa.nulls(int(self._matches.left.sum()), pa.int64())
        known = self._before.column("seq").take(pa.array(at)).combine_chunks()
        return np.asarray(filled(pa.chunked_array([known, new], pa.int64())))

    def _others(self) -> Piece:
        """Return the labels that are not as they were."""
        left, pairs = np.flatnonzero(self._matches.left), self._matches.pairs
        rows = {name: [TABLES[name].schema.empty_table()] for name in FAMILY}
        if pairs:
            was, now = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
            old, new = self._numbered(self._sidecar.labels_at(was)), self._after(now)
            new["annotations"] = mapped(new["annotations"], {"track_id": self._tracks[0]})
            said = old["said"], self._records.said.take(pa.array(now))
            for name, table in merged(old, new, said, self._held).items():
                rows[name].append(table)
        for name, table in self._fresh(self._after(left)).items():
            rows[name].append(table)
        notes, shapes = (pa.concat_tables([conform(t, TABLES[name]) for t in rows[name]])
                         for name in FAMILY)  # fmt: skip
        return self._piece(notes, shapes, int(self._matches.restored.sum()))

    def _fresh(self, rows: dict[str, pa.Table]) -> dict[str, pa.Table]:
        """Return labels that only the source has, as the first format states labels."""
        notes = mapped(rows["annotations"], {"track_id": self._tracks[0]})
        count = notes.num_rows
        notes = with_column(notes, "seq", pa.nulls(count, pa.int64()))
        notes = with_column(notes, "changed_in", np.zeros(count, np.int64))
        if self._numbers:
            first = 1 + max(pc.max(self._before.column("source_id")).as_py() or 0, 0)
            notes = with_column(notes, "source_id", first + np.arange(count))
        return finished({**rows, "annotations": notes}, self._held)

    @cached_property
    def _first(self) -> Format | None:
        """Return the format in which the data set first came, None where it came in none."""
        name = self._sidecar.dataset["format"]
        return find_format(name) if name else None

    @property
    def _held(self) -> frozenset[str]:
        return self._first.carries if self._first else frozenset()

    @property
    def _numbers(self) -> bool:
        return self._first is not None and self._first.has_ids

    @cached_property
    def _before(self) -> pa.Table:
        """Return numbers of the labels of the sidecar; no item where that is gone."""
        return self._numbered({"annotations": self._sidecar.columns(NUMBERS)})["annotations"]

    def _numbered(self, rows: dict[str, pa.Table]) -> dict[str, pa.Table]:
        """Return labels of the sidecar with local numbers."""
        tracks = self._sidecar.table("tracks").column("track_id").to_pylist()
        ids = {"item_id": self._items.ids, "category_id": self._classes.ids,
               "track_id": {track: i for i, track in enumerate(tracks)}}  # fmt: skip
        return {name: renumbered(table, ids) for name, table in rows.items()}

    def _after(self, at: Ids) -> dict[str, pa.Table]:
        """Return labels of the source by their places, with local numbers."""
        places = {"item_id": self._items.places, "category_id": self._classes.places}
        found = rows_at(self._reading, self._records, at)
        return {name: mapped(table, places) for name, table in found.items()}

    @cached_property
    def _records(self) -> Records:
        return records_of(self._reading, self._converter)

    @cached_property
    def _matches(self) -> Matches:
        """Return which labels of the sidecar and of the source are the same.

        A label of several records is as it was where all of them are; one without a record, where
        its item is still there.
        """
        there: dict[bytes, deque[int]] = defaultdict(deque)
        for at, digest in enumerate(self._records.digests.to_pylist()):
            there[digest].append(at)
        left = np.ones(len(self._records), bool)
        known = np.asarray(self._before.column("item_id").is_valid())
        restored, single = np.zeros(len(known), bool), np.zeros(len(known), bool)
        links: list[tuple[int, int]] = []
        for row, digests in enumerate(self._sidecar.digests.to_pylist()):
            if digests is None:
                continue
            taken = [there[d].popleft() for d in digests if there[d]]
            if len(taken) == len(digests):
                restored[row] = known[row]
                left[taken] = False
                links += [(row, at) for at in taken]
                continue
            single[row] = len(digests) == 1
            for at, digest in zip(taken, digests, strict=False):
                there[digest].appendleft(at)
        changed, others = np.flatnonzero(single & known), np.flatnonzero(left)
        sides = self._before.take(pa.array(changed)), self._after(others)["annotations"]
        pairs = [(int(changed[i]), int(others[j])) for i, j in same_labels(*sides)]
        left[[j for _, j in pairs]] = False
        moved = self._moved(pairs)
        stayed = [pair for pair, is_so in zip(pairs, moved, strict=True) if not is_so]
        relinked = [j for (_, j), is_so in zip(pairs, moved, strict=True) if is_so]
        return Matches(restored, left, pairs, links + stayed, relinked)

    def _moved(self, pairs: list[tuple[int, int]]) -> list[bool]:
        """Return which changed labels are on another track than they were."""
        was, now = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
        if not len(was):
            return []
        before = self._sidecar.labels_at(was)["said"].column("track").to_pylist()
        after = self._records.said.column("track").take(pa.array(now)).to_pylist()
        return [a != b for a, b in zip(before, after, strict=True)]

    @property
    def is_of_another(self) -> bool:
        """Say whether the sidecar is not of this source: nothing is as it was."""
        if self._sidecar.selection and self._items.ids:
            return False  # of a few items all labels may have been drawn anew
        told = np.array([bool(d) for d in self._sidecar.digests.to_pylist()], bool)
        same = int(self._matches.restored[told].sum())
        return bool(told.any()) and not same and 2 * len(self._matches.pairs) < told.sum()

    def _counts(self) -> dict[str, int]:
        found_ = self._matches
        restored, left, pairs = found_.restored, found_.left, found_.pairs
        told = self._sidecar.digests.to_pylist()
        gone = sum(bool(d) for d in told) - int(restored[[bool(d) for d in told]].sum())
        keys = self._sidecar.keys
        items = sum(key is not None for key in keys) - sum(
            key is not None and item in self._items.ids
            for key, item in zip(keys, self._sidecar.table("items").column(0).to_pylist(),
                                 strict=True)
        )  # fmt: skip
        found = {
            "labels-restored": int(restored.sum()), "labels-changed": len(pairs),
            "labels-new": int(left.sum()), "labels-gone": gone - len(pairs), "items-gone": items,
        }  # fmt: skip
        return {code: count for code, count in found.items() if count}
