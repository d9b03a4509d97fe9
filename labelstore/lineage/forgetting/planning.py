"""What forgetting something takes: the versions, rows, tags and branches that it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labelstore.errors import InvalidInput, LabelstoreError
from labelstore.lineage.forgetting.cleaning import remotes
from labelstore.lineage.forgetting.erasing import Erasing, Unwanted
from labelstore.lineage.forgetting.finding import find_items, find_sources
from labelstore.versions.forgotten import held_commits, named_commits
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from labelstore.lineage.forgetting.finding import What
    from labelstore.storage.rewriting import Edits
    from labelstore.versions.editing import Place
    from labelstore.versions.workspace import Workspace

GREPPED = 1_000
"""URIs that are looked for in files that Git tracks, at most; such as of frames."""
Progress = Callable[[str, int, int], None]
Edited = Mapping[str, "tuple[dict[Place, Edits], Counter[str]]"]
"""What changes in versions, and how many rows that is, by their `.dir` object."""


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


@dataclass(frozen=True)
class Sought:
    """What is forgotten, and where it is.

    Attributes:
        directories: `.dir` object of each commit of branches and tags, parents first; None where a
            commit has no labels.
        manifests: of these, by `.dir` object.
        edited: what changes in those that have it.
    """

    unwanted: Unwanted
    directories: Mapping[str, str | None]
    manifests: Mapping[str, Manifest]
    edited: Edited


def seek(workspace: Workspace, what: What, named: str, progress: Progress | None) -> Sought:
    """Return where an item or a source is.

    Raises:
        NotFound: no version has it, or the objects of one are not here.
    """
    commits = held_commits(workspace.git)
    directories = dict(zip(commits, workspace.directories(commits), strict=True))
    manifests = {d: workspace.manifest_of(d) for d in directories.values() if d}
    unwanted = (find_items if what == "item" else find_sources)(manifests.values(), named)
    return Sought(unwanted, directories, manifests, _edited(manifests, unwanted, progress))


def check_reason(reason: str, unwanted: Unwanted) -> None:
    """Refuse a reason that says nothing, or too much.

    Raises:
        InvalidInput: it is empty, or names what is to be forgotten.
    """
    if not reason.strip():
        raise InvalidInput("say why: pass --reason TEXT; it is kept with the map", code="reason")
    if unwanted.loose.named(reason):
        raise InvalidInput("the reason names what is to be forgotten, and would keep it",
                           code="reason-names")  # fmt: skip


def planned(workspace: Workspace, what: What, sought: Sought) -> Plan:
    """Return what it takes."""
    return Plan(
        what,
        items=len(sought.unwanted.items),
        remotes=remotes(workspace),
        versions=_told(workspace, sought.directories, sought.edited),
        elsewhere=_elsewhere(workspace, sought.directories, sought.unwanted),
        tracked=_tracked(workspace, sought.unwanted),
    )


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


def _tracked(workspace: Workspace, unwanted: Unwanted) -> list[str]:
    """Return files of HEAD, other than labels, that name an item."""
    uris = sorted(unwanted.uris)[:GREPPED]
    words = [part for uri in uris for part in ("-e", uri)]
    if not words or not workspace.git.succeeds("grep", "-qF", *words, "HEAD"):
        return []
    listed = workspace.git.run("grep", "-lzF", *words, "HEAD").split("\0")
    return [name.removeprefix("HEAD:") for name in listed if name]
