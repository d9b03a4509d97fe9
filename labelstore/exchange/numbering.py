"""Local numbers of items, classes, tracks and agents become ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Numbering:
    """How local numbers become ids.

    Attributes:
        items: id of each listed item, by local number.
        categories: id of each listed class, by local number.
        tracks: id of each track, by local number.
        agents: id of each agent, by local number.
        constants: columns of `annotations` with one value for the whole import.
        layer: the layer.
    """

    items: Ids
    categories: Ids
    tracks: Ids
    agents: Ids
    constants: Mapping[str, Any]
    layer: str


def numbered(piece: Piece, numbering: Numbering) -> tuple[list[pa.Table], Ids, Ids]:
    """Return the rows of both tables of a piece with ids for numbers, their items and their seqs.

    Items and seqs have shape (n,), in the order of the rows.

    Args:
        piece: some annotations of a source.
        numbering: ids by local number; those of unlisted items and classes stay negative.
    """
    annotations = piece.annotations.combine_chunks()
    items = _mapped(_ints(annotations, "item_id"), numbering.items)
    seqs = _ints(annotations, "seq")
    columns: dict[str, Any] = {**numbering.constants, "layer": numbering.layer, "item_id": items}
    named = {"category_id": numbering.categories, "track_id": numbering.tracks,
                "created_by": numbering.agents, "reviewed_by": numbering.agents}  # fmt: skip
    for name, ids in named.items():
        if name in annotations.column_names:
            columns[name] = _renumbered(annotations.column(name).combine_chunks(), ids)
    pairs = zip(FAMILY, (annotations, piece.geometries), strict=True)
    tables = [with_columns(rows, TABLES[name].schema, columns) for name, rows in pairs]
    return tables, items, seqs


def _ints(rows: pa.Table, name: str) -> Ids:
    return np.asarray(rows.column(name).combine_chunks())


def _mapped(numbers: Ids, ids: Ids) -> Ids:
    """Return the id of each local number; negative ones stay, they are not listed."""
    if not len(ids):
        return numbers
    return np.where(numbers >= 0, ids[np.maximum(numbers, 0)], numbers)


def _renumbered(numbers: pa.Array, ids: Ids) -> pa.Array:
    filled = _mapped(np.asarray(numbers.fill_null(0)), ids)
    return pa.array(filled, mask=np.asarray(numbers.is_null()))


def with_columns(rows: pa.Table, schema: pa.Schema, columns: Mapping[str, Any]) -> pa.Table:
    """Return the rows with some columns set: arrays, or one value for all rows.

    Args:
        rows: the rows.
        schema: says which of the columns this table has, and their types.
        columns: arrays or single values by name.
    """
    for name, value in columns.items():
        if name not in schema.names:
            continue
        field_ = schema.field(name)
        if isinstance(value, np.ndarray):
            column: Any = pa.array(value)
        elif isinstance(value, pa.Array | pa.ChunkedArray):
            column = value
        else:
            column = pa.repeat(pa.scalar(value, field_.type), rows.num_rows)
        at = rows.schema.get_field_index(name)
        rows = (
            rows.append_column(field_, column) if at < 0 else rows.set_column(at, field_, column)
        )
    return rows
