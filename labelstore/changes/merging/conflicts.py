"""Conflicts as a table: what both sides made of a cell, who, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.merging.cells import Cells, cells_of
from labelstore.changes.summary import ClassNames, class_names, item_names
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.versions.agents import agent_names

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest

Row = dict[str, Any]
WHOLE = "row"
"""Stands for a cell where one side removed what the other changed."""
REVIEWED = ("accepted", "rejected", "gold")
CONFLICTS = pa.schema(
    [
        ("table", pa.string()),
        ("partition", pa.string()),
        ("item_id", pa.int64()),
        ("item", pa.string()),
        ("id", pa.int64()),
        ("class", pa.string()),
        ("cell", pa.string()),
        ("base", pa.string()),
        ("ours", pa.string()),
        ("theirs", pa.string()),
        *[(f"{side}_{what}", kind) for what, kind in
          (("by", pa.string()), ("at", pa.timestamp("us", "UTC")), ("reviewed", pa.bool_()))
          for side in ("ours", "theirs")],
        ("take", pa.string()),
    ]
)  # fmt: skip
"""A row for each: where it is (`item` is the URI of the item, `class`
that of the label on the base or on ours), the three values as JSON, who
wrote each side's and when, whether a reviewer did, and which side is taken (`ours`, `theirs`, or
null while nobody has said)."""


@dataclass(frozen=True)
class Authors:
    """Who wrote the rows of one side.

    Attributes:
        base: what the side began from.
        known: names of people by pseudonym.
    """

    base: Manifest
    side: Manifest
    known: Mapping[str, str]

    @cached_property
    def activities(self) -> dict[int, Row]:
        """Return the activities of the side, each with its agent's name as `by`."""
        agents = agent_names(self.side, self.known)
        rows = self.side.table(TABLES["activities"]).to_pylist()
        for row in rows:
            row["by"] = agents.get(row["agent_id"], "")
        return {row["activity_id"]: row for row in rows}

    def of(self, row: Row, base: Row) -> Row:
        """Return who wrote a row, and when; of one that is gone those who may have removed it."""
        own = [self.activities[n] for n in [row.get("changed_in")] if n in self.activities]
        if row.get("changed_in") is None:
            own = [a for n, a in self.activities.items() if n not in self._before]
        names = dict.fromkeys(a["by"] for a in own)
        reviewed = [a["kind"] == "review" for a in own] or [False]
        return {
            "by": " or ".join(names),
            "at": own[0]["ended_at"] if len(own) == 1 else None,
            "reviewed": all(reviewed) or _newly_reviewed(row, base),
        }

    @cached_property
    def _before(self) -> set[int]:
        column = self.base.table(TABLES["activities"], ["activity_id"]).column(0)
        return set(column.to_pylist())


@dataclass(frozen=True)
class Context:
    """What conflicts are told with: names of classes and items, and who wrote each side."""

    names: ClassNames
    ours: Authors
    theirs: Authors

    def author(self, row: Mapping[str, Any]) -> str:
        """Return who last wrote a row, on either side; empty where nobody knows."""
        known = {**self.theirs.activities, **self.ours.activities}
        activity = known.get(row.get("changed_in") or 0)
        return "" if activity is None else str(activity["by"])

    def items(self, ids: pa.Array) -> dict[int, str]:
        """Return the URI of items, else their number."""
        return item_names(ids, self.theirs.side, self.ours.side)

    @classmethod
    def of(
        cls, base: Manifest, ours: Manifest, theirs: Manifest, known: Mapping[str, str]
    ) -> Context:
        """Return it for three versions; see `Authors.known`."""
        sides = (Authors(base, side, known) for side in (ours, theirs))
        return cls(class_names(base, theirs, ours), *sides)


def conflicts_of(cells: Cells, context: Context) -> pa.Table:
    """Return the conflicts of rows, in the order of the rows."""
    found = sorted(_places(cells), key=lambda place: place[0])
    at = np.unique(np.array([row for row, _ in found], np.int64))
    sides = [_by_place(rows, at) for rows in (cells.base, cells.ours, cells.theirs)]
    columns = cells_of(cells.unit)
    listed = [
        _conflict(cells, cell, columns.get(cell), [side[row] for side in sides], context)
        for row, cell in found
    ]
    return _with_items(pa.Table.from_pylist(listed, schema=CONFLICTS), context)


def _with_items(conflicts: pa.Table, context: Context) -> pa.Table:
    column = conflicts.column("item_id").combine_chunks()
    names = context.items(pc.unique(column.drop_null())) if conflicts.num_rows else {}
    uris = pa.array([names.get(i) for i in column.to_pylist()], pa.string())
    return with_column(conflicts, "item", uris)


def _places(cells: Cells) -> Iterator[tuple[int, str]]:
    """Yield row and cell of each conflict."""
    here = cells.in_ours & cells.in_theirs
    for cell, changes in cells.content.items():
        yield from ((int(row), cell) for row in np.flatnonzero(changes.both & here))
    yield from ((int(row), WHOLE) for row in np.flatnonzero(cells.removed_and_changed))


def _by_place(rows: pa.Table, at: Sequence[int] | np.ndarray[Any, Any]) -> dict[int, Row]:
    taken = rows.take(pa.array(at, pa.int64())).to_pylist(maps_as_pydicts="lossy")
    return dict(zip((int(n) for n in at), taken, strict=True))


def _conflict(
    cells: Cells, cell: str, columns: Sequence[str] | None, rows: Sequence[Row], context: Context
) -> Row:
    unit, there = cells.unit, next(r for r in rows[1:] if r[cells.unit.id_column] is not None)
    found: Row = {
        "table": unit.tables[0].name, "partition": unit.partition, "cell": cell,
        "item_id": there.get("item_id"), "id": there[unit.id_column],
        "class": _class(rows, context.names),
    }  # fmt: skip
    for side, row in zip(("base", "ours", "theirs"), rows, strict=True):
        if columns is None:
            found[side] = _whole(cells, row, rows, context.names)
        else:
            found[side] = _text(columns, row, rows, context.names)
    for side, authors, row in zip(("ours", "theirs"), (context.ours, context.theirs), rows[1:],
                                  strict=True):  # fmt: skip
        known = authors.of(row, rows[0])
        found |= {f"{side}_{what}": value for what, value in known.items()}
    return found


def _newly_reviewed(row: Row, base: Row) -> bool:
    """Say whether a side reviewed a label, and not only edited one that was reviewed before."""
    state = row.get("review_state")
    return state in REVIEWED and state != base.get("review_state")


def _class(rows: Sequence[Row], names: ClassNames) -> str | None:
    """Return the class of a label, as it was where it was there."""
    known = next((r for r in rows if r.get("category_id") is not None), None)
    return None if known is None else names[known["category_id"]]


def _whole(cells: Cells, row: Row, rows: Sequence[Row], names: ClassNames) -> str:
    """Return what a side did to a row as JSON: the cells that it changed, or that it is gone."""
    if row[cells.unit.id_column] is None:
        return json.dumps("removed")
    changed = {
        cell: json.loads(_text(columns, row, (rows[0], row), names))
        for cell, columns in cells_of(cells.unit).items()
        if any(row[c] != rows[0][c] for c in columns)
    }
    return json.dumps(changed or None)


def _text(columns: Sequence[str], row: Row, rows: Sequence[Row], names: ClassNames) -> str:
    """Return the value of a cell as JSON: of several columns those in which any side differs."""
    apart = [c for c in columns if any(other[c] != rows[0][c] for other in rows)]
    values = {c: names[row[c]] if c == "category_id" else row[c] for c in apart}
    value = next(iter(values.values())) if len(columns) == 1 else values
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> str:
    return f"{len(value):,} bytes" if isinstance(value, bytes) else str(value)
