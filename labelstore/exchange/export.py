"""One export under way: what a data set is in another format, and what it loses there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.chosen import choose, listed_rows
from labelstore.exchange.foreign import (
    BY_HAND,
    Pair,
    are_numbered,
    as_shown,
    batches_anew,
    dataset_losses,
    described_anew,
    listed_anew,
    listed_examples,
    listed_losses,
    without_ids,
)
from labelstore.exchange.losses import column_losses
from labelstore.exchange.notices import BARE_CLASSES, BARE_TRACKS, NOT_IN_PIXELS, VIDEOS_OUT
from labelstore.exchange.ordered import OrderedRows
from labelstore.model.tables import TABLES
from labelstore.plugins import Format, Writing, find_format
from labelstore.plugins.people import Known
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class _Again:
    """Batches that can be gone through more than once."""

    begin: Callable[[], Iterator[Pair]]

    def __iter__(self) -> Iterator[Pair]:
        return self.begin()


class Export:
    """One export under way.

    Attributes:
        converter: for the labels at hand.
        described: the data set's row.
        foreign: whether the data set came in another format.
        rows: its labels.
        items, categories: as they are to be written.
        notices: what was changed on the way, by stable code.
        people: names of people for whom pseudonyms stand.
    """

    def __init__(
        self, manifest: Manifest, format_name: str, layer: str, dataset: str | None,
        task: str | None, digits: int | None = None, among: Ids | None = None,
        people: Known | None = None,
    ) -> None:  # fmt: skip
        self._manifest, self._layer, self._task, self._digits = manifest, layer, task, digits
        self._among, self.people = among, people or Known()
        self.described, self._alone = choose(manifest, format_name, layer, dataset)
        self.foreign = self.described["format"] != format_name
        self.converter = find_format(format_name, task)
        if task is None and not self.foreign:
            kept = json.loads(self.described["leftovers"] or "{}")
            self.converter = self.converter.of_source(kept)
        self.rows = self._rows(complete=self.foreign)
        if task is None and self.foreign:
            self.converter = self.converter.suited(self.rows.tally.filled)
        if digits is not None:
            self.converter = self.converter.with_digits(digits)
        self.notices: dict[str, int] = {}
        self.largest = 0.0
        self._listed = {name: self._list(name) for name in ("items", "categories")}
        self.items, self.categories = (self._as_written(n) for n in ("items", "categories"))
        if self.rows.unsourced and not self.foreign:
            self.notices["annotations-given-ids"] = self.rows.unsourced
        if self.rows.completed:
            self.notices["annotations-completed"] = self.rows.completed

    def _rows(self, *, complete: bool | None) -> OrderedRows:
        return OrderedRows(
            self._manifest, self._layer, self.described["dataset_id"], with_unsourced=self._alone,
            complete=complete, held=self.converter.carries, by_item=self.converter.by_item,
            among=self._among,
        )  # fmt: skip

    def _list(self, name: str) -> pa.Table:
        used = getattr(self.rows.tally, name)
        dataset = self.described["dataset_id"]
        rows, given = listed_rows(
            self._manifest, name, dataset, used, self._among, alone=self._alone
        )
        if given:
            self.notices[f"{name}-given-ids"] = given
        return rows

    def _as_written(self, name: str) -> pa.Table:
        rows = self._listed[name]
        if not self.foreign:
            return rows
        rows = listed_anew(rows, ids=self.converter.has_ids, keep=self._same_ids)
        if name == "items":
            rows = rows.filter(pc.invert(self._are_left_out(rows)))
            turns = "exif_orientation" not in self.converter.lists["items"]
            return as_shown(rows) if turns else rows
        return rows

    def _are_left_out(self, items: pa.Table) -> pa.Array:
        """Return which items are videos without labels, in a format that knows none."""
        none = "parent_id" not in self.converter.lists["items"] and not self.converter.refers
        used = pc.is_in(items.column("item_id"), value_set=pa.array(self.rows.tally.items))
        videos = pc.equal(items.column("modality"), "video")
        return pc.and_(pc.and_(videos, pc.invert(used)), none and self.foreign)

    def data(self) -> Writing:
        """Return what the converter is given to write."""
        described = self.described
        if self.foreign:
            described = described_anew(described, self.converter.says)
        tracks = self._tracks()
        if self.foreign and not are_numbered(tracks):
            tracks = without_ids(tracks)
        return Writing(
            described,
            self.items,
            self.categories,
            _Again(self._batches),
            self.rows.count,
            tracks,
            self.people,
        )

    def _batches(self) -> Iterator[Pair]:
        read = self.converter.reads(self.rows.tally.full) if self.foreign else None
        batches = self.rows.batches(read)
        return batches_anew(batches, ids=self.converter.has_ids) if self.foreign else batches

    def kept(self) -> Writing:
        """Return data set, items, classes and tracks as the store has them."""
        listed = self._listed["items"], self._listed["categories"]
        return Writing(self.described, *listed, (), self.rows.count, self._tracks())

    def raw(self) -> Iterator[Pair]:
        """Return the labels as the store has them, in the order in which they are written."""
        return self._rows(complete=None).batches()

    def _tracks(self) -> pa.Table:
        """Return the tracks that the data set lists, and others that its labels are on."""
        tracks = self._manifest.table(TABLES["tracks"])
        used = pc.is_in(tracks.column("track_id"), value_set=pa.array(self.rows.tally.tracks))
        if self._among is not None:
            return tracks.filter(used).sort_by([("seq", "ascending"), ("track_id", "ascending")])
        own = pc.equal(tracks.column("dataset_id"), self.described["dataset_id"])
        if self._alone:  # what was made by hand is of it
            own = pc.or_kleene(own, tracks.column("dataset_id").is_null())
        found = tracks.filter(pc.or_kleene(used, own))
        return found.sort_by([("seq", "ascending"), ("track_id", "ascending")])

    def losses(self) -> dict[str, int]:
        """Return how much the format cannot hold, by code."""
        wordy = self.foreign and _keeps_words(self.described["format"])
        found = self.rows.tally.losses(
            self.converter.carries - ({"leftovers"} if wordy else set())
        )
        if self.foreign or not self.converter.refers:  # whose items are listed elsewhere
            for name, listed in self._listed.items():
                out = self._are_left_out(listed) if name == "items" else None
                rows = listed if out is None else listed.filter(pc.invert(out))
                unsaid = self.converter.unsaid if self.foreign else frozenset()
                found |= column_losses(name, rows, self.converter.lists[name] - unsaid)
        if self.foreign:
            found |= self._foreign_losses()
        begin = f"{self.converter.name}-"
        told = {f"{begin}drops-{column}": count for column, count in found.items()}
        told |= {begin + code: count for code, count in self._gone().items() if count}
        if self.foreign and not self.converter.has_parts and self.rows.tally.in_parts:
            told[begin + NOT_IN_PIXELS] = self.rows.tally.in_parts
        whole = self.converter.has_ids and not self.rows.edited  # what came from it, it can hold
        if self.foreign or self._task is not None or not whole or self._digits is not None:
            lost = self.converter.losses(self.data())
            self.largest = lost.largest
            told |= lost
        return told

    def _gone(self) -> dict[str, int]:
        """Return how many videos, tracks and classes go since no label needs them, by code."""
        converter, tally = self.converter, self.rows.tally
        tracks = self._tracks()
        if not self.foreign:  # those of the source stand in it, as it wrote them
            tracks = tracks.filter(tracks.column("dataset_id").is_null())
        carried = "track_id" in converter.carries
        used = pc.is_in(tracks.column("track_id"), value_set=pa.array(tally.tracks))
        bare = tracks.num_rows - (pc.sum(used).as_py() or 0)
        attributes = tracks.num_rows - tracks.column("attributes").null_count
        videos = pc.sum(self._are_left_out(self._listed["items"])).as_py() or 0
        unused = self._listed["categories"].num_rows - len(tally.categories)
        return {
            VIDEOS_OUT: videos,
            "drops-tracks.attributes": attributes if carried else 0,
            BARE_TRACKS: 0 if converter.lists_tracks or not carried else bare,
            BARE_CLASSES: 0 if converter.lists_classes or not self.foreign else unused,
        }

    @property
    def _same_ids(self) -> bool:
        """Say whether ids of items and classes mean in the format what they meant before."""
        if not self.described["format"]:
            return False
        source, target = find_format(self.described["format"]), self.converter
        refers = source.name in target.refers or target.name in source.refers
        return refers or (source.has_ids and target.has_ids)

    @property
    def _ids_stay(self) -> bool:
        """Say whether no item or class loses an id; numbers of a format without ids are none."""
        if self._same_ids or not self.described["format"]:
            return True
        return self.converter.has_ids and not find_format(self.described["format"]).has_ids

    def examples(self, column: str, count: int) -> list[str]:
        """Return some items, classes or labels that lose a column; none if nobody knows which.

        Args:
            column: of labels; of other tables with their name and a point before it.
            count: how many lose it.
        """
        table, _, name = column.rpartition(".")
        if table in self._listed:
            return listed_examples(self._listed[table], name, count)
        return self.rows.tally.examples(name, self.items) if not table else []

    def _foreign_losses(self) -> dict[str, int]:
        """Return what another format does not say of the source."""
        found = dataset_losses(self.described, self.converter.says)
        if self.described["dataset_id"] != BY_HAND["dataset_id"]:
            named = self.rows.tally.with_ids
            found |= {"source_id": named} if named else {}
        if "track_id" in self.converter.carries and not are_numbered(self._tracks()):
            found |= {"tracks.source_id": self._tracks().num_rows}
        for name, rows in self._listed.items():
            found |= listed_losses(TABLES[name], rows, ids=self._ids_stay)
        if self.converter.refers:  # its images have the names that they have elsewhere
            return found
        renamed = _renamed(self.converter, self.data())
        return found | ({"items.uri": renamed} if renamed else {})


def _renamed(converter: Format, data: Writing) -> int:
    """Return how many items come back under another name."""
    before = [converter.item_key(uri or "") for uri in data.items.column("uri").to_pylist()]
    after = [converter.item_key(uri) for uri in converter.uris(data)]
    return sum(a != b for a, b in zip(before, after, strict=True))


def _keeps_words(format_name: str) -> bool:
    """Say whether what a source's rows keep says more than how it was written."""
    return bool(format_name) and find_format(format_name).keeps_words
