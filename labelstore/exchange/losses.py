"""The gate for losses: what a format cannot hold is told, and refused until it is accepted."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, LossRefused
from labelstore.exchange.notices import NOUNS, meanings
from labelstore.model.tables import TABLES
from labelstore.plugins import Format

SIDECAR = "; a sidecar beside the export then keeps what is left out, for an import to put back"
USUAL = {
    "modality": pa.array(["image"]),
    "labelled_state": pa.array(["labelled", "unlisted"]),
}
"""What items are where nothing else is said."""


def accepted(
    found: Mapping[str, int], converter: Format, allow_loss: Collection[str]
) -> dict[str, int]:
    """Return losses by code, all of them accepted.

    Raises:
        LossRefused: some are not; a line each.
    """
    begin = f"{converter.name}-drops-"
    strange = [
        c for c in allow_loss if c and c != "all" and not c.startswith(f"{converter.name}-")
    ]
    if strange:
        raise InvalidInput(
            f"--allow-loss {','.join(strange)}: codes of losses begin with {converter.name}-",
            code="loss-unknown",
        )
    refused = {c: n for c, n in found.items() if c not in allow_loss and "all" not in allow_loss}
    if refused:
        nouns = {c: NOUNS[c.removeprefix(begin).rpartition(".")[0]] for c in refused}
        width = max(map(len, refused))
        said = {**nouns, **meanings(converter)}
        told = [f"  {code:{width}}  {count:,} {said[code]}" for code, count in refused.items()]
        raise LossRefused(
            "\n".join([f"{converter.name} cannot hold all of this; nothing was written:", *told])
            + f"\nTo go on, pass --allow-loss {','.join(refused)} (or: all)"
            + ("" if converter.refers else SIDECAR)
        )
    return dict(found)


def column_losses(name: str, rows: pa.Table, held: Collection[str]) -> dict[str, int]:
    """Return how many items or classes say something in a column that a format does not hold."""
    table = TABLES[name]
    columns = set(table.columns("content")) - {table.id_column, "position", *held}
    counts = {column: _said(rows.column(column)) for column in columns}
    return {f"{name}.{column}": counts[column] for column in sorted(counts) if counts[column]}


def _said(column: pa.ChunkedArray) -> int:
    """Return how many values are there; an empty list says nothing."""
    if pa.types.is_list(column.type):
        return int(pc.sum(pc.greater(pc.list_value_length(column), 0)).as_py() or 0)
    return int(len(column) - column.null_count)


def unsaid_losses(items: pa.Table) -> dict[str, int]:
    """Return how many items say something that files of a format cannot, by column.

    Args:
        items: columns that its readers fill by themselves.
    """
    found = {}
    for name, column in zip(items.column_names, items.columns, strict=True):
        if name in USUAL:
            column = pc.if_else(pc.is_in(column, value_set=USUAL[name]), None, column)
        found[f"items.{name}"] = len(column) - column.null_count
    return {name: count for name, count in found.items() if count}
