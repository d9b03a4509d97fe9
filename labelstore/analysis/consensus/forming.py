"""Labels of a consensus: for each object the author's label that is most like the others'."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.agreement.units import MISSED, NONE, UNCLASSED, Author, Units
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.analysis.consensus.deciding import Decided

    Ids = NDArray[np.int64]
    Rows = dict[str, pa.Table]

LINKS = ("track_id", "group_id", "parent_annotation_id")
"""Columns that lead to other labels of the same author."""
THEIRS = ("created_by", "created_at", "reviewed_by", "reviewed_at", "review_state", "dataset_id",
          "seq", "source_id", "source_key", "number_style", "leftovers", "flag")  # fmt: skip
"""Columns about one author's label, and not about the object."""


def chosen_authors(units: Units, decided: Decided) -> tuple[Ids, Ids]:
    """Return the objects that are kept, and whose label each takes; shapes (k,).

    It is one of the class that was decided, if anybody has that, and of these the one whose shape
    agrees most with all others; the first author's where several do.
    """
    kept = np.flatnonzero(decided.classes > MISSED)
    own = units.take(kept)
    there = own.labels != NONE
    same = there & (own.classes == decided.classes[kept, None])
    pool = np.where(same.any(axis=1)[:, None], same, there)
    near = np.zeros(own.labels.shape)
    for at, pair in enumerate(combinations(range(len(own.authors)), 2)):
        near[:, pair] += np.nan_to_num(own.between[:, at])[:, None]
    return kept, np.where(pool, near, -1.0).argmax(axis=1)


def formed(
    units: Units, decided: Decided, authors: Sequence[Author], layer: str
) -> tuple[Rows, Ids, int]:
    """Return labels of both families without ids yet, the object of each, and those unlinked.

    Args:
        units: what authors judged.
        decided: what holds of each object.
        authors: as in `units`.
        layer: of the labels.
    """
    kept, author = chosen_authors(units, decided)
    rows = {name: [TABLES[name].schema.empty_table()] for name in FAMILY}
    places = [np.empty(0, np.int64)]
    for a, who in enumerate(authors):
        own = kept[author == a]
        labels = units.labels[own, a]
        found = who.side.only(labels).rows(np.unique(units.items[own]))
        at = pc.index_in(pa.array(labels), value_set=_ids(found["annotations"]))
        for name in FAMILY:
            rows[name].append(found[name].take(at))
        places.append(own)
    objects = np.concatenate(places)
    tables = {name: pa.concat_tables(own).combine_chunks() for name, own in rows.items()}
    unlinked = _linked(tables["annotations"])
    return _as_decided(tables, decided, objects, layer), objects, unlinked


def _ids(rows: pa.Table) -> pa.Array:
    return rows.column("annotation_id").combine_chunks()


def _linked(rows: pa.Table) -> int:
    """Return how many labels lead to others."""
    any_ = [rows.column(name).is_valid() for name in LINKS]
    return pc.sum(pc.or_(pc.or_(any_[0], any_[1]), any_[2])).as_py() or 0


def _as_decided(tables: Rows, decided: Decided, objects: Ids, layer: str) -> Rows:
    notes, count = tables["annotations"], len(objects)
    for name in (*LINKS, *THEIRS):
        notes = with_column(notes, name, pa.nulls(count, notes.schema.field(name).type))
    classes = decided.classes[objects]
    unnamed = classes == UNCLASSED
    notes = with_column(notes, "category_id", pa.array(classes, mask=unnamed))
    notes = with_column(notes, "confidence", pa.array(decided.confidence[objects]))
    notes = with_column(notes, "origin", pa.repeat("derived", count))
    named = pa.repeat(layer, count)
    shapes = with_column(tables["geometries"], "layer", named)
    return {"annotations": with_column(notes, "layer", named), "geometries": shapes}
