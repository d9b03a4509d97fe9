"""A new layer in one go: parts are built straight from scratch files, by all cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelstore.exchange.spill import Spill
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.cutting import cut
from labelstore.storage.index import Part, build
from labelstore.storage.objects import put
from labelstore.storage.parallel import fork_map
from labelstore.versions.stage import Draft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


def write_layer(
    draft: Draft, layer: str, source: Spill, done: Callable[[int], None] | None = None
) -> None:
    """Write all annotations of a source as a layer that has none yet.

    Args:
        draft: the import's draft.
        layer: the layer.
        source: decoded annotations, every item resolved.
        done: called with the number of rows of each part as it is finished.
    """
    keys, _, _ = source.order()
    ids = draft.ids.take(len(keys))
    ends = cut(keys, ids, draft.manifest.target, last=True)
    ranges = list(zip([0, *ends], ends, strict=False))
    objects = draft.workspace.objects

    def work(rows: tuple[int, int]) -> list[tuple[Part, str]]:
        built = []
        for name in FAMILY:
            part, file = _part(name, layer, source, keys, ids, rows)
            built.append((part, put(objects, file)))
        return built

    def finished(built: list[tuple[Part, str]]) -> None:
        if done:
            done(built[0][0].rows)

    made = [entry for built in fork_map(work, ranges, finished) for entry in built]
    parts = [*draft.manifest.parts, *(part for part, _ in made)]
    draft.adopt(parts, {part.path: md5 for part, md5 in made})


def _part(
    name: str, layer: str, source: Spill, keys: Ids, ids: Ids, rows: tuple[int, int]
) -> tuple[Part, pa.Buffer]:
    begin, end = rows
    table = TABLES[name]
    first, last = int(keys[begin]), int(keys[end - 1])
    found = source.rows_of_items(name, first, last)
    skipped = begin - int(np.searchsorted(keys, first, side="left"))
    found = found.slice(skipped, end - begin)
    found = with_column(found, "annotation_id", ids[begin:end])
    return build(table, layer, found, continued=skipped > 0)
