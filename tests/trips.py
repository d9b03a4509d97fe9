"""Sources read and written by a converter alone, without a store."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from labelstore.model.tables import TABLES
from labelstore.plugins import Format, Writing
from labelstore.storage.parquet import conform


def whole_batch(rows: pa.Table, name: str) -> pa.RecordBatch:
    """Return rows with all columns of their table, in one batch."""
    return conform(rows, TABLES[name]).combine_chunks().to_batches()[0]


def there_and_back(converter: Format, source: Path, target: Path) -> None:
    """Read a data set and write it."""
    reading = converter.open(source)
    pieces = [reading.annotations(i) for i in range(reading.pieces)]
    batches = [
        tuple(whole_batch(getattr(p, name), name) for name in ("annotations", "geometries"))
        for p in pieces
        if p.annotations.num_rows
    ]
    described = {"format": converter.name, **reading.dataset}
    items = conform(reading.items(), TABLES["items"])
    classes = conform(reading.categories(), TABLES["categories"])
    tracks = reading.tracks()
    known = None if tracks is None else conform(tracks, TABLES["tracks"])
    for _ in converter.write(Writing(described, items, classes, batches, 0, known), target):
        pass
