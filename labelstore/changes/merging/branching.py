"""Merging what branches hold: by our command, and as a merge driver of Git's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow.compute as pc

from labelstore.changes.diff import diff
from labelstore.changes.difference import Diff
from labelstore.changes.merging.conflicts import CONFLICTS
from labelstore.changes.merging.merge import Merged, merge
from labelstore.errors import Conflict, InvalidInput, counted
from labelstore.versions.agents import names
from labelstore.versions.branches import (
    fast_forward,
    merge_base,
    publish_merge,
    refuse_moved,
    refuse_stage,
)
from labelstore.versions.dvc.pointer import POINTER, read_pointer
from labelstore.versions.manifest import Manifest
from labelstore.versions.publish import place_objects, pointer
from labelstore.versions.stage import Draft, drafting

if TYPE_CHECKING:
    import pyarrow as pa

    from labelstore.changes.merging.policies import Decide
    from labelstore.versions.workspace import Workspace

Outcome = Literal["up-to-date", "fast-forward", "merged", "conflicts"]


@dataclass(frozen=True)
class MergeReport:
    """What came, or would come, of merging a branch.

    Attributes:
        outcome: `conflicts` where some are open, and nothing was changed.
        commit: the new version; None where there is none.
        conflicts: see `conflicts.CONFLICTS`; those of `merged` are decided.
        root: of the merged version; None while conflicts are open.
        changes: what the merge changes in the branch that it is made into; likewise.
        twins: classes and items that both sides added under one name, and that are two now.
    """

    outcome: Outcome
    commit: str | None
    conflicts: pa.Table
    root: str | None = None
    changes: Diff | None = None
    twins: Sequence[str] = ()

    @property
    def open(self) -> pa.Table:
        """Return the conflicts that nobody has decided."""
        return self.conflicts.filter(self.conflicts.column("take").is_null())


def merge_branch(
    workspace: Workspace, branch: str, *, decide: Decide, by: str | None = None,
    message: str | None = None, dry_run: bool = False,
) -> MergeReport:  # fmt: skip
    """Merge another branch's labels into the current branch.

    Args:
        workspace: the store.
        branch: a branch, tag or commit.
        decide: who wins a conflict.
        by: who merges.
        message: of the commit.
        dry_run: only say what would come of it.

    Raises:
        Conflict: something is staged, the branches have no common beginning, Git cannot merge
            other files, or a label refers to what the other side removed.
    """
    git = workspace.git
    ours, theirs = git.resolve("HEAD"), git.resolve(branch)
    base = merge_base(workspace, ours, theirs)
    before, nothing = workspace.manifest(ours), CONFLICTS.empty_table()
    if base == theirs:
        return MergeReport("up-to-date", None, nothing, before.root, diff(before, before))
    other = workspace.manifest(theirs)
    if base == ours:
        if not dry_run:
            with workspace.staging():
                refuse_stage(workspace, "the merge")
                refuse_moved(workspace, ours)
                fast_forward(workspace, theirs)
        changes = diff(before, other, shapes=False)
        made = None if dry_run else theirs
        return MergeReport("fast-forward", made, nothing, other.root, changes)
    sides = workspace.manifest(base), before, other
    with _drafting(workspace, sides, by) as draft:
        refuse_stage(workspace, "the merge")
        refuse_moved(workspace, ours)
        found = _merged(draft, sides, decide, {"branch": branch}, message)
        if found.manifest is None:
            return MergeReport("conflicts", None, found.conflicts)
        after, commit = draft.manifest, None
        changes = diff(before, after, shapes=False)
        if not dry_run:
            text = message or f"Merge {branch}"
            commit = publish_merge(workspace, after, (ours, theirs), text)
    return MergeReport("merged", commit, found.conflicts, after.root, changes, found.twins)


def merge_pointers(
    workspace: Workspace, base: Path, ours: Path, theirs: Path, decide: Decide
) -> None:
    """Merge two versions of `labels.dvc` into the file of ours: the work of Git's merge driver.

    Args:
        workspace: the store.
        base: the version that both began from, as Git gives it (%O).
        ours: this side's (%A); replaced.
        theirs: the other's (%B).
        decide: who wins a conflict.

    Raises:
        Conflict: conflicts are open. The file holds both sides, so that nobody commits one of them
            by mistake.
        InvalidInput: both sides made the store, so there is nothing that they began from.
    """
    if not base.read_bytes():
        raise InvalidInput(f"{POINTER} was added on both sides", code="merge-unrelated")
    found = (workspace.manifest_of(read_pointer(p.read_bytes(), str(p)))
             for p in (base, ours, theirs))  # fmt: skip
    sides = next(found), next(found), next(found)
    with _drafting(workspace, sides, None) as draft:
        merged = _merged(draft, sides, decide, {}, None)
        if merged.manifest is None:
            count = merged.open.num_rows
            sides_text = (ours.read_text(), theirs.read_text())
            ours.write_text("<<<<<<< ours\n{}=======\n{}>>>>>>> theirs\n".format(*sides_text))
            raise Conflict(
                f"{counted(count, 'conflict in labels is', 'conflicts in labels are')} open. Run "
                "`git merge --abort`, then `labelstore merge BRANCH`, which shows them and takes "
                "decisions.",
                code="merge-conflicts",
            )
        with workspace.layout.locked():
            directory = place_objects(workspace, draft.manifest)
            ours.write_bytes(pointer(workspace, draft.manifest, directory))


def _drafting(workspace: Workspace, sides: tuple[Manifest, ...], by: str | None) -> Any:
    base, ours, theirs = (side.root for side in sides)
    parameters = {"base": base, "ours": ours, "theirs": theirs}
    return drafting(workspace, "merge", by=by, parameters=parameters, onto=sides[1:])


def _merged(
    draft: Draft, sides: tuple[Manifest, Manifest, Manifest], decide: Decide,
    details: dict[str, Any], message: str | None,
) -> Merged:  # fmt: skip
    """Merge into a draft, with an activity of its own where there was something to merge."""
    base, ours, theirs = sides
    workspace = draft.workspace
    found = merge(base, ours, theirs, objects=workspace.objects, activity_id=draft.activity_id,
                  decide=decide, known=names(workspace))  # fmt: skip
    if found.manifest is not None:
        draft.manifest = found.manifest
        if found.manifest.root not in (ours.root, theirs.root):
            counts = pc.value_counts(found.conflicts.column("take")).to_pylist()
            taken = {c["values"]: c["counts"] for c in counts}
            roots = {"base": base.root, "ours": ours.root, "theirs": theirs.root}
            draft.describe({**details, **roots, "taken": taken})
            draft.record(message)
    return found
