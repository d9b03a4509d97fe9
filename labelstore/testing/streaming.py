"""What a converter for large data has to keep: memory that does not grow with the labels."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from labelstore.exchange.export import Export
from labelstore.plugins import find_format
from labelstore.store import Store, init_store

IMAGES = 1_000
FEW, MANY = 36_000, 108_000
"""Labels on as many images."""
GROWTH = 1.5
"""What three times the labels may take of memory."""


class StreamingConformance:
    """Tests of a format for large data, beside `Conformance`.

    Attributes:
        format: name of the converter, as its package registers it.
        suffix: of a file that it writes; none for a folder.
    """

    format: ClassVar[str]
    suffix: ClassVar[str] = ""

    def test_memory_does_not_grow_with_the_labels(self, tmp_path: Path) -> None:
        """Three times the labels are written, and read piece by piece, in the same memory."""
        peaks = [self._peaks(tmp_path / str(count), count) for count in (FEW, MANY)]
        for few, many, what in zip(*peaks, ("writing", "reading"), strict=True):
            assert many < GROWTH * few, f"{what}: {few:,} bytes, then {many:,}"

    def _peaks(self, folder: Path, count: int) -> tuple[int, int]:
        """Return the bytes that writing and reading took at most, for so many labels."""
        store, target = boxes(folder / "store", count), folder / f"out{self.suffix}"
        export = Export(store.manifest(), self.format, store.workspace.default_layer, None, None)
        export.losses()
        data, told = export.data(), list[int]()

        def write() -> None:
            told.extend(export.converter.write(data, target))

        def read() -> None:
            reading = find_format(self.format).open(target)
            found = [reading.annotations(piece).annotations.num_rows
                     for piece in range(reading.pieces)]  # fmt: skip
            assert sum(found) == count

        peaks = peak_of(write), peak_of(read)
        assert told[-1] == count
        assert len(told) > 1, "progress is told once"
        return peaks


def peak_of(work: Callable[[], None]) -> int:
    """Return the bytes that work took at most, of Python, NumPy and Arrow."""
    with _traced() as peak:
        work()
        return peak()


@contextmanager
def _traced() -> Iterator[Callable[[], int]]:
    usual = pa.default_memory_pool()
    own = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(own)
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] + (own.max_memory() or 0)
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)


def boxes(folder: Path, count: int) -> Store:
    """Return a store of so many boxes on `IMAGES` images."""
    rng = np.random.default_rng(count)
    store = init_store(folder)
    corner = rng.integers(0, 500, (count, 2)).astype(float)
    with store.edit(message="boxes") as edit:
        edit.add(
            pa.table({
                "item": [f"images/{i % IMAGES:06}.jpg" for i in range(count)],
                "category": pa.repeat("car", count), "x": corner[:, 0], "y": corner[:, 1],
                "width": rng.uniform(1, 100, count), "height": rng.uniform(1, 100, count),
            }),
            items=[{"uri": f"images/{i:06}.jpg", "width": 640, "height": 640}
                   for i in range(IMAGES)],
            categories=[{"name": "car"}],
        )  # fmt: skip
    return store
