"""The stage: an unpublished manifest with its parent, and the draft that changes it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.errors import FormatError, InvalidInput
from labelstore.model.arrow import with_column
from labelstore.model.rules import check_table, explain
from labelstore.model.tables import TABLES, Table
from labelstore.storage.index import Part
from labelstore.storage.rewriting import Edits
from labelstore.versions.agents import AgentRow, agent
from labelstore.versions.dvc.pointer import check_files
from labelstore.versions.editing import Place, edited
from labelstore.versions.files import read_json, write_json
from labelstore.versions.ids import IdBlock, blocks_of, first_of
from labelstore.versions.manifest import Manifest, assemble
from labelstore.versions.means import BY_ITSELF, Means
from labelstore.versions.workspace import Workspace

STAGE = "stage.json"
STAGE_FIELDS = {"parent": str, "activities": int, "files": dict}
PARTITION_NAME = re.compile(r"\w[\w.+-]{0,99}", re.ASCII)
"""Layers and schemes become folders below `labels/`."""


@dataclass(frozen=True)
class Stage:
    """What would be committed.

    Args:
        parent: commit that it was made from.
        manifest: the rows after all staged activities.
        activities: how many activities are staged.
    """

    parent: str
    manifest: Manifest
    activities: int


def open_stage(workspace: Workspace) -> Stage | None:
    """Return the stage, or None where nothing is staged."""
    path = workspace.private / STAGE
    content = read_json(path, STAGE_FIELDS)
    if content is None:
        return None
    check_files(content["files"], str(path))
    manifest = Manifest(content["files"], workspace.object_folders)
    return Stage(content["parent"], manifest, content["activities"])


def drop_stage(workspace: Workspace) -> bool:
    """Forget the stage and its objects, readable or not; False where there was none."""
    path = workspace.private / STAGE
    there = path.exists()
    path.unlink(missing_ok=True)
    shutil.rmtree(workspace.objects, ignore_errors=True)
    return there


@contextmanager
def drafting(workspace: Workspace, kind: str, **details: Any) -> Iterator[Draft]:
    """Yield a draft while no other process changes the stage.

    Args:
        workspace: the store.
        kind: kind of the activity.
        details: the draft's other arguments.

    Raises:
        Conflict: somebody else is changing the stage, and goes on doing so.
    """
    with workspace.staging():
        draft = Draft(workspace, kind, **details)
        try:
            yield draft
        finally:
            draft.open = False
            if not (workspace.private / STAGE).exists():
                drop_stage(workspace)


class Draft:
    """One activity in the making: edits rows, then joins the stage, or is thrown away.

    Made by `drafting`, which keeps others from the stage.

    Args:
        workspace: the store.
        kind: kind of the activity, such as `import`.
        by: who acts; see `agents.agent`.
        parameters: what was asked, for the record and for the ids.
        inputs: files read: path, sha256, size, rows.
        means: the tool, the model's weights and the guideline.
        onto: versions to go by instead of the stage: the one that is changed, then others whose
            ids are in use too.
    """

    def __init__(
        self,
        workspace: Workspace,
        kind: str,
        *,
        by: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        inputs: list[dict[str, Any]] | None = None,
        means: Means = BY_ITSELF,
        onto: Sequence[Manifest] = (),
    ) -> None:
        self.workspace = workspace
        self.started = datetime.now(UTC)
        staged = None if onto else open_stage(workspace)
        self.parent = staged.parent if staged else _head(workspace)
        self.base = onto[0] if onto else workspace.manifest(self.parent)
        self.before = staged.manifest if staged else self.base
        self._beside = onto[1:]
        self.manifest = self.before
        self._ordinal = staged.activities if staged else 0
        self._kind = kind
        self._agent = agent(workspace, by)
        self._others: dict[int, AgentRow] = {}
        self._means, self._columns = means.parameters(), means.columns(self._agent)
        self._parameters = json.dumps(parameters or {}, sort_keys=True)
        self.inputs = inputs or []
        self.open = True
        """Whether it can still be changed: until the block ends that `drafting` began."""
        self._content = ""

    def distinguish(self, content: str) -> None:
        """Let the ids depend on what is being written; only before the first id is taken."""
        self._content = self._content or content

    def describe(self, parameters: Mapping[str, Any]) -> None:
        """Say what was done, for the record; only after the last id is taken."""
        self._parameters = json.dumps(parameters, sort_keys=True)

    @cached_property
    def ids(self) -> IdBlock:
        """Return the block that gives the activity its id, and ids to rows of an import."""
        return self.block(self._content)

    @property
    def activity_id(self) -> int:
        """Return the id that rows written by this activity refer to."""
        return self.ids.activity_id

    @property
    def agent(self) -> AgentRow:
        """Return who acts."""
        return self._agent

    @property
    def agent_id(self) -> int:
        """Return the id of who acts."""
        return self._agent.agent_id

    def acquaint(self, named: str) -> int:
        """Return the id of an agent whom a source names, who joins the store with the activity.

        Args:
            named: as `agents.agent` takes it.
        """
        found = agent(self.workspace, named)
        self._others[found.agent_id] = found
        return found.agent_id

    def block(self, content: str) -> IdBlock:
        """Return a block of ids for rows that the content tells from all others.

        Args:
            content: digest of the rows; the files read are part of it anyway.
        """
        material = [self._kind, self._parameters, self.base.root, str(self._ordinal), content]
        material += [i["sha256"] for i in self.inputs]
        text = hashlib.blake2b("\0".join(material).encode()).hexdigest()
        return IdBlock(self._generation, text, self._taken)

    @cached_property
    def _generation(self) -> int:
        found = [m.table(TABLES["activities"], ["generation"]).column(0).to_pylist()
                 for m in (self.base, *self._beside)]  # fmt: skip
        return 1 + max((number for own in found for number in own), default=0)

    @cached_property
    def _taken(self) -> set[int]:
        """Return the blocks of this generation that are in use, those of this draft too."""
        least, found = first_of(self._generation), set[int]()
        for manifest in (self.before, *self._beside):
            for part in manifest.parts:
                column = TABLES[part.table].id_column
                if column in TABLES[part.table].schema.names and part.max_id >= least:
                    ids = np.asarray(manifest.read(part, [column]).column(0))
                    found |= blocks_of(ids[ids >= least])
        return found

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Take back what was done so far where something fails: all of it, or nothing."""
        before = self.manifest
        try:
            yield
        except BaseException:
            self.manifest = before
            raise

    def apply(self, edits: Mapping[Place, Edits]) -> None:
        """Change rows in the draft; nothing outside sees it before `stage`.

        Args:
            edits: edits by table and partition (layer or scheme, or empty).

        Raises:
            InvalidInput: the draft is closed.
        """
        if not self.open:
            raise InvalidInput(
                "this edit has ended: what it changes must stand inside its `with` block",
                code="edit-ended",
            )
        checked = {}
        for (name, partition), change in edits.items():
            table = TABLES[name]
            change = Edits(_unhashed(table, change.rows), change.dropped)
            refuse_gates(table, change.rows)
            checked[name, partition] = change
        self.adopt(*edited(self.manifest, checked, self.workspace.objects))

    def adopt(self, parts: list[Part], files: Mapping[str, str]) -> None:
        """Take these parts as the draft's, with the MD5 of those that are new.

        Raises:
            InvalidInput: a layer or scheme has a name that cannot be a folder's.
        """
        for name in {part.partition for part in parts if TABLES[part.table].partition}:
            if not PARTITION_NAME.fullmatch(name):
                raise InvalidInput(
                    f"{name[:40]!r} cannot name a layer or a split: use up to 100 letters, "
                    "digits, `_`, `-`, `.` or `+`, beginning with a letter, a digit or `_`.",
                    code="partition-name",
                )
        self.manifest = assemble(parts, files, self.manifest, self.workspace.objects)

    def changed(self) -> bool:
        """Say whether any row differs from what was staged before."""
        return dict(self.manifest.files) != dict(self.before.files)

    def stage(self, message: str | None = None) -> bool:
        """Join the stage with an activity of its own; False, and nothing, without a change."""
        if not self.changed():
            return False
        self.record(message)
        content = {
            "parent": self.parent,
            "activities": self._ordinal + 1,
            "files": dict(self.manifest.files),
        }
        write_json(self.workspace.private / STAGE, content)
        return True

    def record(self, message: str | None) -> None:
        """Write down what was done, and by whom."""
        known = set(self.manifest.table(TABLES["agents"], ["agent_id"]).column(0).to_pylist())
        acting = {**self._others, self.agent_id: self._agent}
        new = [{**vars(row), "row_hash": 0} for i, row in acting.items() if i not in known]
        activity = {
            "activity_id": self.activity_id,
            "generation": self.ids.generation,
            "kind": self._kind,
            "agent_id": self._agent.agent_id,
            **self._columns,
            "parameters": json.dumps(
                {**json.loads(self._parameters), **self._means}, sort_keys=True
            ),
            "inputs": self.inputs or None,
            "started_at": self.started,
            "ended_at": datetime.now(UTC),
            "message": message,
            "row_hash": 0,
        }
        self.apply(
            {
                ("activities", ""): additions(TABLES["activities"], [activity]),
                ("agents", ""): additions(TABLES["agents"], new),
            }
        )


def additions(table: Table, rows: list[dict[str, Any]] | pa.Table) -> Edits:
    """Return edits that write rows and drop none."""
    if isinstance(rows, list):
        rows = pa.Table.from_pylist(rows, schema=table.schema)
    return Edits(rows, rows.schema.empty_table().select(list(table.key)))


def removals(table: Table, keys: pa.Table) -> Edits:
    """Return edits that drop rows and write none.

    Args:
        table: the table.
        keys: its key columns.
    """
    return Edits(table.schema.empty_table(), keys.select(list(table.key)))


def refuse_gates(table: Table, rows: pa.Table) -> None:
    """Refuse rows that may never be stored: a null that must not be, NaN, infinity.

    Raises:
        FormatError: with every such fault.
    """
    faults = []
    for violation in check_table(table.model, rows):
        if violation.gate:
            first = violation.rows[0]
            words = explain(table.model, rows, first)
            more = f" (and {len(violation.rows) - 1} more rows)" if violation.rows[1:] else ""
            faults.append(f"row {first}, {violation.column}: {violation.rule}: {words}{more}")
    if faults:
        raise FormatError(table.name, faults, code="not-representable")


def _unhashed(table: Table, rows: pa.Table) -> pa.Table:
    """Return the rows with zeros for their hashes, which are computed when parts are built."""
    return with_column(rows, table.hash_column, np.zeros(rows.num_rows, np.uint64))


def _head(workspace: Workspace) -> str:
    return workspace.git.resolve("HEAD")
