"""The gate for losses: what a format cannot hold is told, and refused until it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, LossRefused
from labelstore.exchange.notices import NOUNS, meanings
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Format

SIDECAR = "; a sidecar beside the export then keeps what is left out, for an import to put back"
USUAL = {
    "modality": pa.array(["image"]),
    "labelled_state": pa.array(["labelled", "unlisted"]),
}
"""What items are where nothing else is said."""


@dataclass(frozen=True)
class Loss:
    """What an export leaves out, or says otherwise.

    Attributes:
        code: stable name.
        count: how many.
        words: what is counted.
        examples: some of them, where they are known.
    """

    code: str
    count: int
    words: str
    examples: Sequence[str] = ()

    @property
    def line(self) -> str:
        """Return what it says, with an example."""
        example = f", such as {self.examples[0]}" if self.examples else ""
        return f"{self.count:,} {self.words}{example}"


def accepted(
    found: Mapping[str, int], converter: Format, allow_loss: Collection[str],
    examples: Callable[[str, int], Sequence[str]],
) -> list[Loss]:  # fmt: skip
    """Return losses, all of them accepted.

    Args:
        found: how many, by code.
        converter: what would write.
        allow_loss: codes that are accepted, or `all`.
        examples: gives some that lose a column, of so many.

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
    said = meanings(converter)
    known = {*said, *found, *(f"{begin}{column}" for column in _columns())}
    for code in allow_loss:
        if code and code != "all" and code not in known:
            close = get_close_matches(code, sorted(known), 1)
            hint = f"; is it {close[0]}?" if close else ""
            raise InvalidInput(f"--allow-loss {code}: there is no such code{hint}",
                               code="loss-unknown")  # fmt: skip
    told = []
    for code, count in found.items():
        column = code.removeprefix(begin) if code.startswith(begin) else ""
        words = said.get(code) or NOUNS[column.rpartition(".")[0]]
        told.append(Loss(code, count, words, examples(column, count) if column else ()))
    refused = [t for t in told if t.code not in allow_loss and "all" not in allow_loss]
    if refused:
        width = max(len(loss.code) for loss in refused)
        codes = ",".join(loss.code for loss in refused)
        lines = [f"  {loss.code:{width}}  {loss.line}" for loss in refused]
        raise LossRefused(
            "\n".join([f"{converter.name} cannot hold all of this; nothing was written:", *lines])
            + f"\nTo go on, pass --allow-loss {codes} (or: all)"
            + ("" if converter.refers else SIDECAR),
            losses=[asdict(loss) for loss in told],
        )
    return told


def _columns() -> Iterator[str]:
    """Yield what codes call the columns that an export may leave out."""
    for name, table in TABLES.items():
        before = "" if name in FAMILY else f"{name}."
        yield from (f"{before}{column}" for column in table.schema.names)
    for name in ("items", "categories"):
        kind = TABLES[name].schema.field("sources").type.value_type
        yield from (f"{name}.{field.name}" for field in kind)


def column_losses(name: str, rows: pa.Table, held: Collection[str]) -> dict[str, int]:
    """Return how many items or classes say something in a column that a format does not hold."""
    table = TABLES[name]
    columns = set(table.columns("content")) - {table.id_column, "position", *held}
    counts = {column: _said(column, rows.column(column)) for column in columns}
    return {f"{name}.{column}": counts[column] for column in sorted(counts) if counts[column]}


def _said(name: str, column: pa.ChunkedArray) -> int:
    """Return how many values say something: empty lists do not, nor what is so everywhere."""
    if pa.types.is_list(column.type):
        return int(pc.sum(pc.greater(pc.list_value_length(column), 0)).as_py() or 0)
    if name in USUAL:
        column = pc.if_else(pc.is_in(column, value_set=USUAL[name]), None, column)
    return int(len(column) - column.null_count)
