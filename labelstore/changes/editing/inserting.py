"""Rows that are new: they get ids, and what follows from their values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.editing.casting import cast
from labelstore.changes.editing.columns import NAMED, refuse_columns
from labelstore.changes.editing.flat import gathered
from labelstore.changes.editing.given import as_table, new_rows, with_attributes
from labelstore.changes.editing.resolving import named, refuse_unknown_labels, resolved
from labelstore.changes.editing.shaping import filled, kinds_of, with_covering, with_forms
from labelstore.changes.editing.writing import refuse_shapes, write_labels
from labelstore.errors import InvalidInput
from labelstore.model.arrow import with_column
from labelstore.model.links import ENDS
from labelstore.model.tables import TABLES
from labelstore.versions.stage import Draft, additions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.ids import IdBlock


class Inserting:
    """Rows added by one activity.

    Args:
        draft: what they are added to.
        default_layer: layer of labels that name none.
    """

    def __init__(self, draft: Draft, default_layer: str) -> None:
        self._draft = draft
        self._default_layer = default_layer
        self._calls = 0

    def named(self, given: Mapping[str, Any]) -> None:
        """Add items and classes; see `Edit.add`."""
        for name, rows in ((n, as_table(g)) for n, g in given.items() if g is not None):
            table, draft = TABLES[name], self._draft
            ids = self._block(rows).take(rows.num_rows)
            own = new_rows(table, draft.manifest, rows, ids, draft.activity_id)
            draft.apply({(name, ""): additions(table, own)})

    def labels(self, rows: pa.Table) -> NDArray[np.int64]:
        """Add labels, and return their ids; see `Edit.add`."""
        if not rows.num_columns:
            return np.empty(0, np.int64)
        rows = resolved(self._draft.manifest, gathered(with_attributes(rows)))
        ids = self._block(rows).take(rows.num_rows)
        rows = with_column(rows, "annotation_id", pa.array(ids))
        for column in ("created_in", "changed_in"):
            rows = with_column(rows, column, pa.repeat(self._draft.activity_id, rows.num_rows))
        if "layer" not in rows.column_names:
            rows = with_column(rows, "layer", pa.repeat(self._default_layer, rows.num_rows))
        layers = cast(rows.column("layer"), TABLES["annotations"].schema.field("layer"))
        rows = with_column(rows, "layer", pc.fill_null(layers, self._default_layer))
        shapes = with_forms(filled(TABLES["geometries"], rows))
        refuse_shapes(shapes)
        kinds = kinds_of(shapes)
        if "kind" in rows.column_names:
            given = cast(rows.column("kind"), TABLES["annotations"].schema.field("kind"))
            kinds = pc.if_else(given.is_valid(), given, kinds)
        rows = with_column(rows, "kind", kinds)
        annotations = with_covering(filled(TABLES["annotations"], rows), shapes)
        write_labels(self._draft, annotations, shapes)
        return ids

    def tracks(self, rows: pa.Table) -> NDArray[np.int64]:
        """Add tracks, and return their ids; see `Edit.add_tracks`."""
        refuse_columns(TABLES["tracks"], rows.column_names, NAMED)
        return self._linked("tracks", named(self._draft.manifest, rows))

    def relations(self, rows: pa.Table) -> NDArray[np.int64]:
        """Add relations, and return their ids; see `Edit.add_relations`."""
        refuse_columns(TABLES["relations"], rows.column_names)
        missing = [n for n in ENDS if n not in rows.column_names]
        if missing:
            raise InvalidInput(f"relations need {' and '.join(missing)}", code="edit-column")
        refuse_unknown_labels(self._draft.manifest, [rows.column(n) for n in ENDS])
        return self._linked("relations", rows)

    def _linked(self, name: str, rows: pa.Table) -> NDArray[np.int64]:
        """Add tracks or relations."""
        table, number = TABLES[name], self._draft.activity_id
        ids = self._block(rows).take(rows.num_rows)
        rows = with_column(rows, table.id_column, pa.array(ids))
        for column in {"created_in", "changed_in"} & set(table.schema.names):
            rows = with_column(rows, column, pa.repeat(number, rows.num_rows))
        self._draft.apply({(name, ""): additions(table, filled(table, rows))})
        return ids

    def _block(self, rows: pa.Table) -> IdBlock:
        """Return ids for rows that are added, which follow from these."""
        content = _digest(rows)
        self._draft.distinguish(content)
        self._calls += 1
        return self._draft.block(f"rows {self._calls} {content}")


def _digest(rows: pa.Table) -> str:
    """Return a digest of the rows' values, the same however they are chunked or described."""
    found = hashlib.blake2b(digest_size=16)
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        whole = column.combine_chunks()
        given = pa.table({name: whole.drop_null()})  # what lies under a null is nobody's value
        there = pa.table({name: whole.is_valid()})
        for part in (given, there):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, part.schema) as stream:
                stream.write_table(part.combine_chunks())
            found.update(sink.getvalue())
    return found.hexdigest()
