"""Export: a version, or one data set of it, as a file of some format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, NotFound, StorageFailed
from labelstore.exchange.collector import without_collector
from labelstore.exchange.foreign import (
    BY_HAND,
    Pair,
    as_shown,
    batches_anew,
    dataset_losses,
    described_anew,
    everything,
    id_losses,
    listed_anew,
    listed_examples,
    listed_losses,
    without_ids,
)
from labelstore.exchange.identity import as_stated
from labelstore.exchange.losses import accepted, column_losses, unsaid_losses
from labelstore.exchange.notices import NOT_IN_PIXELS
from labelstore.exchange.ordered import OrderedRows
from labelstore.exchange.sidecar.file import NAME, sidecar_path
from labelstore.exchange.sidecar.writing import write_sidecar
from labelstore.exchange.unsourced import is_alone
from labelstore.model.tables import TABLES
from labelstore.plugins import Format, Writing, find_format
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        target: the file or folder.
        datasets: data sets that it holds, the one whose order and info it has first.
        notices: what was changed on the way, by stable code.
    """

    target: str
    datasets: list[str]
    items: int
    annotations: int
    notices: Mapping[str, int] = field(default_factory=dict)
    sidecar: str | None = None
    """Where stands what is left out."""
    losses: Sequence[Mapping[str, Any]] = ()
    """Code, count, words and examples of each."""
    largest_rounding: float = 0.0
    """The largest distance of a coordinate from what reads back, in its own units."""


@without_collector()
def export_to(
    manifest: Manifest,
    format_name: str,
    target: Path,
    *,
    layer: str,
    dataset: str | None = None,
    task: str | None = None,
    digits: int | None = None,
    allow_loss: Collection[str] = (),
    sidecar: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> ExportReport:
    """Write one data set of a layer, in the order and words of its source.

    Args:
        manifest: the version.
        format_name: name of a converter.
        target: file or folder to write.
        layer: which labels.
        dataset: which data set; may be left out where the layer has one of this format, or one.
        task: kind of content, where the format has several; else what suits the labels.
        digits: significant digits to which numbers are rounded, where they are parts of an image.
        allow_loss: codes of losses that are accepted, or `all`.
        sidecar: whether to write beside it what is left out, for an import to put back.
        progress: told how far things are.

    Raises:
        NotFound: the layer has no such data set.
        InvalidInput: there are several and none is named.
        LossRefused: something that the format cannot hold would be lost; nothing is written.
    """
    export = Export(manifest, format_name, layer, dataset, task, digits)
    found = export.losses()
    asked = [] if digits is None else [f"{format_name}-rounded"]
    losses = accepted(found, export.converter, [*allow_loss, *asked], export.examples)
    notices = export.notices | {loss.code: loss.count for loss in losses}
    for beside in {target / NAME, target.with_name(f"{target.name}.{NAME}")}:
        if beside.is_dir():
            raise InvalidInput(f"{beside}: is a folder, and a sidecar goes there",
                               code="target-kind")  # fmt: skip
        beside.unlink(missing_ok=True)
    for done in export.converter.write(export.data(), target):
        if progress:
            progress("writing", done, export.rows.count)
    if sidecar and found and export.items.num_rows and not export.converter.refers:
        _write_sidecar(export, target)
    beside = sidecar_path(target)
    names = [export.described["name"]]
    kept = str(beside) if beside.is_file() else None
    rows = export.rows.count
    return ExportReport(
        str(target), names, export.items.num_rows, rows, notices, kept,
        [asdict(loss) for loss in losses], export.largest,
    )  # fmt: skip


def _write_sidecar(export: Export, target: Path) -> None:
    """Write what an export leaves out; where that fails, the export goes too."""
    try:
        write_sidecar(target, export.converter, export.data(), export.kept(), export.raw())
    except OSError as error:
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        raise StorageFailed(
            f"{target}: the sidecar of what is left out could not be written ({error}), and "
            "nothing was kept. Make room, or pass --no-sidecar to go without it.",
            code="sidecar-unwritten",
        ) from error


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
    """

    def __init__(
        self, manifest: Manifest, format_name: str, layer: str, dataset: str | None,
        task: str | None, digits: int | None = None,
    ) -> None:  # fmt: skip
        self._manifest, self._layer, self._task, self._digits = manifest, layer, task, digits
        self.described, self._alone = _choose(manifest, format_name, layer, dataset)
        self.foreign = self.described["format"] != format_name
        self.converter = find_format(format_name, task)
        if task is None and not self.foreign:
            kept = json.loads(self.described["leftovers"] or "{}")
            self.converter = self.converter.of_source(kept)
        self.rows = self._rows(complete=self.foreign)
        if task is None and self.foreign:
            self.converter = self.converter.suited(self.rows.filled)
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
            complete=complete, held=self.converter.carries,
        )  # fmt: skip

    def _list(self, name: str) -> pa.Table:
        used = {"items": self.rows.items, "categories": self.rows.categories}[name]
        rows, given = _listed(self._manifest, name, self.described["dataset_id"], used)
        if given:
            self.notices[f"{name}-given-ids"] = given
        return rows

    def _as_written(self, name: str) -> pa.Table:
        rows = self._listed[name]
        if not self.foreign:
            return rows
        rows = listed_anew(rows, ids=self.converter.has_ids, keep=self._same_ids)
        turns = name == "items" and "exif_orientation" not in self.converter.lists["items"]
        return as_shown(rows) if turns else rows

    def data(self) -> Writing:
        """Return what the converter is given to write."""
        described = self.described
        if self.foreign:
            described = described_anew(described, self.converter.says)
        tracks = self._tracks()
        return Writing(
            described, self.items, self.categories, _Again(self._batches), self.rows.count,
            without_ids(tracks) if self.foreign else tracks,
        )  # fmt: skip

    def _batches(self) -> Iterator[Pair]:
        read = self.converter.reads(self.rows.full) if self.foreign else None
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
        used = [t.column("track_id").drop_null().combine_chunks() for t in self.rows.tables]
        ids = pa.concat_arrays([pa.array([], pa.int64()), *used]).unique()
        tracks = self._manifest.table(TABLES["tracks"])
        found = tracks.filter(pc.is_in(tracks.column("track_id"), value_set=ids))
        return found.sort_by([("seq", "ascending"), ("track_id", "ascending")])

    def losses(self) -> dict[str, int]:
        """Return how much the format cannot hold, by code."""
        wordy = self.foreign and _keeps_words(self.described["format"])
        found = self.rows.losses(self.converter.carries - ({"leftovers"} if wordy else set()))
        for name, rows in self._listed.items():
            held = () if self.foreign and self.converter.refers else self.converter.lists[name]
            found |= column_losses(name, rows, held)
        if self.foreign:
            found |= self._foreign_losses()
        begin = f"{self.converter.name}-"
        told = {f"{begin}drops-{column}": count for column, count in found.items()}
        if self.foreign and not self.converter.has_parts and self.rows.in_parts:
            told[begin + NOT_IN_PIXELS] = self.rows.in_parts
        whole = self.converter.has_ids and not self.rows.edited  # what came from it, it can hold
        if self.foreign or self._task is not None or not whole or self._digits is not None:
            lost = self.converter.losses(self.data())
            self.largest = lost.largest
            told |= lost
        return told

    @property
    def _same_ids(self) -> bool:
        """Say whether ids of items and classes mean in the format what they meant before."""
        if not self.described["format"]:
            return False
        source, target = find_format(self.described["format"]), self.converter
        refers = source.name in target.refers or target.name in source.refers
        return refers or (source.has_ids and target.has_ids)

    def examples(self, column: str) -> list[str]:
        """Return some items, classes or labels that say something in a column of theirs.

        Args:
            column: of labels; of other tables with their name and a point before it.
        """
        table, _, name = column.rpartition(".")
        if table in self._listed:
            return listed_examples(self._listed[table], name)
        return self.rows.examples(name, self.items) if not table else []

    def _foreign_losses(self) -> dict[str, int]:
        """Return what another format does not say of the source."""
        by_hand = self.described["dataset_id"] == BY_HAND["dataset_id"]
        found = dataset_losses(self.described, self.converter.says)
        found |= {} if by_hand else id_losses(self.rows.tables)
        for name, rows in self._listed.items():
            found |= listed_losses(TABLES[name], rows, ids=by_hand or self._same_ids)
        found |= unsaid_losses(self._listed["items"].select(sorted(self.converter.unsaid)))
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


def _choose(
    manifest: Manifest, format_name: str, layer: str, dataset: str | None
) -> tuple[dict[str, Any], bool]:
    """Return the data set, and whether the layer has no other."""
    rows = manifest.table(TABLES["datasets"]).to_pylist()
    here = [r for r in rows if r["layer"] == layer]
    if not here and dataset is None:
        return dict(BY_HAND), True
    own = [r for r in here if r["format"] == format_name]
    there = own or here
    named = [r for r in there if dataset in (None, r["name"])]
    names = ", ".join(f"{r['name']} ({r['format']})" for r in here) or "none"
    if not named:
        raise NotFound(
            f"layer {layer!r} has no data set {dataset!r} (it has: {names})",
            code="dataset-unknown",
        )
    if len(named) > 1:
        raise InvalidInput(
            f"layer {layer!r} has several data sets ({names}); choose one with --dataset",
            code="dataset-ambiguous",
        )
    return named[0], is_alone(manifest, layer)


def _listed(manifest: Manifest, name: str, dataset_id: int, used: Ids) -> tuple[pa.Table, int]:
    """Return the rows that a data set lists and then others that its labels use, and how many."""
    table = TABLES[name]
    rows = manifest.table(table)
    if dataset_id == BY_HAND["dataset_id"]:
        return everything(table, rows), 0
    listed = as_stated(table, rows, dataset_id)
    known = np.asarray(listed.column(table.id_column).combine_chunks())
    missing = pa.array(np.setdiff1d(used, known))
    if not len(missing):
        return listed, 0
    others = rows.filter(pc.is_in(rows.column(table.id_column), value_set=missing)).to_pylist()
    entries = listed.column("sources").combine_chunks().flatten()
    first_id = 1 + max(pc.max(entries.field("source_id")).as_py() or 0, 0)
    for i, row in enumerate(others):
        source = {"dataset_id": dataset_id, "seq": listed.num_rows + i, "source_id": first_id + i}
        row["sources"] = [source]
    given = pa.Table.from_pylist(others, schema=table.schema)
    return pa.concat_tables([listed, given]), len(missing)
