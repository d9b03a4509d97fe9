"""Writing a sidecar beside an export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.exchange.sidecar.file import sidecar_path, write_rows
from labelstore.exchange.sidecar.records import Records, records_of
from labelstore.model.tables import TABLES
from labelstore.plugins import Beside, Format, Writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

Pair = tuple[pa.RecordBatch, pa.RecordBatch]


def write_sidecar(
    target: Path, converter: Format, written: Writing, kept: Writing, batches: Iterable[Pair]
) -> None:
    """Read back what was written, and write what the store has of it beside it.

    Args:
        target: the exported file or folder.
        converter: what wrote it.
        written: what it was given; its annotations are read through once more.
        kept: data set, items, classes and tracks as the store has them, in the same order.
        batches: annotations and geometries as the store has them, in the same order.
    """
    names = converter.uris(written)
    keys = [converter.item_key(name) for name in names]
    columns = [written.items.column(n).to_pylist() for n in ("width", "height")]
    sizes = {k: size for k, size in zip(keys, zip(*columns, strict=True), strict=True)
             if None not in size}  # fmt: skip
    reading = converter.open(target, Beside(sizes=sizes))
    found = records_of(reading, converter)
    listed = [converter.item_key(uri or "") for uri in reading.items().column("uri").to_pylist()]
    numbers = {key: i for i, key in enumerate(listed)}
    ids = written.items.column("item_id").to_pylist()
    place = {item: numbers.get(key, -1) for item, key in zip(ids, keys, strict=True)}
    digests = _paired(found, *_counts(written, converter, place))
    said = {"written_as": converter.name, "task": converter.task}
    known = [key if key in numbers else None for key in keys]
    write_rows(sidecar_path(target), said, _groups(kept, known, digests, batches))


def _counts(written: Writing, converter: Format, place: Mapping[int, int]) -> tuple[Ids, Ids]:
    """Return item, by its number in the file, and count of records of each label."""
    items, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for rows, records in converter.records(written):
        items.append(np.array([place[i] for i in rows.column("item_id").to_pylist()], np.int64))
        counts.append(records)
    return np.concatenate(items), np.concatenate(counts)


def _paired(found: Records, items: Ids, counts: Ids) -> pa.ListArray:
    """Return the digests of each label's records: the k-th of an item is its k-th in the file.

    Where the file has another number of records of an item nobody knows which are whose: null.
    """
    size = 1 + max(found.items.max(initial=-1), items.max(initial=-1), 0)
    expected = np.bincount(items[items >= 0], counts[items >= 0], size)
    good = expected == np.bincount(found.items, minlength=size)
    known = (items < 0) | good[items]
    counts = np.where((items >= 0) & good[items], counts, 0)
    order = np.argsort(items, kind="stable")
    own = [d for d, item in zip(found.digests, found.items.tolist(), strict=True) if good[item]]
    offsets = np.concatenate([[0], np.cumsum(counts[order])]).astype(np.int32)
    mask = pa.array(~known[order])
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(own, pa.binary()), mask=mask)
    return lists.take(pa.array(np.argsort(order, kind="stable")))


def _groups(
    kept: Writing, keys: list[str | None], digests: pa.ListArray, batches: Iterable[Pair]
) -> Iterator[dict[str, pa.Array]]:
    row = {**dict.fromkeys(TABLES["datasets"].schema.names), **kept.dataset}
    row |= {"row_hash": kept.dataset.get("row_hash") or 0}
    yield {"datasets": _struct(pa.Table.from_pylist([row], schema=TABLES["datasets"].schema))}
    yield {"items": _struct(kept.items), "key": pa.array(keys, pa.string())}
    yield {"categories": _struct(kept.categories)}
    if kept.tracks is not None:
        yield {"tracks": _struct(kept.tracks)}
    begin = 0
    for rows, shapes in batches:
        own = digests.slice(begin, len(rows))
        begin += len(rows)
        yield {"annotations": _struct(rows), "geometries": _struct(shapes), "digests": own}


def _struct(rows: Any) -> pa.StructArray:
    """Return rows as values of one column."""
    table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
    found = table.combine_chunks().to_struct_array()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
