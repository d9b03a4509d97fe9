"""Relations of labels that go."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.links import ENDS
from labelstore.model.tables import TABLES
from labelstore.versions.stage import Draft, removals


def unlink(draft: Draft, labels: pa.ChunkedArray) -> None:
    """Delete the relations from or to some labels, by their ids."""
    if not len(labels):
        return
    table = TABLES["relations"]
    rows = draft.manifest.table(table, ["relation_id", *ENDS])
    ids = labels.combine_chunks()
    linked = rows.filter(pc.or_(*(pc.is_in(rows.column(n), value_set=ids) for n in ENDS)))
    if linked.num_rows:
        draft.apply({(table.name, ""): removals(table, linked)})
