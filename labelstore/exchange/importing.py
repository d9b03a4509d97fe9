"""Import: a source becomes one activity on the stage."""

from __future__ import annotations

import gc
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.diff import diff
from labelstore.changes.summary import verdict
from labelstore.errors import InvalidInput
from labelstore.exchange.bulk import write_layer
from labelstore.exchange.identity import Matched, match, placeholder
from labelstore.exchange.reconcile import added, reconciled, without_source
from labelstore.exchange.spill import Numbering, Spill, resolve_unlisted, spill
from labelstore.model.tables import TABLES
from labelstore.plugins import Reading, find_format
from labelstore.storage.rewriting import Edits
from labelstore.versions.publish import publish_stage
from labelstore.versions.stage import Draft, additions, drafting, removals
from labelstore.versions.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mode = Literal["add", "update", "replace"]
MODES = ("add", "update", "replace")
Progress = Callable[[str, int, int], None]
"""Called with a phase, the rows done in it and the rows there are."""


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        changed: whether anything is staged that was not there before.
        items, annotations: how many the source has.
        notices: what is unusual in the source, by stable code.
    """

    changed: bool
    layer: str
    dataset: str
    items: int
    annotations: int
    notices: Mapping[str, int] = field(default_factory=dict)
    difference: str | None = None
    """What changed, in a line; for `update` and `replace`."""
    commit: str | None = None
    """The commit that published it."""


def import_from(
    workspace: Workspace,
    format_name: str,
    source: Path,
    *,
    layer: str | None = None,
    mode: Mode | None = None,
    by: str | None = None,
    dataset: str | None = None,
    message: str | None = None,
    progress: Progress | None = None,
    stage: bool = True,
    commit: bool = False,
    tag: str | None = None,
) -> ImportReport:
    """Read a source into the stage.

    Args:
        workspace: the store.
        format_name: name of a converter.
        source: file or folder that the format's own tools take.
        layer: the layer that the labels belong to.
        mode: `add` brings further labels; `update` makes the data set equal to the source but
            keeps ids, order and lineage of labels that are the same; `replace` takes the source's
            order and ids too. May be left out for a data set that is not there yet.
        by: who acts.
        dataset: name of the data set; the file's name by default.
        message: what this import is.
        progress: told how far things are.
        stage: False only looks; nothing is staged.
        commit: publish the stage at once, with `message`, before anybody else can change it.
        tag: name of the version that this makes.

    Raises:
        FormatError: the source breaks its format.
        InvalidInput: the data set is there already and no mode is given.
    """
    with without_collector():
        return _import(
            workspace, format_name, source, layer, mode, by, dataset, message, progress, stage,
            commit, tag,
        )  # fmt: skip


def _import(
    workspace: Workspace,
    format_name: str,
    source: Path,
    layer: str | None,
    mode: Mode | None,
    by: str | None,
    dataset: str | None,
    message: str | None,
    progress: Progress | None,
    stage: bool,
    commit: bool,
    tag: str | None,
) -> ImportReport:
    reading = find_format(format_name).open(source)
    described = reading.dataset
    layer = workspace.default_layer if layer is None else layer
    name = (source.stem or source.name) if dataset is None else dataset
    with drafting(
        workspace,
        "import",
        by=by,
        parameters={"format": format_name, "layer": layer, "mode": mode, "dataset": name},
        inputs=_inputs(source, described),
    ) as draft:
        run = _Import(draft, reading, layer, format_name, name, mode, progress)
        rows = run.run()
        draft.inputs[0]["rows"] = rows
        before, after = draft.before, draft.manifest
        changed = draft.stage(message) if stage else draft.changed()
        difference = verdict(diff(before, after, shapes=False)) if mode in MODES[1:] else None
        made = publish_stage(workspace, message or name, tag) if commit and changed else None
    return ImportReport(
        changed, layer, run.name, run.item_count, rows, dict(run.notices), difference, made
    )


def _inputs(source: Path, described: Mapping[str, Any]) -> list[dict[str, Any]]:
    files = described["files"]
    if len(files) == 1:
        return [{"path": str(source), "sha256": files[0]["sha256"], "size": files[0]["size"]}]
    return [
        {"path": str(source / f["path"]), "sha256": f["sha256"], "size": f["size"]} for f in files
    ]


class _Import:
    """One import under way."""

    def __init__(
        self,
        draft: Draft,
        reading: Reading,
        layer: str,
        format_name: str,
        name: str,
        mode: Mode | None,
        progress: Progress | None,
    ) -> None:
        self.draft, self.reading, self.layer = draft, reading, layer
        self.format_name, self.name = format_name, name
        self.notices: Counter[str] = Counter(reading.notices)
        self._progress = progress
        known = self._known_dataset(mode)
        self.mode = mode or "add"
        self.dataset_id = known if known is not None else int(draft.ids.take(1)[0])
        self._known = self._row(known) if known is not None else None
        if self._known is not None:
            said = json.loads(self._known["leftovers"] or "{}")
            reading.follow(said, keep_order=self.mode == "update")
        self.item_count = 0

    def _known_dataset(self, mode: Mode | None) -> int | None:
        """Return the data set that this source is a delivery of, or None for a new one."""
        rows = self.draft.manifest.table(TABLES["datasets"]).to_pylist()
        same = [r for r in rows if (r["format"], r["layer"]) == (self.format_name, self.layer)]
        named = [r for r in same if r["name"] == self.name]
        if named and mode is None:
            raise InvalidInput(
                f"data set {self.name!r} is in layer {self.layer!r} already. Pass --mode update "
                "(a new delivery of it), --mode replace, or --mode add with --dataset NAME.",
                code="import-mode",
            )
        if mode in ("update", "replace"):
            if not named:
                there = ", ".join(r["name"] for r in same) or "none"
                raise InvalidInput(
                    f"layer {self.layer!r} has no {self.format_name} data set {self.name!r} to "
                    f"{mode} (it has: {there}). Name one with --dataset.",
                    code="dataset-unknown",
                )
            return int(named[0]["dataset_id"])
        if named:
            raise InvalidInput(
                f"data set {self.name!r} is in layer {self.layer!r} already; give the new one "
                "another name with --dataset.",
                code="dataset-exists",
            )
        return None

    def _row(self, dataset_id: int) -> dict[str, Any]:
        rows: list[dict[str, Any]] = self.draft.manifest.table(TABLES["datasets"]).to_pylist()
        return next(r for r in rows if r["dataset_id"] == dataset_id)

    def run(self) -> int:
        """Do it, and return how many annotations the source has."""
        items = self._listed("items", self.reading.items())
        categories = self._listed("categories", self.reading.categories())
        self.item_count = len(items.ids)
        constants = {
            "dataset_id": self.dataset_id,
            "created_in": self.draft.activity_id,
            "changed_in": self.draft.activity_id,
        }
        numbering = Numbering(items.ids, categories.ids, constants, self.layer)
        with _scratch(self.draft.workspace) as folder:
            decoded = self._counting("reading", 0)
            source = spill(self.reading, numbering, folder, decoded)
            self.notices.update(source.notices)
            self._place_unlisted(source, items, categories)
            self._describe_dataset()
            self._write(source)
        if self.mode != "add":
            self._drop_unlisted("items", items)
            self._drop_unlisted("categories", categories)
        return source.rows

    def _write(self, source: Spill) -> None:
        """Bring the annotations into the draft by the way that suits the mode."""
        manifest = self.draft.manifest
        there = manifest.parts_of("annotations", self.layer)
        if not source.rows and self.mode == "add":
            return
        if not there:
            write_layer(self.draft, self.layer, source, self._counting("writing", source.rows))
        elif self.mode == "add":
            self.draft.apply(added(self.draft, self.layer, source))
        else:
            edits = reconciled(
                self.draft,
                self.layer,
                source,
                dataset_id=self.dataset_id,
                carries=find_format(self.format_name).carries,
                keep_origin=self.mode == "update",
            )
            self.draft.apply(edits)

    def _listed(self, name: str, incoming: pa.Table) -> Matched:
        """Match items or classes, write what is new or changed, and return their ids."""
        table = TABLES[name]
        matched = match(
            table,
            self.draft.manifest.table(table),
            incoming,
            dataset_id=self.dataset_id,
            activity_id=self.draft.activity_id,
            take_ids=self.draft.ids.take,
            keep_origin=self.mode == "update",
        )
        self.notices.update(matched.notices)
        self.draft.apply({(name, ""): additions(table, matched.rows)})
        return matched

    def _place_unlisted(self, source: Spill, items: Matched, categories: Matched) -> None:
        """Give items and classes that annotations use but the source does not list a place."""
        per_piece: dict[str, list[NDArray[np.int64]]] = {}
        for name, matched in (("items", items), ("categories", categories)):
            lists = [getattr(p, f"unlisted_{name}") for p in source.pieces]
            keys = list(dict.fromkeys(key for found in lists for key in found))
            ids = self._placeholders(name, keys, first_seq=len(matched.ids))
            per_piece[name] = [np.array([ids[k] for k in found], np.int64) for found in lists]
            if keys:
                self.notices[f"unlisted-{name}"] += len(keys)
        resolve_unlisted(source, per_piece["items"], per_piece["categories"])

    def _placeholders(self, name: str, keys: list[str], first_seq: int) -> dict[str, int]:
        """Return the id of each unlisted key, those of an earlier delivery kept."""
        if not keys:
            return {}
        table = TABLES[name]
        known = _placeholder_ids(self.draft.manifest.table(table), self.dataset_id)
        missing = [k for k in keys if k not in known]
        ids = dict(zip(missing, self.draft.ids.take(len(missing)).tolist(), strict=True))
        rows = [
            placeholder(
                table,
                key,
                ids[key],
                dataset_id=self.dataset_id,
                seq=first_seq + i,
                activity_id=self.draft.activity_id,
            )
            for i, key in enumerate(missing)
        ]
        self.draft.apply({(name, ""): additions(table, [dict(r) for r in rows])})
        return {**known, **ids}

    def _describe_dataset(self) -> None:
        """Write what the source says of itself, unless an update changes nothing of it."""
        table = TABLES["datasets"]
        row = {
            **self.reading.dataset,
            "dataset_id": self.dataset_id,
            "name": self.name,
            "format": self.format_name,
            "layer": self.layer,
            "changed_in": self.draft.activity_id,
            "row_hash": 0,
        }
        before = self._known
        if before is not None:
            if self.mode == "update" and _alike(before, row):
                return  # how the file is written belongs to its order: both stay
            if all(before[k] == row[k] for k in table.columns("content")):
                return
        self.draft.apply({("datasets", ""): additions(table, [row])})

    def _drop_unlisted(self, name: str, matched: Matched) -> None:
        """Take this source's entry from rows it no longer lists; drop those nobody needs."""
        table = TABLES[name]
        gone, changed = without_source(
            table,
            self.draft.manifest.table(table),
            listed=matched.ids,
            dataset_id=self.dataset_id,
            activity_id=self.draft.activity_id,
            used=_in_use(self.draft, table.id_column),
        )
        edits = {(name, ""): Edits(changed, gone)}
        if name == "items":
            splits = TABLES["splits"]
            for scheme in self.draft.manifest.partitions("splits"):
                rows = self.draft.manifest.table(splits, partition=scheme)
                lost = pc.is_in(rows.column("item_id"), value_set=gone.column("item_id"))
                edits["splits", scheme] = removals(splits, rows.filter(lost))
        self.draft.apply(edits)

    def _counting(self, phase: str, total: int) -> Callable[[int], None]:
        count = 0

        def advance(rows: int) -> None:
            nonlocal count
            count += rows
            if self._progress:
                self._progress(phase, count, total)

        return advance


def _placeholder_ids(rows: pa.Table, dataset_id: int) -> dict[str, int]:
    """Return what one data set calls its placeholders, as JSON text, to their ids."""
    mark = "unlisted" if "unlisted" in rows.schema.names else "labelled_state"
    wanted: Any = True if mark == "unlisted" else "unlisted"
    found = {}
    for row in rows.filter(pc.equal(rows.column(mark), wanted).combine_chunks()).to_pylist():
        for source in row["sources"]:
            if source["dataset_id"] == dataset_id:
                number, key = source["source_id"], source["source_key"]
                found[str(number) if key is None else key] = row[rows.schema.names[0]]
    return found


def _in_use(draft: Draft, column: str) -> NDArray[np.int64]:
    """Return the ids of all items, or classes, that annotations use, sorted."""
    parts = draft.manifest.parts_of("annotations")
    columns = [draft.manifest.read(p, [column]).column(0).drop_null() for p in parts]
    found = [np.asarray(c.combine_chunks()) for c in columns]
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def _alike(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether two deliveries describe themselves alike, order aside."""
    if any(before[k] != after[k] for k in ("info", "licenses")):
        return False
    old, new = (json.loads(row["leftovers"] or "{}") for row in (before, after))
    orders = [{k: set(v) for k, v in d.get("key_orders", {}).items()} for d in (old, new)]
    tops = [set(d.get("top", [])) for d in (old, new)]
    return orders[0] == orders[1] and tops[0] == tops[1] and old.get("keys") == new.get("keys")


@contextmanager
def without_collector() -> Iterator[None]:
    """Switch the cyclic collector off: parsed sources hold no cycles and millions of objects."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _scratch(workspace: Workspace) -> Iterator[Path]:
    """Make a scratch folder beside the stage, and remove it whatever happens."""
    workspace.private.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"scratch.{os.getpid()}.", dir=workspace.private))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
