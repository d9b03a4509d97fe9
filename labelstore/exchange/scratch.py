"""Rows on their way from one order to another, in files that are mapped and not held."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from labelstore.errors import StorageFailed
from labelstore.model.tables import Table
from labelstore.storage.packing import MARK, pack, unpack
from labelstore.storage.parquet import conform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Range:
    """Rows of one piece: from one place to another, that one left out."""

    piece: int
    begin: int
    end: int


class Scratch:
    """Pieces of tables, each a file whose rows are sorted.

    Args:
        folder: there already.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._way_out = folder, "Make room there."

    @classmethod
    def of_its_own(cls) -> Scratch:
        """Return one in a new folder, which goes when nobody needs it."""
        folder = tempfile.mkdtemp(prefix="labelstore-")
        found = cls(Path(folder))
        found._way_out = "Make room there, or let TMPDIR name another folder."
        weakref.finalize(found, _remove, folder, os.getpid())
        return found

    def save(self, table: str, piece: int, rows: pa.Table, order: Ids) -> None:
        """Write rows in an order, packed, in place of what is there."""
        filled = [n for n in rows.column_names if rows.column(n).null_count < rows.num_rows]
        batches = rows.select(filled).combine_chunks().to_batches()
        batch = batches[0] if batches else pa.RecordBatch.from_pylist([], rows.schema)
        packed = pack(batch).take(pa.array(order))
        aside = self._path(table, piece).with_suffix(".new")
        try:
            with pa.ipc.new_file(str(aside), packed.schema) as file:
                file.write_batch(packed)
        except OSError as error:
            raise StorageFailed(
                f"{self._folder}: scratch files, about as large as the labels, could not be "
                f"written ({error}). {self._way_out}",
                code="scratch-unwritten",
            ) from error
        aside.replace(self._path(table, piece))

    def whole(self, table: Table, piece: int, names: Sequence[str]) -> pa.Table:
        """Return some columns of a piece."""
        return conform(unpack(self._open(table.name, piece), table.schema), table, names)

    def rows(
        self, table: Table, ranges: Sequence[Range], order: Ids,
        names: Collection[str] | None = None,
    ) -> pa.Table:  # fmt: skip
        """Return rows of several pieces.

        Args:
            table: which table.
            ranges: what is read, one after the other.
            order: shape (n,), the place of each row of the answer in these.
            names: columns that are read; the others are null. None reads all.
        """
        opened = [self._open(table.name, r.piece).slice(r.begin, r.end - r.begin) for r in ranges]
        wanted = set(table.schema.names if names is None else names)
        there = wanted & {n.split(MARK)[0] for rows in opened for n in rows.schema.names}
        listed = [n for n in table.schema.names if n in there]
        slices = [pa.Table.from_batches([_with(rows, listed, table.schema)]) for rows in opened]
        if not slices:
            return table.schema.empty_table()
        (rows,) = pa.concat_tables(slices).combine_chunks().to_batches() or [None]
        if rows is None:
            return table.schema.empty_table()
        return conform(unpack(rows.take(pa.array(order)), table.schema), table)

    def _path(self, table: str, piece: int) -> Path:
        return self._folder / f"{table}.{piece}.arrow"

    def _open(self, table: str, piece: int) -> pa.RecordBatch:
        file = pa.ipc.open_file(pa.memory_map(str(self._path(table, piece))))
        return file.get_batch(0)


def _remove(folder: str, process: int) -> None:
    """Remove a folder, in the process that made it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _with(rows: pa.RecordBatch, names: Sequence[str], schema: pa.Schema) -> pa.RecordBatch:
    """Return packed rows with these columns; those that they do not have are null."""
    own = {n.split(MARK)[0] for n in rows.schema.names}
    missing = [schema.field(n) for n in names if n not in own]
    nulls = pack(pa.RecordBatch.from_arrays(
        [pa.nulls(len(rows), field.type) for field in missing], names=[f.name for f in missing]
    ))  # fmt: skip
    columns = {**dict(zip(rows.schema.names, rows.columns, strict=True)),
               **dict(zip(nulls.schema.names, nulls.columns, strict=True))}  # fmt: skip
    place = {name: i for i, name in enumerate(names)}
    ranked = sorted((n for n in columns if n.split(MARK)[0] in place),
                    key=lambda n: (place[n.split(MARK)[0]], n))  # fmt: skip
    return pa.RecordBatch.from_arrays([columns[n] for n in ranked], names=ranked)
