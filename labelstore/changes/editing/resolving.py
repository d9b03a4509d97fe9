"""Items and classes of rows set by hand: named, or given by id; either must be in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from labelstore.errors import InvalidInput, NotFound
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES, Table
from labelstore.versions.manifest import Manifest

NAMED = {
    "uri": ("items", "item_id", "item"),
    "category": ("categories", "category_id", "class"),
}
"""Column of a name, with the table, the id and the word for what it names."""
REFERRED = {
    "item_id": ("items", "item"),
    "category_id": ("categories", "class"),
    "dataset_id": ("datasets", "data set"),
}
"""Column of an id, with the table that must have it and the word for what it means."""
ENDS = ("from_id", "to_id")
"""Columns of the labels that a relation joins."""
IDS = frozenset({*REFERRED, "track_id", "group_id", "parent_annotation_id"})
"""Columns of ids that rows may be given with."""
NEVER_SET = frozenset({"number_style"})
"""How a source wrote its numbers: nothing that a hand can know."""
OURS = frozenset(
    {"annotation_id", "row_hash", "geometry_hash", "created_in", "changed_in",
     "xmin", "ymin", "xmax", "ymax"}
)  # fmt: skip
"""Columns that the store fills itself."""


def resolved(manifest: Manifest, rows: pa.Table) -> pa.Table:
    """Return rows with `item_id` and `category_id` in place of `uri` and `category`.

    Raises:
        InvalidInput: a column is unknown, there twice, or missing; a name means several things.
        NotFound: an item or class is not in the store.
    """
    _refuse_columns(rows.column_names)
    if not {"item_id", "uri"} & set(rows.column_names):
        raise InvalidInput("rows to add need `item_id` or `uri`", code="edit-column")
    return named(manifest, rows)


def named(manifest: Manifest, rows: pa.Table) -> pa.Table:
    """Return rows with ids in place of names, all of them in the store.

    Raises:
        NotFound: an item, class or data set is not in the store.
    """
    for column, (_, id_column, _) in NAMED.items():
        if column in rows.column_names:
            names = texts(rows.column(column), column)
            ids = named_ids(manifest, column, names)
            rows = with_column(rows.drop_columns(column), id_column, ids)
    for name in IDS & set(rows.column_names):
        rows = with_column(rows, name, whole_numbers(rows.column(name), name))
    for id_column in REFERRED.keys() & set(rows.column_names):
        refuse_unknown_ids(manifest, id_column, rows.column(id_column))
    return rows


def texts(names: pa.ChunkedArray, column: str) -> list[str | None]:
    """Return names as Python text.

    Raises:
        InvalidInput: they are none.
    """
    kind = names.type.value_type if pa.types.is_dictionary(names.type) else names.type
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
            pa.types.is_null)  # fmt: skip
    if not any(is_kind(kind) for is_kind in text):
        raise InvalidInput(f"column {column!r} needs names, and is {kind}", code="edit-type")
    found: list[str | None] = names.to_pylist()
    return found


def named_ids(manifest: Manifest, column: str, names: Sequence[str | None]) -> pa.Array:
    """Return the ids of items by URI, or of classes by name; a null name stays null."""
    table, id_column, noun = NAMED[column]
    key = "uri" if column == "uri" else "name"
    rows = manifest.table(TABLES[table], [key, id_column])
    listed = rows.column(key).to_pylist()
    known = dict(zip(listed, rows.column(id_column).to_pylist(), strict=True))
    wanted = set(names) - {None}
    _refuse_unknown(noun, [repr(n) for n in wanted if n not in known])
    count = Counter(listed)
    several = sorted(str(n) for n in wanted if count[n] > 1)
    if several:
        raise InvalidInput(
            f"several of the store's {table} are called {several[0]!r}: give `{id_column}`",
            code=f"{noun}-ambiguous",
        )
    return pa.array([None if n is None else known[n] for n in names], pa.int64())


def refuse_unknown_ids(
    manifest: Manifest, id_column: str, ids: pa.Array | pa.ChunkedArray
) -> None:
    """Refuse ids that nothing in the store has; nulls are somebody else's matter."""
    table, noun = REFERRED[id_column]
    ids = whole_numbers(ids, id_column)
    known = np.asarray(manifest.table(TABLES[table], [id_column]).column(0))
    given = np.unique(np.asarray(ids.drop_null()))
    _refuse_unknown(noun, [str(n) for n in given[~np.isin(given, known)].tolist()])


def whole_numbers(ids: pa.Array | pa.ChunkedArray, name: str) -> pa.Array | pa.ChunkedArray:
    """Return ids as int64; floats, as pandas makes them beside a gap, only where none is rounded.

    Raises:
        InvalidInput: they are no whole numbers, or too large to be told apart.
    """
    kind = ids.type.value_type if pa.types.is_dictionary(ids.type) else ids.type
    if pa.types.is_floating(kind):
        largest = np.nanmax(np.abs(np.asarray(ids.cast(pa.float64())).astype(float)), initial=0.0)
        if largest >= 2**53:
            raise InvalidInput(
                f"column {name!r} has ids as floats, which are rounded at that size: give whole "
                "numbers (in pandas: `Int64`)",
                code="edit-type",
            )
    elif not pa.types.is_integer(kind) and not pa.types.is_null(kind):
        raise InvalidInput(f"column {name!r} needs ids, and is {kind}", code="edit-type")
    try:
        return ids.cast(pa.int64())
    except pa.ArrowException as error:
        said = f"column {name!r} needs ids, which are whole numbers: {error}"
        raise InvalidInput(said, code="edit-type") from error


def refuse_unknown_labels(manifest: Manifest, ends: Sequence[pa.ChunkedArray]) -> None:
    """Refuse columns of ids of which no label of any layer has one; a null one too.

    Only parts whose range of ids holds one of them are opened.
    """
    ends = [whole_numbers(ids, name) for name, ids in zip(ENDS, ends, strict=True)]
    if any(ids.null_count for ids in ends):
        raise InvalidInput("relations need the ids of two labels each", code="edit-type")
    left = np.unique(np.concatenate([np.asarray(ids) for ids in ends]))
    for part in manifest.parts_of("annotations"):
        if ((left >= part.min_id) & (left <= part.max_id)).any():
            there = np.asarray(manifest.read(part, ["annotation_id"]).column(0))
            left = left[~np.isin(left, there)]
    _refuse_unknown("label", [str(n) for n in left.tolist()])


def refuse_columns(table: Table, names: Sequence[str], named: Collection[str] = ()) -> None:
    """Refuse columns of tracks and relations that people cannot give.

    Raises:
        InvalidInput: with all of them, and those that can be given.
    """
    known = [*named, *(n for n in table.columns("content") if n != table.id_column)]
    unknown = [n for n in names if n not in known]
    both = [f"{c} and {i}" for c, (_, i, _) in NAMED.items() if {c, i} <= set(names)]
    if unknown or both:
        said = f"unknown columns of {table.name}: {', '.join(unknown)}" if unknown else (
            f"columns given twice: {', '.join(both)}")  # fmt: skip
        raise InvalidInput(f"{said}. These can be given: {', '.join(known)}.", code="edit-column")


def _refuse_unknown(noun: str, missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise NotFound(
            f"the store has no {noun} {', '.join(sorted(missing)[:5])}{more}",
            code=f"{noun}-unknown",
        )


def _refuse_columns(names: Sequence[str]) -> None:
    known = {n for name in FAMILY for n in TABLES[name].schema.names} | NAMED.keys()
    known -= NEVER_SET
    ours = sorted(OURS & set(names))
    if ours:
        raise InvalidInput(
            f"the store fills {', '.join(ours)} itself: leave {'them' if ours[1:] else 'it'} out",
            code="edit-column",
        )
    unknown = [n for n in names if n not in known]
    if unknown:
        raise InvalidInput(f"unknown columns: {', '.join(unknown)}", code="edit-column")
    repeated = [n for n, count in Counter(names).items() if count > 1]
    both = [f"{c} and {i}" for c, (_, i, _) in NAMED.items() if {c, i} <= set(names)]
    if repeated or both:
        raise InvalidInput(
            f"columns given twice: {', '.join([*repeated, *both])}", code="edit-column"
        )
