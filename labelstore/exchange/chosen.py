"""Which data set an export is of, and which items and classes it lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, NotFound
from labelstore.exchange.foreign import BY_HAND, everything
from labelstore.exchange.stating import as_stated
from labelstore.exchange.unsourced import is_alone
from labelstore.model.tables import TABLES
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


def choose(
    manifest: Manifest, format_name: str, layer: str, dataset: str | None
) -> tuple[dict[str, Any], bool]:
    """Return the data set, and whether the layer has no other."""
    rows = manifest.table(TABLES["datasets"]).to_pylist()
    here = [r for r in rows if r["layer"] == layer]
    if not here and dataset is None:
        return dict(BY_HAND), True
    own = [r for r in here if r["format"] == format_name]
    there = own or here
    named = [r for r in there if dataset in (None, r["name"])]
    names = ", ".join(f"{r['name']} ({r['format']})" for r in here) or "none"
    if not named:
        raise NotFound(
            f"layer {layer!r} has no data set {dataset!r} (it has: {names})",
            code="dataset-unknown",
        )
    if len(named) > 1:
        raise InvalidInput(
            f"layer {layer!r} has several data sets ({names}); choose one with --dataset",
            code="dataset-ambiguous",
        )
    return named[0], is_alone(manifest, layer)


def listed_rows(
    manifest: Manifest,
    name: str,
    dataset_id: int,
    used: Ids,
    among: Ids | None = None,
    *,
    alone: bool = True,
) -> tuple[pa.Table, int]:
    """Return the rows that a data set lists and then others that its labels use, and how many.

    Args:
        manifest: the version.
        name: `items` or `categories`.
        dataset_id: the data set.
        used: ids that labels use.
        among: ids of the only items that are wanted, with those that they are parts of.
        alone: whether the layer has no other data set, which may list some of them.
    """
    table = TABLES[name]
    rows = manifest.table(table)
    if among is not None and name == "items":
        kept = among if alone else np.intersect1d(among, _own(rows, dataset_id, used))
        used = np.union1d(used, kept)
        kept = pa.array(_with_parents(rows, used))
        rows = rows.filter(pc.is_in(rows.column("item_id"), value_set=kept))
    if dataset_id == BY_HAND["dataset_id"]:
        return everything(table, rows), 0
    listed = as_stated(table, rows, dataset_id)
    if name == "items":
        used = _with_parents(rows, used)
    known = np.asarray(listed.column(table.id_column).combine_chunks())
    missing = pa.array(np.setdiff1d(used, known))
    if not len(missing):
        return listed, 0
    others = rows.filter(pc.is_in(rows.column(table.id_column), value_set=missing)).to_pylist()
    entries = listed.column("sources").combine_chunks().flatten()
    first_id = 1 + max((0, *_numbers(entries)))
    for i, row in enumerate(others):
        source = {"dataset_id": dataset_id, "seq": listed.num_rows + i, "source_id": first_id + i}
        row["sources"] = [source]
    given = pa.Table.from_pylist(others, schema=table.schema)
    return pa.concat_tables([listed, given]), len(missing)


def _own(items: pa.Table, dataset_id: int, used: Ids) -> Ids:
    """Return the items that a data set lists, or that its labels are of."""
    column = items.column("sources").combine_chunks()
    mine = np.asarray(pc.equal(column.flatten().field("dataset_id"), dataset_id))
    at = np.unique(np.asarray(pc.list_parent_indices(column))[mine])
    return np.union1d(np.asarray(items.column("item_id"))[at], used)


def _with_parents(items: pa.Table, used: Ids) -> Ids:
    """Return items with those that they are parts of."""
    names = ("item_id", "parent_id")
    parents = dict(zip(*(items.column(n).to_pylist() for n in names), strict=True))
    found = set(used.tolist())
    while more := {parents.get(i) for i in found} - {None} - found:
        found |= more
    return np.array(sorted(found), np.int64)


def _numbers(entries: pa.StructArray) -> Iterator[int]:
    """Yield the whole numbers that a source uses as ids, also where they are marked."""
    yield from entries.field("source_id").drop_null().to_pylist()
    for text in entries.field("source_key").drop_null().to_pylist():
        key = json.loads(text)
        values = key.values() if isinstance(key, dict) else ()
        yield from (v for v in values if type(v) is int)
