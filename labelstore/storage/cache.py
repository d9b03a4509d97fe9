"""A user's cache: objects that training fetched, and Arrow files made of them.

    objects/ab/cdef…              bytes by MD5, as everywhere
    arrow/ab/cdef….COLUMNS        rows of a part, to be mapped into memory
    seals/ab/cdef…                which file was found to be as its name says
    uses/NAME                     the objects that a version needs, one a line; locked while in use

Many processes share it. A file gets its name only when it is whole and durable. Who reads a
version locks its list of objects, which a killed process cannot forget to give back; `trim`
removes what nobody has locked, the longest unused first.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labelstore.errors import InvalidInput, StorageFailed
from labelstore.storage.objects import object_path, verify

LIMIT = "LABELSTORE_CACHE_LIMIT"
DEFAULT_LIMIT = "50 GB"
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
STALE_S = 24 * 3600
"""A file in the making is a killed process's after so long."""


def user_cache() -> Path:
    """Return the folder of what training fetched, shared by all stores of a user."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "labelstore"


@dataclass(frozen=True)
class Cache:
    """A folder of objects and Arrow files, shared by processes.

    Args:
        folder: where it is.
        limit: bytes that it may take.
    """

    folder: Path
    limit: int

    @classmethod
    def at(cls, folder: str | os.PathLike[str] | None = None) -> Cache:
        """Return the cache at a folder, the user's own by default; the environment says how large.

        Raises:
            InvalidInput: the environment's `LABELSTORE_CACHE_LIMIT` is no size.
        """
        place = Path(folder) if folder is not None else user_cache()
        return cls(place.absolute(), parse_size(os.environ.get(LIMIT) or DEFAULT_LIMIT))

    @property
    def objects(self) -> Path:
        """Return the folder of objects."""
        return self.folder / "objects"

    def arrow_path(self, md5: str, columns: str) -> Path:
        """Return where the Arrow file of an object's rows is, with these columns."""
        path = object_path(self.folder / "arrow", md5)
        return path.with_name(f"{path.name}.{columns}")

    def use(self, names: Iterable[str]) -> int:
        """Note that objects are in use, until the file descriptor that this returns is closed.

        Raises:
            StorageFailed: the cache cannot be written.
        """
        path, text = self._lease(names)
        with self._gate(fcntl.LOCK_SH):
            if not path.exists():
                write_safely(path, text.encode())
            with writing(path):
                lease = os.open(path, os.O_RDONLY)
                fcntl.flock(lease, fcntl.LOCK_SH)
                os.utime(path)
            return lease

    def still_used(self, lease: int, names: Iterable[str]) -> bool:
        """Say whether a lease that `use` returned still holds; note that it was used now."""
        path, _ = self._lease(names)
        try:
            os.utime(path)
            return os.path.samestat(os.fstat(lease), path.stat())
        except OSError:
            return False

    def _lease(self, names: Iterable[str]) -> tuple[Path, str]:
        text = "".join(f"{name}\n" for name in sorted(set(names)))
        return self.folder / "uses" / hashlib.sha256(text.encode()).hexdigest()[:32], text

    def verify(self, path: Path, md5: str) -> None:
        """Compare an object with its name, unless it is the file that was compared before.

        That is told by device, inode, size and time of change.

        Raises:
            Corrupt: they differ.
        """
        if not self.sealed(path, md5):
            verify(path, md5)
            self.seal(path, md5)

    def sealed(self, path: Path, name: str) -> bool:
        """Say whether a file is the one that was sealed under a name."""
        try:
            return object_path(self.folder / "seals", name).read_text() == _traits(path)
        except OSError:
            return False

    def seal(self, path: Path, name: str) -> None:
        """Note that a file is as its name says."""
        write_safely(object_path(self.folder / "seals", name), _traits(path).encode(), sync=False)

    def trim(self) -> int:
        """Remove what nobody uses, the longest unused first, down to the limit; return the bytes.

        Nothing is done where another process is about to use something.
        """
        try:
            with self._gate(fcntl.LOCK_EX | fcntl.LOCK_NB):
                return self._trim()
        except BlockingIOError:
            return 0

    def remove(self, names: Iterable[str]) -> int:
        """Remove objects, and all that was made of them; return how many objects were there."""
        count = 0
        for name in names:
            path = object_path(self.objects, name)
            count += path.exists()
            for file in _files_of(self, name):
                file.unlink(missing_ok=True)
        return count

    @contextlib.contextmanager
    def _gate(self, how: int) -> Iterator[None]:
        path = self.folder / "lock"
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, how)
            yield
        finally:
            os.close(file)

    def _trim(self) -> int:
        sizes = dict(_sizes(self))
        excess = sum(size for _, size in sizes.values()) - self.limit
        if excess <= 0:
            return 0
        last, held = self._uses()
        names = sorted({name for name, _ in sizes.values()} - held, key=lambda n: last.get(n, 0.0))
        weights: dict[str, int] = {}
        for name, size in sizes.values():
            weights[name] = weights.get(name, 0) + size
        freed = 0
        for name in names:
            if freed >= excess:
                break
            freed += weights[name]
            self.remove([name])
        return freed

    def _uses(self) -> tuple[dict[str, float], set[str]]:
        """Return when each object was last used, and those that are in use."""
        last: dict[str, float] = {}
        held: set[str] = set()
        for path in (self.folder / "uses").glob("[0-9a-f]*"):
            with open(path) as file:
                names = file.read().split()
                last |= {n: max(path.stat().st_mtime, last.get(n, 0.0)) for n in names}
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    held |= set(names)
        return last, held


def write_safely(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Give a file its name when it is whole; what another process wrote meanwhile is replaced.

    Raises:
        StorageFailed: it cannot be written, such as on a full disk; nothing is left of it.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(aside, "wb") as file:
                file.write(data)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell what cannot be written, and what to do.

    Raises:
        StorageFailed: on any fault of the file system.
    """
    try:
        yield
    except StorageFailed:
        raise
    except OSError as error:
        raise StorageFailed(
            f"{path}: cannot be written ({error.strerror or error}). Nothing half-written is "
            f"used. Free some space, or name another cache with cache=FOLDER; {LIMIT} says how "
            "large it may grow.",
            code="cache-failed",
        ) from error


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `20 GB`.

    Raises:
        InvalidInput: it is none.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise InvalidInput(f"{text!r} is no size; write, for example, 20 GB", code="cache-limit")
    return int(float(match[1]) * UNITS[(match[2] or "").upper()])


def _traits(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_dev} {stat.st_ino} {stat.st_size} {stat.st_ctime_ns}"


def _files_of(cache: Cache, name: str) -> Iterator[Path]:
    yield object_path(cache.objects, name)
    yield object_path(cache.folder / "seals", name)
    arrow = object_path(cache.folder / "arrow", name)
    seals = object_path(cache.folder / "seals", name)
    for path in (arrow, seals):
        if path.parent.is_dir():
            yield from path.parent.glob(f"{path.name}.*")


def _sizes(cache: Cache) -> Iterator[tuple[Path, tuple[str, int]]]:
    """Yield the files of objects and Arrow rows, with their object and size; drop stale ones."""
    for folder in (cache.objects, cache.folder / "arrow"):
        for path in folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                if not path.name.startswith("."):
                    name = path.parent.name + (
                        path.name if folder == cache.objects else path.name.split(".")[0]
                    )
                    yield path, (name, stat.st_size)
                elif stat.st_mtime < time.time() - STALE_S:
                    path.unlink(missing_ok=True)
