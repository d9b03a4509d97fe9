"""Forgetting an item or a source: every version is written anew without it, then objects go.

Order: parts and manifests; commits and tag objects; the journal; then all branches and tags in
one ref transaction, with the map of what was done. Only then are objects removed. A run that is
killed before the transaction changed nothing; what one that is killed after it has left to remove
`labelstore forget --force` removes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from labelstore.errors import Conflict
from labelstore.lineage.forgetting.cleaning import clean, forgotten_versions, gone, note, remotes
from labelstore.lineage.forgetting.finding import find_people
from labelstore.lineage.forgetting.history import History
from labelstore.lineage.forgetting.planning import Plan, check_reason, planned, seek
from labelstore.lineage.forgetting.publishing import next_name, publish_map
from labelstore.versions.agents import agent, change_names
from labelstore.versions.agents import named as told_agent
from labelstore.versions.editing import edited
from labelstore.versions.exchange import refuse_forgotten
from labelstore.versions.forgotten import Forgotten, Rewritten
from labelstore.versions.manifest import assemble
from labelstore.versions.publish import check_ready, place_objects, pointer
from labelstore.versions.stage import open_stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labelstore.lineage.forgetting.finding import What
    from labelstore.lineage.forgetting.planning import Progress, Sought
    from labelstore.versions.workspace import Workspace


def forget(
    workspace: Workspace, what: What, named: str, reason: str, *, force: bool,
    by: str | None = None, sign: bool | None = None, progress: Progress | None = None,
) -> Plan:  # fmt: skip
    """Write every version without an item or a source, or say what that takes.

    Args:
        workspace: the store.
        what: `item` or `source`.
        named: its URI, name or id.
        reason: kept with the map; it must not say what is forgotten.
        force: do it; otherwise only say what it takes.
        by: who does it.
        sign: whether to sign the map's tag; as Git's `tag.gpgSign` says otherwise.
        progress: told how far things are.

    Raises:
        NotFound: no version has it, or the objects of one are not here.
        Conflict: something is staged, or HEAD is not on a branch with clean labels.
        InvalidInput: the reason names what is to be forgotten.
        StorageFailed: a remote cannot be reached; `forget_rest` goes on.
    """
    with workspace.staging():
        plan = _forget(workspace, what, named, reason, force=force, by=by, sign=sign,
                       progress=progress)  # fmt: skip
    if plan.done:
        plan.removed = clean(workspace)
    return plan


def forget_rest(workspace: Workspace, *, force: bool) -> Plan:
    """Remove the objects of versions that maps say are no more, or say how many there are.

    Raises:
        Conflict: a branch or tag still has such a version.
        StorageFailed: a remote cannot be reached.
    """
    old = forgotten_versions(workspace)
    plan = Plan("objects", remotes=remotes(workspace), objects=len(gone(workspace, old)))
    if force:
        refuse_forgotten(workspace)
        note(workspace, old)
        plan.done, plan.removed = True, clean(workspace)
    return plan


def forget_person(workspace: Workspace, named: str, *, force: bool) -> Plan:
    """Drop who stands behind pseudonyms, or say which these are; nothing else knows it.

    Args:
        workspace: the store.
        named: a name, or the pseudonym.
        force: do it.

    Raises:
        NotFound: no name of that person is kept here.
    """
    people = find_people(workspace, named)
    if force:
        change_names(workspace, dict.fromkeys(people))
    return Plan("agent", people=people, done=force)


def _forget(
    workspace: Workspace, what: What, named: str, reason: str, *, force: bool, by: str | None,
    sign: bool | None, progress: Progress | None,
) -> Plan:  # fmt: skip
    """Write every version without what goes; its objects stay for now."""
    branch = _check_whole(workspace)
    sought = seek(workspace, what, named, progress)
    check_reason(reason, sought.unwanted)
    plan = planned(workspace, what, sought)
    if not force or not sought.edited:
        return plan
    acting = told_agent(vars(agent(workspace, by)), {})
    with workspace.layout.locked():
        made = _made(workspace, sought)
        history = _history(workspace, sought, made)
        lines = history.rewrite(partial(progress, "writing history") if progress else None)
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        versions = _rewritten(sought, made, history)
        record = Forgotten(next_name(workspace.git), what, reason, moment, acting, versions,
                           history.commits, history.tags)  # fmt: skip
        publish_map(workspace, branch, record, lines, sign)
    plan.done, plan.name, plan.rewritten = True, record.name, len(history.commits)
    plan.tags, plan.unsigned = sorted(history.tags), history.dropped
    return plan


def _check_whole(workspace: Workspace) -> str:
    """Return the branch at hand, if its history can be written anew with nothing left behind.

    Raises:
        Conflict: it cannot; the message says why and what to do.
    """
    if open_stage(workspace) is not None:
        raise Conflict("something is staged, which might hold what is forgotten: commit it, or "
                       "`labelstore restore` it", code="stage-dirty")  # fmt: skip
    git = workspace.git
    if git.run("rev-parse", "--is-shallow-repository") == "true":
        raise Conflict("this clone is shallow, and what is below it would be lost: run "
                       "`git fetch --unshallow` first", code="shallow")  # fmt: skip
    if git.run("worktree", "list", "--porcelain").count("worktree ") > 1:
        raise Conflict("there are further work trees, whose labels would stay as they are: remove "
                       "them first (`git worktree list`)", code="worktrees")  # fmt: skip
    return check_ready(workspace, git.head())


def _made(workspace: Workspace, sought: Sought) -> dict[str, tuple[str, str]]:
    """Write the versions without what goes; return `.dir` object and root of each, by the old."""
    made = {}
    for directory, (edits, _) in sought.edited.items():
        manifest = sought.manifests[directory]
        parts, files = edited(manifest, edits, workspace.objects)
        fresh = assemble(parts, files, manifest, workspace.objects)
        made[directory] = place_objects(workspace, fresh), fresh.root
    return made


def _history(workspace: Workspace, sought: Sought, made: Mapping[str, tuple[str, str]]) -> History:
    """Return the history that is to have these versions."""
    new = {name: workspace.manifest_of(name) for name, _ in made.values()}
    return History(
        workspace,
        {old: name for old, (name, _) in made.items()},
        {sought.manifests[old].root: root for old, (_, root) in made.items()},
        {name: pointer(workspace, manifest, name) for name, manifest in new.items()},
        sought.unwanted.loose,
    )


def _rewritten(
    sought: Sought, made: Mapping[str, tuple[str, str]], history: History
) -> list[Rewritten]:
    """Return which versions took the place of which, the oldest first."""
    return [
        Rewritten(commit, history.commits[commit], sought.manifests[old].root, made[old][1], old,
                  made[old][0], dict(sought.edited[old][1]))
        for commit, old in sought.directories.items() if old and old in made
    ]  # fmt: skip
