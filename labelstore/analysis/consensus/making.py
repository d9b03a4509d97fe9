"""A consensus as an edit: labels of a layer, and from which labels each comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.agreement.units import NONE
from labelstore.changes.editing import altering
from labelstore.changes.editing.writing import write_labels
from labelstore.errors import InvalidInput
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.compare import differing
from labelstore.versions.stage import additions, removals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest
    from labelstore.versions.stage import Draft

    Ids = NDArray[np.int64]
    Rows = dict[str, pa.Table]

DERIVED_FROM = "derived_from"
"""Label of the relation from a label to one that it was made of."""
MAKING = ("consensus",)
REWRITING = ("ontology", "merge")
"""Activities that write many labels anew without a decision about any of them."""
KEYS = ["layer", "item_id", "annotation_id"]


def write_consensus(
    draft: Draft, layer: str, rows: Rows, sources: Ids
) -> tuple[int, int, int, int]:
    """Make a layer these labels; those that are as they were stay, and keep their ids.

    What somebody changed or added since the last consensus is a decision, and stays too; what they
    removed comes back.

    Args:
        draft: takes them.
        layer: that a consensus made, or that is not there.
        rows: of both families, k labels.
        sources: shape (k, a), ids of the labels that each comes from, or `NONE`.

    Returns:
        How many labels came, changed and went, and how many were changed by hand.

    Raises:
        InvalidInput: the layer is somebody's.
    """
    before = _before(draft.manifest, layer)
    links = _links(draft.manifest, _column(before["annotations"], "annotation_id"))
    by_hand = _by_hand(draft.manifest, layer, before["annotations"])
    ids, fresh = _numbered(draft, sources, links)
    rows = {name: with_column(own, "annotation_id", pa.array(ids)) for name, own in rows.items()}
    at = pc.index_in(pa.array(ids), value_set=before["annotations"].column("annotation_id"))
    touched = fresh | _differs(rows, before, np.asarray(at.fill_null(0)), fresh)
    touched &= ~np.isin(ids, by_hand)
    gone = before["annotations"].select(KEYS)
    kept = pa.array(np.union1d(ids, by_hand))
    gone = gone.filter(pc.invert(pc.is_in(gone.column("annotation_id"), value_set=kept)))
    if gone.num_rows:
        altering.delete(draft, gone)
    if touched.any():
        stamped = _stamped(draft, rows["annotations"], before["annotations"], at)
        chosen = pa.array(touched)
        write_labels(draft, stamped.filter(chosen), rows["geometries"].filter(chosen))
    _link(draft, ids, sources)
    return int(fresh.sum()), int((touched & ~fresh).sum()), gone.num_rows, len(by_hand)


def _before(manifest: Manifest, layer: str) -> Rows:
    """Return what the layer has, of both families."""
    there = layer in manifest.partitions("annotations")
    return {
        name: (manifest.table(TABLES[name], None, layer) if there
               else TABLES[name].schema.empty_table()).combine_chunks()
        for name in FAMILY
    }  # fmt: skip


def _column(rows: pa.Table, name: str) -> pa.Array:
    return rows.column(name).combine_chunks()


def _links(manifest: Manifest, ids: pa.Array) -> pa.Table:
    """Return from which labels these come, in the order of those they come from."""
    rows = manifest.table(TABLES["relations"], ["relation_id", "from_id", "to_id", "label"])
    own = pc.equal(rows.column("label"), DERIVED_FROM).fill_null(False)
    return rows.filter(pc.and_(own, pc.is_in(rows.column("from_id"), value_set=ids)))


def _by_hand(manifest: Manifest, layer: str, before: pa.Table) -> Ids:
    """Return the labels of a layer that somebody wrote last, and no consensus."""
    rows = manifest.table(TABLES["activities"], ["activity_id", "kind"])
    made, wrote = (
        np.asarray(pc.is_in(before.column(column), value_set=rows.filter(
            pc.is_in(rows.column("kind"), value_set=pa.array(kinds))).column(0).combine_chunks()))
        for column, kinds in (("created_in", MAKING), ("changed_in", (*MAKING, *REWRITING)))
    )  # fmt: skip
    if len(made) and not made.any():
        raise InvalidInput(
            f"layer {layer!r} has {len(made):,} labels, none of which a consensus made; give it a "
            "layer of its own with --into",
            code="consensus-layer",
        )
    found: Ids = np.asarray(before.column("annotation_id"), np.int64)[~wrote]
    return found


def _numbered(draft: Draft, sources: Ids, links: pa.Table) -> tuple[Ids, NDArray[np.bool_]]:
    """Return the id of each label, and which are new: one that shares a source keeps its id."""
    to, known = (np.asarray(_column(links, n)) for n in ("to_id", "from_id"))
    order = np.argsort(to, kind="stable")
    to, known = np.append(to[order], np.iinfo(np.int64).max), np.append(known[order], NONE)
    at = np.searchsorted(to, sources)
    of = np.where((to[at] == sources) & (sources != NONE), known[at], NONE)
    ids = of[np.arange(len(of)), (of != NONE).argmax(axis=1)]
    _, first = np.unique(ids, return_index=True)
    fresh = np.ones(len(ids), bool)
    fresh[first] = False
    fresh |= ids == NONE
    ids[fresh] = draft.ids.take(int(fresh.sum()))
    return ids, fresh


def _differs(rows: Rows, before: Rows, at: Ids, fresh: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the labels that were there say something else now, shape (k,)."""
    found, same = np.zeros(len(at), bool), np.flatnonzero(~fresh)
    for name in FAMILY:
        old, new = before[name].take(pa.array(at[same])), rows[name].take(pa.array(same))
        for flags in differing(old, new, TABLES[name].columns("content")).values():
            found[same] |= flags
    return found


def _stamped(draft: Draft, rows: pa.Table, before: pa.Table, at: pa.Array) -> pa.Table:
    """Return labels with the activity that made them, and the one that wrote them."""
    now = pa.repeat(draft.activity_id, rows.num_rows)
    made = pc.coalesce(_column(before, "created_in").take(at), now)
    return with_column(with_column(rows, "created_in", made), "changed_in", now)


def _link(draft: Draft, ids: Ids, sources: Ids) -> None:
    """Write down from which labels each comes."""
    row, column = np.nonzero(sources != NONE)
    wanted = np.stack([ids[row], sources[row, column]], axis=1)
    links = _links(draft.manifest, pa.array(ids))
    there = np.stack([np.asarray(_column(links, n)) for n in ("from_id", "to_id")], axis=1)
    kept, new = _known(there, wanted), ~_known(wanted, there)
    table = TABLES["relations"]
    gone = links.filter(pa.array(~kept))
    if gone.num_rows:
        draft.apply({(table.name, ""): removals(table, gone)})
    if not new.any():
        return
    own = wanted[new]
    rows = table.schema.empty_table()
    now = pa.repeat(draft.activity_id, len(own))
    columns = {"relation_id": pa.array(draft.ids.take(len(own))), "from_id": pa.array(own[:, 0]),
               "to_id": pa.array(own[:, 1]), "label": pa.repeat(DERIVED_FROM, len(own)),
               "created_in": now, "changed_in": now,
               "row_hash": pa.array(np.zeros(len(own), np.uint64))}  # fmt: skip
    made = {f.name: columns.get(f.name, pa.nulls(len(own), f.type)) for f in rows.schema}
    draft.apply({(table.name, ""): additions(table, pa.table(made, schema=rows.schema))})


def _known(rows: Ids, of: Ids) -> NDArray[np.bool_]:
    """Return which rows of pairs are among others, shape (n,)."""
    kind = np.dtype([("a", np.int64), ("b", np.int64)])
    sides = [np.ascontiguousarray(own).view(kind).reshape(-1) for own in (rows, of)]
    return np.isin(sides[0], sides[1])
