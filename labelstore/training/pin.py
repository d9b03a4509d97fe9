"""Pins: a small TOML file that names a version by its hashes."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelstore.changes.summary import class_order
from labelstore.errors import Corrupt, InvalidInput, NotFound
from labelstore.model.tables import TABLES
from labelstore.versions.dvc.pointer import directory_object
from labelstore.versions.files import write_whole
from labelstore.versions.forgotten import commit_now, forgotten, version_now
from labelstore.versions.manifest import Manifest
from labelstore.versions.workspace import Workspace

PIN_FORMAT = 1


@dataclass(frozen=True)
class Pin:
    """A version named by hash.

    Attributes:
        revision: as it was asked for.
        commit: Git commit.
        directory: DVC's `.dir` object.
        root: BLAKE2b-256 root.
        layer: which labels.
        split: `SCHEME/SUBSET`, or None for all items.
        remote: name of the DVC remote, or None; never credentials.
        classes: (id, name) in the order of the ontology.
    """

    revision: str
    commit: str
    directory: str
    root: str
    layer: str
    split: str | None
    remote: str | None
    classes: tuple[tuple[int, str], ...]

    def text(self) -> str:
        """Return the pin as TOML."""
        lines = [f"format = {PIN_FORMAT}"]
        for name in ("revision", "commit", "directory", "root", "layer", "split", "remote"):
            value = getattr(self, name)
            if value is not None:
                lines.append(f"{name} = {json.dumps(value)}")
        for number, name in self.classes:
            lines += ["", "[[classes]]", f"id = {number}", f"name = {json.dumps(name)}"]
        return "\n".join(lines) + "\n"


def make_pin(workspace: Workspace, rev: str, *, layer: str | None, split: str | None) -> Pin:
    """Return the pin of a version.

    Args:
        workspace: the store.
        rev: the version.
        layer: which labels; the default layer otherwise.
        split: `SCHEME/SUBSET`.

    Raises:
        NotFound: no such version, layer or subset.
    """
    manifest = workspace.manifest(rev)
    layer = manifest.layer(layer or workspace.default_layer)
    if split is not None:
        parse_split(manifest, split)
    commit = workspace.git.resolve(rev)
    try:
        remote: str | None = workspace.layout.remote()[0]
    except NotFound:
        remote = None
    return Pin(
        revision=rev,
        commit=commit,
        directory=workspace.directory(commit) or "",
        root=manifest.root,
        layer=layer,
        split=split,
        remote=remote,
        classes=tuple(class_order(manifest)),
    )


def parse_split(manifest: Manifest, split: str) -> tuple[str, str]:
    """Return scheme and subset of `SCHEME/SUBSET`.

    Raises:
        InvalidInput: it is not of that form.
        NotFound: the version has no such scheme.
    """
    scheme, _, subset = split.rpartition("/")
    if not scheme or not subset:
        raise InvalidInput(f"{split!r}: write SCHEME/SUBSET, as in default/train")
    if scheme not in manifest.partitions("splits"):
        there = ", ".join(manifest.partitions("splits")) or "none"
        raise NotFound(f"no split scheme {scheme!r} (there is: {there})", code="split-unknown")
    known = manifest.table(TABLES["splits"], ["subset"], scheme).column(0).unique().to_pylist()
    if subset not in known:
        raise NotFound(f"split {scheme!r} has no {subset!r} (it has: {', '.join(sorted(known))})")
    return scheme, subset


def write_pin(pin: Pin, path: Path) -> None:
    """Write a pin file, whole or not at all."""
    write_whole(path, pin.text())


def read_pin(path: Path) -> Pin:
    """Return a pin file's content.

    Raises:
        NotFound: no such file.
        InvalidInput: it is no pin.
    """
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise NotFound(f"{path}: no such pin", code="pin-missing") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: {error}", code="pin-syntax") from error
    if content.get("format") != PIN_FORMAT:
        raise InvalidInput(f"{path}: is no pin of format {PIN_FORMAT}", code="pin-format")
    needed = ("revision", "commit", "directory", "root", "layer")
    wrong = [n for n in needed if not isinstance(content.get(n), str)]
    if wrong:
        raise InvalidInput(f"{path}: {', '.join(wrong)} missing or no text", code="pin-format")
    try:
        classes = tuple((int(c["id"]), str(c["name"])) for c in content.get("classes", []))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"{path}, classes: each needs `id` and `name`", code="pin-format"
        ) from error
    return Pin(
        **{n: content[n] for n in needed},
        split=content.get("split"),
        remote=content.get("remote"),
        classes=classes,
    )


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


def followed(workspace: Workspace, pin: Pin) -> tuple[Pin, str | None]:
    """Return a pin of what took the place of its version, and why; itself where nothing did.

    A version is written anew where an item or a source was forgotten; see `versions.forgotten`.
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
    return new, note


def check_pin(workspace: Workspace, path: Path) -> list[str]:
    """Return what is wrong with a pin in this store; nothing for a good one.

    A version that was written anew to forget something is as good as the one that was pinned; see
    `followed`.
    """
    pin, _ = followed(workspace, read_pin(path))
    faults = []
    try:
        directory = workspace.directory(workspace.git.resolve(pin.commit))
        if directory != pin.directory:
            faults.append(f"commit {pin.commit[:12]} holds {directory}, not {pin.directory}")
    except NotFound:
        faults.append(f"commit {pin.commit[:12]} is not in this repository; `git fetch` it")
    try:
        now = workspace.git.resolve(pin.revision)
        if now != pin.commit:
            faults.append(f"{pin.revision} now names {now[:12]}, not {pin.commit[:12]}")
    except NotFound:
        faults.append(f"{pin.revision} is not in this repository")
    try:
        manifest = workspace.manifest_of(pin.directory)
        verify(pin, manifest, str(path))
        for part in manifest.parts:
            manifest.verify(part)
    except (NotFound, Corrupt) as error:
        faults.append(str(error))
    return faults
