"""What people give to be added: Arrow, frames or typed labels; items and classes by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.editing.casting import cast
from labelstore.changes.editing.shaping import filled
from labelstore.errors import FormatError, InvalidInput
from labelstore.geometry.rules import RULES, broken
from labelstore.model.arrow import with_column
from labelstore.model.labels import Label
from labelstore.model.labels.table import array, as_pairs
from labelstore.model.labels.table import rows as rows_of
from labelstore.model.tables import TABLES, Table
from labelstore.model.uris import normalised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

NAMES = {"items": "uri", "categories": "name"}
"""The column that tells items and classes apart for people."""
LAST = 2**31 - 1
DEFAULTS: dict[str, dict[str, Any]] = {"items": {"modality": "image"}, "categories": {}}


def as_table(given: Any) -> pa.Table:
    """Return what was given as a table.

    Args:
        given: Arrow table or batch, a frame that speaks Arrow's C stream (pandas, polars, DuckDB),
            a list of typed labels, or a list of mappings.

    Raises:
        InvalidInput: it is nothing of these.
        FormatError: typed labels have shapes that nobody can read; with every one.
    """
    rows = _read(given)
    twice = [n for n, count in Counter(rows.column_names).items() if count > 1]
    if twice:
        raise InvalidInput(f"columns given twice: {', '.join(twice)}", code="edit-column")
    return rows


def _read(given: Any) -> pa.Table:
    if isinstance(given, pa.Table):
        return _without_index(given)
    if isinstance(given, pa.RecordBatch):
        return pa.Table.from_batches([given])
    is_frame = hasattr(given, "columns") or isinstance(given, pa.RecordBatchReader)
    if is_frame and hasattr(given, "__arrow_c_stream__"):
        try:
            return _without_index(pa.table(given))
        except (pa.ArrowException, TypeError, ValueError) as error:
            said = f"this {type(given).__name__} cannot be read as columns: {error}"
            raise InvalidInput(said, code="edit-type") from error
    if isinstance(given, Sequence) and all(isinstance(g, Label) for g in given):
        return _whole(given)
    if isinstance(given, Sequence) and all(isinstance(g, Mapping) for g in given):
        names = dict.fromkeys(str(name) for row in given for name in row)
        columns = {name: _listed(name, [row.get(name) for row in given]) for name in names}
        return pa.table(columns)
    hint = {"dict": "; a dict of columns: pyarrow.table(it)", "LazyFrame": ": .collect() it first"}
    raise InvalidInput(
        f"cannot add a {type(given).__name__}{hint.get(type(given).__name__, '')}: give an Arrow "
        "table, a pandas or polars frame, or a list of labels such as `Box(...)`",
        code="edit-type",
    )


def _without_index(rows: pa.Table) -> pa.Table:
    """Return rows without the column that pandas makes of an index that has no name."""
    names = enumerate(rows.column_names)
    return rows.select([at for at, name in names if not name.startswith("__index_level_")])


def _whole(labels: Sequence[Label]) -> pa.Table:
    """Return typed labels as rows; their shapes keep the rules that a table may break."""
    rows = rows_of(labels)
    shapes = filled(TABLES["geometries"], rows)
    faults = [
        (int(place), f"label {place} ({labels[place].item}), {rule.shape}: "
         f"{_shortened(shapes.column(rule.shape)[int(place)])} breaks {rule.code} ({rule.words})")
        for rule in RULES if rule.severity == "error" for place in broken(rule, shapes)
    ]  # fmt: skip
    if faults:
        raise FormatError("labels", [said for _, said in sorted(faults)], code="label-broken")
    return rows


def _shortened(value: pa.Scalar) -> str:
    text = str(value.as_py())
    return text if len(text) <= 80 else f"{text[:77]}..."


def with_attributes(rows: pa.Table) -> pa.Table:
    """Return rows whose attributes are Arrow's maps where a frame has them as structs."""
    at = rows.schema.get_field_index("attributes")
    if at < 0 or not pa.types.is_struct(rows.schema.field(at).type):
        return rows
    values = rows.column(at).to_pylist()
    said = [None if v is None else {k: i for k, i in v.items() if i is not None} for v in values]
    return with_column(rows, "attributes", _listed("attributes", said))


def _listed(name: str, values: Sequence[Any]) -> pa.Array:
    """Return what mappings say of a column; attributes by name become Arrow's maps."""
    if name != "attributes" or not any(isinstance(v, Mapping) for v in values):
        return array(str(name), values)
    pairs = [as_pairs(v) if isinstance(v, Mapping) else v for v in values]
    return array(name, pairs, pa.map_(pa.string(), pa.string()))


def new_rows(
    table: Table, manifest: Manifest, given: Any, ids: NDArray[np.int64], activity_id: int
) -> pa.Table:
    """Return rows of new items or classes.

    Args:
        table: `items` or `categories`.
        manifest: what the store has.
        given: see `as_table`; a table, by now.
        ids: shape (n,), one for each.
        activity_id: who adds them.

    Raises:
        InvalidInput: a column is unknown or not for people, or a name is missing or there already.
    """
    own = table.id_column
    people = [n for n in table.columns("content") if n != own]
    unknown = [n for n in given.column_names if n not in people]
    if unknown:
        raise InvalidInput(
            f"unknown columns of {table.name}: {', '.join(unknown)}. "
            f"These can be given: {', '.join(people)}.",
            code="edit-column",
        )
    given = _normalised(given)
    _refuse_names(table, manifest, given)
    for name, value in DEFAULTS[table.name].items():
        said = name in given.column_names
        known = given.column(name) if said else pa.nulls(given.num_rows, pa.string())
        known = cast(known, table.schema.field(name))
        given = with_column(given, name, pc.fill_null(known, value))
    if table.name == "categories" and "position" not in given.column_names:
        places = manifest.table(table, ["position"]).column(0).to_pylist()
        first = min(1 + max(places, default=-1), LAST - given.num_rows)
        given = with_column(given, "position", first + np.arange(given.num_rows, dtype=np.int32))
    given = with_column(given, own, ids)
    given = with_column(given, "changed_in", np.full(len(ids), activity_id))
    rows = filled(table, given)
    nowhere = pa.array([[]] * len(ids), table.schema.field("sources").type)
    return with_column(rows, "sources", nowhere)


def _normalised(given: pa.Table) -> pa.Table:
    """Return items whose URIs are as imports write them."""
    if "uri" not in given.column_names or not _is_text(given.column("uri").type):
        return given
    uris = [None if u is None else normalised(u) for u in given.column("uri").to_pylist()]
    return with_column(given, "uri", pa.array(uris, pa.string()))


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view
    return pa.types.is_null(kind) or any(is_kind(kind) for is_kind in text)


def _refuse_names(table: Table, manifest: Manifest, given: pa.Table) -> None:
    """Refuse rows without a name, or with one that is taken."""
    key = NAMES[table.name]
    if key in given.column_names and not _is_text(given.column(key).type):
        raise InvalidInput(f"`{key}` of {table.name} must be text", code="edit-type")
    names = given.column(key).to_pylist() if key in given.column_names else [None] * len(given)
    if None in names:
        raise InvalidInput(
            f"row {names.index(None)} of {table.name} has no `{key}`", code="edit-column"
        )
    there = set(manifest.table(table, [key]).column(0).to_pylist())
    taken = [name for name in dict.fromkeys(names) if name in there]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    for found, said in ((taken, "in the store already"), (repeated, "given more than once")):
        if found:
            more = f", and {len(found) - 1} more are" if found[1:] else ""
            message = f"{table.name}: {found[0]!r} is {said}{more}"
            raise InvalidInput(message, code="edit-name")
