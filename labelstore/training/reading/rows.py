"""The rows of a version that training reads: one sample per item, mapped into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.changes.summary import class_order
from labelstore.errors import Corrupt, InvalidInput
from labelstore.model.tables import TABLES
from labelstore.storage.cache import Cache
from labelstore.training.reading.mapped import Mapped
from labelstore.training.selection import Selection, subset_items

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Ints = NDArray[np.int64]

FAMILIES = ("annotations", "geometries")
"""Tables with a row for each label, in the same order."""
IDS = ("item_id", "annotation_id")
"""Columns that rows of labels have in any case."""


@dataclass(frozen=True)
class Rows:
    """The labels of one layer of a version; samples are items in the order of their ids.

    Args:
        manifest: the version.
        layer: which labels.
        split: `SCHEME/SUBSET`, or None for all items.
        selection: ids that a query found.
        columns: of labels, that samples have; all by default.
        cache: takes the Arrow files.
    """

    manifest: Manifest
    layer: str
    split: str | None = None
    selection: Selection = field(default_factory=Selection)
    columns: Sequence[str] | None = None
    cache: Cache = field(default_factory=Cache.at)

    def __post_init__(self) -> None:
        """Refuse columns that no label has."""
        known = {name for table in FAMILIES for name in TABLES[table].schema.names}
        unknown = sorted(set(self.columns or ()) - known)
        if unknown:
            raise InvalidInput(f"labels have no column {', '.join(unknown)}; there are: "
                               f"{', '.join(sorted(known))}", code="columns")  # fmt: skip

    @cached_property
    def classes(self) -> list[tuple[int, str]]:
        """Return (id, name) of the classes in the order of the ontology."""
        return class_order(self.manifest)

    @property
    def all_items(self) -> Mapped:
        """Return the rows of all items of the version, by id."""
        return self._items(tuple(TABLES["items"].schema.names))

    @cached_property
    def positions(self) -> Ints:
        """Return which rows of `all_items` are the samples; shape (n,)."""
        ids = self._ids("items", "item_id")
        chosen = np.ones(len(ids), bool)
        if self.split is not None:
            chosen &= np.isin(ids, subset_items(self.manifest, self.split))
        if self.selection.items is not None:
            chosen &= np.isin(ids, self.selection.items)
        return np.flatnonzero(chosen)

    @cached_property
    def item_ids(self) -> Ints:
        """Return the id of each sample's item; shape (n,), ascending."""
        found: Ints = self._ids("items", "item_id")[self.positions]
        return found

    @cached_property
    def bounds(self) -> tuple[Ints, Ints]:
        """Return where the labels of each sample begin and end in the layer; shape (n,) each."""
        owners = self._ids("annotations", "item_id")
        begins = np.searchsorted(owners, self.item_ids, side="left")
        return begins, np.searchsorted(owners, self.item_ids, side="right")

    @property
    def items(self) -> pa.Table:
        """Return the items of the samples, by id."""
        return self.all_items.whole().take(pa.array(self.positions))

    @property
    def annotations(self) -> pa.Table:
        """Return the labels of all samples, with their shapes, by item; a copy."""
        rows, _ = self.rows(np.arange(len(self)))
        return pa.Table.from_batches([rows])

    def rows(
        self, indices: Sequence[int] | Ints, columns: Sequence[str] | None = None
    ) -> tuple[pa.RecordBatch, Ints]:
        """Return the labels of some samples, one sample's after another's.

        Args:
            indices: which samples, k of them.
            columns: of annotations and geometries; those of the samples by default.

        Returns:
            The rows, m of them, without columns that no label has a value in; and where the labels
            of each sample begin and end in them, shape (k + 1,).
        """
        own = np.asarray(indices, np.int64)
        begins, ends = (bound[own] for bound in self.bounds)
        offsets = np.concatenate([[0], np.cumsum(ends - begins)])
        found = self.families(tuple(columns) if columns is not None else None)
        batches = [mapped.gather(begins, ends) for mapped in found if mapped.columns]
        rows = batches[0]
        for batch in batches[1:]:
            schema = self._joined(rows.schema, batch.schema)
            rows = pa.RecordBatch.from_arrays([*rows.columns, *batch.columns], schema=schema)
        if self.selection.labels is None:
            return rows, offsets
        return self._selected(rows, offsets)

    def item_rows(
        self, indices: Sequence[int] | Ints, columns: Sequence[str] | None = None
    ) -> pa.RecordBatch:
        """Return the items of some samples, with all columns by default."""
        own = self.positions[np.asarray(indices, np.int64)]
        found = self.all_items if columns is None else self._items(tuple(columns))
        return found.gather(own, own + 1)

    def families(self, columns: tuple[str, ...] | None) -> tuple[Mapped, Mapped]:
        """Return the layer's rows of `annotations` and of `geometries`, with these columns.

        Raises:
            Corrupt: they are not as many.
        """
        if columns not in self._families:
            wanted = self._wanted(columns)
            a, g = (self.mapped(name, wanted[name], self.layer) for name in FAMILIES)
            if len(a) != len(g):
                raise Corrupt(f"layer {self.layer}: {len(a)} annotations, {len(g)} geometries")
            self._families[columns] = a, g
        return self._families[columns]

    def mapped(self, table: str, columns: Sequence[str], partition: str | None = None) -> Mapped:
        """Return columns of a table of the version, mapped into memory."""
        return Mapped.of(self.manifest, table, partition, columns, self.cache)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs: no row of a large version is pickled."""
        heavy = ("positions", "item_ids", "bounds")
        return {name: value for name, value in self.__dict__.items() if name not in heavy}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take it over."""
        self.__dict__.update(state)

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.positions)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one item: its row under `item`, its labels under `annotations` (Arrow)."""
        if not hasattr(index, "__index__"):
            raise TypeError(f"{index!r}: samples are asked for by one whole number; rows() and "
                            "batches().make() take several")  # fmt: skip
        if not -len(self) <= index < len(self):
            raise IndexError(f"{index}: there are {len(self)} samples")
        index %= len(self)
        (item,) = self.item_rows([index]).to_pylist(maps_as_pydicts="strict")
        rows, _ = self.rows([index])
        return {"item": item, "annotations": pa.Table.from_batches([rows])}

    def __repr__(self) -> str:
        """Say what they are of."""
        return f"<{len(self)} samples of {self.layer}, {self.split or 'all items'}>"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield every sample."""
        return (self[i] for i in range(len(self)))

    @cached_property
    def _families(self) -> dict[tuple[str, ...] | None, tuple[Mapped, Mapped]]:
        return {}

    @cached_property
    def _items_by_columns(self) -> dict[tuple[str, ...], Mapped]:
        return {}

    def _items(self, columns: tuple[str, ...]) -> Mapped:
        if columns not in self._items_by_columns:
            self._items_by_columns[columns] = self.mapped("items", columns)
        return self._items_by_columns[columns]

    @cached_property
    def _schemas(self) -> dict[tuple[str, ...], pa.Schema]:
        return {}

    def _joined(self, *schemas: pa.Schema) -> pa.Schema:
        """Return the fields of several schemas as one; putting it together costs 20 µs."""
        names = tuple(name for schema in schemas for name in schema.names)
        if names not in self._schemas:
            self._schemas[names] = pa.schema([field for schema in schemas for field in schema])
        return self._schemas[names]

    def _wanted(self, columns: Sequence[str] | None) -> dict[str, list[str]]:
        """Return the columns to read of each family; of columns in both, the annotations'."""
        names = columns if columns is not None else self.columns
        a, g = (TABLES[name].schema.names for name in FAMILIES)
        chosen = {*IDS, *(names if names is not None else (*a, *g))}
        return {
            "annotations": [n for n in a if n in chosen],
            "geometries": [n for n in g if n in chosen and n not in a],
        }

    def _ids(self, table: str, column: str) -> Ints:
        partition = None if table == "items" else self.layer
        found = self.manifest.table(TABLES[table], [column], partition).column(0)
        return np.asarray(found.combine_chunks(), np.int64)

    def _selected(self, rows: pa.RecordBatch, offsets: Ints) -> tuple[pa.RecordBatch, Ints]:
        """Return the rows of labels that the selection has."""
        chosen = _within(np.asarray(rows.column("annotation_id")), self.selection.labels)
        before = np.concatenate([[0], np.cumsum(chosen)])
        return rows.filter(pa.array(chosen)), before[offsets]


def _within(values: Ints, among: Ints | None) -> NDArray[np.bool_]:
    """Return which values are among sorted ones."""
    if among is None or not len(among):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(among, values), len(among) - 1)
    found: NDArray[np.bool_] = among[places] == values
    return found
