"""What a difference is: counts, labels, items, and what they are told as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from labelstore.changes.classes import ClassEdit

CHANGES = ("added", "removed", "changed", "provenance")


@dataclass
class Counts:
    """How many rows came, went, changed, or changed in who wrote them or in order only."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    provenance: int = 0

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return bool(self.added or self.removed or self.changed or self.provenance)

    @property
    def content(self) -> int:
        """Return how many rows differ in what they say."""
        return self.added + self.removed + self.changed


@dataclass
class Diff:
    """What differs between two versions.

    Attributes:
        tables: counts by table; `annotations` counts a label once, whichever of its two rows
            changed; `geometries` is part of it.
        columns: how many labels differ in each column.
        meanings: how many labels changed in what way, such as `moved`; see `meaning.WORDS`.
        labels: one row per label that differs: layer, item_id, annotation_id, change,
            category_before, category_after (null for none), meanings (of a changed one),
            activity_id (that last wrote it, of one that is there after); of one that was found
            again under another number that number, and by which agreement.
        items: one row per item that differs: item_id, change.
        moves: one row per item whose place in a split differs: scheme, item_id, the subsets
            before and after (null for none).
        classes: what happened to classes.
        merged: classes that became others as a whole; their labels count as such, and not as
            reclassified.
    """

    tables: dict[str, Counts]
    columns: Mapping[str, int]
    meanings: Mapping[str, int]
    labels: pa.Table
    items: pa.Table
    moves: pa.Table
    classes: Sequence[ClassEdit] = ()
    merged: Mapping[int, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Say whether anything differs but provenance tables."""
        return any(counts for counts in self.tables.values())

    def of(self, labels: pa.Table) -> Diff:
        """Return the difference of some of its labels alone; columns are not known of them."""
        change = np.asarray(labels.column("change"))
        tally = Counts(**{name: int(np.sum(change == name)) for name in CHANGES})
        said = pc.value_counts(pc.list_flatten(labels.column("meanings"))).to_pylist()
        words = sorted(((c["values"], c["counts"]) for c in said), key=lambda entry: -entry[1])
        return replace(self, tables={"annotations": tally}, columns={}, meanings=dict(words),
                       labels=labels, items=self.items.slice(0, 0), moves=self.moves.slice(0, 0),
                       classes=(), merged={})  # fmt: skip


LABELS = pa.schema(
    [
        ("layer", pa.string()),
        ("item_id", pa.int64()),
        ("annotation_id", pa.int64()),
        ("change", pa.string()),
        ("category_before", pa.int64()),
        ("category_after", pa.int64()),
        ("meanings", pa.list_(pa.string())),
        ("activity_id", pa.int64()),
        ("annotation_after", pa.int64()),
        ("agreement", pa.float64()),
    ]
)
ITEMS = pa.schema([("item_id", pa.int64()), ("change", pa.string())])
MOVES = pa.schema(
    [("scheme", pa.string()), ("item_id", pa.int64()), ("before", pa.string()),
     ("after", pa.string())]
)  # fmt: skip
