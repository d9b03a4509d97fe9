"""Export: a version, or one data set of it, as a file of some format."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, LossRefused, NotFound
from labelstore.exchange.foreign import (
    BY_HAND,
    as_shown,
    batches_anew,
    dataset_losses,
    described_anew,
    everything,
    id_losses,
    listed_anew,
    listed_losses,
)
from labelstore.exchange.identity import as_stated
from labelstore.exchange.notices import NOUNS
from labelstore.exchange.ordered import OrderedRows
from labelstore.exchange.sidecar.writing import write_sidecar
from labelstore.exchange.unsourced import is_alone
from labelstore.model.arrow import with_column
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


def export_to(
    manifest: Manifest,
    format_name: str,
    target: Path,
    *,
    layer: str,
    dataset: str | None = None,
    task: str | None = None,
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
        allow_loss: codes of losses that are accepted, or `all`.
        sidecar: whether to write beside it what is left out, for an import to put back.
        progress: told how far things are.

    Raises:
        NotFound: the layer has no such data set.
        InvalidInput: there are several and none is named.
        LossRefused: something that the format cannot hold would be lost; nothing is written.
    """
    own, alone = _choose(manifest, format_name, layer, dataset)
    described = own
    foreign = own["format"] != format_name
    number = own["dataset_id"]
    converter = find_format(format_name, task)
    if task is None and not foreign:
        converter = converter.of_source(json.loads(described["leftovers"] or "{}"))
    rows = OrderedRows(
        manifest, layer, number, with_unsourced=alone, complete=foreign, held=converter.carries
    )
    if foreign and task is None:
        converter = converter.suited(rows.filled)
    notices: Counter[str] = Counter()
    listed = {
        name: _listed(manifest, name, number, used, notices)
        for name, used in (("items", rows.items), ("categories", rows.categories))
    }
    wordy = foreign and _keeps_words(described["format"])
    losses = rows.losses(converter.carries - ({"leftovers"} if wordy else set()))
    kept = dict(listed)
    for name, shown in listed.items():
        losses |= _listed_losses(name, shown, converter.lists[name])
    batches = rows.batches
    if foreign:
        ids = converter.has_ids
        told = ids or number == BY_HAND["dataset_id"]
        losses |= dataset_losses(described) | ({} if told else id_losses(rows.tables))
        for name, shown in listed.items():
            losses |= listed_losses(TABLES[name], shown, ids=told)
            listed[name] = listed_anew(shown, ids=ids)
        if "exif_orientation" not in converter.lists["items"]:
            listed["items"] = as_shown(listed["items"])
        described, batches = described_anew(described), partial(_anew, rows, ids=ids)
    data = Writing(described, listed["items"], listed["categories"], batches(), rows.count,
                   _tracks(manifest, rows, foreign=foreign))  # fmt: skip
    if foreign and (renamed := _renamed(converter, data)):
        losses["items.uri"] = renamed
    judged: Mapping[str, int] = {}
    if foreign or rows.edited or task is not None:
        judged = converter.losses(data)
    notices.update(_accepted(losses, judged, converter, allow_loss))
    if rows.unsourced and not foreign:
        notices["annotations-given-ids"] = rows.unsourced
    if rows.completed:
        notices["annotations-completed"] = rows.completed
    for done in converter.write(replace(data, annotations=batches()), target):
        if progress:
            progress("writing", done, rows.count)
    if sidecar and (foreign or losses or judged):
        raw = OrderedRows(
            manifest, layer, number, with_unsourced=alone, complete=None, held=converter.carries
        )
        before = Writing(own, kept["items"], kept["categories"], (), rows.count,
                         _tracks(manifest, rows, foreign=False))  # fmt: skip
        again = replace(data, annotations=batches())
        write_sidecar(target, converter, again, before, raw.batches())
    names = [described["name"]]
    return ExportReport(str(target), names, listed["items"].num_rows, rows.count, dict(notices))


def _renamed(converter: Format, data: Writing) -> int:
    """Return how many items come back under another name."""
    before = data.items.column("uri").to_pylist()
    pairs = zip(before, converter.uris(data), strict=True)
    return sum(converter.item_key(a or "") != converter.item_key(b) for a, b in pairs)


def _keeps_words(format_name: str) -> bool:
    """Say whether what a source's rows keep says more than how it was written."""
    return bool(format_name) and find_format(format_name).keeps_words


def _anew(rows: OrderedRows, *, ids: bool) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    return batches_anew(rows.batches(), ids=ids)


def _accepted(
    losses: Mapping[str, int],
    judged: Mapping[str, int],
    converter: Format,
    allow_loss: Collection[str],
) -> dict[str, int]:
    """Return the losses by code, all of them accepted."""
    begin = f"{converter.name}-drops-"
    found = {f"{begin}{column}": count for column, count in losses.items()} | dict(judged)
    refused = {c: n for c, n in found.items() if c not in allow_loss and "all" not in allow_loss}
    if refused:
        nouns = {c: NOUNS[c.removeprefix(begin).rpartition(".")[0]] for c in refused}
        width = max(map(len, refused))
        told = [
            f"  {code:{width}}  {count:,} {converter.notices.get(code, nouns[code])}"
            for code, count in refused.items()
        ]
        raise LossRefused(
            "\n".join([f"{converter.name} cannot hold all of this; nothing was written:", *told])
            + f"\nTo leave it out, pass --allow-loss {','.join(refused)} (or: all)"
        )
    return found


def _listed_losses(name: str, rows: pa.Table, held: Collection[str]) -> dict[str, int]:
    """Return how many items or classes say something in a column that a format does not hold."""
    table = TABLES[name]
    columns = set(table.columns("content")) - {table.id_column, "position", *held}
    counts = {column: rows.num_rows - rows.column(column).null_count for column in columns}
    return {f"{name}.{column}": counts[column] for column in sorted(counts) if counts[column]}


def _tracks(manifest: Manifest, rows: OrderedRows, *, foreign: bool) -> pa.Table:
    """Return the tracks of some labels, in their order; without numbers for another format."""
    used = [t.column("track_id").drop_null().combine_chunks() for t in rows.tables]
    ids = pa.concat_arrays([pa.array([], pa.int64()), *used]).unique()
    tracks = manifest.table(TABLES["tracks"])
    found = tracks.filter(pc.is_in(tracks.column("track_id"), value_set=ids))
    found = found.sort_by([("seq", "ascending"), ("track_id", "ascending")])
    if foreign:
        for name in ("source_id", "source_key"):
            kind = found.schema.field(name).type
            found = with_column(found, name, pa.nulls(found.num_rows, kind))
    return found


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


def _listed(
    manifest: Manifest, name: str, dataset_id: int, used: Ids, notices: Counter[str]
) -> pa.Table:
    """Return the rows that a data set lists, and after them others that its annotations use."""
    table = TABLES[name]
    rows = manifest.table(table)
    if dataset_id == BY_HAND["dataset_id"]:
        return everything(table, rows)
    listed = as_stated(table, rows, dataset_id)
    known = np.asarray(listed.column(table.id_column).combine_chunks())
    missing = pa.array(np.setdiff1d(used, known))
    if not len(missing):
        return listed
    notices[f"{name}-given-ids"] = len(missing)
    others = rows.filter(pc.is_in(rows.column(table.id_column), value_set=missing)).to_pylist()
    entries = listed.column("sources").combine_chunks().flatten()
    first_id = 1 + max(pc.max(entries.field("source_id")).as_py() or 0, 0)
    for i, row in enumerate(others):
        source = {"dataset_id": dataset_id, "seq": listed.num_rows + i, "source_id": first_id + i}
        row["sources"] = [source]
    return pa.concat_tables([listed, pa.Table.from_pylist(others, schema=table.schema)])
