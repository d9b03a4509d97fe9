"""Some items that come back: names and numbers that mean nothing beside those of all others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput
from labelstore.exchange.recognising import Key, called_by, names_of
from labelstore.exchange.stating import with_sources
from labelstore.model.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray


def refuse_ambiguous(
    table: Table, existing: pa.Table, incoming: pa.Table, at: NDArray[np.int64], dataset_id: int
) -> None:
    """Refuse rows of a name that several have, where no number tells which of them is meant."""
    names = [names_of(table, rows, dataset_id) for rows in (existing, incoming)]
    called = [called_by(rows, dataset_id)[0] for rows in (existing, incoming)]
    count = Counter(name for name, own in zip(names[0], called[0], strict=True) if own)
    unclear = [
        names[1][i] for i, place in enumerate(at.tolist())
        if place >= 0 and count[names[1][i]] > 1 and not _is_same(called[1][i], called[0][place])
    ]  # fmt: skip
    if unclear:
        told = (unclear[0] or ("?",))[0]
        raise InvalidInput(
            f"{len(unclear)} of the selection's {table.name} have names that others have, such "
            f"as {told!r}, and no number tells which is meant. Export all of them, or in a format "
            "with ids, such as coco.",
            code="selection-names",
        )


def _is_same(one: Key | None, other: Key | None) -> bool:
    """Say whether a source calls two rows the same, by a number or a key."""
    return one is not None and one == other and any(part is not None for part in one)


def numbered_apart(
    table: Table, existing: pa.Table, incoming: pa.Table, new: NDArray[np.bool_], dataset_id: int
) -> pa.Table:
    """Return rows of which new ones have source ids after all others, if they have any."""
    entries = existing.column("sources").combine_chunks().flatten()
    own = entries.filter(pc.equal(entries.field("dataset_id"), dataset_id))
    last = max(pc.max(own.field("source_id")).as_py() or 0, 0)
    given = incoming.column("sources").combine_chunks().flatten().field("source_id")
    chosen = pc.and_(pa.array(new), given.is_valid())
    numbers = pc.if_else(chosen, pa.array(last + np.cumsum(new)), given)
    return with_sources(table, incoming, {"source_id": numbers})
