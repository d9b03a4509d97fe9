"""Making a pin of a version, and comparing what is found with it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from labelstore.changes.summary import class_order
from labelstore.errors import Corrupt, InvalidInput, NotFound
from labelstore.training.pins.pin import Pin, read_pin
from labelstore.training.selection import Selection, parse_split, select
from labelstore.versions.dvc.pointer import directory_object
from labelstore.versions.forgotten import commit_now, forgotten, version_now
from labelstore.versions.manifest import Manifest
from labelstore.versions.workspace import Workspace


def make_pin(
    workspace: Workspace, rev: str, *, layer: str | None = None, split: str | None = None,
    query: str | None = None,
) -> Pin:  # fmt: skip
    """Return the pin of a version.

    Args:
        workspace: the store.
        rev: the version.
        layer: which labels; the default layer otherwise.
        split: `SCHEME/SUBSET`.
        query: SELECT of the items or labels to read; see `selection.select`.

    Raises:
        NotFound: no such version, layer or subset.
        InvalidInput: the query may not run, is wrong, or names no ids.
    """
    manifest = workspace.manifest(rev)
    rows = None if query is None else _settled(manifest, query)
    layer = manifest.layer(layer or workspace.default_layer)
    if split is not None:
        parse_split(manifest, split)
    commit = workspace.git.resolve(rev)
    try:
        remote: str | None = workspace.layout.remote()[0]
    except NotFound:
        remote = None
    return Pin(
        dataset=workspace.name,
        revision=rev,
        commit=commit,
        directory=workspace.directory(commit) or "",
        root=manifest.root,
        layer=layer,
        split=split,
        query=query,
        rows=rows,
        remote=remote,
        classes=tuple(class_order(manifest)),
    )


def _settled(manifest: Manifest, query: str) -> str:
    """Return the digest of what a query finds, if that is something, and always the same.

    Raises:
        InvalidInput: it finds nothing, or other rows when it is asked again.
    """
    first, again = (select(manifest, query) for _ in range(2))
    if not any(ids is not None and len(ids) for ids in (first.items, first.labels)):
        raise InvalidInput("the query finds nothing, so there is nothing to train on",
                           code="query-empty")  # fmt: skip
    if first.digest != again.digest:
        raise InvalidInput("the query finds other rows each time: leave out random() and the "
                           "like, and order what LIMIT cuts", code="query-unsettled")  # fmt: skip
    return first.digest


def verify(pin: Pin, manifest: Manifest, where: str) -> None:
    """Compare a manifest with the pin.

    Raises:
        Corrupt: it is another version.
    """
    found = hashlib.md5(directory_object(manifest.files), usedforsecurity=False).hexdigest()
    if f"{found}.dir" != pin.directory or manifest.root != pin.root:
        raise Corrupt(f"{where}: the version found is not the one that was pinned", code="pin")
    if tuple(class_order(manifest)) != pin.classes:
        raise Corrupt(f"{where}: the classes or their order differ from the pin", code="pin")


def selected(pin: Pin, manifest: Manifest, where: str) -> Selection:
    """Return what the pin's query finds.

    Raises:
        Corrupt: it is not what it found when the pin was made.
    """
    if pin.query is None:
        return Selection()
    found = select(manifest, pin.query)
    if pin.rows not in (None, found.digest):
        raise Corrupt(f"{where}: the query finds other rows than were pinned", code="pin")
    return found


def followed(workspace: Workspace, pin: Pin) -> tuple[Pin, str | None]:
    """Return a pin of what took the place of its version, and why; itself where nothing did.

    A version is written anew where an item or a source was forgotten; see `versions.forgotten`.
    What the query finds there is not known from the pin any more, so it is not compared.
    """
    maps = forgotten(workspace.git)
    version = version_now(maps, pin.directory)
    now = commit_now(maps, pin.commit)
    if version is None:
        return replace(pin, commit=now), None
    why = [f"{one.what}, {one.reason} ({one.at[:10]}, {one.name})" for one in maps
           if any(v.new_root == version.new_root for v in one.versions)]  # fmt: skip
    note = (f"{pin.revision} was written anew to forget an {'; '.join(why)}: root "
            f"{pin.root[:12]}… is {version.new_root[:12]}… now")  # fmt: skip
    new = replace(pin, commit=now, directory=version.new_directory, root=version.new_root)
    return replace(new, rows=None), note


def check_pin(workspace: Workspace, path: Path) -> list[str]:
    """Return what is wrong with a pin in this store; nothing for a good one.

    A version that was written anew to forget something is as good as the one that was pinned; see
    `followed`.
    """
    pin, _ = followed(workspace, read_pin(path))
    return [*_names(workspace, pin), *_content(workspace, pin, pin.revision)]


def _names(workspace: Workspace, pin: Pin) -> list[str]:
    faults = []
    try:
        directory = workspace.directory(workspace.git.resolve(pin.commit))
        if directory != pin.directory:
            faults.append(f"commit {pin.commit[:12]} holds {directory}, not {pin.directory}")
    except NotFound:
        faults.append(f"commit {pin.commit[:12]} is not in this repository; `git fetch` it")
    try:
        workspace.git.resolve(pin.revision)
    except NotFound:
        faults.append(f"{pin.revision} is not in this repository")
    moved = moved_tag(workspace, pin)
    return [*faults, moved] if moved else faults


def moved_tag(workspace: Workspace, pin: Pin) -> str | None:
    """Return that the pin's tag names another commit now; None where not. Branches may move."""
    ref = f"refs/tags/{pin.revision}"
    if not workspace.git.succeeds("show-ref", "-q", "--verify", ref):
        return None
    now = workspace.git.resolve(ref)
    if now == pin.commit:
        return None
    return f"{pin.revision} now names {now[:12]}, not {pin.commit[:12]}"


def _content(workspace: Workspace, pin: Pin, where: str) -> list[str]:
    try:
        manifest = workspace.manifest_of(pin.directory)
        verify(pin, manifest, where)
        for part in manifest.parts:
            manifest.verify(part)
        manifest.layer(pin.layer)
        if pin.split is not None:
            parse_split(manifest, pin.split)
        selected(pin, manifest, where)
    except (NotFound, Corrupt) as error:
        return [str(error)]
    return []
