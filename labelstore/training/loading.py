"""`labelstore.load`: open a version for training, wherever it is."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from labelstore.errors import InvalidInput, NotFound
from labelstore.storage.cache import Cache, writing
from labelstore.storage.location import Remote
from labelstore.storage.objects import object_path, read_checked
from labelstore.training.pins.making import followed, moved_tag, selected, verify
from labelstore.training.pins.pin import Pin, read_pin
from labelstore.training.reading.places import (
    cloned,
    is_git_url,
    is_remote,
    local_origin,
    resolved,
)
from labelstore.training.samples import Samples
from labelstore.training.selection import Selection, parse_split, select_labels
from labelstore.versions.dvc.pointer import read_directory_object
from labelstore.versions.exchange import remote_of
from labelstore.versions.manifest import PARTS, SCHEMA, Manifest
from labelstore.versions.workspace import Workspace

NEEDED = ("items", "annotations", "geometries", "categories", "splits")
_leases: dict[tuple[Path, frozenset[str]], int] = {}
"""Locked lists of objects that this process reads; the system gives them back when it ends."""


def load(
    place: str | os.PathLike[str],
    /,
    *,
    pin: str | os.PathLike[str] | None = None,
    at: str | None = None,
    layer: str | None = None,
    split: str | None = None,
    columns: Sequence[str] | None = None,
    where: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    every_table: bool = False,
) -> Samples:
    """Open a version for training.

    Objects that are not in the store are fetched whole into a cache that all processes of a user
    share, and compared with their names on arrival; after that no network is needed.

    Args:
        place: a store's folder, a Git URL (`#FOLDER` names the store's folder in it), or with a
            pin a DVC remote: a URL such as `s3://bucket/path`, or its folder.
        pin: pin file; what is read is verified against it before the first sample.
        at: tag, branch or commit, for a store's folder or a Git URL.
        layer: which labels; the pin's, else the store's default.
        split: `SCHEME/SUBSET`; the pin's, else all items.
        columns: of labels, that samples have; all by default.
        where: SQL condition on columns of `labels`; others are left out, items stay.
        cache: folder for what is fetched and made; `~/.cache/labelstore` by default.
        every_table: fetch the tables too that samples do not need.

    Raises:
        UserWarning: `at` is a branch, which moves; the pin's tag names another commit now; or what
            was pinned was written anew, to forget something: what took its place is read.
        InvalidInput: neither pin nor `at` is given, or both, or `at` with a bare URL.
        NotFound: no such store, version or object.
        Corrupt: what was found is not what was pinned.
        StorageFailed: a remote cannot be reached, or the cache cannot be written.
    """
    if (pin is None) == (at is None):
        raise InvalidInput("give exactly one of pin= and at=", code="load-arguments")
    name, kept = os.fspath(place), Cache.at(cache)
    known = None if pin is None else read_pin(Path(pin))
    workspace = _workspace(name, known, at, kept)
    if known is None:
        known = _asked(workspace, name, str(at))
    elif workspace is not None:
        known, note = followed(workspace, known)
        moved = moved_tag(workspace, known)
        for said in (note, moved and f"{moved}, which was pinned and is read"):
            if said:
                warnings.warn(f"{os.fspath(pin or '')}: {said}", UserWarning, stacklevel=2)
    manifest = _manifest(workspace, known, kept, name,
                         whole=bool(every_table or known.query or where))  # fmt: skip
    selection = Selection()
    if pin is not None:
        verify(known, manifest, os.fspath(pin))
        selection = selected(known, manifest, os.fspath(pin))
    if where is not None:
        selection = selection.narrowed(select_labels(manifest, where))
    found = Samples(manifest, manifest.layer(layer or known.layer), split or known.split,
                    selection, columns, kept)  # fmt: skip
    if found.split is not None:
        parse_split(manifest, found.split)
    kept.trim()
    return found


def _workspace(place: str, pin: Pin | None, at: str | None, cache: Cache) -> Workspace | None:
    """Return the store at a place; None for a bare remote."""
    if is_git_url(place):
        return cloned(place, cache, pin.commit if pin is not None else str(at))
    if not is_remote(place):
        return Workspace.find(Path(place))
    if pin is None:
        raise InvalidInput(
            f"{place}: a remote holds no version names, so at= has no meaning there. "
            "Pass pin=FILE, made by `labelstore pin`.",
            code="load-arguments",
        )
    return None


def _asked(workspace: Workspace | None, place: str, at: str) -> Pin:
    """Return a revision of a store as a pin that states no root; warn where it moves."""
    assert workspace is not None  # a bare remote was refused
    git = workspace.git
    commit = resolved(git, at, of_clone=is_git_url(place))
    directory = workspace.directory(commit)
    if directory is None:
        raise NotFound(f"version {at!r} of {place} holds no labels", code="version-empty")
    fixed = commit.startswith(at) or git.succeeds("show-ref", "-q", "--verify", f"refs/tags/{at}")
    if not fixed:
        warnings.warn(
            f"{at} may move; it is {commit[:12]} now. Name a tag, or write a pin: labelstore pin "
            f"{at} -o train.lock",
            UserWarning,
            stacklevel=3,
        )
    return Pin(revision=at, commit=commit, directory=directory, root="",
               layer=workspace.default_layer)  # fmt: skip


def _manifest(
    workspace: Workspace | None, pin: Pin, cache: Cache, place: str, *, whole: bool
) -> Manifest:
    """Return a version all of whose objects that are needed are here and as they should be.

    Args:
        workspace: the store, or None for a bare remote.
        pin: the version.
        cache: takes what is fetched.
        place: what the user named.
        whole: whether all tables are needed, as a query may ask any.
    """
    local = None if workspace is None else _local(workspace, pin)
    if local is None:
        remote = Remote(place) if workspace is None else _remote(workspace, pin, place)
        local = _fetched(pin, remote, cache, whole=whole)
    needed = [part for part in local.parts if whole or part.table in NEEDED]
    _use(cache, [local.md5(part.path) for part in needed])
    for part in needed:
        cache.verify(local.path(part), local.md5(part.path))
    return local


def _local(workspace: Workspace, pin: Pin) -> Manifest | None:
    """Return the version from the store's own objects, where they are all here."""
    if not object_path(workspace.layout.cache, pin.directory).exists():
        return None
    found = workspace.manifest_of(pin.directory)
    folder = workspace.layout.cache
    here = all(object_path(folder, md5).exists() for md5 in found.files.values())
    return found if here else None


def _remote(workspace: Workspace, pin: Pin, place: str) -> Remote:
    """Return the store's remote, of a clone one at a relative path too where that is known."""
    if not workspace.git.succeeds("cat-file", "-e", f"{pin.commit}^{{commit}}"):
        raise NotFound(
            f"{place}: has no commit {pin.commit[:12]} ({pin.revision} of {pin.dataset or 'some'} "
            "store). Is the pin of another store? Otherwise `git fetch` the commit.",
            code="revision-unknown",
        )
    _, remote = remote_of(workspace, pin.remote)
    origin = local_origin(place)
    if origin is None or "://" in remote.url or Path(remote.url).exists():
        return remote
    inner = os.path.relpath(remote.url, workspace.git.root)
    return Remote(os.path.normpath(origin / inner), remote.options)


def _fetched(pin: Pin, remote: Remote, cache: Cache, *, whole: bool) -> Manifest:
    """Return the version with the objects that are needed in the cache."""
    _bring(remote, cache, [pin.directory])
    path = object_path(cache.objects, pin.directory)
    files = read_directory_object(read_checked(path, pin.directory), str(path))
    manifest = Manifest(files, (cache.objects,))
    _bring(remote, cache, [files[PARTS], files[SCHEMA]])
    _bring(remote, cache, [manifest.md5(part.path) for part in manifest.parts
                           if whole or part.table in NEEDED])  # fmt: skip
    return manifest


def _bring(remote: Remote, cache: Cache, names: Sequence[str]) -> None:
    """Fetch the objects that the cache lacks; they are in use from here on."""
    _use(cache, names)
    missing = [name for name in names if not object_path(cache.objects, name).exists()]
    with writing(cache.objects):
        remote.fetch(missing, cache.objects)
    for name in missing:
        cache.seal(object_path(cache.objects, name), name)


def _use(cache: Cache, names: Sequence[str]) -> None:
    key = cache.folder, frozenset(names)
    if key in _leases and cache.still_used(_leases[key], names):
        return
    _leases[key] = cache.use(names)
