"""The one door to Hugging Face's library: a version as a `datasets.Dataset`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.types as pat

if TYPE_CHECKING:
    from labelstore.training.reading.rows import Rows


def dataset(samples: Rows) -> datasets.Dataset:
    """Return one row per item: its columns, and `annotations`, a list with one struct a label.

    Maps become lists of key and value, for the library has no maps.
    """
    rows, offsets = samples.rows(np.arange(len(samples)))
    labels = pa.StructArray.from_arrays(
        [_listed(column) for column in rows.columns], names=rows.schema.names
    )
    nested = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), labels)
    items = samples.items
    columns = [_listed(items.column(name).combine_chunks()) for name in items.column_names]
    table = pa.table([*columns, nested], names=[*items.column_names, "annotations"])
    return datasets.Dataset(datasets.table.InMemoryTable(table))


def _listed(column: pa.Array) -> pa.Array:
    """Return a column with lists of structs for maps."""
    if not pat.is_map(column.type):
        return column
    pairs = pa.StructArray.from_arrays([column.keys, column.items], names=["key", "value"])
    return pa.ListArray.from_arrays(column.offsets, pairs, mask=column.is_null())
