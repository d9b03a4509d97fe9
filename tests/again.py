"""A COCO file, read and written again without a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from labelstore.model.tables import TABLES
from labelstore.plugins import Piece, Writing
from labelstore.storage.parquet import conform
from labelstore_converters.coco import FORMAT


def there_and_back(source: Path, target: Path) -> None:
    """Read a file and write it again, without a store."""
    reading = FORMAT.open(source)
    items = conform(reading.items(), TABLES["items"])
    categories = conform(reading.categories(), TABLES["categories"])
    dataset = {"info": None, "licenses": None, **reading.dataset}

    def batches() -> Iterator[Any]:
        for i in range(reading.pieces):
            yield ordered(reading.annotations(i))

    data = Writing(dataset, items, categories, batches(), 0)
    for _ in FORMAT.write(data, target):
        pass


def ordered(piece: Piece) -> tuple[Any, ...]:
    """Return annotations and geometries in the order of the file."""
    order = np.argsort(np.asarray(piece.annotations.column("seq").combine_chunks()))
    pairs = (("annotations", piece.annotations), ("geometries", piece.geometries))
    return tuple(
        conform(rows, TABLES[name]).take(order).combine_chunks().to_batches()[0]
        for name, rows in pairs
    )
