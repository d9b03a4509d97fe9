"""A source read with its sidecar: what it still says as the export did is as the store had it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.identity import numbered, with_sources
from labelstore.exchange.sidecar.changed import finished, merged, same_labels
from labelstore.exchange.sidecar.file import Sidecar
from labelstore.exchange.sidecar.records import Records, records_of
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Format, Piece, Reading, find_format
from labelstore.storage.parquet import conform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


class Restored(Reading):
    """A source with its sidecar; see `labelstore.plugins.Reading`.

    Args:
        reading: the source as its format tells it.
        sidecar: what the export left beside it.
        converter: of the source.
    """

    pieces = 1

    def __init__(self, reading: Reading, sidecar: Sidecar, converter: Format) -> None:
        self._reading, self._sidecar, self._converter = reading, sidecar, converter
        self._items = _Listing(*self._item_keys(), reading.items(), sidecar.table("items"))
        self._classes = _Listing(*self._class_keys(), reading.categories(),
                                 sidecar.table("categories"))  # fmt: skip
        self.notices = {**reading.notices, **self._counts()}

    def _item_keys(self) -> tuple[list[str], list[str | None]]:
        uris = self._reading.items().column("uri").to_pylist()
        return [self._converter.item_key(uri or "") for uri in uris], self._sidecar.keys

    def _class_keys(self) -> tuple[list[str], list[str | None]]:
        """Return names of classes; those that the source does not list stay all the same."""
        own: list[str] = self._reading.categories().column("name").to_pylist()
        there = set(own)
        return own, [key if key in there else None for key in self._sidecar.class_keys]

    @property
    def dataset(self) -> Mapping[str, Any]:
        """Return what the data set said of itself before the export."""
        row = self._sidecar.dataset
        return row if row["format"] else self._reading.dataset

    def items(self) -> pa.Table:
        """Return the items: as they were, then those that only the source has."""
        return _numbered(self._items.rows)

    def categories(self) -> pa.Table:
        """Return the classes: as they were, then those that only the source has."""
        return _numbered(self._classes.rows)

    def tracks(self) -> pa.Table | None:
        """Return the tracks: as they were, then the source's."""
        before, own = self._sidecar.table("tracks"), self._reading.tracks()
        found = [
            _renumbered(before, {"item_id": self._items.ids, "category_id": self._classes.ids})
        ]
        if own is not None:
            found.append(_mapped(own, {"item_id": self._items.places,
                                       "category_id": self._classes.places}))  # fmt: skip
        rows = pa.concat_tables([conform(rows, TABLES["tracks"]) for rows in found])
        return with_column(rows, "track_id", np.arange(rows.num_rows)) if rows.num_rows else None

    def annotations(self, piece: int) -> Piece:
        """Return all labels: those restored, those changed, then those that are new."""
        old, new = self._before, self._after
        restored, left, pairs = self._matched
        rows = {name: [old[name].filter(pa.array(restored))] for name in FAMILY}
        if pairs:
            was, now = (pa.array(side) for side in zip(*pairs, strict=True))
            sides = [{n: t.take(at) for n, t in side.items()}
                     for side, at in ((old, was), (new, now))]  # fmt: skip
            for name, table in merged(sides[0], sides[1], self._held).items():
                rows[name].append(table)
        for name, table in self._fresh(new, left).items():
            rows[name].append(table)
        found = {name: pa.concat_tables([conform(t, TABLES[name]) for t in tables])
                 for name, tables in rows.items()}  # fmt: skip
        notes = _anonymous(found["annotations"])
        notes = with_column(notes, "seq", _filled(notes.column("seq")))
        records = self._records
        return Piece(notes, found["geometries"], records.unlisted_items,
                     records.unlisted_categories)  # fmt: skip

    def _fresh(self, rows: dict[str, pa.Table], left: NDArray[np.bool_]) -> dict[str, pa.Table]:
        """Return labels that only the source has, as the first format states labels."""
        found = {name: table.filter(pa.array(left)) for name, table in rows.items()}
        notes = found["annotations"]
        count = notes.num_rows
        notes = with_column(notes, "seq", pa.nulls(count, pa.int64()))
        notes = with_column(notes, "changed_in", np.zeros(count, np.int64))
        if self._numbers:
            ids = self._before["annotations"].column("source_id")
            first = 1 + max(pc.max(ids).as_py() or 0, 0)
            notes = with_column(notes, "source_id", first + np.arange(count))
        return finished({**found, "annotations": notes}, self._held)

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
    def _before(self) -> dict[str, pa.Table]:
        """Return the labels of the sidecar, with local numbers; of items that are gone, none."""
        tracks = self._sidecar.table("tracks").column("track_id").to_pylist()
        ids = {"item_id": self._items.ids, "category_id": self._classes.ids,
               "track_id": {track: i for i, track in enumerate(tracks)}}  # fmt: skip
        return {name: _renumbered(self._sidecar.table(name), ids) for name in FAMILY}

    @cached_property
    def _after(self) -> dict[str, pa.Table]:
        """Return the labels of the source, with local numbers."""
        count = self._sidecar.table("tracks").num_rows
        places = {"item_id": self._items.places, "category_id": self._classes.places,
                  "track_id": count}  # fmt: skip
        return {name: _mapped(self._records.rows[name], places) for name in FAMILY}

    @cached_property
    def _records(self) -> Records:
        return records_of(self._reading, self._converter)

    @cached_property
    def _matched(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], list[tuple[int, int]]]:
        """Return labels of the sidecar as they were, those of the source that are new, and pairs.

        A label of several records is as it was where all of them are; one without a record, where
        its item is still there. Pairs are of labels that somebody changed.
        """
        there: dict[bytes, deque[int]] = defaultdict(deque)
        for at, digest in enumerate(self._records.digests):
            there[digest].append(at)
        left = np.ones(len(self._records.digests), bool)
        known = np.asarray(self._before["annotations"].column("item_id").is_valid())
        restored, single = np.zeros(len(known), bool), np.zeros(len(known), bool)
        for row, digests in enumerate(self._sidecar.digests.to_pylist()):
            if digests is None:
                continue
            taken = [there[d].popleft() for d in digests if there[d]]
            if len(taken) == len(digests):
                restored[row] = known[row]
                left[taken] = False
                continue
            single[row] = len(digests) == 1
            for at, digest in zip(taken, digests, strict=False):
                there[digest].appendleft(at)
        changed, others = np.flatnonzero(single & known), np.flatnonzero(left)
        sides = [t["annotations"].take(pa.array(at))
                 for t, at in ((self._before, changed), (self._after, others))]  # fmt: skip
        pairs = [(int(changed[i]), int(others[j])) for i, j in same_labels(*sides)]
        left[[j for _, j in pairs]] = False
        return restored, left, pairs

    def _counts(self) -> dict[str, int]:
        restored, left, pairs = self._matched
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


class _Listing:
    """Items or classes of a source and of its sidecar, as one list.

    Attributes:
        rows: those of the sidecar that the source still has or never listed, then new ones.
        ids: number in the list of each kept row of the sidecar, by its id.
        places: number in the list of each row of the source.
    """

    def __init__(
        self, own: list[str], before: list[str | None], rows: pa.Table, kept: pa.Table
    ) -> None:
        mine, theirs = numbered(own), numbered(before)
        there = set(mine)
        stay = [key[0] is None or key in there for key in theirs]
        chosen = kept.filter(pa.array(stay, pa.bool_()))
        id_column = kept.schema.names[0]
        numbers = {id_: i for i, id_ in enumerate(chosen.column(id_column).to_pylist())}
        by_key = {
            key: i for i, key in enumerate(k for k, s in zip(theirs, stay, strict=True) if s)
        }
        new = [i for i, key in enumerate(mine) if key not in by_key]
        self.ids: dict[int, int] = numbers
        added = {i: len(numbers) + n for n, i in enumerate(new)}
        self.places = np.array(
            [by_key[key] if i not in added else added[i] for i, key in enumerate(mine)], np.int64
        )
        table = TABLES["items" if id_column == "item_id" else "categories"]
        fresh = conform(rows.take(pa.array(new, pa.int64())), table)
        fresh = _mapped(fresh, {"parent_id": self.places})
        fresh = with_sources(table, fresh, {"seq": len(numbers) + np.arange(fresh.num_rows)})
        self.rows = pa.concat_tables([_renumbered(chosen, {"parent_id": numbers}), fresh])


def _anonymous(rows: pa.Table) -> pa.Table:
    """Return rows without agents, who are known to the store that they left."""
    for name in ("created_by", "reviewed_by"):
        rows = with_column(rows, name, pa.nulls(rows.num_rows, pa.int64()))
    return rows


def _numbered(rows: pa.Table) -> pa.Table:
    return with_column(rows, rows.schema.names[0], np.arange(rows.num_rows))


def _renumbered(rows: pa.Table, ids: Mapping[str, Mapping[int, int]]) -> pa.Table:
    """Return rows of the sidecar with local numbers in place of ids."""
    for name, numbers in ids.items():
        if name in rows.column_names:
            values = [numbers.get(v) for v in rows.column(name).to_pylist()]
            rows = with_column(rows, name, pa.array(values, pa.int64()))
    return rows


def _mapped(rows: pa.Table, places: Mapping[str, Any]) -> pa.Table:
    """Return rows of the source with their numbers in the joined lists; negative ones stay."""
    for name, way in places.items():
        if name not in rows.column_names:
            continue
        column = rows.column(name).combine_chunks()
        numbers = np.asarray(column.fill_null(0))
        if isinstance(way, int):
            numbers = numbers + way
        elif len(way):
            numbers = np.where(numbers >= 0, way[np.maximum(numbers, 0)], numbers)
        rows = with_column(rows, name, pa.array(numbers, mask=np.asarray(column.is_null())))
    return rows


def _filled(seqs: pa.ChunkedArray) -> pa.Array:
    """Return places in the source; labels that had none come last, in their order."""
    values = seqs.combine_chunks()
    bare = np.asarray(values.is_null())
    after = 1 + (pc.max(values).as_py() or 0)
    own = np.asarray(values.fill_null(0))
    return pa.array(np.where(bare, after + np.cumsum(bare) - 1, own))
