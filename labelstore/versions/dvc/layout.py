"""Where a DVC repository keeps its files, and what its configuration says."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from labelstore.errors import InvalidInput, NotFound
from labelstore.versions.dvc.locks import LOCK_WAIT_S, held
from labelstore.versions.dvc.running import run_dvc
from labelstore.versions.dvc.settings import read_config


@dataclass(frozen=True)
class Layout:
    """Where the DVC repository that a store belongs to keeps its files.

    Args:
        root: folder that holds `.dvc`.
    """

    root: Path

    @classmethod
    def above(cls, folder: Path, top: Path) -> Layout | None:
        """Return the DVC repository at a folder or above it, up to the top of the Git tree."""
        for candidate in (folder, *folder.parents):
            if (candidate / ".dvc" / "config").exists():
                return cls(candidate)
            if candidate == top:
                break
        return None

    @cached_property
    def config(self) -> dict[str, dict[str, Any]]:
        """Return DVC's configuration: system, global, repository and local files, in that order.

        Remotes stand under `remote NAME`.
        """
        merged: dict[str, dict[str, Any]] = {}
        for path in self._config_files():
            for section, values in read_config(path).items():
                merged.setdefault(section, {}).update(values)
        return merged

    def _config_files(self) -> list[Path]:
        from platformdirs import site_config_dir, user_config_dir

        system = os.getenv("DVC_SYSTEM_CONFIG_DIR") or site_config_dir("dvc", "iterative")
        user = os.getenv("DVC_GLOBAL_CONFIG_DIR") or user_config_dir("dvc", "iterative")
        own = self.root / ".dvc"
        return [Path(system, "config"), Path(user, "config"), own / "config", own / "config.local"]

    @cached_property
    def cache(self) -> Path:
        """Return the folder of objects: `.dvc/cache/files/md5`, or where `cache.dir` says."""
        configured = self.config.get("cache", {}).get("dir")
        folder = Path(configured) if configured else self.root / ".dvc" / "cache"
        return folder / "files" / "md5"

    @property
    def link_types(self) -> list[str]:
        """Return how a checkout may link to the cache, in order of preference."""
        configured = self.config.get("cache", {}).get("type")
        if not configured:
            return ["reflink", "hardlink", "copy"]
        words = configured if isinstance(configured, list) else str(configured).split(",")
        return [w.strip() for w in words]

    def remote(self, name: str | None = None) -> tuple[str, dict[str, Any]]:
        """Return name and settings of a remote, the default one where none is named.

        Raises:
            NotFound: there is no such remote, or no default.
            InvalidInput: the remote keeps versions by cloud version ids, which have no layout.
        """
        chosen = name or self.config.get("core", {}).get("remote")
        settings = self.config.get(f"remote {chosen}") if chosen else None
        if not chosen or settings is None:
            what = f"no remote {chosen!r}" if chosen else "no default remote"
            raise NotFound(
                f"{what} in DVC's configuration. "
                "Add one with `labelstore remote add NAME URL --default`.",
                code="remote-unknown",
            )
        for trait in ("version_aware", "worktree"):
            if str(settings.get(trait, "false")).lower() in {"true", "1", "yes", "on"}:
                raise InvalidInput(
                    f"remote {chosen!r} is {trait}: such remotes keep files by name, not by "
                    "content, and a pinned version cannot be read from them. "
                    f"Run `dvc remote modify {chosen} {trait} false` and push again.",
                    code="remote-kind",
                )
        return chosen, settings

    @contextlib.contextmanager
    def locked(self, wait: float = LOCK_WAIT_S) -> Iterator[None]:
        """Hold DVC's own lock, so that no DVC command collects or moves objects meanwhile.

        Args:
            wait: seconds to wait for another holder.

        Raises:
            Conflict: another process held it all the time.
        """
        by_hardlink = str(self.config.get("core", {}).get("hardlink_lock", "")).lower() == "true"
        path = self.root / ".dvc" / "tmp" / "lock"
        with held(path, "moving DVC's objects", wait, hardlink=by_hardlink):
            yield

    def command_everywhere(
        self, *args: str, cwd: Path, show: bool = False, without: Collection[str] = ()
    ) -> str:
        """Run a DVC command over all commits, each of which sees today's remotes.

        A commit older than a remote does not name it in its own `.dvc/config`, and DVC would pass
        it over with a warning; so the remotes are handed over as if they stood in the user's file.

        Args:
            args: words of the command, without `dvc`.
            cwd: folder to run it in.
            show: let its progress bars through to stderr.
            without: commits that do not have the store.

        Raises:
            StorageFailed: the command failed, or passed over a commit.
        """
        from configobj import ConfigObj
        from platformdirs import user_config_dir

        user = os.getenv("DVC_GLOBAL_CONFIG_DIR") or user_config_dir("dvc", "iterative")
        given = ConfigObj(str(Path(user, "config")), encoding="utf-8")
        for section, values in self.config.items():
            if section.startswith("remote "):
                name = section.removeprefix("remote ")
                given[f'remote "{name}"'] = values
        with tempfile.TemporaryDirectory() as folder:
            given.filename = str(Path(folder, "config"))
            given.write()
            env = {"DVC_GLOBAL_CONFIG_DIR": folder}
            return run_dvc(*args, cwd=cwd, show=show, env=env, without=without)

    def command(self, *args: str, cwd: Path | None = None, show: bool = False) -> str:
        """Run a real DVC command and return what it prints.

        Args:
            args: words of the command, without `dvc`.
            cwd: folder to run it in; the DVC root otherwise.
            show: let its progress bars through to stderr.

        Raises:
            StorageFailed: the command failed.
        """
        return run_dvc(*args, cwd=cwd or self.root, show=show)
