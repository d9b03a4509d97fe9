"""A data set's labels in its own order, of which few are in memory at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.completing import completed, edit_activities
from labelstore.exchange.scratch import Range, Scratch
from labelstore.exchange.tally import ALWAYS, Tally
from labelstore.exchange.unsourced import given_ids
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

CHUNK = 16_000
KEYS = ("dataset_id", "source_id", "item_id", "annotation_id", "seq")
_NONE = TABLES["annotations"].schema.empty_table().select(KEYS)


class OrderedRows:
    """A data set's annotations in its own order; rows without a source come last, with new ids.

    The store keeps labels by item. Each part is sorted into a file of its own, from which a piece
    of the order is a slice.

    Args:
        manifest: the version.
        layer: the layer.
        dataset_id: the data set.
        with_unsourced: take rows that belong to no data set too.
        complete: give boxes, areas and crowd flags to all rows, not only to edited ones; None
            gives them to none.
        held: columns that the format has.
        by_item: give the labels of each item together, in the order of the items' ids.
        among: ids of the only items whose labels are taken.

    Attributes:
        count: how many rows.
        tally: what they say.
        unsourced: how many of them have no source.
        completed: how many were given a box, area or crowd flag that follows from their shape.
        edited: whether any was changed by hand.
    """

    def __init__(
        self,
        manifest: Manifest,
        layer: str,
        dataset_id: int,
        *,
        with_unsourced: bool,
        complete: bool | None,
        held: Collection[str],
        by_item: bool = False,
        among: Ids | None = None,
    ) -> None:
        self._manifest, self._scratch, self.tally = manifest, Scratch.of_its_own(), Tally()
        self._complete, self._held = complete, held
        self._edits = edit_activities(manifest, every=bool(complete))
        self.completed = self.unsourced = 0
        self.edited = False
        pairs = list(zip(*(manifest.parts_of(name, layer) for name in FAMILY), strict=True))
        keys = [manifest.read(notes, KEYS) for notes, _ in pairs]
        own = [_own(rows, dataset_id, with_unsourced) for rows in keys]
        keys = [rows.filter(kept) for rows, kept in zip(keys, own, strict=True)]
        numbers = given_ids(pa.concat_tables([_NONE, *keys]))
        if among is not None:
            wanted = [pc.is_in(rows.column("item_id"), value_set=pa.array(among)) for rows in keys]
            bare = [w.filter(rows.column("dataset_id").is_null())
                    for w, rows in zip(wanted, keys, strict=True)]  # fmt: skip
            numbers = numbers[np.concatenate([np.empty(0, bool), *map(np.asarray, bare)])]
            own = [_narrowed(kept, w) for kept, w in zip(own, wanted, strict=True)]
            keys = [rows.filter(w) for rows, w in zip(keys, wanted, strict=True)]
        places = _places(keys, by_item=by_item)
        self._places: list[Ids] = []
        self.count = len(places)
        for pair, kept, rows in zip(pairs, own, keys, strict=True):
            both = [_kept(manifest.read(part), kept) for part in pair]
            bare = rows.column("dataset_id").null_count
            if bare:
                both[0] = _numbered(both[0], numbers[self.unsourced : self.unsourced + bare])
                self.unsourced += bare
            self._add(both, places[: rows.num_rows])
            places = places[rows.num_rows :]

    def _add(self, both: list[pa.Table], places: Ids) -> None:
        """Put the rows of a part aside, in their order."""
        by_hand = pc.is_in(both[0].column("changed_in"), value_set=self._edits)
        self.edited |= bool(pc.any(by_hand, min_count=0).as_py())
        if self._complete is not None:
            *both, count = completed(both[0], both[1], self._edits, self._held)
            self.completed += count
        self.tally.add(*both)
        order = np.argsort(places)
        for name, rows in zip(FAMILY, both, strict=True):
            self._scratch.save(name, len(self._places), rows, order)
        self._places.append(places[order])

    def batches(
        self, shapes: Collection[str] | None = None
    ) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """Yield annotations and geometries in order.

        Args:
            shapes: columns of `geometries` that are read; the others are null. None reads all.
        """
        table, named = TABLES["geometries"], None
        if shapes is not None:
            unread = set(table.columns("content")) - {*shapes, *ALWAYS}
            named = [name for name in table.schema.names if name not in unread]
        for begin in range(0, self.count, CHUNK):
            ranges, places = [], []
            for piece, own in enumerate(self._places):
                a, b = np.searchsorted(own, [begin, begin + CHUNK]).tolist()
                if b > a:
                    ranges.append(Range(piece, a, b))
                    places.append(own[a:b])
            order = np.argsort(np.concatenate(places))
            notes = self._scratch.rows(TABLES["annotations"], ranges, order)
            found = self._scratch.rows(table, ranges, order, named)
            yield _batch(notes), _batch(found)


def _places(tables: list[pa.Table], *, by_item: bool) -> Ids:
    """Return the place of each row, part by part, in the order of its source, or of items."""
    late = np.iinfo(np.int64).max
    rows = pa.concat_tables([_NONE, *tables])
    names = ["annotation_id", "seq", *(["item_id"] if by_item else [])]
    keys = [np.asarray(rows.column(name).fill_null(late).combine_chunks()) for name in names]
    places = np.empty(rows.num_rows, np.int64)
    places[np.lexsort(keys)] = np.arange(rows.num_rows)
    return places


def _own(rows: pa.Table, dataset_id: int, with_unsourced: bool) -> pa.ChunkedArray:
    """Return which rows belong to a data set, and to none where that is asked for."""
    return pc.equal(rows.column("dataset_id"), dataset_id).fill_null(with_unsourced)


def _narrowed(kept: pa.ChunkedArray, wanted: pa.ChunkedArray) -> pa.Array:
    """Return which rows are kept and wanted; `wanted` speaks of those that are kept."""
    found = np.array(kept)
    found[found] = np.asarray(wanted)
    return pa.array(found)


def _kept(rows: pa.Table, kept: pa.ChunkedArray) -> pa.Table:
    """Return some of the rows, in one chunk."""
    found = rows if pc.all(kept, min_count=0).as_py() else rows.filter(kept)
    return found.combine_chunks()


def _numbered(rows: pa.Table, ids: Ids) -> pa.Table:
    """Return rows of which those without a data set have these ids."""
    bare = rows.column("dataset_id").is_null().combine_chunks()
    known = rows.column("source_id").combine_chunks()
    return with_column(rows, "source_id", pc.replace_with_mask(known, bare, pa.array(ids)))


def _batch(rows: pa.Table) -> pa.RecordBatch:
    (found,) = rows.combine_chunks().to_batches()
    return found
