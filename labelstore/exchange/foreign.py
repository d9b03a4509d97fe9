"""Labels that came in one format and go out in another, or that came in none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES, Table

Pair = tuple[pa.RecordBatch, pa.RecordBatch]
SAID = ("info", "licenses")
"""What a source says of itself as a whole."""
SIDEWAYS = pa.array([5, 6, 7, 8], pa.int8())
"""EXIF orientations that swap width and height."""
EXAMPLES = 3
"""How many are shown."""
BY_HAND = {"dataset_id": 0, "name": "labels", "format": "", "layer": "", "info": None,
           "licenses": None, "files": None, "leftovers": None}  # fmt: skip
"""The data set of labels that came from no file."""


def described_anew(dataset: Mapping[str, Any], held: Collection[str]) -> dict[str, Any]:
    """Return a data set's row without what another format cannot say.

    Args:
        dataset: the row.
        held: columns that the other format can hold.
    """
    gone = [name for name in SAID if name not in held]
    return {**dataset, "files": None, "leftovers": None, **dict.fromkeys(gone)}


def dataset_losses(dataset: Mapping[str, Any], held: Collection[str]) -> dict[str, int]:
    """Return what the other format does not say of the data set."""
    said = [name for name in SAID if name not in held and dataset[name] is not None]
    return {f"datasets.{name}": 1 for name in said}


def listed_anew(rows: pa.Table, *, ids: bool, keep: bool = False) -> pa.Table:
    """Return items or classes as a new source lists them, in their order, all of them.

    Args:
        rows: of `items` or `categories`.
        ids: whether the format has ids: from 1, in this order.
        keep: whether ids are those of the source.
    """
    kind = rows.schema.field("sources").type
    entries = rows.column("sources").to_pylist()
    sources = []
    for i, own in enumerate(entries):
        entry = own[0] if keep and own else {"source_id": None, "source_key": None}
        number, key = entry["source_id"], entry["source_key"]
        if ids and number is None and key is None:
            number = i + 1
        sources.append([{"dataset_id": 0, "seq": i, "source_id": number, "source_key": key}])
    return with_column(_all_listed(rows), "sources", pa.array(sources, kind))


def _all_listed(rows: pa.Table) -> pa.Table:
    """Return items or classes of which none is a placeholder."""
    name = "unlisted" if "unlisted" in rows.column_names else "labelled_state"
    column = rows.column(name)
    mark = pc.equal(column, "unlisted") if name == "labelled_state" else column
    listed = pc.if_else(pc.fill_null(mark, False), pa.scalar(None, column.type), column)
    return with_column(rows, name, listed)


def as_shown(items: pa.Table) -> pa.Table:
    """Return items with width and height as they are shown, for a format that knows no turns.

    Coordinates of a turned image are those of what is shown.
    """
    turned = pc.is_in(items.column("exif_orientation"), value_set=SIDEWAYS)
    sides = [items.column(name) for name in ("width", "height")]
    for name, own, other in zip(("width", "height"), sides, reversed(sides), strict=True):
        items = with_column(items, name, pc.if_else(turned, other, own))
    return items


def listed_losses(table: Table, rows: pa.Table, *, ids: bool) -> dict[str, int]:
    """Return what the source says of items or classes that another format does not."""
    sources = rows.column("sources").combine_chunks().flatten()
    names = ["leftovers"] if ids else ["leftovers", "source_id", "source_key"]
    counts = {name: len(sources) - sources.field(name).null_count for name in names}
    return {f"{table.name}.{name}": count for name, count in counts.items() if count}


def listed_examples(rows: pa.Table, column: str, count: int) -> list[str]:
    """Return names of the first items or classes that lose a column; none if others do.

    Args:
        rows: of `items` or `categories`.
        column: of theirs, or of their entry in `sources`.
        count: how many lose it; all that say something, or nobody knows which.
    """
    if column in rows.column_names:
        values = rows.column(column).combine_chunks()
    else:
        values = rows.column("sources").combine_chunks().flatten().field(column)
    named = rows.column("uri" if "uri" in rows.column_names else "name")
    there = named.filter(pc.is_valid(values))
    found = there.slice(0, EXAMPLES).to_pylist() if len(there) == count else []
    return [str(name) for name in found]


def are_numbered(tracks: pa.Table) -> bool:
    """Say whether tracks have whole numbers of their own, which any format can keep."""
    numbers = tracks.column("source_id")
    own = pc.count_distinct(numbers, mode="only_valid").as_py() == tracks.num_rows
    return bool(own and (pc.min(numbers).as_py() or 0) >= 0)


def without_ids(tracks: pa.Table) -> pa.Table:
    """Return tracks without what their source calls them."""
    for name in ("source_id", "source_key"):
        kind = tracks.schema.field(name).type
        tracks = with_column(tracks, name, pa.nulls(tracks.num_rows, kind))
    return tracks


def everything(table: Table, rows: pa.Table) -> pa.Table:
    """Return all items or classes, in the order of their ids."""
    return listed_anew(rows.sort_by(table.id_column), ids=True)


def batches_anew(batches: Iterable[Pair], *, ids: bool) -> Iterator[Pair]:
    """Yield labels as a new source has them: nothing of how another one wrote them.

    Args:
        batches: annotations and geometries, in order.
        ids: whether the format has ids: from 1, in this order.
    """
    count = 0
    for rows, shapes in batches:
        size = len(rows)
        numbers = pa.array(count + 1 + np.arange(size)) if ids else pa.nulls(size, pa.int64())
        count += size
        for name in ("number_style", "leftovers", "source_key"):
            kind = TABLES["annotations"].schema.field(name).type
            rows = with_column(rows, name, pa.nulls(size, kind))
        yield with_column(rows, "source_id", numbers), shapes
