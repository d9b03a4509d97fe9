"""Import: a source becomes one activity on the stage."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelstore.changes.reviewing.policy import refuse_unreviewed
from labelstore.changes.unlinking import unlink
from labelstore.errors import FormatError, InvalidInput
from labelstore.exchange.bulk import Ordered, write_layer
from labelstore.exchange.collector import without_collector
from labelstore.exchange.datasets import MODES, Mode, is_known, known_dataset, reference
from labelstore.exchange.identity import Matched
from labelstore.exchange.listing import Listing
from labelstore.exchange.notices import MATCHED_ANEW
from labelstore.exchange.numbering import Numbering
from labelstore.exchange.opening import Opened, opened
from labelstore.exchange.reconcile import added, reconciled
from labelstore.exchange.spill import Spill, spill
from labelstore.exchange.undecoded import Undecoded
from labelstore.model.tables import TABLES
from labelstore.plugins import NOTHING, SKIPPED, Beside
from labelstore.versions.agents import agent, pseudonym_of
from labelstore.versions.manifest import Manifest
from labelstore.versions.means import BY_ITSELF, Means
from labelstore.versions.publish import publish_stage
from labelstore.versions.stage import Draft, additions, drafting
from labelstore.versions.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

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

    @property
    def skipped(self) -> int:
        """Return how many lines, labels or files break the format and are left out."""
        return sum(self.notices.get(code, 0) for code in SKIPPED)


@without_collector()
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
    task: str | None = None,
    beside: Beside = NOTHING,
    sidecar: bool = True,
    of: str | None = None,
    only_listed: bool = False,
    means: Means = BY_ITSELF,
    look: Callable[[Manifest, Manifest], None] | None = None,
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
        task: kind of content, where the format has several and the source does not say which.
        beside: what is known of the media and does not stand in the source.
        sidecar: whether to restore what an export left out, where it left a sidecar.
        of: name of the data set that a source without items, such as results, is of.
        only_listed: whether an update leaves items alone that the source does not list; so it does
            where a sidecar says that the source is a selection.
        means: the tool, the model's weights and the guideline that the labels were made with.
        look: given what was there and what came of it, while both can be read.

    Raises:
        FormatError: the source breaks its format.
        InvalidInput: the data set is there already and no mode is given.
    """
    beside = replace(beside, pseudonym=partial(pseudonym_of, workspace))
    found = opened(source, format_name, task, beside, sidecar=sidecar)
    if only_listed and mode != "update":
        raise InvalidInput("--only-listed is for --mode update", code="import-mode")
    if found.selection and mode == "replace":
        raise InvalidInput(f"{source}: is a selection of items, which cannot replace all; pass "
                           "--mode update", code="import-mode")  # fmt: skip
    refers = found.converter.refers
    partly = mode == "update" and (found.selection or only_listed)
    found = replace(found, selection=partly)  # elsewhere it is all that there is
    if partly and refers:
        raise InvalidInput(f"{format_name} lists no items, so it cannot be of some of them",
                           code="selection-format")  # fmt: skip
    name = found.name if dataset is None else dataset
    parameters: dict[str, Any] = {"format": format_name, "layer": layer or workspace.default_layer,
                  "mode": mode, "dataset": name}  # fmt: skip
    if found.reading.said:
        parameters["source"] = found.reading.said
    kind = "model_run" if agent(workspace, by).kind == "model" else "import"
    inputs = _inputs(source, found.files)
    with drafting(workspace, kind, by=by, parameters=parameters, inputs=inputs,
                  means=means) as draft:  # fmt: skip
        known = reference(draft.manifest, refers, of) if refers else None
        if known is not None and layer is None:
            raise InvalidInput(
                f"{source}: is of the images of another data set; name a layer of its own with "
                "--layer, such as the model's name",
                code="layer-needed",
            )
        layer = workspace.default_layer if layer is None else layer
        run = _Import(draft, found, layer, name, mode, progress, known)
        rows = run.run()
        draft.inputs[0]["rows"] = rows
        anew = run.notices[MATCHED_ANEW]
        if anew:
            draft.describe({**parameters, "matched_by_shape": anew})
        before, after = draft.before, draft.manifest
        if look is not None:
            look(before, after)
        changed = draft.stage(message) if stage else draft.changed()
        difference = _difference(before, after) if mode in MODES[1:] else None
        made = None
        if commit and changed:
            refuse_unreviewed(workspace, after, tag, " What was read is staged.")
            made = publish_stage(workspace, message or name, tag)
    return ImportReport(
        changed, layer, run.name, run.item_count, rows, dict(run.notices), difference, made
    )


def _difference(before: Manifest, after: Manifest) -> str:
    """Return what changed, in a line; only who asks loads the diff."""
    from labelstore.changes.diff import diff
    from labelstore.changes.summary import verdict

    return verdict(diff(before, after, shapes=False))


def _inputs(source: Path, files: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
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
        source: Opened,
        layer: str,
        name: str,
        mode: Mode | None,
        progress: Progress | None,
        known: int | None,
    ) -> None:
        self.draft, self.reading, self.layer, self.name = draft, source.reading, layer, name
        self._source = source
        self.notices: Counter[str] = Counter(source.reading.notices)
        self._progress = progress
        self.mode = mode or "add"
        self._known = known_dataset(draft.manifest, source.format, layer, name, mode)
        if self._known is None:
            self.dataset_id = int(draft.ids.take(1)[0])
        else:
            self.dataset_id = int(self._known["dataset_id"])
            said = json.loads(self._known["leftovers"] or "{}")
            self.reading = self.reading.follow(said, keep_order=self.mode == "update")
        self._listing = Listing(
            draft,
            self.dataset_id,
            keep_origin=self.mode == "update",
            holds=source.converter.lists,
            reference=known,
            selection=source.selection,
        )
        self.item_count = 0

    def run(self) -> int:
        """Do it, and return how many annotations the source has."""
        items = self._listing.match("items", self.reading.items())
        categories = self._listing.match("categories", self.reading.categories())
        self.item_count = len(items.ids)
        constants: dict[str, Any] = {
            "dataset_id": self.dataset_id,
            "created_in": self.draft.activity_id,
            "changed_in": self.draft.activity_id,
        }
        if self.draft.agent.kind == "model":
            constants |= {"origin": "model", "created_by": self.draft.agent_id}
        tracks = self._listing.tracks(self.reading.tracks(), items.ids, categories.ids)
        agents = np.array([self.draft.acquaint(who) for who in self.reading.agents], np.int64)
        numbering = Numbering(items.ids, categories.ids, tracks, agents, constants, self.layer)
        rows = None if self._there() else self._in_order(numbering)
        if rows is None:
            rows = self._decoded(numbering, items, categories)
        if self.mode != "add" and not self._source.selection:
            self._listing.drop_tracks(tracks)
            self._listing.drop("items", items)
            self._listing.drop("categories", categories)
        self.notices.update(self._listing.notices)
        return rows

    def _in_order(self, numbering: Numbering) -> int | None:
        """Write labels whose items the source knows, part by part, and return how many there are.

        None, and nothing, where it does not, or is faulty: in its own order the first fault shows.
        """
        undecoded = Undecoded.of(self.reading, numbering)
        if undecoded is None:
            return None
        try:
            with self.draft.whole():
                self._describe()
                self._fill(undecoded)
        except FormatError:
            return None
        return len(undecoded.keys)

    def _decoded(self, numbering: Numbering, items: Matched, categories: Matched) -> int:
        """Decode the source into scratch files, write what it says; return how many labels."""
        with _scratch(self.draft.workspace) as folder:
            source = spill(self.reading, numbering, folder, self._counting("reading", 0))
            self.notices.update(source.notices)
            self._listing.place_unlisted(source, items, categories)
            self.item_count += self._listing.referred
            self._describe()
            self._write(source, items.ids)
            return source.rows

    def _describe(self) -> None:
        """Write what the source says of itself, unless that is known."""
        row = {
            **self.reading.dataset,
            "dataset_id": self.dataset_id,
            "name": self.name,
            "format": self._source.format,
            "layer": self.layer,
            "changed_in": self.draft.activity_id,
            "row_hash": 0,
        }
        if self._known is not None and self._source.selection:
            return
        if self._known is None or not is_known(self._known, row, order=self.mode != "update"):
            self.draft.apply({("datasets", ""): additions(TABLES["datasets"], [row])})

    def _write(self, source: Spill, items: Ids) -> None:
        """Bring the annotations of these items into the draft by the way that suits the mode."""
        if not source.rows and self.mode == "add":
            return
        if not self._there():
            self._fill(source)
        elif self.mode == "add":
            self.draft.apply(added(self.draft, self.layer, source))
        else:
            edits = reconciled(
                self.draft,
                self.layer,
                source,
                dataset_id=self.dataset_id,
                carries=self._source.converter.carries,
                keep_origin=self.mode == "update",
                among=items if self._source.selection else None,
                notice=self._notice,
            )
            self.draft.apply(edits)
            unlink(self.draft, edits["annotations", self.layer].dropped.column("annotation_id"))

    def _there(self) -> bool:
        """Say whether the layer has labels."""
        return bool(self.draft.manifest.parts_of("annotations", self.layer))

    def _fill(self, source: Ordered) -> None:
        """Write the annotations of a source as a layer that has none."""
        counting = self._counting("writing", len(source.keys))
        self.notices.update(write_layer(self.draft, self.layer, source, counting))

    def _notice(self, code: str, count: int) -> None:
        """Count what is unusual."""
        if count:
            self.notices[code] += count

    def _counting(self, phase: str, total: int) -> Callable[[int], None]:
        count = 0

        def advance(rows: int) -> None:
            nonlocal count
            count += rows
            if self._progress:
                self._progress(phase, count, total)

        return advance


@contextmanager
def _scratch(workspace: Workspace) -> Iterator[Path]:
    """Make a scratch folder beside the stage, and remove it whatever happens."""
    workspace.private.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"scratch.{os.getpid()}.", dir=workspace.private))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
