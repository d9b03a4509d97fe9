"""A new layer in one go: its parts are built by all cores, from rows in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

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


class Ordered(Protocol):
    """Labels of a source in the order of parts: by item, then by their places in the source."""

    @property
    def keys(self) -> Ids:
        """Return the item of each label, in order, shape (n,)."""

    def family(self, begin: int, end: int) -> tuple[list[pa.Table], Mapping[str, int]]:
        """Return rows of `annotations` and of `geometries`, and counts of what is unusual.

        Args:
            begin: first label, in the order of `keys`.
            end: the one after the last.
        """


@dataclass(frozen=True)
class _Built:
    rows: int
    parts: list[tuple[Part, str]]
    notices: Mapping[str, int]


def write_layer(
    draft: Draft, layer: str, source: Ordered, done: Callable[[int], None] | None = None
) -> Counter[str]:
    """Write all annotations of a source as a layer that has none yet.

    Args:
        draft: the import's draft.
        layer: the layer.
        source: its labels, every item known.
        done: called with the number of rows of each part as it is finished.

    Returns:
        What is unusual and was seen only now, by stable code.
    """
    keys = source.keys
    ids = draft.ids.take(len(keys))
    ends = cut(keys, ids, draft.manifest.target, last=True)
    objects = draft.workspace.objects

    def work(rows: tuple[int, int]) -> _Built:
        begin, end = rows
        continued = begin > 0 and bool(keys[begin - 1] == keys[begin])
        tables, notices = source.family(begin, end)
        built = []
        for name, table in zip(FAMILY, tables, strict=True):
            found = with_column(table, "annotation_id", ids[begin:end])
            part, file = build(TABLES[name], layer, found, continued=continued)
            built.append((part, put(objects, file)))
        return _Built(end - begin, built, notices)

    def finished(built: _Built) -> None:
        if done:
            done(built.rows)

    made = fork_map(work, list(zip([0, *ends], ends, strict=False)), finished)
    entries = [entry for built in made for entry in built.parts]
    parts = [*draft.manifest.parts, *(part for part, _ in entries)]
    draft.adopt(parts, {part.path: md5 for part, md5 in entries})
    return sum((Counter(built.notices) for built in made), Counter())
