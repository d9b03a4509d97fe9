"""Writing a sidecar beside an export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.recognising import numbered
from labelstore.exchange.sidecar.file import sidecar_path, write_rows
from labelstore.exchange.sidecar.records import SAID, Records, records_of
from labelstore.model.tables import TABLES
from labelstore.plugins import Beside, Format, Writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

Pair = tuple[pa.RecordBatch, pa.RecordBatch]


def write_sidecar(
    target: Path, converter: Format, written: Writing, kept: Writing, batches: Iterable[Pair],
    *, selection: bool = False,
) -> None:  # fmt: skip
    """Read back what was written, and write what the store has of it beside it.

    Args:
        target: the exported file or folder.
        converter: what wrote it.
        written: what it was given; its annotations are read through once more.
        kept: data set, items, classes and tracks as the store has them.
        batches: annotations and geometries as the store has them, in the same order.
        selection: whether there are items that were not written.
    """
    names = converter.uris(written)
    keys = [converter.item_key(name) for name in names]
    columns = [written.items.column(n).to_pylist() for n in ("width", "height")]
    sizes = {k: size for k, size in zip(keys, zip(*columns, strict=True), strict=True)
             if None not in size}  # fmt: skip
    reading = converter.open(target, Beside(sizes=sizes))
    found = records_of(reading, converter)
    listed = [converter.item_key(uri or "") for uri in reading.items().column("uri").to_pylist()]
    numbers = {key: i for i, key in enumerate(numbered(listed))}
    ids = written.items.column("item_id").to_pylist()
    place = {item: numbers.get(key, -1) for item, key in zip(ids, numbered(keys), strict=True)}
    told = _paired(found, *_counts(written, converter, place))
    names_ = reading.categories().column("name").to_pylist()
    classes = _class_keys(kept.categories, written, told, found, names_)
    by_id = {item: key for item, key, own in zip(ids, keys, numbered(keys), strict=True)
             if own in numbers}  # fmt: skip
    known = [by_id.get(item) for item in kept.items.column("item_id").to_pylist()]
    extra = {"items": _others(known, listed), "categories": _others(classes, names_)}
    said = {"written_as": converter.name, "task": converter.task, "extra": extra,
            "selection": selection}  # fmt: skip
    write_rows(
        sidecar_path(target), said, _groups(kept, (known, classes), _beside(told, found), batches)
    )


def _others(known: Sequence[str | None], listed: Sequence[str | None]) -> list[str | None]:
    """Return what a file lists beside what the store has, such as frames that have no labels."""
    there = set(numbered(key for key in known if key is not None))
    return [key for key, own in zip(listed, numbered(listed), strict=True) if own not in there]


def _beside(told: pa.ListArray, found: Records) -> dict[str, pa.Array]:
    """Return what stands beside each label: digests of its records, and what a single one says."""
    digests = found.digests.take(told.flatten())
    lengths = pc.list_value_length(told).fill_null(0)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    single = np.asarray(pc.equal(lengths, 1))
    firsts = [own[0] if own and len(own) == 1 else None for own in told.to_pylist()]
    first = pa.array(firsts, pa.int64())
    columns = [c.combine_chunks() for c in found.said.take(first).columns]
    return {
        "digests": pa.ListArray.from_arrays(offsets, digests, mask=told.is_null()),
        "said": pa.StructArray.from_arrays(columns, fields=list(SAID), mask=pa.array(~single)),
    }


def _class_keys(
    categories: pa.Table, written: Writing, told: pa.ListArray, said: Records, listed: list[Any]
) -> list[str | None]:
    """Return what the file calls each class: by its labels, else its own name if it has that."""
    used = [c for rows, _ in written.annotations for c in rows.column("category_id").to_pylist()]
    found: dict[int, str] = {}
    names = said.said.column("category").to_pylist()
    for category, own in zip(used, told.to_pylist(), strict=True):
        if category is not None and own:
            found.setdefault(category, names[own[0]])
    columns = (categories.column(n).to_pylist() for n in ("category_id", "name"))
    there = set(listed)
    return [found.get(i, name if name in there else None)
            for i, name in zip(*columns, strict=True)]  # fmt: skip


def _counts(written: Writing, converter: Format, place: Mapping[int, int]) -> tuple[Ids, Ids, Ids]:
    """Return of each label its item, by number in the file, its records, and their place there."""
    found = [np.empty((3, 0), np.int64)]
    for told in converter.records(written):
        items = [place.get(i, -1) for i in told.rows.column("item_id").to_pylist()]
        places = np.zeros(len(items)) if told.places is None else told.places
        found.append(np.array([items, told.counts, places], np.int64))
    items_, counts, places = np.concatenate(found, axis=1)
    return items_, counts, places


def _paired(found: Records, items: Ids, counts: Ids, places: Ids) -> pa.ListArray:
    """Return the places of each label's records: the k-th of an item is its k-th in the file.

    Where the file has another number of records of an item nobody knows which are whose: null.
    """
    size = 1 + max(found.items.max(initial=-1), items.max(initial=-1), 0)
    expected = np.bincount(items[items >= 0], counts[items >= 0], size)
    good = expected == np.bincount(found.items, minlength=size)
    known = (items < 0) | good[items]
    counts = np.where((items >= 0) & good[items], counts, 0)
    order = np.lexsort((places, items))
    own = np.flatnonzero(good[found.items])
    offsets = np.concatenate([[0], np.cumsum(counts[order])]).astype(np.int32)
    mask = pa.array(~known[order])
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(own, pa.int64()), mask=mask)
    return lists.take(pa.array(np.argsort(order, kind="stable")))


def _groups(
    kept: Writing,
    keys: tuple[list[str | None], ...],
    beside: dict[str, pa.Array],
    batches: Iterable[Pair],
) -> Iterator[dict[str, pa.Array]]:
    row = {**dict.fromkeys(TABLES["datasets"].schema.names), **kept.dataset}
    row |= {"row_hash": kept.dataset.get("row_hash") or 0}
    yield {"datasets": _struct(pa.Table.from_pylist([row], schema=TABLES["datasets"].schema))}
    yield {"items": _struct(kept.items), "key": pa.array(keys[0], pa.string())}
    yield {"categories": _struct(kept.categories), "key": pa.array(keys[1], pa.string())}
    if kept.tracks is not None:
        yield {"tracks": _struct(kept.tracks)}
    begin = 0
    for rows, shapes in batches:
        own = {name: values.slice(begin, len(rows)) for name, values in beside.items()}
        begin += len(rows)
        yield {"annotations": _struct(rows), "geometries": _struct(shapes), **own}


def _struct(rows: Any) -> pa.StructArray:
    """Return rows as values of one column."""
    table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
    found = table.combine_chunks().to_struct_array()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
