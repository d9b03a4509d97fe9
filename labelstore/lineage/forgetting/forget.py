"""Forgetting an item or a source: every version is written anew without it, then objects go.

Order: parts and manifests; commits and tag objects; the journal; then all branches and tags in
one ref transaction, with the map of what was done. Only then are objects removed. A run that is
killed before the transaction changed nothing; what one that is killed after it has left to remove
`labelstore forget --force` removes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from labelstore.errors import Conflict, InvalidInput, LabelstoreError, StorageFailed
from labelstore.lineage.forgetting.cleaning import note
from labelstore.lineage.forgetting.erasing import Erasing, Unwanted
from labelstore.lineage.forgetting.finding import find_items, find_sources
from labelstore.lineage.forgetting.history import History, every_commit
from labelstore.lineage.tags import replace_seen
from labelstore.versions.agents import agent
from labelstore.versions.agents import named as told_agent
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.editing import edited
from labelstore.versions.files import write_json
from labelstore.versions.forgotten import PREFIX, Forgotten, Rewritten, forgotten, named_commits
from labelstore.versions.journal import JOURNAL, Publication
from labelstore.versions.manifest import Manifest, assemble
from labelstore.versions.publish import (
    check_ready,
    finish,
    move,
    place_objects,
    pointer,
    put_back,
)
from labelstore.versions.signing import signed_tag, wants_signing
from labelstore.versions.stage import open_stage

if TYPE_CHECKING:
    from labelstore.lineage.forgetting.finding import What
    from labelstore.storage.rewriting import Edits
    from labelstore.versions.editing import Place
    from labelstore.versions.workspace import Workspace

GREPPED = 1_000
"""URIs that are looked for in files that Git tracks, at most; such as of frames."""
Progress = Callable[[str, int, int], None]


@dataclass
class Plan:
    """What forgetting something takes, or took.

    Attributes:
        what: `item`, `source`, `agent`, or `objects` of what was forgotten before.
        people: pseudonyms behind which nobody stands any more.
        done: whether that is done.
        items: how many items go.
        versions: rows that go or are blanked, by table, of each version that has any; by its tag,
            else the first digits of its commit.
        rewritten: commits that are written anew.
        tags: that are.
        unsigned: tags of these whose signature is gone.
        elsewhere: branches of remotes that have it, and of which no branch here is made.
        tracked: files in Git, of what HEAD holds, that still name an item.
        name: tag with the map; None where nothing was done.
        remotes: whose objects go, too.
        objects: how many are still to go of what was forgotten before.
        removed: how many objects went, by remote, and from the cache.
    """

    what: str
    people: list[str] = field(default_factory=list)
    done: bool = False
    items: int = 0
    versions: dict[str, Mapping[str, int]] = field(default_factory=dict)
    rewritten: int = 0
    tags: list[str] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    tracked: list[str] = field(default_factory=list)
    name: str | None = None
    remotes: list[str] = field(default_factory=list)
    objects: int = 0
    removed: Mapping[str, int] = field(default_factory=dict)


Edited = Mapping[str, "tuple[dict[Place, Edits], Counter[str]]"]
"""What changes in versions, and how many rows that is, by their `.dir` object."""


def forget(
    workspace: Workspace, what: What, named: str, reason: str, *, dry_run: bool,
    by: str | None = None, sign: bool | None = None, progress: Progress | None = None,
) -> Plan:  # fmt: skip
    """Write every version without an item or a source, or say what that takes.

    Args:
        workspace: the store.
        what: `item` or `source`.
        named: its URI, name or id.
        reason: kept with the map; it must not say what is forgotten.
        dry_run: only say what it takes.
        by: who does it.
        sign: whether to sign the map's tag; as Git's `tag.gpgSign` says otherwise.
        progress: told how far things are.

    Raises:
        NotFound: no version has it, or the objects of one are not here.
        Conflict: something is staged, or HEAD is not on a branch with clean labels.
        InvalidInput: the reason names what is to be forgotten.
    """
    if open_stage(workspace) is not None:
        raise Conflict("something is staged, which might hold what is forgotten: commit it, or "
                       "`labelstore restore` it", code="stage-dirty")  # fmt: skip
    branch = check_ready(workspace, workspace.git.head())
    _check_whole(workspace)
    commits = every_commit(workspace.git)
    of = dict(zip(commits, workspace.directories(commits), strict=True))
    manifests = {d: workspace.manifest_of(d) for d in of.values() if d}
    unwanted = (find_items if what == "item" else find_sources)(manifests.values(), named)
    if not reason.strip():
        raise InvalidInput("say why: pass --reason TEXT; it is kept with the map", code="reason")
    if unwanted.loose.named(reason):
        raise InvalidInput("the reason names what is to be forgotten, and would keep it",
                           code="reason-names")  # fmt: skip
    found = _edited(manifests, unwanted, progress)
    plan = Plan(what, items=len(unwanted.items), tracked=_tracked(workspace, unwanted))
    plan.versions = _told(workspace, of, found)
    plan.elsewhere = _elsewhere(workspace, of, unwanted)
    if dry_run or not found:
        return plan
    acting = told_agent(vars(agent(workspace, by)), {})
    with workspace.layout.locked():
        made = _made(workspace, manifests, found)
        told = partial(progress, "writing history") if progress else None
        history = History(workspace, {d: new for d, (new, _) in made.items()},
                          {manifests[d].root: root for d, (_, root) in made.items()},
                          {new: _pointer(workspace, new) for new, _ in made.values()},
                          unwanted.loose)  # fmt: skip
        lines = history.rewrite(told)
        versions = [
            Rewritten(c, history.commits[c], manifests[d].root, made[d][1], d, made[d][0],
                      dict(found[d][1]))
            for c, d in of.items() if d and d in made
        ]  # fmt: skip
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        record = Forgotten(_next(workspace), what, reason, moment, acting, versions,
                           history.commits, history.tags)  # fmt: skip
        _publish(workspace, branch, record, lines, sign)
    plan.done, plan.name, plan.rewritten = True, record.name, len(history.commits)
    plan.tags, plan.unsigned = sorted(history.tags), history.dropped
    return plan


def _check_whole(workspace: Workspace) -> None:
    """Refuse where history cannot be written anew, or another work tree would be left behind.

    Raises:
        Conflict: the clone is shallow, or has further work trees.
    """
    git = workspace.git
    if git.run("rev-parse", "--is-shallow-repository") == "true":
        raise Conflict("this clone is shallow, and what is below it would be lost: run "
                       "`git fetch --unshallow` first", code="shallow")  # fmt: skip
    if git.run("worktree", "list", "--porcelain").count("worktree ") > 1:
        raise Conflict("there are further work trees, whose labels would stay as they are: remove "
                       "them first (`git worktree list`)", code="worktrees")  # fmt: skip


def _elsewhere(
    workspace: Workspace, of: Mapping[str, str | None], unwanted: Unwanted
) -> list[str]:
    """Return branches of remotes that have what goes, and are written anew by no branch here."""
    found = []
    for name, commit in named_commits(workspace.git, "refs/remotes"):
        directory = workspace.directory(commit)
        if commit in of or directory is None:
            continue
        try:
            manifest = workspace.manifest_of(directory)
            if Erasing(unwanted).edits(manifest)[0]:
                found.append(name)
        except LabelstoreError:  # its objects are not here
            found.append(name)
    return found


def _told(
    workspace: Workspace, of: Mapping[str, str | None], found: Edited
) -> dict[str, Mapping[str, int]]:
    """Return what changes in versions, by their tags, else by the commits that brought them."""
    tags = {commit: name for name, commit in named_commits(workspace.git, "refs/tags")}
    told: dict[str, str] = {}
    for commit, directory in of.items():
        if directory and directory in found and (directory not in told or commit in tags):
            told[directory] = tags.get(commit, commit[:12])
    return {name: dict(found[directory][1]) for directory, name in told.items()}


def _edited(
    manifests: Mapping[str, Manifest], unwanted: Unwanted, progress: Progress | None
) -> Edited:
    """Return the versions that change, by their `.dir` object."""
    erasing, found = Erasing(unwanted), {}
    for count, (directory, manifest) in enumerate(manifests.items(), 1):
        edits, counts = erasing.edits(manifest)
        if edits:
            found[directory] = edits, counts
        if progress:
            progress("looking", count, len(manifests))
    return found


def _made(
    workspace: Workspace, manifests: Mapping[str, Manifest], found: Edited
) -> dict[str, tuple[str, str]]:
    """Write the versions without what goes; return `.dir` object and root of each, by the old."""
    made = {}
    for directory, (edits, _) in found.items():
        manifest = manifests[directory]
        parts, files = edited(manifest, edits, workspace.objects)
        fresh = assemble(parts, files, manifest, workspace.objects)
        made[directory] = place_objects(workspace, fresh), fresh.root
    return made


def _pointer(workspace: Workspace, directory: str) -> bytes:
    return pointer(workspace, workspace.manifest_of(directory), directory)


def _next(workspace: Workspace) -> str:
    """Return the name of the next map's tag."""
    numbers = [int(one.name.removeprefix(PREFIX)) for one in forgotten(workspace.git)]
    return f"{PREFIX}{1 + max(numbers, default=0)}"


def _publish(
    workspace: Workspace, branch: str, record: Forgotten, lines: list[str], sign: bool | None
) -> None:
    """Move all branches and tags at once, with the map; then note which objects are to go."""
    git = workspace.git
    head = git.run("rev-parse", "HEAD")
    new = record.commits.get(head, head)
    path = git.prefix + POINTER
    directory = workspace.directory(new) or ""
    blobs = [git.run("rev-parse", f"{commit}:{path}") for commit in (head, new)]
    publication = Publication(branch, head, new, record.name, _tag(workspace, record, sign),
                              {path: (blobs[0], blobs[1])}, directory)  # fmt: skip
    further = [line for line in lines if not line.startswith(f"update {branch} ")]
    if new != head:
        write_json(workspace.private / JOURNAL, asdict(publication))
    try:
        move(workspace, publication, further)
    except (StorageFailed, OSError):
        put_back(workspace, publication)
        (workspace.private / JOURNAL).unlink(missing_ok=True)
        raise
    finish(workspace, publication)
    replace_seen(workspace, record.tags)
    note(workspace, [version.directory for version in record.versions])


def _tag(workspace: Workspace, record: Forgotten, sign: bool | None) -> str:
    """Write the tag with the map, of an empty commit of its own, which keeps no old version."""
    git = workspace.git
    tree = git.run("hash-object", "-t", "tree", "-w", "--stdin", input=b"")
    commit = git.run("commit-tree", tree, input=f"Forgot {record.what}\n", durable=True)
    if wants_signing(git) if sign is None else sign:
        return signed_tag(git, commit, record.name, record.text())
    tagger = git.run("var", "GIT_COMMITTER_IDENT")
    head = f"object {commit}\ntype commit\ntag {record.name}\ntagger {tagger}\n\n"
    return git.run("mktag", input=head + record.text(), durable=True)


def _tracked(workspace: Workspace, unwanted: Unwanted) -> list[str]:
    """Return files of HEAD, other than labels, that name an item."""
    uris = sorted(unwanted.uris)[:GREPPED]
    words = [part for uri in uris for part in ("-e", uri)]
    if not words or not workspace.git.succeeds("grep", "-qF", *words, "HEAD"):
        return []
    listed = workspace.git.run("grep", "-lzF", *words, "HEAD").split("\0")
    return [name.removeprefix("HEAD:") for name in listed if name]
