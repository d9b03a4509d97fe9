"""The sidecar's file: a column for each table, a row for each of theirs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labelstore.errors import Corrupt
from labelstore.exchange.sidecar.records import SAID
from labelstore.model.tables import TABLES
from labelstore.plugins import Beside, Format, find_format
from labelstore.storage.parquet import conform

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
        extra: names that the export lists and the store did not, of `items` and `categories`.

    Raises:
        Corrupt: it is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path)
            said = json.loads((self._file.schema_arrow.metadata or {})[b"labelstore"])
            if said["version"] != VERSION:
                raise KeyError("version")
            self.written_as: str = said["written_as"]
            self._task: str | None = said["task"]
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

    @cached_property
    def said(self) -> pa.StructArray:
        """Return what the exported file says of each label that is one there; else null."""
        rows = self._file.read(["annotations", "said"])
        return rows.filter(rows.column(0).is_valid()).column(1).combine_chunks()

    @cached_property
    def digests(self) -> pa.ListArray:
        """Return what the exported file says of each label, in the order of `annotations`."""
        rows = self._file.read(["annotations", "digests"])
        return rows.filter(rows.column(0).is_valid()).column(1).combine_chunks()
