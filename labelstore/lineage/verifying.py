"""Computing anew all that versions state of themselves."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.errors import LabelstoreError, counted, shown
from labelstore.lineage.tags import Tag, moved, tags_of
from labelstore.model.canonical import with_hashes
from labelstore.model.tables import TABLES, Table
from labelstore.query.rules import broken_rules
from labelstore.storage.index import Part, described, version_root
from labelstore.storage.location import Remote
from labelstore.storage.parallel import fork_map
from labelstore.versions.dvc.pointer import POINTER, directory_object
from labelstore.versions.dvc.settings import filesystem_options
from labelstore.versions.manifest import PARTS, SCHEMA, Manifest, schema_text
from labelstore.versions.publish import stated_root

if TYPE_CHECKING:
    from labelstore.versions.git import Commit
    from labelstore.versions.signing import Signature
    from labelstore.versions.workspace import Workspace

Progress = Callable[[str, int, int], None]


ODD = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, pa.ArrowException)
"""What reading rows that somebody forged may raise."""
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
        objects, rows: how many were read; what versions share once.
        faults: what somebody or something changed.
        rules: that rows of one table break of another, in the version that was asked for; and
            commits that state no root.
        signatures: of the tags of these versions.
    """

    versions: list[str] = field(default_factory=list)
    objects: int = 0
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    rules: list[Fault] = field(default_factory=list)
    signatures: dict[str, Signature] = field(default_factory=dict)


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
    if remote:
        found.faults += _remote_faults(workspace, commits, progress)
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
        faults = [*_structure_faults(workspace, commit, manifest)]
    except (LabelstoreError, *ODD) as error:
        found.faults.append(Fault(name, POINTER, f"{type(error).__name__}: {error}"))
        return
    fresh = [p for p in parts if _key(manifest, p) not in done]
    processes = 1 if len(fresh) < FEW else None
    results = fork_map(partial(_part_faults, manifest), fresh, _telling(progress, len(fresh)),
                       processes=processes)  # fmt: skip
    done.update(zip((_key(manifest, p) for p in fresh), results, strict=True))
    found.objects += len(fresh) + 2
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
    name, settings = workspace.layout.remote()
    of: dict[str, tuple[str, str]] = {}
    for commit in commits:
        directory = workspace.directory(commit.sha)
        if directory is not None:
            of.setdefault(directory, (commit.name, POINTER))
            for path, md5 in workspace.manifest_of(directory).files.items():
                of.setdefault(md5, (commit.name, path))
    place = Remote(settings["url"], filesystem_options(settings))
    count = itertools.count(1)

    def telling(_: int) -> None:
        if progress:
            progress("reading the remote", next(count), len(of))

    for md5, what in place.faults(of, telling).items():
        version, path = of[md5]
        yield Fault(version, f"{path} on remote {name}", what)


def _telling(progress: Progress | None, total: int) -> Callable[[list[str]], None] | None:
    if progress is None:
        return None
    counts = iter(range(1, total + 1))
    return lambda _: progress("verifying", next(counts), total)


def _key(manifest: Manifest, part: Part) -> str:
    """Return what a part's faults depend on: its bytes, and all that the index says of it."""
    return f"{manifest.files.get(part.path)} {part}"


def _structure_faults(
    workspace: Workspace, commit: Commit, manifest: Manifest
) -> Iterator[tuple[str, str]]:
    """Yield what does not fit together of pointer, directory, index, schema and commit."""
    name = hashlib.md5(directory_object(manifest.files), usedforsecurity=False).hexdigest()
    stated = workspace.directory(commit.sha)
    if f"{name}.dir" != stated:
        yield POINTER, f"names {stated}, but its files give {name}.dir"
    listed = {p.path for p in manifest.parts}
    for path in sorted(manifest.files.keys() - listed - {PARTS, SCHEMA}):
        yield path, "stands in no index"
    for path in sorted(listed - manifest.files.keys()):
        yield path, "the index names it, and the version has no such file"
    if len(listed) < len(manifest.parts):
        yield PARTS, "names a part twice"
    root = stated_root(workspace.git.object(commit.sha, "commit"))
    if root is not None and root != version_root(manifest.parts).hex():
        yield "commit", f"states root {root}, but the parts give {manifest.root}"
    try:
        yield from ((SCHEMA, what) for what in _schema_faults(manifest))
    except (LabelstoreError, *ODD) as error:
        yield SCHEMA, str(error)


def _schema_faults(manifest: Manifest) -> Iterator[str]:
    """Yield what a version's schema states otherwise than today's; an older one has less."""
    known: dict[str, Any] = json.loads(schema_text(manifest.target))
    stated: dict[str, Any] = dict(manifest.schema)
    for name in stated.keys() | known.keys():
        if name != "tables" and stated.get(name) != known.get(name):
            yield f"states {name} {stated.get(name)}, and this labelstore has {known.get(name)}"
    for name, table in stated["tables"].items():
        own = known["tables"].get(name, {})
        columns = table["columns"].items() <= own.get("columns", {}).items()
        if not columns or {**own, "columns": 0} != {**table, "columns": 0}:
            yield f"states another table {name} than this labelstore has"


def _part_faults(manifest: Manifest, part: Part) -> list[str]:
    """Return what is wrong with a part: its bytes, its rows, or what the index says of them."""
    try:
        table = TABLES[part.table]
        manifest.verify(part)
        (rows,) = manifest.read(part).combine_chunks().to_batches()
        again, leaf = with_hashes(table, rows)
        made = described(table, part.partition, part.name, again, leaf, part.columns,
                         manifest.path(part).stat().st_size)  # fmt: skip
    except (LabelstoreError, *ODD) as error:
        return [str(error) if isinstance(error, LabelstoreError) else repr(error)]
    return [*_row_faults(table, rows, again), *_order_faults(table, rows), *(
        f"the index states {f.name} {_plain(getattr(part, f.name))}, its rows give "
        f"{_plain(getattr(made, f.name))}"
        for f in fields(part) if getattr(part, f.name) != getattr(made, f.name))]  # fmt: skip


def _row_faults(table: Table, rows: pa.RecordBatch, again: pa.RecordBatch) -> Iterator[str]:
    stated, computed = (np.asarray(r.column(table.hash_column)) for r in (rows, again))
    wrong = np.flatnonzero(stated != computed)
    if len(wrong):
        ids = np.asarray(rows.column(table.key[-1]))[wrong].tolist()
        yield f"{counted(len(wrong), 'row')} changed without the hash: {shown(ids, 5)}"


def _order_faults(table: Table, rows: pa.RecordBatch) -> Iterator[str]:
    first, last = (np.asarray(rows.column(table.key[i])) for i in (0, -1))
    rising = (first[1:] > first[:-1]) | ((first[1:] == first[:-1]) & (last[1:] > last[:-1]))
    if not rising.all():
        yield f"{counted(int((~rising).sum()), 'row')} out of order, or there twice"


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _tag_faults(tag: Tag) -> Iterator[str]:
    if tag.stated_name is None:
        yield "is no annotated tag and states no root; plain git made it, or moved it"
        return
    if tag.stated_name != tag.name:
        yield f"is the tag object of {tag.stated_name!r}; somebody moved it"
    if tag.stated_root != tag.root:
        yield f"states root {tag.stated_root}, but its version has {tag.root}"
    if tag.signature.state == "unknown":
        yield f"is signed by a key that nobody allowed: {tag.signature.said.splitlines()[0]}"
    if tag.signature.state == "bad":
        yield f"has a signature of another text: {tag.signature.said.splitlines()[-1]}"
