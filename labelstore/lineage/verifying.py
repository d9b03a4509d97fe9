"""Computing anew all that versions state of themselves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from labelstore.errors import LabelstoreError, counted
from labelstore.lineage.recomputing import ODD, part_faults, structure_faults
from labelstore.lineage.tags import Tag, moved, tags_of
from labelstore.query.rules import broken_rules
from labelstore.storage.index import Part
from labelstore.storage.parallel import fork_map
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.exchange import remote_of
from labelstore.versions.forgotten import Forgotten, forgotten
from labelstore.versions.manifest import Manifest
from labelstore.versions.tagging import stated_root

if TYPE_CHECKING:
    from labelstore.versions.git import Commit
    from labelstore.versions.signing import Signature
    from labelstore.versions.workspace import Workspace

Progress = Callable[[str, int, int], None]
FEW = 16
"""Parts for which no processes are started."""


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is not as a version states it.

    Attributes:
        version: tag, else the first twelve digits of the commit.
        where: a part, a tag, the commit, …
        what: in words.
    """

    version: str
    where: str
    what: str


@dataclass
class Verified:
    """What came of it.

    Attributes:
        versions: that were looked at, newest first.
        read: objects that were, by MD5.
        rows: how many were read; what versions share once.
        faults: what somebody or something changed.
        rules: that rows of one table break of another, in the version that was asked for; and
            commits that state no root.
        forgotten: what was forgotten, in words, the earliest first.
        signatures: of the tags of these versions.
    """

    versions: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    rules: list[Fault] = field(default_factory=list)
    signatures: dict[str, Signature] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)


def verify(
    workspace: Workspace, rev: str, *, every: bool = False, remote: bool = False,
    allowed: Path | None = None, pinned: Sequence[tuple[str, str, str]] = (),
    progress: Progress | None = None,
) -> Verified:  # fmt: skip
    """Compute anew what a version states of itself.

    Args:
        workspace: the store.
        rev: the version.
        every: all versions up to it, and every tag.
        remote: read the objects of the remote too.
        allowed: file of allowed signers; see `versions.signing`.
        pinned: file, revision and commit of the pins that are known.
        progress: told how many parts were looked at.

    Raises:
        NotFound: there is no such version.
    """
    found = Verified()
    tags = [*tags_of(workspace, allowed)]
    commits = _commits(workspace, rev, tags if every else None)
    done: dict[str, list[str]] = {}
    for place, commit in enumerate(commits):
        found.versions.append(commit.name)
        _verify_version(workspace, commit, found, done, rules=not place, progress=progress)
    maps = forgotten(workspace.git)
    found.forgotten = [one.words() for one in maps]
    if remote:
        found.faults += _remote_faults(workspace, commits, progress)
        found.faults += _back_again(workspace, maps)
    own = {c.sha for c in commits}
    named = [tag for tag in tags if tag.name == rev]
    for tag in tags if every else named or [t for t in tags if t.commit in own]:
        found.faults += [Fault(tag.name, f"tag {tag.name}", w) for w in _tag_faults(tag)]
        found.signatures[tag.name] = tag.signature
    for name, what in moved(workspace, pinned):
        if every or name in (rev, *found.signatures):
            found.faults.append(Fault(name, f"tag {name}", what))
    return found


def _commits(workspace: Workspace, rev: str, tags: Sequence[Tag] | None) -> list[Commit]:
    """Return the commit that published a version; or all up to it, and those of tags."""
    git = workspace.git
    if tags is None:
        return git.log(rev, POINTER, 1)
    found = {c.sha: c for c in git.log(rev, POINTER, full=True)}
    for tag in tags:
        found |= {c.sha: c for c in git.log(tag.commit, POINTER, 1) if c.sha not in found}
    return [c for c in found.values() if workspace.directory(c.sha) is not None]


def _verify_version(
    workspace: Workspace, commit: Commit, found: Verified, done: dict[str, list[str]], *,
    rules: bool, progress: Progress | None,
) -> None:  # fmt: skip
    """Add to what was found the faults of one version; parts that others have are read once."""
    name = commit.name
    try:
        manifest = workspace.manifest(commit.sha)
        parts = manifest.parts
        faults = [*structure_faults(workspace, commit, manifest)]
    except (LabelstoreError, *ODD) as error:
        found.faults.append(Fault(name, POINTER, f"{type(error).__name__}: {error}"))
        return
    fresh = [p for p in parts if _key(manifest, p) not in done]
    processes = 1 if len(fresh) < FEW else None
    results = fork_map(partial(part_faults, manifest), fresh, _telling(progress, len(fresh)),
                       processes=processes)  # fmt: skip
    done.update(zip((_key(manifest, p) for p in fresh), results, strict=True))
    found.read |= {*manifest.files.values()}
    found.rows += sum(p.rows or 0 for p in fresh)  # none in an index that somebody forged
    faults += [(part.path, what) for part in parts for what in done[_key(manifest, part)]]
    found.faults += [Fault(name, where, what) for where, what in faults]
    if stated_root(workspace.git.object(commit.sha, "commit")) is None:
        words = "states no root; plain git made it (a revert, say). `labelstore tag` states one"
        found.rules.append(Fault(name, "commit", words))
    if rules and not faults:
        found.rules += _broken(manifest, name)


def _broken(manifest: Manifest, name: str) -> Iterator[Fault]:
    for rule, count, example, _ in broken_rules(manifest, 1):
        if rule.severity == "error":
            what = f"{rule.code}: {counted(count, 'row')} ({rule.words}), such as {example}"
            yield Fault(name, rule.field, what)


def _remote_faults(
    workspace: Workspace, commits: Sequence[Commit], progress: Progress | None
) -> Iterator[Fault]:
    """Yield what is wrong with the objects of versions on the default remote."""
    name, place = remote_of(workspace)
    of: dict[str, tuple[str, str]] = {}
    for commit in commits:
        directory = workspace.directory(commit.sha)
        if directory is not None:
            of.setdefault(directory, (commit.name, POINTER))
            for path, md5 in workspace.manifest_of(directory).files.items():
                of.setdefault(md5, (commit.name, path))
    count = itertools.count(1)

    def telling(_: int) -> None:
        if progress:
            progress("reading the remote", next(count), len(of))

    for md5, what in place.faults(of, telling).items():
        version, path = of[md5]
        yield Fault(version, f"{path} on remote {name}", what)


def _back_again(workspace: Workspace, maps: Sequence[Forgotten]) -> Iterator[Fault]:
    """Yield versions that were forgotten and that some clone put on the default remote again."""
    name, place = remote_of(workspace)
    old = {v.directory: one.name for one in maps for v in one.versions}
    for directory in place.there(old):
        what = f"is on remote {name} again; `labelstore forget --force` removes it"
        yield Fault(old[directory], directory, what)


def _telling(progress: Progress | None, total: int) -> Callable[[list[str]], None] | None:
    if progress is None:
        return None
    counts = iter(range(1, total + 1))
    return lambda _: progress("verifying", next(counts), total)


def _key(manifest: Manifest, part: Part) -> str:
    """Return what a part's faults depend on: its bytes, and all that the index says of it."""
    return f"{manifest.files.get(part.path)} {part}"


def _tag_faults(tag: Tag) -> Iterator[str]:
    if tag.stated_name is None:
        yield "is no annotated tag and states no root; plain git made it, or moved it"
        return
    if tag.stated_name != tag.name:
        yield f"is the tag object of {tag.stated_name!r}; somebody moved it"
    if tag.root is not None and tag.stated_root != tag.root:
        yield f"states root {tag.stated_root}, but its version has {tag.root}"
    if tag.signature.state == "unknown":
        yield f"is signed by a key that nobody allowed: {tag.signature.said}"
    if tag.signature.state == "bad":
        yield f"has a signature of another text: {tag.signature.said}"
