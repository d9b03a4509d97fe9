"""The sidecar's file: a column for each table, a row for each of theirs."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labelstore.errors import Corrupt
from labelstore.exchange.sidecar.records import SAID
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Beside, Format, find_format
from labelstore.storage.parquet import conform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

NAME = "labelstore.sidecar.parquet"
VERSION = 1
HELD = ("datasets", "items", "categories", "tracks", "annotations", "geometries")
BESIDE = {"key": pa.string(), "digests": pa.list_(pa.binary()), "said": SAID}
"""What stands with an item or class, and with a label: its name in the file, what that says."""
SCHEMA = pa.schema(
    [pa.field(name, pa.struct(list(TABLES[name].schema))) for name in HELD]
    + [pa.field(name, kind) for name, kind in BESIDE.items()]
)


def sidecar_path(target: Path) -> Path:
    """Return where the sidecar of an exported file or folder is."""
    return target / NAME if target.is_dir() else target.with_name(f"{target.name}.{NAME}")


def write_rows(path: Path, said: Mapping[str, Any], rows: Iterable[dict[str, pa.Array]]) -> None:
    """Write a sidecar; it appears whole or not at all.

    Args:
        path: where.
        said: format and task of the export.
        rows: groups of rows, each some of the columns of `SCHEMA`.
    """
    schema = SCHEMA.with_metadata({"labelstore": json.dumps({"version": VERSION, **said})})
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with pq.ParquetWriter(aside, schema, compression="zstd") as writer:
            for group in rows:
                count = len(next(iter(group.values())))
                arrays = [group.get(f.name, _absent(f.type, count)) for f in schema]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _absent(kind: pa.DataType, count: int) -> pa.Array:
    """Return null values; below them, members that may not be null are not."""
    if not pa.types.is_struct(kind):
        return pa.nulls(count, kind)
    members = [
        pa.nulls(count, field.type) if field.nullable else _blank(field.type, count)
        for field in kind
    ]
    mask = pa.array(np.ones(count, bool))
    return pa.StructArray.from_arrays(members, fields=list(kind), mask=mask)


def _blank(kind: pa.DataType, count: int) -> pa.Array:
    """Return empty values that are not null."""
    if pa.types.is_list(kind):
        offsets = pa.array(np.zeros(count + 1, np.int32))
        return pa.ListArray.from_arrays(offsets, pa.array([], kind.value_type), type=kind)
    return pa.array(np.zeros(count, np.int64)).cast(kind)


class Sidecar:
    """A sidecar, opened.

    Args:
        path: its file.

    Attributes:
        written_as: name of the format of the export.
        selection: whether the store has items beside those that were written.
        extra: names that the export lists and the store did not, of `items` and `categories`.

    Raises:
        Corrupt: it is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path, memory_map=True)
            said = json.loads((self._file.schema_arrow.metadata or {})[b"labelstore"])
            if said["version"] != VERSION:
                raise KeyError("version")
            self.written_as: str = said["written_as"]
            self._task: str | None = said["task"]
            self.selection: bool = said.get("selection", False)
            self.extra: dict[str, list[str | None]] = said.get("extra", {})
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise Corrupt(
                f"{path}: is no sidecar of this version of labelstore ({error}). Remove it, or "
                "pass --no-sidecar to read without it.",
                code="sidecar-broken",
            ) from error

    def converter(self) -> Format:
        """Return what the export was written by."""
        return find_format(self.written_as, self._task)

    def beside(self, converter: Format, given: Beside) -> Beside:
        """Return what is known of the media, with the sizes that the store knew."""
        names = ("width", "height")
        columns = (self.table("items").column(n).to_pylist() for n in names)
        known = zip(self.keys, zip(*columns, strict=True), strict=True)
        sizes = {key: size for key, size in known if key and None not in size}
        return Beside(given.images, {**sizes, **given.sizes}, skip=given.skip)

    def table(self, name: str) -> pa.Table:
        """Return the rows of a table."""
        column = self._file.read([name]).column(0)
        rows = column.filter(column.is_valid()).combine_chunks()
        found = pa.Table.from_struct_array(rows)
        return conform(found, TABLES[name])

    @cached_property
    def dataset(self) -> dict[str, Any]:
        """Return the data set's row."""
        found: dict[str, Any] = self.table("datasets").to_pylist()[0]
        return found

    @cached_property
    def keys(self) -> list[str | None]:
        """Return how the exported file calls each item; None where it does not list it."""
        return self._keys("items")

    @cached_property
    def class_keys(self) -> list[str | None]:
        """Return how the exported file calls each class; None where it does not list it."""
        return self._keys("categories")

    def _keys(self, name: str) -> list[str | None]:
        rows = self._file.read([name, "key"])
        keys: list[str | None] = rows.filter(rows.column(0).is_valid()).column(1).to_pylist()
        return keys

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return some columns of `annotations`."""
        column = self._file.read([f"annotations.{name}" for name in names]).column(0)
        return pa.Table.from_struct_array(column.filter(column.is_valid()).combine_chunks())

    @cached_property
    def _label_counts(self) -> dict[int, int]:
        keys = ["annotations.annotation_id"]
        columns = (self._file.read_row_group(i, columns=keys).column(0)
                   for i in range(self._file.num_row_groups))  # fmt: skip
        counts = {i: len(column) - column.null_count for i, column in enumerate(columns)}
        return {i: count for i, count in counts.items() if count}

    @property
    def groups(self) -> list[int]:
        """Return the row groups that have labels."""
        return list(self._label_counts)

    @property
    def counts(self) -> Ids:
        """Return how many labels each of these has."""
        return np.array(list(self._label_counts.values()), np.int64)

    def labels(self, group: int) -> dict[str, pa.Table]:
        """Return the labels of a row group: both families, and what the file says of each."""
        rows = self._file.read_row_group(group, columns=[*FAMILY, "said"])
        rows = rows.filter(rows.column("annotations").is_valid()).combine_chunks()
        found = {name: pa.Table.from_struct_array(rows.column(name)) for name in (*FAMILY, "said")}
        return {**found, **{name: conform(found[name], TABLES[name]) for name in FAMILY}}

    def labels_at(self, at: Ids) -> dict[str, pa.Table]:
        """Return labels by their places, shape (k,), in this order; see `labels`."""
        ends = np.cumsum(self.counts)
        groups = np.searchsorted(ends, at, side="right")
        found: dict[str, list[pa.Table]] = defaultdict(list)
        for i in np.unique(groups).tolist():
            own = pa.array(at[groups == i] - (ends[i] - self.counts[i]))
            for name, rows in self.labels(self.groups[i]).items():
                found[name].append(rows.take(own))
        back = pa.array(np.argsort(np.argsort(groups, kind="stable"), kind="stable"))
        return {name: pa.concat_tables(parts).take(back) for name, parts in found.items()}

    @cached_property
    def digests(self) -> pa.ListArray:
        """Return what the exported file says of each label, in the order of `annotations`."""
        rows = self._file.read(["annotations", "digests"])
        return rows.filter(rows.column(0).is_valid()).column(1).combine_chunks()
