"""Labels that are there already: chosen by a SQL condition, changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.editing.columns import NEVER_SET
from labelstore.changes.editing.shaping import changed, with_covering, with_kinds
from labelstore.changes.editing.writing import refuse_shapes, write_labels
from labelstore.changes.unlinking import unlink
from labelstore.errors import InvalidInput
from labelstore.geometry.covering import COLUMNS as COVERING
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.query.sandbox import query
from labelstore.versions.manifest import Manifest
from labelstore.versions.stage import Draft, removals

KEYS = ("layer", "item_id", "annotation_id")
FIXED = {*KEYS, *NEVER_SET, "row_hash", "geometry_hash", "created_in", "changed_in", *COVERING,
         "reviewed_by", "reviewed_at"}  # fmt: skip


def refuse_unsettable(names: Sequence[str]) -> None:
    """Refuse columns that an update cannot set.

    Raises:
        InvalidInput: with those that can be set.
    """
    known = {n for name in FAMILY for n in TABLES[name].schema.names} - FIXED | {"category"}
    if not names or {"category", "category_id"} <= set(names):
        raise InvalidInput(
            "set `category` or `category_id`, not both" if names else "`set` is empty",
            code="edit-column",
        )
    for name in names:
        if name not in known:
            raise InvalidInput(
                f"column {name!r} cannot be set; these can: {', '.join(sorted(known))}",
                code="edit-column",
            )


def literal(value: Any) -> str:
    """Return SQL for what a column is set to: text is SQL already.

    Raises:
        InvalidInput: it is neither SQL nor a number, a truth value or None.
    """
    if isinstance(value, str):
        return value
    value = value.item() if isinstance(value, np.generic) else value
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value).upper()
    if isinstance(value, float):
        return f"'{value!r}'::DOUBLE"
    raise InvalidInput(
        f"cannot set a {type(value).__name__}: give SQL as text, a number, a truth value or None",
        code="edit-type",
    )


def selected(
    manifest: Manifest,
    columns: Sequence[str],
    where: str,
    layer: str | None,
    parameters: Mapping[str, Any] | None,
    *,
    several: bool = False,
) -> pa.Table:
    """Return columns of the labels of one layer for which a condition holds; or of several.

    Raises:
        InvalidInput: it holds in several layers, none is named, and they are not asked for.
    """
    sql = f"SELECT {', '.join(columns)} FROM labels WHERE ({where}\n)"
    try:
        found = query(manifest, sql, parameters)
    except InvalidInput as error:
        raise _explained(error) from error
    if layer is not None:
        return found.filter(pc.equal(found.column("layer"), manifest.layer(layer)))
    counts = pc.value_counts(found.column("layer")).to_pylist()
    if len(counts) > 1 and not several:
        named = ", ".join(f"{c['values']} ({c['counts']:,})" for c in counts)
        raise InvalidInput(
            f"the condition holds in several layers: {named}. Pass layer=NAME.",
            code="edit-layers",
        )
    return found


def _explained(error: InvalidInput) -> InvalidInput:
    """Return an error of SQL with what people most often meant."""
    hint = ""
    if "Referenced column" in str(error):
        hint = "\nValues are SQL: a text needs quotes of its own, as in category=\"'car'\""
    return InvalidInput(f"{error}{hint}", code=error.code)


def write(draft: Draft, keys: pa.Table, values: Mapping[str, Any]) -> None:
    """Write new values into the labels of these keys.

    Args:
        draft: what changes.
        keys: layer, item and id of each label.
        values: column to its new values, one for each label. With `review_state` go reviewer and
            time; without it a review of the same activity is of what was there before.
    """
    values = {**values, **_signed(draft, values)}
    for layer in pc.unique(keys.column("layer")).to_pylist():
        own = pc.equal(keys.column("layer"), layer)
        ids = keys.filter(own).column("annotation_id").combine_chunks()
        new = {name: column.filter(own) for name, column in values.items()}
        rows = {name: _rows(draft.manifest, name, layer, ids) for name in FAMILY}
        rows = {name: changed(TABLES[name], table, new) for name, table in rows.items()}
        stamp = pa.repeat(draft.activity_id, len(ids))
        annotations = with_column(rows["annotations"], "changed_in", stamp)
        if "review_state" not in values:
            annotations = with_column(annotations, "reviewed_at", _before(draft, annotations))
        if set(values) & set(TABLES["geometries"].schema.names):
            annotations = _follows(annotations, rows["geometries"], keep_kind="kind" in values)
            write_labels(draft, annotations, rows["geometries"])
        else:
            write_labels(draft, annotations, None)


def _before(draft: Draft, rows: pa.Table) -> pa.Array:
    """Return the times of reviews, without those of this activity: what it reviewed changes."""
    times = rows.column("reviewed_at").combine_chunks()
    own = pc.equal(times, pa.scalar(draft.started, times.type)).fill_null(False)
    return pc.if_else(own, pa.scalar(None, times.type), times)


def _signed(draft: Draft, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return who reviews and when, where a state of review is written; none takes it back."""
    if "review_state" not in values:
        return {}
    own = pc.is_valid(values["review_state"])
    nobody, never = pa.scalar(None, pa.int64()), pa.scalar(None, pa.timestamp("us", "UTC"))
    return {
        "reviewed_by": pc.if_else(own, pa.scalar(draft.agent_id), nobody),
        "reviewed_at": pc.if_else(own, pa.scalar(draft.started, never.type), never),
    }


def _follows(annotations: pa.Table, shapes: pa.Table, *, keep_kind: bool) -> pa.Table:
    """Return labels with what follows from their new shapes."""
    refuse_shapes(shapes)
    unwritten = pa.nulls(annotations.num_rows, pa.string())
    annotations = with_column(annotations, "number_style", unwritten)
    return with_covering(annotations if keep_kind else with_kinds(annotations, shapes), shapes)


def _rows(manifest: Manifest, name: str, layer: str, ids: pa.Array) -> pa.Table:
    """Return the rows of these ids, in their order."""
    wanted = np.asarray(ids)
    found = []
    for part in manifest.parts_of(name, layer):
        if ((wanted >= part.min_id) & (wanted <= part.max_id)).any():
            rows = manifest.read(part)
            found.append(rows.filter(pc.is_in(rows.column("annotation_id"), value_set=ids)))
    rows = pa.concat_tables(found)
    there = np.asarray(rows.column("annotation_id").combine_chunks())
    order = np.argsort(there)
    return rows.take(pa.array(order[np.searchsorted(there[order], wanted)])).combine_chunks()


def delete(draft: Draft, keys: pa.Table) -> None:
    """Delete labels, with their relations.

    Args:
        draft: what changes.
        keys: layer, item and id of each label.
    """
    for layer in pc.unique(keys.column("layer")).to_pylist():
        own = keys.filter(pc.equal(keys.column("layer"), layer))
        gone = {(name, layer): removals(TABLES[name], own) for name in FAMILY}
        draft.apply(gone)
    unlink(draft, keys.column("annotation_id"))
