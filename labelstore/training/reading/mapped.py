"""Rows of a table as Arrow files that processes map into memory, made part by part when needed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.errors import Corrupt
from labelstore.model.tables import TABLES
from labelstore.storage.cache import Cache, write_safely
from labelstore.storage.objects import read_checked
from labelstore.storage.parquet import columns_with_values, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Ints = NDArray[np.int64]

LAYOUT = 1
"""Of the Arrow files; another one gets other names."""


@dataclass(frozen=True)
class Mapped:
    """Some columns of a table's rows, in key order, from n parts.

    What is pickled are paths; each process maps the files itself.

    Args:
        table: its name.
        paths: Parquet file of each part.
        md5s: what each part is called.
        counts: rows of each part.
        columns: names; only those that have a value somewhere are read.
        cache: takes the Arrow files.
    """

    table: str
    paths: Sequence[Path]
    md5s: Sequence[str]
    counts: Sequence[int]
    columns: Sequence[str]
    cache: Cache
    _open: dict[int, pa.RecordBatch] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, manifest: Manifest, table: str, partition: str | None, columns: Sequence[str],
           cache: Cache) -> Mapped:  # fmt: skip
        """Return columns of a version's table; those without any value are left out.

        Args:
            manifest: the version.
            table: its name.
            partition: the layer, where the table has layers.
            columns: names of columns.
            cache: takes the Arrow files.
        """
        parts = manifest.parts_of(table, partition)
        paths = [manifest.path(part) for part in parts]
        filled = columns_with_values(paths)
        return cls(table, paths, [manifest.md5(p.path) for p in parts], [p.rows for p in parts],
                   [c for c in columns if c in filled], cache)  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs; mapped memory is its own."""
        kept = ("table", "paths", "md5s", "counts", "columns", "cache")
        return {name: getattr(self, name) for name in kept} | {"_open": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take it over."""
        self.__dict__.update(state)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return int(self.starts[-1])

    @cached_property
    def starts(self) -> Ints:
        """Return the first row of each part, and the number of rows; shape (n + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])

    @cached_property
    def schema(self) -> pa.Schema:
        """Return the columns' names and types."""
        whole = TABLES[self.table].schema
        return pa.schema([whole.field(name) for name in self.columns])

    def gather(self, begins: Ints, ends: Ints) -> pa.RecordBatch:
        """Return ranges of rows, one after another; one range costs no copy.

        Args:
            begins: shape (k,), first row of each range.
            ends: shape (k,), row after its last.
        """
        found: list[pa.RecordBatch] = []
        parts = np.searchsorted(self.starts, begins, side="right") - 1
        for part, begin, end in zip(parts.tolist(), begins.tolist(), ends.tolist(), strict=True):
            while begin < end:
                start, stop = int(self.starts[part]), int(self.starts[part + 1])
                found.append(self.part(part).slice(begin - start, min(end, stop) - begin))
                begin, part = min(end, stop), part + 1
        if len(found) == 1:
            return found[0]
        if not found:
            return pa.RecordBatch.from_pylist([], schema=self.schema)
        return pa.concat_batches(found)

    def whole(self) -> pa.Table:
        """Return all rows, one chunk a part, without a copy."""
        return pa.Table.from_batches(
            [self.part(i) for i in range(len(self.paths))], schema=self.schema
        )

    def part(self, index: int) -> pa.RecordBatch:
        """Return the rows of one part, mapped into memory.

        Raises:
            Corrupt: the part's bytes are not what its name says.
            StorageFailed: the cache cannot be written.
        """
        if index not in self._open:
            target = self.cache.arrow_path(self.md5s[index], self._label)
            name = f"{self.md5s[index]}.{self._label}"
            for attempt in (1, 2):  # another process may trim what nobody has leased
                if not self.cache.sealed(target, name):
                    self._write(index, target)
                    self.cache.seal(target, name)
                try:
                    self._open[index] = _map(target)
                    break
                except FileNotFoundError:
                    if attempt == 2:
                        raise
        return self._open[index]

    @cached_property
    def _label(self) -> str:
        text = f"{LAYOUT} {self.table} {' '.join(self.columns)}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _write(self, index: int, target: Path) -> None:
        data = read_checked(self.paths[index], self.md5s[index])  # what is sealed was checked
        rows = read(pa.py_buffer(data), TABLES[self.table], self.columns).combine_chunks()
        if rows.num_rows != self.counts[index]:
            raise Corrupt(f"{self.paths[index]}: has {rows.num_rows} rows, not as many as the "
                          f"index says ({self.counts[index]})")  # fmt: skip
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, self.schema) as out:
            out.write_table(rows.cast(self.schema))
        write_safely(target, sink.getvalue())


def _map(path: Path) -> pa.RecordBatch:
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
        return file.get_batch(0)
