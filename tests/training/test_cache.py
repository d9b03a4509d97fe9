"""The cache that processes share: nothing half-written is used, nothing in use is removed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import labelstore
from labelstore.errors import Corrupt, InvalidInput, NotFound, StorageFailed
from labelstore.storage import cache as module
from labelstore.storage import objects as objects_module
from labelstore.storage.cache import Cache, parse_size
from labelstore.storage.objects import put_as
from labelstore.store import Store

READ = """
import hashlib, sys
import labelstore
samples = labelstore.load(sys.argv[1], pin=sys.argv[2], cache=sys.argv[3])
rows = samples.annotations.to_pylist()
print(len(samples), len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
"""
KILLED = """
import os, signal, sys
step, seen = int(sys.argv[4]), 0
for name in ("fsync", "replace", "chmod"):
    def patched(*args, own=getattr(os, name), **options):
        global seen
        seen += 1
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return own(*args, **options)
    setattr(os, name, patched)
"""
SMALL_FILES = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))
"""


@pytest.fixture
def remote(v1: Store, tmp_path: Path) -> Path:
    """Return a remote with two versions, pinned by v1.lock and v2.lock beside it."""
    v1.remote_add("team", str(tmp_path / "remote"), default=True)
    v1.pin("v1", tmp_path / "v1.lock")
    with v1.edit(by="ada") as edit:
        edit.update(where="TRUE", set={"score": 0.5})
    v1.commit("scores", tag="v2")
    v1.pin("v2", tmp_path / "v2.lock")
    v1.push()
    return tmp_path / "remote"


def run(code: str, remote: Path, version: str, cache: Path, *more: str, limit: str = "1 GB") -> (
    subprocess.Popen[str]
):  # fmt: skip
    words = [sys.executable, "-c", code, str(remote), str(remote.parent / f"{version}.lock"),
             str(cache), *more]  # fmt: skip
    env = {**os.environ, "LABELSTORE_CACHE_LIMIT": limit}
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)  # fmt: skip


def read(remote: Path, version: str, cache: Path, limit: str = "1 GB") -> str:
    process = run(READ, remote, version, cache, limit=limit)
    said, errors = process.communicate()
    assert process.returncode == 0, errors
    return said


def objects(cache: Path) -> set[str]:
    return {p.parent.name + p.name for p in (cache / "objects").glob("??/*")}


def whole(cache: Path) -> None:
    """Assert that every object that has its name has its bytes."""
    for path in (cache / "objects").glob("??/[!.]*"):
        found = hashlib.md5(path.read_bytes()).hexdigest()
        assert found == (path.parent.name + path.name).removesuffix(".dir")


def test_many_processes_fill_one_cache_at_once(remote: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    running = [run(READ, remote, v, cache) for v in ("v1", "v2") for _ in range(3)]
    said = [process.communicate() for process in running]
    assert [p.returncode for p in running] == [0] * 6, said
    assert len({out for out, _ in said}) == 2
    whole(cache)
    assert not list(cache.rglob("*.tmp"))
    md5 = remote / "files" / "md5"
    md5.rename(remote / "away")
    md5.mkdir()
    for version in ("v1", "v2"):
        assert read(remote, version, cache) in {out for out, _ in said}  # nothing is fetched


def test_the_longest_unused_goes_and_what_is_in_use_stays(remote: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    read(remote, "v1", cache)
    first = objects(cache)
    read(remote, "v2", cache, limit="1 KB")
    second = objects(cache)
    assert first - second  # of v1 only what v2 has too is left
    both = labelstore.load(remote, pin=remote.parent / "v1.lock", cache=cache)
    held = objects(cache)
    assert Cache(cache, 1).trim() > 0  # what only v2 had
    assert objects(cache) < held
    rows = both.annotations.num_rows
    assert rows == 382
    assert Cache(cache, 1).trim() == 0
    read(remote, "v2", cache)
    assert both.annotations.num_rows == rows
    whole(cache)


def test_what_was_used_last_goes_last(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1_000)
    names = [letter * 32 for letter in "abc"]
    for age, name in enumerate(names):
        put_as(cache.objects, name, bytes(600))
        os.close(cache.use([name]))
        (lease,) = (p for p in (tmp_path / "uses").iterdir() if p.read_text() == f"{name}\n")
        os.utime(lease, (1_000 * (3 - age), 1_000 * (3 - age)))
    assert Cache(tmp_path, 1_200).trim() == 600
    assert objects(tmp_path) == set(names[:2])
    assert Cache(tmp_path, 600).trim() == 600
    assert objects(tmp_path) == {names[0]}


@pytest.mark.parametrize("step", range(1, 26, 3))
def test_a_process_that_is_killed_leaves_nothing_that_is_used(
    remote: Path, tmp_path: Path, step: int
) -> None:
    cache, truth = tmp_path / "cache", read(remote, "v1", tmp_path / "other")
    process = run(KILLED + READ, remote, "v1", cache, str(step))
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    whole(cache)
    assert read(remote, "v1", cache) == truth


def test_a_disk_that_takes_no_more_is_named(remote: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    process = run(SMALL_FILES + READ, remote, "v1", cache)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "StorageFailed" in errors
    assert "File too large" in errors
    assert "Free some space, or name another cache" in errors
    assert not list(cache.rglob("*.tmp"))
    whole(cache)
    assert read(remote, "v1", cache)


def test_objects_are_hashed_once_and_again_when_they_change(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, pin = tmp_path / "cache", remote.parent / "v1.lock"
    truth = labelstore.load(remote, pin=pin, cache=cache).annotations
    hashed: list[Path] = []
    own = objects_module.verify

    def verify(path: Path, md5: str) -> None:
        hashed.append(path)
        own(path, md5)

    monkeypatch.setattr(module, "verify", verify)
    again = labelstore.load(remote, pin=pin, cache=cache)
    assert again.annotations.equals(truth)
    assert hashed == []
    part = again.manifest.path(again.manifest.parts_of("geometries")[0])
    part.touch()
    labelstore.load(remote, pin=pin, cache=cache)
    assert hashed == [part]
    part.chmod(0o644)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    with pytest.raises(Corrupt, match="its bytes have MD5"):
        labelstore.load(remote, pin=pin, cache=cache)


def test_an_arrow_file_that_changed_is_made_anew(remote: Path, tmp_path: Path) -> None:
    cache, pin = tmp_path / "cache", remote.parent / "v1.lock"
    truth = labelstore.load(remote, pin=pin, cache=cache).annotations.to_pylist()
    files = sorted((cache / "arrow").rglob("*.*"))
    assert files
    for path in files:
        data = bytearray(path.read_bytes())
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        path.write_bytes(data)
    assert labelstore.load(remote, pin=pin, cache=cache).annotations.to_pylist() == truth


def test_what_is_missing_or_wrong_on_a_remote_is_named(remote: Path, tmp_path: Path) -> None:
    pin = remote.parent / "v1.lock"
    names = sorted(objects_of(remote), key=lambda p: p.stat().st_size)
    for number, path in enumerate(names[-2:]):
        held = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(held[:-1])
        with pytest.raises(Corrupt, match="arrived with MD5"):
            labelstore.load(remote, pin=pin, cache=tmp_path / f"c{number}")
        path.unlink()
        with pytest.raises(NotFound, match="labelstore push"):
            labelstore.load(remote, pin=pin, cache=tmp_path / f"c{number}")
        path.write_bytes(held)
        assert labelstore.load(remote, pin=pin, cache=tmp_path / f"c{number}")


def objects_of(remote: Path) -> list[Path]:
    """Return the objects of v1 only."""
    from labelstore.training.pins.pin import read_pin

    pin = read_pin(remote.parent / "v1.lock")
    samples = labelstore.load(remote, pin=remote.parent / "v1.lock",
                              cache=remote.parent / "look")  # fmt: skip
    md5s = [samples.manifest.md5(p.path) for p in samples.manifest.parts_of("annotations")]
    assert pin.root == samples.manifest.root
    return [remote / "files" / "md5" / m[:2] / m[2:] for m in md5s]


def test_sizes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert parse_size("20 GB") == 20 * 10**9
    assert parse_size("1.5kb") == 1500
    assert parse_size("7") == 7
    monkeypatch.setenv("LABELSTORE_CACHE_LIMIT", "much")
    with pytest.raises(InvalidInput, match="'much' is no size"):
        Cache.at(tmp_path)


def test_a_cache_that_cannot_be_written_is_named(remote: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="name another cache with cache=FOLDER"):
        labelstore.load(remote, pin=remote.parent / "v1.lock", cache=tmp_path / "file" / "x")
