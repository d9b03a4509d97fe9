"""Items and classes of a delivery: matched, given a place where unlisted, dropped when gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, counted
from labelstore.exchange.identity import Matched, match
from labelstore.exchange.spill import Spill, resolve_unlisted
from labelstore.exchange.stating import placeholder
from labelstore.exchange.tracking import match_tracks
from labelstore.model.tables import TABLES, Table
from labelstore.storage.rewriting import Edits
from labelstore.versions.stage import Draft, additions, removals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


class Listing:
    """What one data set lists, brought into a draft.

    Args:
        draft: the import's draft.
        dataset_id: the data set.
        keep_origin: leave the order of rows that are there as it is.
        holds: columns of items and classes that the format can hold; others stay.
        reference: data set whose items and classes the source is of, by their ids.
        selection: whether the source is of some items, and says nothing of others.

    Attributes:
        notices: what is unusual, by stable code.
    """

    def __init__(
        self,
        draft: Draft,
        dataset_id: int,
        *,
        keep_origin: bool,
        holds: Mapping[str, Collection[str]],
        reference: int | None = None,
        selection: bool = False,
    ) -> None:
        self._holds, self._reference, self._selection = holds, reference, selection
        if selection:  # what an item says of its file is about that of all items
            self._holds = {name: set(own) - {"leftovers"} for name, own in holds.items()}
        self._referred: dict[str, Ids] = {}
        self._draft, self._dataset_id, self._keep_origin = draft, dataset_id, keep_origin
        self.notices: Counter[str] = Counter()

    def match(self, name: str, incoming: pa.Table) -> Matched:
        """Match items or classes, write what is new or changed, and return their ids."""
        table = TABLES[name]
        matched = match(
            table,
            self._draft.manifest.table(table),
            incoming,
            dataset_id=self._dataset_id,
            activity_id=self._draft.activity_id,
            take_ids=self._draft.ids.take,
            keep_origin=self._keep_origin,
            holds=self._holds[name],
            selection=self._selection,
        )
        self.notices.update(matched.notices)
        self._draft.apply({(name, ""): additions(table, matched.rows)})
        return matched

    def tracks(self, incoming: pa.Table | None, items: Ids, categories: Ids) -> Ids:
        """Match tracks, write what is new or changed, and return their ids."""
        if incoming is None:
            return np.empty(0, np.int64)
        table = TABLES["tracks"]
        draft = self._draft
        constants = {"dataset_id": self._dataset_id, "changed_in": draft.activity_id}
        ids, rows = match_tracks(
            draft.manifest.table(table), incoming, items=items, categories=categories,
            constants=constants, take_ids=draft.ids.take, keep_origin=self._keep_origin,
        )  # fmt: skip
        draft.apply({("tracks", ""): additions(table, rows)})
        return ids

    def drop_tracks(self, listed: Ids) -> None:
        """Drop tracks of this data set that it no longer has and no label is of."""
        table = TABLES["tracks"]
        rows = self._draft.manifest.table(table)
        own = pc.equal(rows.column("dataset_id"), self._dataset_id).fill_null(False)
        kept = np.union1d(listed, _in_use(self._draft, table.id_column))
        gone = pc.invert(pc.is_in(rows.column("track_id"), value_set=pa.array(kept)))
        self._draft.apply({("tracks", ""): removals(table, rows.filter(pc.and_(own, gone)))})

    def place_unlisted(self, source: Spill, items: Matched, categories: Matched) -> None:
        """Give items and classes that annotations use but the source does not list a place."""
        per_piece: dict[str, list[NDArray[np.int64]]] = {}
        for name, matched in (("items", items), ("categories", categories)):
            lists = [getattr(p, f"unlisted_{name}") for p in source.pieces]
            keys = list(dict.fromkeys(key for found in lists for key in found))
            if keys and self._selection and name == "items":
                raise InvalidInput(
                    f"labels are of {counted(len(keys), 'item')} that the selection does not "
                    f"list, such as {keys[0]}: list it, too, or leave these labels out",
                    code="selection-items",
                )
            ids = self._placeholders(name, keys, first_seq=len(matched.ids))
            per_piece[name] = [np.array([ids[k] for k in found], np.int64) for found in lists]
            bare = len(keys) - len(self._referred.get(name, ()))
            if bare:
                self.notices[f"unlisted-{name}"] += bare
        resolve_unlisted(source, per_piece["items"], per_piece["categories"])

    def _placeholders(self, name: str, keys: list[str], first_seq: int) -> dict[str, int]:
        """Return the id of each unlisted key, those of an earlier delivery kept."""
        if not keys:
            return {}
        table = TABLES[name]
        known = _placeholder_ids(self._draft.manifest.table(table), self._dataset_id)
        known |= self._refer(name, keys, first_seq)
        missing = [k for k in keys if k not in known]
        ids = dict(zip(missing, self._draft.ids.take(len(missing)).tolist(), strict=True))
        rows = [
            placeholder(
                table,
                key,
                ids[key],
                dataset_id=self._dataset_id,
                seq=first_seq + i,
                activity_id=self._draft.activity_id,
            )
            for i, key in enumerate(missing)
        ]
        self._draft.apply({(name, ""): additions(table, [dict(r) for r in rows])})
        return {**known, **ids}

    @property
    def referred(self) -> int:
        """Return how many items of the data set that is referred to have labels."""
        return len(self._referred.get("items", ()))

    def _refer(self, name: str, keys: list[str], first_seq: int) -> dict[str, int]:
        """Return the id of each key that the data set referred to lists, and note it there.

        A key that it lists no longer stays with the row that had it.
        """
        if self._reference is None:
            return {}
        table, changed, wanted = TABLES[name], [], {key: i for i, key in enumerate(keys)}
        rows = self._draft.manifest.table(table).to_pylist(maps_as_pydicts="strict")
        listed = [row for row in rows if not _is_placeholder(row)]
        theirs, own_ = (_ids_by_key(listed, dataset, table.id_column)
                        for dataset in (self._reference, self._dataset_id))  # fmt: skip
        taken = set(theirs.values())
        known = {key: i for key, i in own_.items() if i not in taken} | theirs
        found = {key: i for key, i in known.items() if key in wanted}
        keys_of = {row_id: key for key, row_id in found.items()}
        for row in listed:
            key = keys_of.get(row[table.id_column])
            entries = {s["dataset_id"]: s for s in row["sources"]}
            if key is None or source_key(entries.get(self._dataset_id)) == key:
                continue
            place = entries.get(self._dataset_id, {"seq": first_seq + wanted[key]})["seq"]
            own = {"dataset_id": self._dataset_id, "seq": place, "stated": None}
            others = [s for s in row["sources"] if s["dataset_id"] != self._dataset_id]
            row["sources"] = [*others, {**entries[self._reference], **own}]
            changed.append({**row, "changed_in": self._draft.activity_id})
        self._draft.apply({(name, ""): additions(table, changed)})
        self._referred[name] = np.array(sorted(found.values()), np.int64)
        return found

    def _with_parents(self, items: pa.Table, used: Ids, listed: Ids) -> Ids:
        """Return items in use, with those of tracks, and those that others are parts of."""
        tracks = self._draft.manifest.table(TABLES["tracks"], ["item_id"]).column(0).drop_null()
        used = np.union1d(used, np.asarray(tracks.combine_chunks()))
        names = ("item_id", "parent_id")
        ids, parents = (np.asarray(items.column(n).fill_null(-1).combine_chunks()) for n in names)
        others = pc.list_value_length(items.column("sources"))  # those of this data set alone go
        entries = items.column("sources").combine_chunks()
        own = np.zeros(len(ids), bool)
        mine = np.asarray(pc.equal(entries.flatten().field("dataset_id"), self._dataset_id))
        own[np.asarray(pc.list_parent_indices(entries))[mine]] = True
        stays = np.isin(ids, listed) | ~own | np.asarray(pc.greater(others, 1))
        while True:
            kept = stays | np.isin(ids, used)
            more = np.union1d(used, parents[kept & (parents >= 0)])
            if len(more) == len(used):
                return more
            used = more

    def drop(self, name: str, matched: Matched) -> None:
        """Take this source's entry from rows it no longer lists; drop those nobody needs."""
        table = TABLES[name]
        rows, used = self._draft.manifest.table(table), _in_use(self._draft, table.id_column)
        if name == "items":
            used = self._with_parents(rows, used, matched.ids)
        gone, changed = _without_source(
            table,
            rows,
            listed=np.union1d(matched.ids, self._referred.get(name, matched.ids)),
            dataset_id=self._dataset_id,
            activity_id=self._draft.activity_id,
            used=used,
        )
        edits = {(name, ""): Edits(changed, gone)}
        if name == "items":
            splits = TABLES["splits"]
            for scheme in self._draft.manifest.partitions("splits"):
                rows = self._draft.manifest.table(splits, partition=scheme)
                lost = pc.is_in(rows.column("item_id"), value_set=gone.column("item_id"))
                edits["splits", scheme] = removals(splits, rows.filter(lost))
        self._draft.apply(edits)


def _ids_by_key(rows: list[dict[str, Any]], dataset: int, column: str) -> dict[str, int]:
    """Return the ids of the rows that a data set lists, by what it calls them as JSON text."""
    pairs = ((source_key(s), row[column]) for row in rows for s in row["sources"]
             if s["dataset_id"] == dataset)  # fmt: skip
    return {key: row_id for key, row_id in pairs if key is not None}


def _is_placeholder(row: Mapping[str, Any]) -> bool:
    return bool(row.get("unlisted") or row.get("labelled_state") == "unlisted")


def _placeholder_ids(rows: pa.Table, dataset_id: int) -> dict[str, int]:
    """Return what one data set calls its placeholders, as JSON text, to their ids."""
    mark = "unlisted" if "unlisted" in rows.schema.names else "labelled_state"
    wanted: Any = True if mark == "unlisted" else "unlisted"
    found = {}
    for row in rows.filter(pc.equal(rows.column(mark), wanted).combine_chunks()).to_pylist():
        for source in row["sources"]:
            if source["dataset_id"] == dataset_id:
                found[source_key(source) or ""] = row[rows.schema.names[0]]
    return found


def source_key(source: Mapping[str, Any] | None) -> str | None:
    """Return what a source calls an item or class, as JSON text."""
    if source is None:
        return None
    number, key = source["source_id"], source["source_key"]
    return key if number is None else str(number)


def _in_use(draft: Draft, column: str) -> NDArray[np.int64]:
    """Return the ids of all items, or classes, that annotations use, sorted."""
    parts = draft.manifest.parts_of("annotations")
    columns = [draft.manifest.read(p, [column]).column(0).drop_null() for p in parts]
    found = [np.asarray(c.combine_chunks()) for c in columns]
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def _without_source(
    table: Table,
    existing: pa.Table,
    *,
    listed: Ids,
    dataset_id: int,
    activity_id: int,
    used: Ids,
) -> tuple[pa.Table, pa.Table]:
    """Take a source's entry from items or classes that it no longer lists.

    Args:
        table: `items` or `categories`.
        existing: all of them.
        listed: ids of those that the source lists now.
        dataset_id: the source's data set.
        activity_id: who writes.
        used: ids that annotations use, sorted.

    Returns:
        Keys of rows to drop (no source lists them, no annotation uses them), and changed rows.
    """
    ids = np.asarray(existing.column(table.id_column).combine_chunks())
    column = existing.column("sources").combine_chunks()
    mentions = np.zeros(len(ids), bool)
    entries = np.asarray(pc.equal(column.flatten().field("dataset_id"), dataset_id))
    mentions[np.asarray(pc.list_parent_indices(column))[entries]] = True
    rows = existing.filter(pa.array(mentions & ~np.isin(ids, listed)))
    gone: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for row in rows.to_pylist():
        in_use = bool(np.isin(row[table.id_column], used))
        if in_use and (row.get("labelled_state") == "unlisted" or row.get("unlisted")):
            continue
        row["sources"] = [s for s in row["sources"] if s["dataset_id"] != dataset_id]
        keep = row["sources"] or in_use
        (changed if keep else gone).append({**row, "changed_in": activity_id})
    return (
        pa.Table.from_pylist(gone, schema=table.schema).select(list(table.key)),
        pa.Table.from_pylist(changed, schema=table.schema),
    )
