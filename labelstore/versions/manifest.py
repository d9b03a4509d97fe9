"""Manifests: what one version is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import Corrupt, InvalidInput, NotFound
from labelstore.model.canonical import HASH_DEFINITION
from labelstore.model.tables import FORMAT_VERSION, TABLES, Table
from labelstore.storage.index import (
    Part,
    decode_index,
    encode_index,
    part_path,
    read_index,
    version_root,
)
from labelstore.storage.objects import find, put, read_checked, verify
from labelstore.storage.parquet import read

PARTS = "_parts.parquet"
SCHEMA = "_schema.json"
TARGET = 16_384
"""Rows of a part unless `init` says otherwise: measured, an edit of 1 % in batches stores 2.9
times its own bytes at this size, 8.8 times at four times the size."""


@dataclass(frozen=True)
class Manifest:
    """The files of a version and where their bytes may be.

    Args:
        files: path below `labels/` to MD5.
        folders: object folders to look in, nearest first.
    """

    files: Mapping[str, str]
    folders: Sequence[Path] = field(default=(), compare=False)

    @cached_property
    def schema(self) -> dict[str, object]:
        """Return `_schema.json`.

        Raises:
            InvalidInput: the store was written by a newer major format.
        """
        described = json.loads(self.bytes_of(SCHEMA))
        if described.get("format_version", 0) > FORMAT_VERSION:
            raise InvalidInput(
                f"this version has format {described['format_version']}; this labelstore reads up "
                f"to {FORMAT_VERSION}. Upgrade labelstore.",
                code="format-too-new",
            )
        return dict(described)

    @property
    def target(self) -> int:
        """Return the rows that a part should have."""
        return int(str(self.schema["part_target"]))

    @cached_property
    def parts(self) -> list[Part]:
        """Return the parts of all tables, in order."""
        return decode_index(self._index, PARTS)

    @cached_property
    def _index(self) -> pa.Table:
        return read_index(self.bytes_of(PARTS), PARTS)

    @cached_property
    def _of_tables(self) -> dict[str, list[Part]]:
        return {}

    @cached_property
    def root(self) -> str:
        """Return the BLAKE2b-256 root of the version, as hex."""
        return version_root(self.parts).hex()

    def parts_of(self, table: str, partition: str | None = None) -> list[Part]:
        """Return the parts of a table, of one layer or scheme where one is named."""
        if table not in self._of_tables:
            every: list[Part] | None = self.__dict__.get("parts")  # where they were read already
            own = decode_index(self._index, PARTS, table) if every is None else every
            self._of_tables[table] = [p for p in own if p.table == table]
        return [p for p in self._of_tables[table] if partition in (None, p.partition)]

    def parts_holding(self, table: str, *, id: int | None = None, key: int | None = None
                      ) -> list[Part]:  # fmt: skip
        """Return the parts of a table that may hold an id, or a key that parts are cut along.

        The index is not decoded but for these, which matters over many versions.
        """
        chosen = pc.equal(self._index.column("table"), table)
        for value, low, high in ((id, "min_id", "max_id"), (key, "first_key", "last_key")):
            if value is not None:
                within = pc.and_(pc.less_equal(self._index.column(low), value),
                                 pc.greater_equal(self._index.column(high), value))  # fmt: skip
                chosen = pc.and_(chosen, within)
        return decode_index(self._index.filter(chosen), PARTS)

    def located(self, table: str) -> list[tuple[str, int, int]]:
        """Return path, rows and number of columns of each part of a table, and nothing else.

        Half the time of `parts_of` and `path`, for statements that read all of a table.

        Raises:
            NotFound: a part is in no local folder.
        """
        own = self._index.filter(pc.equal(self._index.column("table"), table))
        names = ("partition", "name", "rows", "columns")
        folders = [folder for folder in self.folders if folder.is_dir()] or self.folders
        return [
            (str(find(folders, self.md5(part_path(table, partition, name)))), rows, columns)
            for partition, name, rows, columns in zip(
                *(own.column(n).to_pylist() for n in names), strict=True)
        ]  # fmt: skip

    def partitions(self, table: str) -> list[str]:
        """Return the layers or schemes that a table has."""
        return sorted({p.partition for p in self.parts_of(table)})

    def layer(self, name: str) -> str:
        """Return the name of a layer.

        Raises:
            NotFound: the version has no labels in it.
        """
        there = self.partitions("annotations")
        if name not in there:
            listed = ", ".join(there) or "none"
            raise NotFound(
                f"there is no layer {name!r} (there is: {listed})", code="layer-unknown"
            )
        return name

    def path(self, part: Part) -> Path:
        """Return where a part's bytes are.

        Raises:
            NotFound: they are in no local folder.
        """
        return find(self.folders, self.md5(part.path))

    def md5(self, path: str) -> str:
        """Return the MD5 of a file of the version."""
        if path not in self.files:
            raise Corrupt(f"{path}: the part index names it, the manifest does not have it")
        return self.files[path]

    def verify(self, part: Part) -> None:
        """Compare a part's bytes with the MD5 that the manifest has of it.

        Raises:
            NotFound: they are in no local folder.
            Corrupt: they differ.
        """
        verify(self.path(part), self.md5(part.path))

    def read_verified(self, part: Part) -> pa.Table:
        """Return rows of a part whose bytes are as they should be, before they are built upon."""
        self.verify(part)
        return self.read(part)

    def read(self, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
        """Return rows of a part, in the schema of its table."""
        return read(self.path(part), TABLES[part.table], columns)

    def table(
        self, table: Table, columns: Sequence[str] | None = None, partition: str | None = None
    ) -> pa.Table:
        """Return all rows of a table, in key order; for the small ones."""
        found = [self.read(p, columns) for p in self.parts_of(table.name, partition)]
        if found:
            return pa.concat_tables(found)
        empty = table.schema.empty_table()
        return empty.select(list(columns)) if columns is not None else empty

    def bytes_of(self, path: str) -> bytes:
        """Return the bytes of a file, which are as its MD5 says."""
        md5 = self.md5(path)
        return read_checked(find(self.folders, md5), md5)


def schema_text(target: int) -> str:
    """Return `_schema.json`: tables and columns, part target, hash definition; no versions."""
    tables = {
        t.name: {
            "key": list(t.key),
            "partition": t.partition or None,
            "hash": t.hash_column,
            "columns": {f.name: str(f.type) for f in t.schema},
        }
        for t in TABLES.values()
    }
    return json.dumps(
        {
            "format_version": FORMAT_VERSION,
            "hash_definition": HASH_DEFINITION,
            "part_target": target,
            "tables": tables,
        },
        indent=1,
        sort_keys=True,
    )


def assemble(
    parts: Sequence[Part],
    part_files: Mapping[str, str],
    parent: Manifest,
    objects: Path,
) -> Manifest:
    """Return the manifest of these parts; index and schema are carried over where they can be.

    Args:
        parts: all parts of the version.
        part_files: path to MD5 of parts that the parent does not have.
        parent: the version before.
        objects: folder that takes the new index.
    """
    ordered = sorted(parts, key=lambda p: p.order)
    if [_identity(p) for p in ordered] == [_identity(p) for p in parent.parts]:
        return parent
    files = {p.path: part_files.get(p.path) or parent.md5(p.path) for p in ordered}
    files[SCHEMA] = parent.files[SCHEMA]
    files[PARTS] = put(objects, encode_index(ordered))
    return Manifest(files, parent.folders)


def _identity(part: Part) -> tuple[str, bytes]:
    return (part.path, part.digest)


def empty_manifest(objects: Path, target: int) -> Manifest:
    """Return the manifest of a store without rows."""
    files = {
        SCHEMA: put(objects, schema_text(target).encode()),
        PARTS: put(objects, encode_index([])),
    }
    return Manifest(files, (objects,))
