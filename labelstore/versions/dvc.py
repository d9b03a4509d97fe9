"""DVC's layout: the only module that knows it, and the only one that starts DVC.

Read paths use `Layout`, which needs no import of DVC: DVC documents its files, and a revision's
manifest is one Git blob and one JSON object, at a hundredth of the cost of DVC's file system.
What DVC is for (init, remotes, push, pull, collection) is done by the real DVC.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import IO, Any

from labelstore.errors import Conflict, Corrupt, InvalidInput, NotFound, StorageFailed

OUTPUT = "labels"
POINTER = "labels.dvc"
LOCK_WAIT_S = 30.0
POINTER_FIELDS = re.compile(
    r"outs:\n- md5: (?P<md5>[0-9a-f]{32}\.dir)\n"
    r"  size: (?P<size>\d+)\n  nfiles: (?P<nfiles>\d+)\n  hash: md5\n  path: labels\n"
)


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
            for section, values in _read_config(path).items():
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
        folder = self.root / ".dvc" / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        lock = self._acquire(folder / "lock", wait)
        try:
            yield
        finally:
            lock.close()

    def _acquire(self, path: Path, wait: float) -> Any:
        if str(self.config.get("core", {}).get("hardlink_lock", "")).lower() == "true":
            return _HardlinkLock(path)
        from zc.lockfile import LockError, LockFile

        deadline = time.monotonic() + wait
        while True:
            try:
                return LockFile(str(path))
            except LockError as error:
                if time.monotonic() > deadline:
                    raise Conflict(
                        f"{path}: another DVC or labelstore process has held the lock for "
                        f"{wait:.0f} s. Let it finish, then run the command again.",
                        code="locked",
                    ) from error
                time.sleep(0.05)

    def command_everywhere(self, *args: str, cwd: Path, show: bool = False) -> str:
        """Run a DVC command over all commits, each of which sees today's remotes.

        A commit older than a remote does not name it in its own `.dvc/config`, and DVC would pass
        it over with a warning; so the remotes are handed over as if they stood in the user's file.

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
            return run_dvc(*args, cwd=cwd, show=show, env=env)

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


class _HardlinkLock:
    """DVC's lock for file systems without flock, by DVC's own class."""

    def __init__(self, path: Path) -> None:
        from dvc.lock import make_lock

        self._lock = make_lock(str(path), tmp_dir=str(path.parent), hardlink_lock=True, wait=True)
        self._lock.lock()

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.unlock()


PASSED_OVER = ("failed to collect", "neither locally nor on remote")
"""DVC says these in a warning and exits with 0; for us a version would be missing."""


def run_dvc(
    *args: str, cwd: Path, show: bool = False, env: Mapping[str, str] | None = None
) -> str:
    """Run `dvc` in a folder and return what it prints.

    Args:
        args: words of the command.
        cwd: the folder.
        show: let its progress bars through to stderr.
        env: further variables.

    Raises:
        StorageFailed: it exits with anything but 0, or warns that it passed something over; the
            message is DVC's own.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "dvc", *args],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            **os.environ,
            "DVC_NO_ANALYTICS": "1",
            **({"DVC_IGNORE_ISATTY": "1"} if show else {}),
            **(env or {}),
        },
    )
    warnings: list[bytes] = []
    reader = Thread(target=_forward, args=(child.stderr, warnings, show))
    reader.start()
    printed = child.stdout.read().decode(errors="replace") if child.stdout else ""
    status = child.wait()
    reader.join()
    for pipe in (child.stdout, child.stderr):
        if pipe:
            pipe.close()
    said = b"".join(warnings).decode(errors="replace")
    if status or any(words in said for words in PASSED_OVER):
        reason = (said + printed).strip() or "failed"
        raise StorageFailed(f"dvc {args[0]}: {reason}", code="dvc-failed")
    return printed.strip()


def _forward(pipe: IO[bytes] | None, kept: list[bytes], show: bool) -> None:
    """Keep what a pipe says, and show it as it comes."""
    while pipe is not None and (piece := os.read(pipe.fileno(), 1 << 14)):
        kept.append(piece)
        if show:
            sys.stderr.write(piece.decode(errors="replace"))
            sys.stderr.flush()


def add_by_dvc(folder: Path) -> str:
    """Publish the working folder `labels/` through DVC's own `Repo.add`; return the pointer text.

    The fallback for the day on which DVC's layout differs from what this module writes: slower,
    since DVC hashes every file that its state does not know.
    """
    from dvc.repo import Repo

    with Repo(str(folder)) as repo:
        repo.add([str(folder / OUTPUT)])
    return (folder / POINTER).read_text()


def directory_object(files: Mapping[str, str]) -> bytes:
    """Return the bytes of DVC's `.dir` object for relative path to MD5."""
    entries = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    return json.dumps(entries, sort_keys=True).encode()


def read_directory_object(data: bytes, where: str) -> dict[str, str]:
    """Return relative path to MD5 from a `.dir` object.

    Raises:
        Corrupt: it is none.
    """
    try:
        return {entry["relpath"]: entry["md5"] for entry in json.loads(data)}
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt(f"{where}: is no DVC directory object ({error})") from error


def pointer_text(md5: str, size: int, nfiles: int) -> str:
    """Return the text of `labels.dvc`, as `dvc add labels` writes it."""
    return (
        f"outs:\n- md5: {md5}\n  size: {size}\n  nfiles: {nfiles}\n  hash: md5\n  path: {OUTPUT}\n"
    )


def read_pointer(data: bytes, where: str) -> str:
    """Return the name of the `.dir` object that a `labels.dvc` points to.

    Raises:
        Corrupt: it has conflict markers or does not track the folder `labels`.
    """
    text = data.decode(errors="replace")
    known = POINTER_FIELDS.fullmatch(text)
    if known:
        return known["md5"]
    if "<<<<<<<" in text:
        raise Conflict(
            f"{where}: has unresolved merge conflicts. Run `git merge --abort`, or take one side.",
            code="unmerged",
        )
    return _read_any_pointer(text, where)


def _read_any_pointer(text: str, where: str) -> str:
    """Read a pointer that somebody has edited, with DVC's own YAML reader."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        outs = YAML(typ="safe", pure=True).load(text)["outs"]
        (md5,) = (str(o["md5"]) for o in outs if o["path"] == OUTPUT)
    except (YAMLError, ValueError, TypeError, KeyError) as error:
        raise Corrupt(
            f"{where}: does not say which version of labels/ it tracks ({error}). "
            "Restore it with `git checkout -- labels.dvc`.",
            code="pointer-corrupt",
        ) from error
    return md5


def _read_config(path: Path) -> dict[str, dict[str, Any]]:
    """Return one configuration file of DVC, sections by plain name, paths made absolute."""
    if not path.exists():
        return {}
    from configobj import ConfigObj, ConfigObjError

    try:
        content = ConfigObj(str(path), encoding="utf-8").dict()
    except (ConfigObjError, UnicodeError) as error:
        raise InvalidInput(f"{path}: {error}", code="dvc-config") from error
    sections: dict[str, dict[str, Any]] = {}
    for title, values in content.items():
        if isinstance(values, dict):
            name = re.sub(r"^'?remote \"(.+)\"'?$", r"remote \1", title)
            sections[name] = {str(k).lower(): v for k, v in values.items()}
    for name, values in sections.items():
        key = "dir" if name == "cache" else "url"
        if (name == "cache" or name.startswith("remote ")) and key in values:
            values[key] = _absolute(path.parent, str(values[key]))
    return sections


def _absolute(folder: Path, value: str) -> str:
    if re.match(r"\w+://", value):
        return value
    expanded = os.path.expanduser(value)
    return expanded if os.path.isabs(expanded) else os.path.abspath(folder / expanded)


S3_ARGUMENTS = {
    "access_key_id": "key",
    "secret_access_key": "secret",
    "session_token": "token",
    "profile": "profile",
}


def filesystem_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the s3fs arguments that DVC itself would use for a remote.

    Args:
        settings: a remote's section of the configuration.

    Source:
        dvc-s3, `S3FileSystem._prepare_credentials`.
    """
    if not str(settings.get("url", "")).startswith("s3://"):
        return {}
    options: dict[str, Any] = {
        theirs: settings[ours] for ours, theirs in S3_ARGUMENTS.items() if settings.get(ours)
    }
    options["use_ssl"] = _flag(settings, "use_ssl", default=True)
    options["anon"] = _flag(settings, "allow_anonymous_login", default=False)
    client = {"region_name": settings.get("region"), "endpoint_url": settings.get("endpointurl")}
    if "ssl_verify" in settings:
        said = str(settings["ssl_verify"])
        client["verify"] = {"true": True, "false": False}.get(said.lower(), said)
    client = {k: v for k, v in client.items() if v is not None}
    waits = ("read_timeout", "connect_timeout")
    config = {k: int(settings[k]) for k in waits if k in settings}
    if client:
        options["client_kwargs"] = client
    if config:
        options["config_kwargs"] = config
    return options


def _flag(settings: Mapping[str, Any], name: str, *, default: bool) -> bool:
    return str(settings.get(name, default)).lower() == "true"
