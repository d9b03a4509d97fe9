"""The one door to Hugging Face's library: a version as a `datasets.Dataset`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.types as pat

if TYPE_CHECKING:
    from labelstore.training.reading.rows import Rows

HASHES = ("row_hash", "geometry_hash")


def dataset(samples: Rows) -> datasets.Dataset:
    """Return one row per item: its columns, and `annotations`, a list with one struct a label.

    Maps become lists of key and value, for the library has no maps. Hashes are left out, for its
    PyTorch form has no unsigned numbers of 64 bits.
    """
    rows, offsets = samples.rows(np.arange(len(samples)))
    names = [name for name in rows.schema.names if name not in HASHES]
    labels = pa.StructArray.from_arrays([_listed(rows.column(n)) for n in names], names=names)
    nested = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), labels)
    items = samples.items
    kept = [name for name in items.column_names if name not in HASHES]
    columns = [_listed(items.column(name).combine_chunks()) for name in kept]
    table = pa.table([*columns, nested], names=[*kept, "annotations"])
    return datasets.Dataset(datasets.table.InMemoryTable(table))


def _listed(column: pa.Array) -> pa.Array:
    """Return a column with lists of structs for maps."""
    if not pat.is_map(column.type):
        return column
    column = column.take(pa.array(np.arange(len(column))))  # a slice's keys are those of the whole
    pairs = pa.StructArray.from_arrays([column.keys, column.items], names=["key", "value"])
    return pa.ListArray.from_arrays(column.offsets, pairs, mask=column.is_null())
