"""Edits: rows added from Arrow, changed or deleted where a SQL condition holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, NotFound
from labelstore.geometry.covering import COLUMNS as COVERING
from labelstore.geometry.covering import covering_boxes
from labelstore.model.tables import FAMILY, TABLES, Table
from labelstore.query.sandbox import query
from labelstore.storage.rewriting import Edits
from labelstore.versions.stage import Draft, removals

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEYS = ("layer", "item_id", "annotation_id")
FIXED = {*KEYS, "row_hash", "geometry_hash", "created_in", "changed_in", *COVERING}
CONSEQUENCES = {
    "box": ("polygons", "mask", "area"),
    "polygons": ("box", "box_form", "area"),
    "mask": ("box", "box_form", "area"),
    "keypoints": ("num_keypoints",),
}
"""What a source said of a shape and no longer holds when the shape is set by hand."""


class Edit:
    """Edits of one activity; see `Store.edit`.

    Args:
        draft: what they change.
        default_layer: layer of added rows that name none.
    """

    def __init__(self, draft: Draft, default_layer: str) -> None:
        self._draft = draft
        self._default_layer = default_layer
        self._calls = 0

    def add(self, rows: pa.Table) -> NDArray[np.int64]:
        """Add annotations and return their ids.

        Args:
            rows: columns of `annotations` and `geometries` in any number; items by `item_id` or
                `uri`, classes by `category_id` or `category` (a name). `layer` and `kind` may be
                left out.

        Raises:
            InvalidInput: a column is unknown, or an item or class is not in the store.
        """
        rows = self._resolved(rows)
        content = _digest(rows)
        self._draft.distinguish(content)
        self._calls += 1
        ids = self._draft.block(f"rows {self._calls} {content}").take(rows.num_rows)
        number = self._draft.activity_id
        constant = pa.repeat(number, rows.num_rows)
        rows = _set(rows, "annotation_id", pa.array(ids))
        rows = _set(_set(rows, "created_in", constant), "changed_in", constant)
        if "layer" not in rows.column_names:
            rows = _set(rows, "layer", pa.repeat(self._default_layer, rows.num_rows))
        shapes = _filled(TABLES["geometries"], rows)
        if "kind" not in rows.column_names:
            rows = _set(rows, "kind", _kinds(shapes))
        self._apply(_with_covering(_filled(TABLES["annotations"], rows), shapes), shapes)
        return ids

    def add_boxes(
        self,
        *,
        uri: str,
        category: str,
        boxes: Sequence[tuple[float, float, float, float]],
        layer: str | None = None,
    ) -> NDArray[np.int64]:
        """Add boxes of one class to one item, and return their ids.

        Args:
            uri: the item.
            category: name of the class.
            boxes: x, y, width, height in pixels.
            layer: the layer; the default one otherwise.
        """
        members = [{f"v{i}": float(v) for i, v in enumerate(box)} for box in boxes]
        kind = TABLES["geometries"].schema.field("box").type
        count = len(members)
        return self.add(
            pa.table(
                {
                    "layer": pa.array([layer or self._default_layer] * count),
                    "uri": pa.array([uri] * count),
                    "category": pa.array([category] * count),
                    "box": pa.array(members, kind),
                    "box_form": pa.array(["xywh"] * count),
                }
            )
        )

    def update(
        self,
        *,
        where: str,
        set: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
    ) -> int:
        """Change columns of the labels for which a condition holds, and return how many.

        Args:
            where: SQL condition over the columns of `labels`.
            set: column to SQL expression over the row; `category` takes a class's name in quotes.
            parameters: values of `$name` parameters in both.

        Raises:
            InvalidInput: a column cannot be set, or the SQL is wrong.

        Example:
            >>> state = {"review_state": "'rejected'"}
            >>> edit.update(where="score < 0.2", set=state)  # doctest: +SKIP
        """
        self._settable(set)
        self._draft.distinguish(f"update {where} {sorted(set.items())} {parameters}")
        names = [n for n in set if n != "category"]
        chosen = [f"({set[n]}) AS new_{n}" for n in names]
        if "category" in set:
            chosen.append(f"({set['category']}) AS new_category")
        columns = ", ".join([*KEYS, *chosen])
        found = query(
            self._draft.manifest, f"SELECT {columns} FROM labels WHERE ({where})", parameters
        )
        if not found.num_rows:
            return 0
        values = {n: found.column(f"new_{n}") for n in names}
        if "category" in set:
            values["category_id"] = self._category_ids(found.column("new_category").to_pylist())
        self._write(found.select(list(KEYS)), values)
        return int(found.num_rows)

    def delete(self, *, where: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Delete the labels for which a condition holds, and return how many.

        Args:
            where: SQL condition over the columns of `labels`.
            parameters: values of its `$name` parameters.
        """
        self._draft.distinguish(f"delete {where} {parameters}")
        sql = f"SELECT {', '.join(KEYS)} FROM labels WHERE ({where})"
        found = query(self._draft.manifest, sql, parameters)
        for layer in pc.unique(found.column("layer")).to_pylist():
            keys = found.filter(pc.equal(found.column("layer"), layer))
            gone = {(name, layer): removals(TABLES[name], keys) for name in FAMILY}
            self._draft.apply(gone)
        return int(found.num_rows)

    def _settable(self, set: Mapping[str, Any]) -> None:
        known = {n for name in FAMILY for n in TABLES[name].schema.names} - FIXED | {"category"}
        for name in set:
            if name not in known:
                raise InvalidInput(
                    f"column {name!r} cannot be set; these can: {', '.join(sorted(known))}",
                    code="edit-column",
                )

    def _write(self, keys: pa.Table, values: Mapping[str, Any]) -> None:
        """Write new values into the rows of these keys."""
        for layer in pc.unique(keys.column("layer")).to_pylist():
            own = pc.equal(keys.column("layer"), layer)
            ids = keys.filter(own).column("annotation_id").combine_chunks()
            new = {name: column.filter(own) for name, column in values.items()}
            rows = {name: self._rows(name, layer, ids) for name in FAMILY}
            rows = {name: _changed(TABLES[name], table, new) for name, table in rows.items()}
            shaped = any(n in TABLES["geometries"].schema.names for n in values)
            annotations = _set(
                rows["annotations"], "changed_in", pa.repeat(self._draft.activity_id, len(ids))
            )
            if shaped:
                annotations = _set(annotations, "number_style", pa.nulls(len(ids), pa.string()))
                annotations = _with_kinds(annotations, rows["geometries"])
                annotations = _with_covering(annotations, rows["geometries"])
            self._apply(annotations, rows["geometries"] if shaped else None)

    def _rows(self, name: str, layer: str, ids: pa.Array) -> pa.Table:
        """Return the rows of these ids, in their order."""
        manifest = self._draft.manifest
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

    def _apply(self, annotations: pa.Table, geometries: pa.Table | None) -> None:
        tables = {"annotations": annotations, "geometries": geometries}
        edits = {}
        for name, rows in tables.items():
            if rows is None:
                continue
            nothing = TABLES[name].schema.empty_table().select(list(TABLES[name].key))
            for layer in pc.unique(rows.column("layer")).to_pylist():
                own = rows.filter(pc.equal(rows.column("layer"), layer))
                edits[name, layer] = Edits(own, nothing)
        self._draft.apply(edits)

    def _resolved(self, rows: pa.Table) -> pa.Table:
        """Return the rows with `item_id` and `category_id`, every column known."""
        known = {n for name in FAMILY for n in TABLES[name].schema.names} | {"uri", "category"}
        unknown = [n for n in rows.column_names if n not in known]
        if unknown:
            raise InvalidInput(f"unknown columns: {', '.join(unknown)}", code="edit-column")
        if "uri" in rows.column_names:
            ids = self._item_ids(rows.column("uri").to_pylist())
            rows = _set(rows.drop_columns("uri"), "item_id", ids)
        if "item_id" not in rows.column_names:
            raise InvalidInput("rows to add need `item_id` or `uri`", code="edit-column")
        if "category" in rows.column_names:
            ids = self._category_ids(rows.column("category").to_pylist())
            rows = _set(rows.drop_columns("category"), "category_id", ids)
        return rows

    def _item_ids(self, uris: list[str]) -> pa.Array:
        table = self._draft.manifest.table(TABLES["items"], ["uri", "item_id"])
        columns = (table.column(n).to_pylist() for n in ("uri", "item_id"))
        return _looked_up(uris, dict(zip(*columns, strict=True)), "item")

    def _category_ids(self, names: list[str]) -> pa.Array:
        table = self._draft.manifest.table(TABLES["categories"], ["name", "category_id"])
        columns = (table.column(n).to_pylist() for n in ("name", "category_id"))
        known: dict[str | None, int | None] = dict(zip(*columns, strict=True))
        return _looked_up(names, {**known, None: None}, "class")


def _digest(rows: pa.Table) -> str:
    """Return a digest of the rows' values, the same however they are chunked."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return hashlib.blake2b(sink.getvalue(), digest_size=16).hexdigest()


def _looked_up(names: list[str], known: Mapping[Any, Any], noun: str) -> pa.Array:
    missing = sorted({str(n) for n in names if n not in known})
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise NotFound(
            f"the store has no {noun} {', '.join(map(repr, missing[:5]))}{more}",
            code=f"{noun}-unknown",
        )
    return pa.array([known[n] for n in names], pa.int64())


def _changed(table: Table, rows: pa.Table, values: Mapping[str, Any]) -> pa.Table:
    """Return rows with new values, and without what these make untrue."""
    cleared = {c for name in values for c in CONSEQUENCES.get(name, ())} - values.keys()
    if "box" in values and "box_form" not in values and table.name == "geometries":
        form = pc.fill_null(rows.column("box_form"), "xywh")
        rows = _set(rows, "box_form", form)
    for name in cleared & set(table.schema.names):
        rows = _set(rows, name, pa.nulls(rows.num_rows, table.schema.field(name).type))
    for name in values.keys() & set(table.schema.names):
        rows = _set(rows, name, _cast(values[name], table.schema.field(name)))
    return rows


def _cast(values: Any, field: pa.Field) -> Any:
    try:
        return values.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidInput(
            f"column {field.name!r} is {field.type}; the expression gives {values.type}: {error}",
            code="edit-type",
        ) from error


def _filled(table: Table, rows: pa.Table) -> pa.Table:
    """Return rows of a table from whatever columns there are; hashes are zero for now."""
    columns = []
    for field in table.schema:
        if field.name == table.hash_column:
            columns.append(pa.array(np.zeros(rows.num_rows, np.uint64)))
        elif field.name in rows.column_names:
            columns.append(_cast(rows.column(field.name), field))
        else:
            columns.append(pa.nulls(rows.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=table.schema).combine_chunks()


SHAPE_KINDS = {
    "text": "text",
    "box": "box",
    "rotated_box": "rotated_box",
    "corners": "corners",
    "polylines": "polyline",
    "polygons": "polygon",
    "mask": "mask",
    "keypoints": "keypoints",
    "cuboid3d": "cuboid3d",
    "spans": "span",
    "interval": "interval",
}
"""Kind by the column that holds its shape, the richest last."""


def _with_kinds(annotations: pa.Table, shapes: pa.Table) -> pa.Table:
    """Return annotations whose kind follows the shape, where the shape of that kind is gone."""
    kinds = annotations.column("kind").combine_chunks()
    lost = pa.repeat(False, len(kinds))
    for name, kind in SHAPE_KINDS.items():
        gone = pc.and_(pc.equal(kinds, kind), shapes.column(name).combine_chunks().is_null())
        lost = pc.or_(lost, gone)
    return _set(annotations, "kind", pc.if_else(lost, _kinds(shapes), kinds))


def _kinds(shapes: pa.Table) -> pa.Array:
    """Return what each row seems to be: its richest shape."""
    kinds = pa.repeat("tag", shapes.num_rows)
    for name, kind in SHAPE_KINDS.items():
        kinds = pc.if_else(shapes.column(name).is_valid().combine_chunks(), kind, kinds)
    return kinds


def _with_covering(annotations: pa.Table, shapes: pa.Table) -> pa.Table:
    boxes = covering_boxes(shapes)
    for i, name in enumerate(COVERING):
        annotations = _set(annotations, name, pa.array(boxes[:, i], from_pandas=True))
    return annotations


def _set(rows: pa.Table, name: str, values: Any) -> pa.Table:
    at = rows.schema.get_field_index(name)
    if at < 0:
        return rows.append_column(name, values)
    return rows.set_column(at, rows.schema.field(at), values)
