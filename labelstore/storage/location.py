"""Objects on a remote: the one door to fsspec."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelstore.errors import Corrupt, NotFound, StorageFailed
from labelstore.storage.failures import failure, is_missing
from labelstore.storage.objects import object_path, put_as

AT_ONCE = 16


@dataclass(frozen=True)
class Remote:
    """A folder of objects in DVC's layout, local or on S3.

    Args:
        url: `s3://bucket/prefix`, or a path.
        options: arguments of the fsspec file system.
    """

    url: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def fetch(
        self,
        names: Iterable[str],
        folder: Path,
        done: Callable[[int], None] | None = None,
    ) -> None:
        """Bring objects into a local folder, whole, several at a time, each checked on arrival.

        Args:
            names: MD5 of the objects; those that are there already are not fetched.
            folder: local object folder; may be shared by many processes.
            done: called with the number of bytes of each object.

        Raises:
            NotFound: the remote lacks an object.
            Corrupt: an object's bytes are not what its name says.
            StorageFailed: the remote cannot be reached or refuses.
        """
        missing = [n for n in dict.fromkeys(names) if not object_path(folder, n).exists()]
        if not missing:
            return
        system, root = self.opened()

        def one(name: str) -> int:
            data = self._read(system, f"{root}/files/md5/{name[:2]}/{name[2:]}", name)
            put_as(folder, name, data)
            return len(data)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for size in pool.map(one, missing):
                if done:
                    done(size)

    def faults(
        self, names: Iterable[str], done: Callable[[int], None] | None = None
    ) -> dict[str, str]:
        """Read objects where they are, keeping none, and return what is wrong with which.

        Args:
            names: MD5 of the objects.
            done: called with the number of bytes of each object.

        Raises:
            StorageFailed: the remote cannot be reached or refuses.
        """
        system, root = self.opened()

        def one(name: str) -> tuple[str, str, int]:
            try:
                data = self._read(system, f"{root}/files/md5/{name[:2]}/{name[2:]}", name)
            except (NotFound, Corrupt) as error:
                return name, str(error), 0
            return name, "", len(data)

        found = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for name, fault, size in pool.map(one, dict.fromkeys(names)):
                if fault:
                    found[name] = fault
                if done:
                    done(size)
        return found

    def there(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return those objects that are there, by name.

        Raises:
            Corrupt: an object's bytes are not what its name says.
            StorageFailed: the remote cannot be reached or refuses.
        """
        system, root = self.opened()

        def one(name: str) -> tuple[str, bytes | None]:
            try:
                return name, self._read(system, f"{root}/files/md5/{name[:2]}/{name[2:]}", name)
            except NotFound:
                return name, None

        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(one, sorted(set(names)))
            return {name: data for name, data in found if data is not None}

    def remove(self, names: Iterable[str]) -> int:
        """Remove objects, and return how many were there.

        Args:
            names: MD5 of the objects.

        Raises:
            StorageFailed: the remote cannot be reached or refuses.
        """
        system, root = self.opened()

        def one(name: str) -> bool:
            path = f"{root}/files/md5/{name[:2]}/{name[2:]}"
            try:
                there: bool = system.exists(path)
                if there:
                    system.rm_file(path)
            except Exception as error:  # botocore and aiohttp raise dozens of unrelated classes
                raise failure(self.url, f"removing {name}", error) from error
            return there

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(pool.map(one, dict.fromkeys(names)))

    def opened(self) -> tuple[Any, str]:
        """Return the fsspec file system, and the remote's place in it.

        Raises:
            StorageFailed: the URL is of no kind that is known here.
        """
        import fsspec

        try:
            system, root = fsspec.core.url_to_fs(self.url, **self.options)
        except (ValueError, ImportError) as error:
            raise StorageFailed(f"{self.url}: {error}", code="remote-url") from error
        return system, root.rstrip("/")

    def _read(self, system: Any, path: str, name: str) -> bytes:
        try:
            data: bytes = system.cat_file(path, **_at_once(system))
        except Exception as error:  # botocore and aiohttp raise dozens of unrelated classes
            if not is_missing(error):
                raise failure(self.url, f"reading {name}", error) from error
            raise NotFound(
                f"{self.url}: has no object {name}. Push the version from where it was made: "
                "`labelstore push`.",
                code="object-missing",
            ) from error
        found = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if found != name.removesuffix(".dir"):
            raise Corrupt(f"{self.url}: object {name} arrived with MD5 {found}; push it again")
        return data


def _at_once(system: Any) -> dict[str, Any]:
    """Return how to read an object in one request; s3fs asks for its size first otherwise."""
    return {"max_concurrency": 1} if hasattr(system, "call_s3") else {}


def read_bytes(url: str, options: Mapping[str, Any] | None = None) -> bytes:
    """Return what is at a path or URL, whole.

    Args:
        url: whatever fsspec reads.
        options: arguments of the fsspec file system.

    Raises:
        FileNotFoundError: there is nothing.
    """
    import fsspec

    system, path = fsspec.core.url_to_fs(url, **(options or {}))
    data: bytes = system.cat_file(path)
    return data
