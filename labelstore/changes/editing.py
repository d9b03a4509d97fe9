"""Edits: rows added from Arrow, changed or deleted where a SQL condition holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.adding import as_table, new_rows
from labelstore.changes.resolving import (
    NAMED,
    NEVER_SET,
    REFERRED,
    named,
    named_ids,
    refuse_columns,
    refuse_unknown_ids,
    refuse_unknown_labels,
    resolved,
)
from labelstore.changes.shaping import (
    changed,
    filled,
    kinds_of,
    refuse_lengths,
    with_covering,
    with_forms,
    with_kinds,
)
from labelstore.errors import FormatError, InvalidInput
from labelstore.geometry.covering import COLUMNS as COVERING
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.query.sandbox import expressions, query
from labelstore.storage.rewriting import Edits
from labelstore.versions.ids import IdBlock
from labelstore.versions.stage import Draft, additions, refuse_gates, removals

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEYS = ("layer", "item_id", "annotation_id")
ENDS = ("from_id", "to_id")
FIXED = {*KEYS, *NEVER_SET, "row_hash", "geometry_hash", "created_in", "changed_in", *COVERING}


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

    def add(
        self, annotations: Any = None, *, items: Any = None, categories: Any = None
    ) -> NDArray[np.int64]:
        """Add labels, and items and classes that they need; return the ids of the labels.

        Each of the three is an Arrow table, a pandas or polars frame, or a list.

        Args:
            annotations: columns of `annotations` and `geometries` in any number, or typed labels
                (`labelstore.model.labels`); items by `item_id` or `uri`, classes by `category_id`
                or `category` (a name). `layer` and `kind` may be left out.
            items: new items, with a `uri` each.
            categories: new classes, with a `name` each.

        Raises:
            InvalidInput: a column is unknown, or a name is taken.
            NotFound: an item or class is not in the store.

        Example:
            >>> from labelstore.model.labels import Box
            >>> box = Box(item="a.jpg", category="car", x=10, y=20, width=30, height=40)
            >>> edit.add([box], items=[{"uri": "a.jpg"}])  # doctest: +SKIP
        """
        for name, given in (("items", items), ("categories", categories)):
            if given is not None:
                self._add_named(name, as_table(given))
        rows = None if annotations is None else as_table(annotations)
        if rows is None or not rows.num_columns:
            return np.empty(0, np.int64)
        return self._add_labels(rows)

    def add_tracks(self, tracks: Any) -> NDArray[np.int64]:
        """Add tracks, and return their ids, for the `track_id` of their labels.

        Args:
            tracks: see `add`; columns `category` or `category_id`, `uri` or `item_id` (the video
                or sequence), `attributes`; each may be left out.

        Raises:
            InvalidInput: a column is unknown.
            NotFound: an item or class is not in the store.
        """
        rows = as_table(tracks)
        refuse_columns(TABLES["tracks"], rows.column_names, NAMED)
        return self._add_linked("tracks", named(self._draft.manifest, rows))

    def add_relations(self, relations: Any) -> NDArray[np.int64]:
        """Add links between labels, and return their ids.

        Args:
            relations: see `add`; columns `from_id` and `to_id` (annotation ids), and `label`,
                `direction`, `score` and `attributes` where there are any.

        Raises:
            InvalidInput: a column is unknown or missing.
            NotFound: a label is not in the store.
        """
        rows = as_table(relations)
        refuse_columns(TABLES["relations"], rows.column_names)
        missing = [n for n in ENDS if n not in rows.column_names]
        if missing:
            raise InvalidInput(f"relations need {' and '.join(missing)}", code="edit-column")
        refuse_unknown_labels(self._draft.manifest, [rows.column(n) for n in ENDS])
        return self._add_linked("relations", rows)

    def _add_linked(self, name: str, rows: pa.Table) -> NDArray[np.int64]:
        """Add tracks or relations."""
        table, number = TABLES[name], self._draft.activity_id
        ids = self._block(rows).take(rows.num_rows)
        rows = with_column(rows, table.id_column, pa.array(ids))
        for column in {"created_in", "changed_in"} & set(table.schema.names):
            rows = with_column(rows, column, pa.repeat(number, rows.num_rows))
        self._draft.apply({(name, ""): additions(table, filled(table, rows))})
        return ids

    def _add_named(self, name: str, rows: pa.Table) -> None:
        """Add items or classes."""
        draft, table = self._draft, TABLES[name]
        ids = self._block(rows).take(rows.num_rows)
        own = new_rows(table, draft.manifest, rows, ids, draft.activity_id)
        draft.apply({(name, ""): additions(table, own)})

    def _block(self, rows: pa.Table) -> IdBlock:
        """Return ids for rows that are added, which follow from these."""
        content = _digest(rows)
        self._draft.distinguish(content)
        self._calls += 1
        return self._draft.block(f"rows {self._calls} {content}")

    def _add_labels(self, rows: pa.Table) -> NDArray[np.int64]:
        rows = resolved(self._draft.manifest, rows)
        ids = self._block(rows).take(rows.num_rows)
        number = self._draft.activity_id
        constant = pa.repeat(number, rows.num_rows)
        rows = with_column(rows, "annotation_id", pa.array(ids))
        rows = with_column(with_column(rows, "created_in", constant), "changed_in", constant)
        if "layer" not in rows.column_names:
            rows = with_column(rows, "layer", pa.repeat(self._default_layer, rows.num_rows))
        rows = with_column(rows, "layer", pc.fill_null(rows.column("layer"), self._default_layer))
        shapes = with_forms(filled(TABLES["geometries"], rows))
        _refuse_shapes(shapes)
        if "kind" not in rows.column_names:
            rows = with_column(rows, "kind", kinds_of(shapes))
        self._apply(with_covering(filled(TABLES["annotations"], rows), shapes), shapes)
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
        wrong = [
            f"box {i}: has {len(box)} numbers" for i, box in enumerate(boxes) if len(box) != 4
        ]
        if wrong:
            raise FormatError("boxes are x, y, width, height", wrong, code="box-numbers")
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
        layer: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> int:
        """Change columns of the labels for which a condition holds, and return how many.

        Args:
            where: SQL condition over the columns of `labels`.
            set: column to SQL expression over the row; `category` takes a class's name in quotes.
            layer: the layer; needed only where the condition holds in several.
            parameters: values of `$name` parameters in both.

        Raises:
            InvalidInput: a column cannot be set, the SQL is wrong, or layers are mixed.

        Example:
            >>> state = {"review_state": "'rejected'"}
            >>> edit.update(where="score < 0.2", set=state)  # doctest: +SKIP
        """
        self._settable(set)
        expressions([where, *set.values()])
        self._draft.distinguish(f"update {where} {layer} {sorted(set.items())} {parameters}")
        names = [n for n in set if n != "category"]
        chosen = [f"({expression}\n) AS new_{n}" for n, expression in set.items()]
        found = self._selected([*KEYS, *chosen], where, layer, parameters)
        if not found.num_rows:
            return 0
        values = {n: found.column(f"new_{n}") for n in names}
        if "category" in set:
            classes = found.column("new_category").to_pylist()
            values["category_id"] = named_ids(self._draft.manifest, "category", classes)
        for id_column in REFERRED.keys() & set.keys():
            refuse_unknown_ids(self._draft.manifest, id_column, values[id_column])
        self._write(found.select(list(KEYS)), values)
        return int(found.num_rows)

    def delete(
        self,
        *,
        where: str,
        layer: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> int:
        """Delete the labels for which a condition holds, with their relations; return how many.

        Args:
            where: SQL condition over the columns of `labels`.
            layer: the layer; needed only where the condition holds in several.
            parameters: values of its `$name` parameters.
        """
        self._draft.distinguish(f"delete {where} {layer} {parameters}")
        expressions([where])
        found = self._selected(KEYS, where, layer, parameters)
        for layer in pc.unique(found.column("layer")).to_pylist():
            keys = found.filter(pc.equal(found.column("layer"), layer))
            gone = {(name, layer): removals(TABLES[name], keys) for name in FAMILY}
            self._draft.apply(gone)
        self._unlink(found.column("annotation_id"))
        return int(found.num_rows)

    def _unlink(self, ids: pa.ChunkedArray) -> None:
        """Delete the relations of labels that are gone."""
        table = TABLES["relations"]
        rows = self._draft.manifest.table(table, ["relation_id", *ENDS])
        ends = (pc.is_in(rows.column(n), value_set=ids.combine_chunks()) for n in ENDS)
        gone = rows.filter(pc.or_(*ends))
        if gone.num_rows:
            self._draft.apply({(table.name, ""): removals(table, gone)})

    def _selected(
        self,
        columns: Sequence[str],
        where: str,
        layer: str | None,
        parameters: Mapping[str, Any] | None,
    ) -> pa.Table:
        """Return columns of the labels of one layer for which a condition holds."""
        sql = f"SELECT {', '.join(columns)} FROM labels WHERE ({where}\n)"
        found = query(self._draft.manifest, sql, parameters)
        if layer is not None:
            return found.filter(pc.equal(found.column("layer"), self._draft.manifest.layer(layer)))
        counts = pc.value_counts(found.column("layer")).to_pylist()
        if len(counts) > 1:
            named = ", ".join(f"{c['values']} ({c['counts']:,})" for c in counts)
            raise InvalidInput(
                f"the condition holds in several layers: {named}. Pass layer=NAME.",
                code="edit-layers",
            )
        return found

    def _settable(self, set: Mapping[str, Any]) -> None:
        known = {n for name in FAMILY for n in TABLES[name].schema.names} - FIXED | {"category"}
        if not set or {"category", "category_id"} <= set.keys():
            raise InvalidInput(
                "`set` is empty" if not set else "set `category` or `category_id`, not both",
                code="edit-column",
            )
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
            rows = {name: changed(TABLES[name], table, new) for name, table in rows.items()}
            shaped = any(n in TABLES["geometries"].schema.names for n in values)
            annotations = with_column(
                rows["annotations"], "changed_in", pa.repeat(self._draft.activity_id, len(ids))
            )
            if shaped:
                annotations = with_column(
                    annotations, "number_style", pa.nulls(len(ids), pa.string())
                )
                _refuse_shapes(rows["geometries"])
                annotations = with_kinds(annotations, rows["geometries"])
                annotations = with_covering(annotations, rows["geometries"])
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


def _refuse_shapes(shapes: pa.Table) -> None:
    refuse_gates(TABLES["geometries"], shapes)
    refuse_lengths(shapes)


def _digest(rows: pa.Table) -> str:
    """Return a digest of the rows' values, the same however they are chunked."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return hashlib.blake2b(sink.getvalue(), digest_size=16).hexdigest()
