"""Where a store is: its folder, its Git repository, its DVC layout, its private files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from labelstore.errors import InvalidInput, NotFound
from labelstore.storage.objects import find, read_checked
from labelstore.versions.dvc.layout import Layout
from labelstore.versions.dvc.locks import LOCK_WAIT_S, held
from labelstore.versions.dvc.pointer import POINTER, read_directory_object, read_pointer
from labelstore.versions.git import Git
from labelstore.versions.manifest import Manifest

SETTINGS = "labelstore.toml"
PRIVATE = ".labelstore"
DEFAULTS = {"layer": "ground_truth", "scheme": "default", "checkout": True}


@dataclass(frozen=True)
class Workspace:
    """A store on disk.

    Args:
        folder: holds `labelstore.toml` and `labels.dvc`.
        git: its repository.
        layout: the DVC repository that keeps its objects.
    """

    folder: Path
    git: Git
    layout: Layout

    @classmethod
    def find(cls, start: Path) -> Workspace:
        """Return the store at a folder or above it.

        Raises:
            NotFound: there is none, or its Git or DVC repository is missing.
        """
        start = start.resolve()
        for folder in (start, *start.parents):
            if (folder / SETTINGS).is_file():
                return cls._open(folder)
        raise NotFound(
            f"{start}: no store here or above. Create one with `labelstore init`.",
            code="no-store",
        )

    @classmethod
    def _open(cls, folder: Path) -> Workspace:
        git = Git.at(folder)
        if git is None:
            raise NotFound(
                f"{folder}: the store is in no Git repository. Run `labelstore init` there again.",
                code="no-git",
            )
        layout = Layout.above(folder, git.root)
        if layout is None:
            raise NotFound(
                f"{folder}: the store has no DVC repository. Run `labelstore init` there again.",
                code="no-dvc",
            )
        return cls(folder, git, layout)

    @property
    def private(self) -> Path:
        """Return the folder that is in no version: stage, objects, names, caches."""
        return self.folder / PRIVATE

    @property
    def objects(self) -> Path:
        """Return the folder of objects that are not yet published."""
        return self.private / "objects"

    def staging(self, wait: float = LOCK_WAIT_S) -> AbstractContextManager[None]:
        """Hold the stage: one command changes, publishes or drops it at a time.

        Args:
            wait: seconds to wait for another holder.

        Raises:
            Conflict: it is held all the time.
        """
        return held(self.private / "stage.lock", "changing the stage", wait)

    @property
    def object_folders(self) -> tuple[Path, ...]:
        """Return where objects may be, nearest first."""
        return (self.objects, self.layout.cache)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """Return `labelstore.toml`.

        Raises:
            InvalidInput: it is no TOML.
        """
        path = self.folder / SETTINGS
        try:
            found = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path}: {error}", code="settings") from error
        for name, default in DEFAULTS.items():
            if not isinstance(found.get(name, default), type(default)):
                words = {str: "a text", bool: "true or false"}[type(default)]
                raise InvalidInput(f"{path}, {name}: must be {words}", code="settings")
        return {**DEFAULTS, **found}

    @property
    def name(self) -> str:
        """Return what the store is called: `name` in its `[about]`, else its folder's name."""
        about = self.settings.get("about")
        named = about.get("name") if isinstance(about, Mapping) else None
        return str(named or self.folder.name)

    @property
    def default_layer(self) -> str:
        """Return the layer that is meant where none is named."""
        return str(self.settings["layer"])

    @property
    def checkout(self) -> bool:
        """Say whether `labels/` follows the current version."""
        return bool(self.settings["checkout"])

    def directory(self, commit: str) -> str | None:
        """Return the name of a commit's `.dir` object, or None where the store is not in it."""
        data = self.git.blob(commit, POINTER)
        return None if data is None else read_pointer(data, f"{commit[:12]}:{POINTER}")

    def directories(self, commits: Sequence[str]) -> list[str | None]:
        """Return the same of many commits, by one call of Git."""
        found = self.git.blobs(commits, POINTER)
        return [None if data is None else read_pointer(data, f"{commit[:12]}:{POINTER}")
                for commit, data in zip(commits, found, strict=True)]  # fmt: skip

    def manifest(self, rev: str) -> Manifest:
        """Return the manifest of a version.

        Raises:
            NotFound: no such revision, no store in it, or its objects are not here.
        """
        commit = self.git.resolve(rev)
        name = self.directory(commit)
        if name is None:
            raise NotFound(
                f"version {rev!r} holds no {self.git.prefix}{POINTER}: nothing was committed to "
                "this store there.",
                code="version-empty",
            )
        return self.manifest_of(name)

    def manifest_of(self, directory: str) -> Manifest:
        """Return the manifest in a `.dir` object."""
        path = find(self.object_folders, directory)
        data = read_checked(path, directory)
        return Manifest(read_directory_object(data, str(path)), self.object_folders)
