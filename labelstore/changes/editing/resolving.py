"""Items and classes of rows set by hand: named, or given by id; either must be in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from labelstore.changes.editing.columns import IDS, NAMED, REFERRED, near, refuse_given
from labelstore.errors import InvalidInput, NotFound
from labelstore.model.arrow import with_column
from labelstore.model.links import ENDS
from labelstore.model.tables import TABLES
from labelstore.model.uris import normalised
from labelstore.versions.manifest import Manifest


def resolved(manifest: Manifest, rows: pa.Table) -> pa.Table:
    """Return rows with `item_id` and `category_id` in place of `uri` and `category`.

    Raises:
        InvalidInput: a column is unknown, there twice, or missing; a name means several things.
        NotFound: an item or class is not in the store.
    """
    refuse_given(rows.column_names)
    if not {"item_id", "uri"} & set(rows.column_names):
        raise InvalidInput(
            "rows to add need `item` (a URI or an id), `uri` or `item_id`", code="edit-column"
        )
    return named(manifest, rows)


def named(manifest: Manifest, rows: pa.Table) -> pa.Table:
    """Return rows with ids in place of names, all of them in the store.

    Raises:
        NotFound: an item, class or data set is not in the store.
    """
    for column, (_, id_column, _) in NAMED.items():
        if column in rows.column_names:
            names = texts(rows.column(column), column)
            if column == "uri":
                names = [None if n is None else normalised(n) for n in names]
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
    _refuse_unknown(noun, [f"{n!r}{near(n, known)}" for n in wanted if n not in known])
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


def _refuse_unknown(noun: str, missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise NotFound(
            f"the store has no {noun} {', '.join(sorted(missing)[:5])}{more}",
            code=f"{noun}-unknown",
        )
