"""Labels as edits of a draft: both families of columns, layer by layer."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.editing.shaping import refuse_lengths
from labelstore.model.tables import TABLES
from labelstore.storage.rewriting import Edits
from labelstore.versions.stage import Draft, refuse_gates


def write_labels(draft: Draft, annotations: pa.Table, geometries: pa.Table | None) -> None:
    """Put labels into a draft, in place of those of the same keys.

    Args:
        draft: what changes.
        annotations: rows of `annotations`, of any layers.
        geometries: their shapes; None where these stay as they are.
    """
    edits = {}
    for name, rows in (("annotations", annotations), ("geometries", geometries)):
        if rows is None:
            continue
        nothing = TABLES[name].schema.empty_table().select(list(TABLES[name].key))
        for layer in pc.unique(rows.column("layer")).to_pylist():
            own = rows.filter(pc.equal(rows.column("layer"), layer))
            edits[name, layer] = Edits(own, nothing)
    draft.apply(edits)


def refuse_shapes(shapes: pa.Table) -> None:
    """Refuse shapes that may not be stored.

    Raises:
        FormatError: with every fault.
    """
    refuse_gates(TABLES["geometries"], shapes)
    refuse_lengths(shapes)
