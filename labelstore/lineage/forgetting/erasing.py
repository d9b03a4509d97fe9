"""What goes from one version, when items or sources are forgotten: edits of its tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.lineage.forgetting.heads import with_heads
from labelstore.lineage.forgetting.mentions import LOOSE, Words, blanked, naming
from labelstore.model.tables import FAMILY, TABLES, Table
from labelstore.storage.rewriting import Edits

if TYPE_CHECKING:
    from labelstore.storage.index import Part
    from labelstore.versions.editing import Place
    from labelstore.versions.manifest import Manifest

FORGOTTEN = '{"forgotten": true}'
"""Parameters of an activity that brought a source."""


@dataclass(frozen=True)
class Unwanted:
    """What is forgotten.

    Attributes:
        items: ids of items.
        datasets: ids of sources.
        uris: by which the items are named.
        sources: names and layers of the sources.
    """

    items: frozenset[int] = frozenset()
    datasets: frozenset[int] = frozenset()
    uris: frozenset[str] = frozenset()
    sources: frozenset[tuple[str, str]] = frozenset()

    @cached_property
    def words(self) -> Words:
        """Return what texts may call the items."""
        return Words.of(self.uris)

    @cached_property
    def loose(self) -> Words:
        """Return what texts may call the items and sources that are of nothing else."""
        return Words.of([*self.uris, *(name for name, _ in self.sources)], loose=True)

    def words_in(self, table: str) -> Words:
        """Return what texts of a table may call them."""
        return self.loose if table in LOOSE else self.words

    @cached_property
    def stems(self) -> set[str]:
        """Return what the files of items are called, but for folder and ending."""
        return {PurePosixPath(uri).stem for uri in self.uris if uri}


@dataclass
class Erasing:
    """Edits of versions; parts that versions share are looked at once.

    Attributes:
        unwanted: what goes.
    """

    unwanted: Unwanted
    _known: dict[tuple[str, str, frozenset[int]], Any] = field(default_factory=dict)

    def edits(self, manifest: Manifest) -> tuple[dict[Place, Edits], Counter[str]]:
        """Return what to change in a version, and how many rows that is, by table."""
        items = self.unwanted.items | self._alone(manifest)
        labels = {layer: self._labels(manifest, layer, items)
                  for layer in manifest.partitions("annotations")}  # fmt: skip
        gone = pa.concat_tables([k for k in labels.values()]) if labels else None
        ids = (
            gone.column("annotation_id") if gone is not None else pa.chunked_array([], pa.int64())
        )
        found: dict[Place, Edits] = {}
        counts: Counter[str] = Counter()
        for name, table in TABLES.items():
            for partition in manifest.partitions(name):
                drop = (labels[partition] if name in FAMILY else
                        self._dropped(manifest, table, partition, items, ids))  # fmt: skip
                rows = self._blanked(manifest, table, partition, drop, ids)
                if name == "items":
                    rows = with_heads(manifest, drop, rows)
                if drop.num_rows or rows.num_rows:
                    found[name, partition] = Edits(rows, drop)
                    counts[name] += drop.num_rows + rows.num_rows
        return found, counts

    def _labels(self, manifest: Manifest, layer: str, items: frozenset[int]) -> pa.Table:
        """Return the keys of the labels that go from a layer."""
        table = TABLES["annotations"]

        def look(part: Part) -> pa.Table:
            rows = manifest.read(part, [*table.key, "dataset_id"])
            own = pc.or_(_among(rows, "item_id", items),
                         _among(rows, "dataset_id", self.unwanted.datasets))  # fmt: skip
            return rows.filter(own).select(list(table.key))

        return self._each(manifest, table, layer, items, look)

    def _dropped(
        self, manifest: Manifest, table: Table, partition: str, items: frozenset[int],
        ids: pa.ChunkedArray,
    ) -> pa.Table:  # fmt: skip
        """Return the keys of rows of another table that go."""
        none = table.schema.empty_table().select(list(table.key))
        rows = manifest.table(table, partition=partition)
        if table.name in ("items", "splits"):
            own = _among(rows, "item_id", items)
        elif table.name == "tracks":
            own = pc.or_(_among(rows, "item_id", items),
                         _among(rows, "dataset_id", self.unwanted.datasets))  # fmt: skip
        elif table.name == "relations":
            ends = pc.or_(*(pc.is_in(rows.column(n), value_set=ids.combine_chunks())
                            for n in ("from_id", "to_id")))  # fmt: skip
            own = pc.or_(ends, _among(rows, "dataset_id", self.unwanted.datasets))
        elif table.name == "datasets":
            own = _among(rows, "dataset_id", self.unwanted.datasets)
        else:
            return none
        return rows.filter(own).select(list(table.key))

    def _alone(self, manifest: Manifest) -> frozenset[int]:
        """Return the items of a version that no other source lists than those that go."""
        if not self.unwanted.datasets:
            return frozenset()
        found = set()
        rows = manifest.table(TABLES["items"], ["item_id", "sources"]).to_pylist()
        for row in rows:
            listed = {source["dataset_id"] for source in row["sources"]}
            if listed and listed <= self.unwanted.datasets:
                found.add(row["item_id"])
        return frozenset(found)

    def _blanked(
        self, manifest: Manifest, table: Table, partition: str, drop: pa.Table,
        ids: pa.ChunkedArray,
    ) -> pa.Table:  # fmt: skip
        """Return rows that stay and name what goes, or point to it, as they are to be."""

        def look(part: Part) -> pa.Table:
            rows = manifest.read(part)
            return rows.filter(pa.array(self._touched(table, rows, ids)))

        found = self._each(manifest, table, partition, frozenset(ids.to_pylist()), look)
        kept = found.filter(pc.invert(_keyed(found, drop, table.id_column)))
        if not kept.num_rows:
            return table.schema.empty_table()
        return self._cut(table, blanked(table, kept, self.unwanted.words_in(table.name)), ids)

    def _touched(self, table: Table, rows: pa.Table, ids: pa.ChunkedArray) -> Any:
        """Return which rows name what goes or point to it; shape (n,)."""
        found = naming(table, rows, self.unwanted.words_in(table.name))
        if table.name in ("items", "categories") and self.unwanted.datasets:
            sources = rows.column("sources").combine_chunks()
            known = pa.array(sorted(self.unwanted.datasets), pa.int64())
            own = pc.is_in(sources.flatten().field("dataset_id"), value_set=known)
            found[np.asarray(pc.list_parent_indices(sources))[np.asarray(own)]] = True
        if table.name == "annotations":
            found |= np.asarray(pc.is_in(rows.column("parent_annotation_id"),
                                         value_set=ids.combine_chunks()))  # fmt: skip
        if table.name == "activities":
            found |= np.array([self._is_of(row) for row in rows.to_pylist()], bool)
        return found

    def _is_of(self, activity: Mapping[str, Any]) -> bool:
        """Say whether an activity read a file of what goes, or brought a source that goes."""
        return self._brought(activity) or any(map(self._is_file, activity["inputs"] or []))

    def _brought(self, activity: Mapping[str, Any]) -> bool:
        said = json.loads(activity["parameters"] or "{}")
        return (said.get("dataset"), said.get("layer")) in self.unwanted.sources

    def _is_file(self, file: Mapping[str, Any]) -> bool:
        return PurePosixPath(file["path"]).stem in self.unwanted.stems

    def _cut(self, table: Table, rows: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
        """Return rows that point to nothing that goes."""
        told = rows.to_pylist()
        gone = set(ids.to_pylist()) if table.name == "annotations" else set()
        for row in told:
            if table.name in ("items", "categories"):
                own = self.unwanted.datasets
                row["sources"] = [s for s in row["sources"] if s["dataset_id"] not in own]
            if table.name == "annotations" and row["parent_annotation_id"] in gone:
                row["parent_annotation_id"] = None
            if table.name == "activities" and row["inputs"]:
                row["inputs"] = [f for f in row["inputs"] if not self._is_file(f)] or None
            if table.name == "activities" and self._brought(row):
                row |= {"inputs": None, "message": None, "parameters": FORGOTTEN}
        return pa.Table.from_pylist(told, schema=table.schema)

    def _each(
        self, manifest: Manifest, table: Table, partition: str, asked: frozenset[int],
        look: Callable[[Part], pa.Table],
    ) -> pa.Table:  # fmt: skip
        """Return what is found in each part of a partition; a part that is known is not read."""
        found = []
        for part in manifest.parts_of(table.name, partition):
            key = (f"{look.__qualname__}{table.name}", manifest.md5(part.path), asked)
            if key not in self._known:
                self._known[key] = look(part)
            found.append(self._known[key])
        return pa.concat_tables(found)


def _among(rows: pa.Table, column: str, ids: Collection[int]) -> pa.Array:
    return pc.is_in(rows.column(column), value_set=pa.array(sorted(ids), pa.int64()))


def _keyed(rows: pa.Table, keys: pa.Table, column: str) -> pa.Array:
    return pc.is_in(rows.column(column), value_set=keys.column(column).combine_chunks())
