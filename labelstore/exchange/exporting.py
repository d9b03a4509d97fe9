"""Export: a version, or one data set of it, as a file of some format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, LossRefused, NotFound
from labelstore.exchange.completing import completed, edit_activities
from labelstore.exchange.identity import as_stated
from labelstore.exchange.notices import NOUNS
from labelstore.exchange.unsourced import given_ids, is_alone
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Writing, find_format
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

CHUNK = 16_000
_NONE = (
    TABLES["annotations"].schema.empty_table().select(["dataset_id", "source_id", "annotation_id"])
)
ALWAYS = frozenset(
    ("layer", "item_id", "annotation_id", "kind", "xmin", "ymin", "xmax", "ymax", "frame")
)
"""Keys, and what follows from the shapes."""


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
    allow_loss: Collection[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> ExportReport:
    """Write one data set of a layer, in the order and words of its source.

    Args:
        manifest: the version.
        format_name: name of a converter.
        target: file or folder to write.
        layer: which labels.
        dataset: which data set; may be left out where the layer has one of this format.
        allow_loss: codes of losses that are accepted, or `all`.
        progress: told how far things are.

    Raises:
        NotFound: the layer has no such data set.
        InvalidInput: there are several and none is named.
        LossRefused: something that the format cannot hold would be lost; nothing is written.
    """
    converter = find_format(format_name)
    described, alone = _choose(manifest, format_name, layer, dataset)
    number = described["dataset_id"]
    rows = OrderedRows(manifest, layer, number, with_unsourced=alone)
    notices: Counter[str] = Counter()
    listed = {
        name: _listed(manifest, name, number, used, notices)
        for name, used in (("items", rows.items), ("categories", rows.categories))
    }
    losses = rows.losses(converter.carries)
    for name, own in listed.items():
        losses |= _listed_losses(name, own, converter.lists[name])
    notices.update(_accepted(losses, format_name, allow_loss))
    if rows.unsourced:
        notices["annotations-given-ids"] = rows.unsourced
    if rows.completed:
        notices["annotations-completed"] = rows.completed
    data = Writing(described, listed["items"], listed["categories"], rows.batches(), rows.count)
    for done in converter.write(data, target):
        if progress:
            progress("writing", done, rows.count)
    names = [described["name"]]
    return ExportReport(str(target), names, listed["items"].num_rows, rows.count, dict(notices))


def _accepted(
    losses: Mapping[str, int], format_name: str, allow_loss: Collection[str]
) -> dict[str, int]:
    """Return the losses by code, all of them accepted."""
    found = {f"{format_name}-drops-{column}": count for column, count in losses.items()}
    refused = {c: n for c, n in found.items() if c not in allow_loss and "all" not in allow_loss}
    if refused:
        begin = f"{format_name}-drops-"
        nouns = {c: NOUNS[c.removeprefix(begin).rpartition(".")[0]] for c in refused}
        listed = ", ".join(f"{code} ({count:,} {nouns[code]})" for code, count in refused.items())
        raise LossRefused(
            f"{format_name} cannot hold all of this: {listed}. Nothing was written. "
            f"Pass --allow-loss {','.join(refused)} to leave that out."
        )
    return found


def _listed_losses(name: str, rows: pa.Table, held: Collection[str]) -> dict[str, int]:
    """Return how many items or classes say something in a column that a format does not hold."""
    table = TABLES[name]
    columns = set(table.columns("content")) - {table.id_column, "position", *held}
    counts = {column: rows.num_rows - rows.column(column).null_count for column in columns}
    return {f"{name}.{column}": counts[column] for column in sorted(counts) if counts[column]}


def _choose(
    manifest: Manifest, format_name: str, layer: str, dataset: str | None
) -> tuple[dict[str, Any], bool]:
    """Return the data set, and whether the layer has no other."""
    rows = manifest.table(TABLES["datasets"]).to_pylist()
    there = [r for r in rows if r["layer"] == layer and r["format"] == format_name]
    named = [r for r in there if dataset in (None, r["name"])]
    names = ", ".join(r["name"] for r in there) or "none"
    if not named:
        raise NotFound(
            f"layer {layer!r} has no {format_name} data set {dataset or ''} (it has: {names})",
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


class OrderedRows:
    """A data set's annotations in its own order; rows without a source come last, with new ids.

    Args:
        manifest: the version.
        layer: the layer.
        dataset_id: the data set.
        with_unsourced: take rows that belong to no data set too.

    Attributes:
        count: how many rows.
        items, categories: ids that they use, sorted.
        unsourced: how many of them have no source.
        completed: how many were given a box, area or crowd flag that follows from their shape.
    """

    def __init__(
        self, manifest: Manifest, layer: str, dataset_id: int, *, with_unsourced: bool
    ) -> None:
        self._tables: dict[str, list[pa.Table]] = {name: [] for name in FAMILY}
        pairs = (manifest.parts_of(name, layer) for name in FAMILY)
        edits = edit_activities(manifest)
        self.completed = 0
        for parts in zip(*pairs, strict=True):
            both = [manifest.read(part) for part in parts]
            own = _own(both[0], dataset_id, with_unsourced)
            both = [rows.filter(own).combine_chunks() for rows in both]
            *both, count = completed(both[0], both[1], edits)
            self.completed += count
            for name, rows in zip(FAMILY, both, strict=True):
                self._tables[name].append(rows)
        self._number()
        self._order()

    def _number(self) -> None:
        """Give rows without a source ids after the highest there is."""
        tables = self._tables["annotations"]
        columns = ["dataset_id", "source_id", "annotation_id"]
        ids = given_ids(pa.concat_tables([_NONE, *(t.select(columns) for t in tables)]))
        self.unsourced = len(ids)
        begin = 0
        for i, rows in enumerate(tables):
            bare = np.asarray(rows.column("dataset_id").is_null().combine_chunks())
            end = begin + int(bare.sum())
            if end > begin:
                numbers = np.zeros(len(bare), np.int64)
                numbers[bare] = ids[begin:end]
                known = rows.column("source_id").combine_chunks()
                filled = pc.if_else(pa.array(bare), pa.array(numbers), known)
                tables[i] = with_column(rows, "source_id", filled)
            begin = end

    def _order(self) -> None:
        tables = self._tables["annotations"]
        self.count = sum(t.num_rows for t in tables)
        late = np.iinfo(np.int64).max
        columns = {
            name: np.concatenate(
                [
                    np.empty(0, np.int64),
                    *(np.asarray(t.column(name).fill_null(late).combine_chunks()) for t in tables),
                ]
            )
            for name in ("seq", "annotation_id", "item_id", "category_id")
        }
        self.items = np.unique(columns["item_id"])
        classes = np.unique(columns["category_id"])
        self.categories = classes[classes != late]
        self._rows = np.lexsort((columns["annotation_id"], columns["seq"]))
        self._starts = np.cumsum([0, *(t.num_rows for t in tables)])

    def losses(self, carried: Collection[str]) -> dict[str, int]:
        """Return how many labels say something in a column that a format does not carry."""
        found = {}
        for name, tables in self._tables.items():
            for column in TABLES[name].columns("content"):
                if column in carried or column in ALWAYS:
                    continue
                count = sum(t.num_rows - t.column(column).null_count for t in tables)
                if count:
                    found[column] = count
        return found

    def batches(self) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """Yield annotations and geometries in order."""
        for begin in range(0, self.count, CHUNK):
            rows = self._rows[begin : begin + CHUNK]
            part = np.searchsorted(self._starts, rows, side="right") - 1
            by_part = np.argsort(part, kind="stable")
            back = np.argsort(by_part, kind="stable")
            yield tuple(self._gather(n, rows[by_part], part[by_part], back) for n in FAMILY)

    def _gather(self, name: str, rows: Ids, part: Ids, back: Ids) -> pa.RecordBatch:
        taken = []
        for at in np.unique(part).tolist():
            inside = pa.array(rows[part == at] - self._starts[at])
            taken += self._tables[name][at].take(inside).combine_chunks().to_batches()
        return pa.concat_batches(taken).take(pa.array(back))


def _own(rows: pa.Table, dataset_id: int, with_unsourced: bool) -> pa.ChunkedArray:
    """Return which rows belong to a data set, and to none where that is asked for."""
    return pc.equal(rows.column("dataset_id"), dataset_id).fill_null(with_unsourced)
