"""What labels say, without the numbers that a store or a source gives them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.model.arrow import with_column
from labelstore.model.canonical import leaves
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.parquet import conform

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMBERS = frozenset({"item_id", "annotation_id"})
"""Content columns that say which row it is."""


def bare(rows: pa.Table, name: str, without: Collection[str]) -> pa.RecordBatch:
    """Return rows with their content alone; every other column is empty.

    Args:
        rows: of the table.
        name: the table.
        without: content columns that are to be empty too.
    """
    table = TABLES[name]
    rows = conform(rows, table)
    content = set(table.columns("content")) - NUMBERS - set(without)
    for field in table.schema:
        if field.name not in content:
            kind = field.type
            empty: Any = pa.nulls(rows.num_rows, kind)
            if not field.nullable:
                value = "" if pa.types.is_string(kind) else 0
                empty = pa.repeat(pa.scalar(value, kind), rows.num_rows)
            rows = with_column(rows, field.name, empty)
    batches = rows.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], rows.schema)


def digests(rows: dict[str, pa.Table], without: Collection[str]) -> NDArray[np.void]:
    """Return a digest of what each label says, shape (n,).

    Args:
        rows: of both families, aligned.
        without: content columns that do not count.
    """
    both = [leaves(TABLES[name], bare(rows[name], name, without)) for name in FAMILY]
    joined = np.ascontiguousarray(np.concatenate(both, axis=1))
    return joined.view(f"V{joined.shape[1]}").reshape(-1)
