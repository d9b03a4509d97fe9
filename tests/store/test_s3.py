"""Push to an S3 server and read back from it, with a pin and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TINY
from moto_server import MARKS, moto, reached

import labelstore
from labelstore.errors import Corrupt, NotFound, StorageFailed
from labelstore.store import Store

pytestmark = MARKS


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start an S3 server in this process and point the SDK at it."""
    with moto() as (host, port):
        url = f"http://{host}:{port}"
        with reached(url, monkeypatch):
            yield url


def test_training_reads_a_pinned_version_from_s3(v1: Store, endpoint: str, tmp_path: Path) -> None:
    v1.remote_add("far", "s3://labels/team", default=True)
    layout = v1.workspace.layout
    layout.command("remote", "modify", "far", "endpointurl", endpoint)
    v1.push()
    pin = tmp_path / "train.lock"
    v1.pin("v1", pin)
    assert endpoint not in pin.read_text()
    samples = labelstore.load("s3://labels/team", pin=pin, cache=tmp_path / "cache")
    assert len(samples) == 50
    assert samples.annotations.num_rows == 382
    ids = {a["id"] for a in json.loads(TINY.read_text())["annotations"]}
    assert set(samples.annotations.column("source_id").to_pylist()) == ids
    local = labelstore.load(v1.workspace.folder, at="v1")
    assert samples.annotations.equals(local.annotations)
    fetched = sorted(p for p in (tmp_path / "cache").rglob("*") if p.is_file())
    assert labelstore.load("s3://labels/team", pin=pin, cache=tmp_path / "cache")
    assert sorted(p for p in (tmp_path / "cache").rglob("*") if p.is_file()) == fetched


def test_faults_of_a_remote_are_named(v1: Store, endpoint: str, tmp_path: Path) -> None:
    import s3fs

    pin = tmp_path / "train.lock"
    made = v1.pin("v1", pin)
    with pytest.raises(NotFound, match="labelstore push"):
        labelstore.load("s3://labels/empty", pin=pin, cache=tmp_path / "c1")
    key = f"labels/bad/files/md5/{made.directory[:2]}/{made.directory[2:]}"
    s3fs.S3FileSystem(endpoint_url=endpoint, skip_instance_cache=True).pipe_file(key, b"[]")
    with pytest.raises(Corrupt, match="arrived with MD5"):
        labelstore.load("s3://labels/bad", pin=pin, cache=tmp_path / "c2")
    assert not list((tmp_path / "c2").rglob("*.dir"))
    with pytest.raises(StorageFailed):
        labelstore.load("nonsense://labels/x", pin=pin, cache=tmp_path / "c3")
