"""Rows of a sidecar and of its source under one numbering."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.recognising import numbered
from labelstore.exchange.stating import with_sources
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.storage.parquet import conform


class Listing:
    """Items or classes of a source and of its sidecar, as one list.

    Args:
        own: what the source calls each row.
        before: what it called each row of the sidecar; None where it did not list it.
        rows: of the source.
        kept: of the sidecar.
        extra: names that the source had beside these when it was written.
        used: numbers of the rows of the source that labels are of.

    Attributes:
        rows: those of the sidecar that the source still has or never listed, then new ones.
        ids: number in the list of each kept row of the sidecar, by its id.
        places: number in the list of each row of the source.
    """

    def __init__(
        self, own: list[str], before: list[str | None], rows: pa.Table, kept: pa.Table,
        extra: list[str | None], used: Collection[int],
    ) -> None:  # fmt: skip
        mine, theirs = numbered(own), numbered(before)
        listed = [key for key in before if key is not None]
        bare = set(numbered([*listed, *extra])[len(listed) :]) - {mine[i] for i in used}
        there = set(mine)
        stay = [key[0] is None or key in there for key in theirs]
        chosen = kept.filter(pa.array(stay, pa.bool_()))
        id_column = kept.schema.names[0]
        numbers = {id_: i for i, id_ in enumerate(chosen.column(id_column).to_pylist())}
        by_key = {
            key: i for i, key in enumerate(k for k, s in zip(theirs, stay, strict=True) if s)
        }
        new = [i for i, key in enumerate(mine) if key not in by_key and key not in bare]
        self.ids: dict[int, int] = numbers
        added = {i: len(numbers) + n for n, i in enumerate(new)}
        self.places = np.array(
            [added.get(i, by_key.get(key, -1)) for i, key in enumerate(mine)], np.int64
        )
        table = TABLES["items" if id_column == "item_id" else "categories"]
        fresh = conform(rows.take(pa.array(new, pa.int64())), table)
        fresh = mapped(fresh, {"parent_id": self.places})
        fresh = with_sources(table, fresh, {"seq": len(numbers) + np.arange(fresh.num_rows)})
        self.rows = pa.concat_tables([renumbered(chosen, {"parent_id": numbers}), fresh])


def anonymous(rows: pa.Table) -> pa.Table:
    """Return rows without agents, who are known to the store that they left."""
    for name in ("created_by", "reviewed_by"):
        rows = with_column(rows, name, pa.nulls(rows.num_rows, pa.int64()))
    return rows


def counted(rows: pa.Table) -> pa.Table:
    """Return rows with ids that count from 0."""
    return with_column(rows, rows.schema.names[0], np.arange(rows.num_rows))


def renumbered(rows: pa.Table, ids: Mapping[str, Mapping[int, int]]) -> pa.Table:
    """Return rows of the sidecar with local numbers in place of ids."""
    for name, numbers in ids.items():
        if name in rows.column_names:
            values = [numbers.get(v) for v in rows.column(name).to_pylist()]
            rows = with_column(rows, name, pa.array(values, pa.int64()))
    return rows


def mapped(rows: pa.Table, places: Mapping[str, Any]) -> pa.Table:
    """Return rows of the source with their numbers in the joined lists; negative ones stay."""
    for name, way in places.items():
        if name not in rows.column_names:
            continue
        column = rows.column(name).combine_chunks()
        numbers = np.asarray(column.fill_null(0))
        if isinstance(way, int):
            numbers = numbers + way
        elif len(way):
            numbers = np.where(numbers >= 0, way[np.maximum(numbers, 0)], numbers)
        rows = with_column(rows, name, pa.array(numbers, mask=np.asarray(column.is_null())))
    return rows


def filled(seqs: pa.ChunkedArray) -> pa.Array:
    """Return places in the source; labels that had none come last, in their order."""
    values = seqs.combine_chunks()
    bare = np.asarray(values.is_null())
    after = 1 + (pc.max(values).as_py() or 0)
    own = np.asarray(values.fill_null(0))
    return pa.array(np.where(bare, after + np.cumsum(bare) - 1, own))
