"""A source read with its sidecar: what it still says as the export did is as the store had it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.identity import with_sources
from labelstore.exchange.sidecar.file import Sidecar
from labelstore.exchange.sidecar.records import Records, records_of
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Format, Piece, Reading
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
        """Return all labels: those restored, then the others as the source tells them."""
        before = {name: self._sidecar.table(name) for name in FAMILY}
        restored, left = self._matched
        tracks = self._sidecar.table("tracks").column("track_id").to_pylist()
        ids = {"item_id": self._items.ids, "category_id": self._classes.ids,
               "track_id": {track: i for i, track in enumerate(tracks)}}  # fmt: skip
        places = {"item_id": self._items.places, "category_id": self._classes.places,
                  "track_id": len(tracks)}  # fmt: skip
        seqs = before["annotations"].column("seq")
        after = 1 + (pc.max(seqs).as_py() or 0)
        found = {}
        for name in FAMILY:
            old = _renumbered(before[name].filter(pa.array(restored)), ids)
            new = _mapped(self._records.rows[name].filter(pa.array(left)), places)
            if name == "annotations":
                old = _anonymous(old)
                old = with_column(old, "seq", _filled(old.column("seq"), after + new.num_rows))
                new = with_column(new, "seq", after + np.arange(new.num_rows))
            found[name] = pa.concat_tables([old, conform(new, TABLES[name])])
        records = self._records
        return Piece(found["annotations"], found["geometries"], records.unlisted_items,
                     records.unlisted_categories)  # fmt: skip

    @cached_property
    def _records(self) -> Records:
        return records_of(self._reading, self._converter)

    @cached_property
    def _matched(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which labels of the sidecar are as they were, and which of the source are not.

        A label of several records is as it was where all of them are; one without a record, where
        its item is still there.
        """
        there: dict[bytes, deque[int]] = defaultdict(deque)
        for at, digest in enumerate(self._records.digests):
            there[digest].append(at)
        left = np.ones(len(self._records.digests), bool)
        items = self._sidecar.table("annotations").column("item_id").to_pylist()
        restored = np.zeros(len(items), bool)
        for row, digests in enumerate(self._sidecar.digests.to_pylist()):
            if digests is None:
                continue
            taken = [there[d].popleft() for d in digests if there[d]]
            if len(taken) == len(digests):
                restored[row] = items[row] in self._items.ids
                left[taken] = False
            else:
                for at, digest in zip(taken, digests, strict=False):
                    there[digest].appendleft(at)
        return restored, left

    def _counts(self) -> dict[str, int]:
        restored, left = self._matched
        found = {"labels-restored": int(restored.sum()), "labels-as-read": int(left.sum())}
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
        there = set(own)
        stay = [key is None or key in there for key in before]
        chosen = kept.filter(pa.array(stay, pa.bool_()))
        id_column = kept.schema.names[0]
        numbers = {id_: i for i, id_ in enumerate(chosen.column(id_column).to_pylist())}
        by_key = {
            key: i for i, key in enumerate(k for k, s in zip(before, stay, strict=True) if s)
        }
        new = [i for i, key in enumerate(own) if key not in by_key]
        self.ids: dict[int, int] = numbers
        added = {i: len(numbers) + n for n, i in enumerate(new)}
        self.places = np.array(
            [by_key[key] if i not in added else added[i] for i, key in enumerate(own)], np.int64
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


def _filled(seqs: pa.ChunkedArray, after: int) -> pa.Array:
    """Return places in the source; labels that had none come last."""
    values = seqs.combine_chunks()
    bare = np.asarray(values.is_null())
    filled = np.where(bare, after + np.cumsum(bare), np.asarray(values.fill_null(0)))
    return pa.array(filled)
