"""A server that breaks off, slows down or is not there is named; what arrived is kept."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto_server import MARKS, moto, reached

import labelstore
from labelstore.errors import StorageFailed
from labelstore.store import Store

pytestmark = MARKS
SLOW_DOWN = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Between:
    """Stands between a client and a server, and does to answers what it is told.

    Args:
        server: host and port.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.answer: Callable[[int], bytes | int | None] = lambda number: None
        """Given the number of a connection: bytes to answer, bytes to let through, or None."""
        self._count = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._count += 1
                threading.Thread(target=self._one, args=(client, self._count), daemon=True).start()

    def _one(self, client: socket.socket, number: int) -> None:
        told = self.answer(number)
        with client, contextlib.suppress(OSError):
            if isinstance(told, bytes):
                client.recv(65536)
                client.sendall(told)
                return
            with socket.create_connection(self._server) as server:
                threading.Thread(target=_pump, args=(client, server, None), daemon=True).start()
                _pump(server, client, told)

    def close(self) -> None:
        self._listening.close()


def _pump(source: socket.socket, target: socket.socket, most: int | None) -> None:
    passed = 0
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data if most is None else data[: max(most - passed, 0)])
            passed += len(data)
            if most is not None and passed >= most:
                source.shutdown(socket.SHUT_RDWR)
                target.shutdown(socket.SHUT_RDWR)
                return
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    with moto() as server:
        proxy = Between(server)
        with reached(f"http://127.0.0.1:{proxy.port}", monkeypatch):
            yield proxy
        proxy.close()


@pytest.fixture
def pushed(v1: Store, between: Between, tmp_path: Path) -> Path:
    v1.remote_add("far", "s3://labels/team", default=True)
    v1.pin("v1", tmp_path / "train.lock")
    v1.push()
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()  # and with it connections that are open
    return tmp_path / "train.lock"


def refused(pin: Path, cache: Path) -> StorageFailed:
    with pytest.raises(StorageFailed) as caught:
        labelstore.load("s3://labels/team", pin=pin, cache=cache)
    assert not list(cache.rglob("*.tmp"))
    return caught.value


def test_a_server_that_asks_for_less_is_named(
    between: Between, pushed: Path, tmp_path: Path
) -> None:
    between.answer = lambda number: SLOW_DOWN
    found = refused(pushed, tmp_path / "cache")
    assert found.code == "remote-throttled"
    assert "fewer requests" in str(found)


def test_a_server_that_breaks_off_is_named_and_what_arrived_is_kept(
    between: Between, pushed: Path, tmp_path: Path
) -> None:
    cache, begun = tmp_path / "cache", 0

    def cut(number: int) -> int | None:
        nonlocal begun
        begun = begun or number
        return 6_000 if number - begun > 1 else 12_000  # in the middle of a part

    between.answer = cut
    found = refused(pushed, cache)
    assert found.code == "remote-unreachable"
    assert "try again" in str(found)
    arrived = {p: p.stat().st_mtime_ns for p in (cache / "objects").glob("??/[!.]*")}
    assert arrived
    between.answer = lambda number: None
    assert len(labelstore.load("s3://labels/team", pin=pushed, cache=cache)) == 50
    assert {p: p.stat().st_mtime_ns for p in arrived} == arrived


def test_a_server_that_is_not_there_is_named(
    between: Between, pushed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, v1: Store
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    found = refused(pushed, tmp_path / "cache")
    assert found.code == "remote-unreachable"
    (reach,) = v1.remote_check()
    assert reach.good is False
    assert "Check the network" in reach.said


def test_folders_and_s3_are_checked(
    between: Between, pushed: Path, v1: Store, tmp_path: Path
) -> None:
    there = {one.name: one.good for one in v1.remote_check()}
    assert all(there[name] for name in ("reach", "read", "write", "atomic create"))
    v1.remote_add("near", str(tmp_path / "near"))
    found = {one.name: one.good for one in v1.remote_check("near")}
    assert found == {"reach": True, "read": True, "write": True, "atomic create": True,
                     "remove": True}  # fmt: skip
    assert not (tmp_path / "near").exists()  # nothing is left behind
    assert {one.name for one in v1.remote_check("near", write=False)} == {"reach", "read"}
    (tmp_path / "blocked").write_text("a file")
    v1.remote_add("blocked", str(tmp_path / "blocked" / "inner"))
    assert not v1.remote_check("blocked")[0].good
