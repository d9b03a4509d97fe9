"""A store whose objects are on a real S3 server: Ceph's RADOS Gateway."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import s3fs
from ceph_server import KEY, SECRET, Ceph, ceph
from conftest import Run

import labelstore
from labelstore.errors import Corrupt, NotFound, StorageFailed
from labelstore.store import Store

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
DENY = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/reader"]},
    "Action": ["s3:GetObject", "s3:ListBucket"],
    "Resource": ["arn:aws:s3:::labels", "arn:aws:s3:::labels/*"]}]}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Ceph]:
    folder = Path(tempfile.mkdtemp(prefix="ceph"))
    try:
        with ceph(folder) as running:
            running.user("reader", "reader", "reader-secret")
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def system(server: Ceph, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                        "AWS_DEFAULT_REGION": "us-east-1",
                        "AWS_ENDPOINT_URL": server.url}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    own = s3fs.S3FileSystem(skip_instance_cache=True)
    if not own.exists("labels"):
        own.mkdir("labels")
    yield own
    own.rm("labels", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def pushed(v1: Store, system: Any, tmp_path: Path) -> Path:
    """Return the pin of a version whose objects are in the bucket."""
    v1.remote_add("far", "s3://labels/team", default=True)
    v1.pin("v1", tmp_path / "train.lock")
    v1.push()
    return tmp_path / "train.lock"


def test_a_store_goes_to_ceph_and_comes_back(
    v1: Store, pushed: Path, tmp_path: Path, sh: Run
) -> None:
    truth = labelstore.load(v1.workspace.folder, at="v1")
    samples = labelstore.load("s3://labels/team", pin=pushed, cache=tmp_path / "cache")
    assert samples.annotations.equals(truth.annotations)
    folder = v1.workspace.folder
    assert "in sync" in sh("dvc", "status", "-c", cwd=folder).stdout
    v1.workspace.git.run("commit", "-q", "-am", "a remote")
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", str(folder), str(clone), cwd=tmp_path)
    theirs = labelstore.open_store(clone)
    theirs.pull()
    assert theirs.verify(every=True, remote=True).faults == []
    from_git = labelstore.load(f"file://{folder}", at="v1", cache=tmp_path / "other")
    assert from_git.annotations.equals(truth.annotations)


def test_a_remote_is_checked(v1: Store, pushed: Path, system: Any) -> None:
    found = {one.name: one for one in v1.remote_check()}
    assert {n: f.good for n, f in found.items()} == {
        "reach": True, "read": True, "clock": True, "versioning": True, "checksums": True,
        "write": True, "atomic create": True, "remove": True}  # fmt: skip
    assert not [p for p in system.find("labels") if "labelstore-check" in p]
    system.call_s3("put_bucket_versioning", Bucket="labels",
                   VersioningConfiguration={"Status": "Enabled"})  # fmt: skip
    again = {one.name: one for one in v1.remote_check()}
    assert "labelstore forget" in again["versioning"].said
    assert again["atomic create"].good is False  # so it is with Ceph 16 where versions are kept
    system.call_s3("put_bucket_versioning", Bucket="labels",
                   VersioningConfiguration={"Status": "Suspended"})  # fmt: skip


def test_who_may_only_read_reads(
    v1: Store, pushed: Path, system: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.call_s3("put_bucket_policy", Bucket="labels", Policy=json.dumps(DENY))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "reader-secret")
    s3fs.S3FileSystem.clear_instance_cache()
    samples = labelstore.load("s3://labels/team", pin=pushed, cache=tmp_path / "cache")
    assert samples.annotations.num_rows == 382
    found = {one.name: one for one in v1.remote_check()}
    assert found["read"].good
    assert found["write"].good is False
    assert "credentials" in found["write"].said
    with pytest.raises(StorageFailed):
        v1.push()


def test_who_may_nothing_is_told(
    v1: Store, pushed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, secret in (("reader", "reader-secret"), (KEY, "wrong"), ("nobody", "x")):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(StorageFailed, match="Check the credentials") as caught:
            labelstore.load("s3://labels/team", pin=pushed, cache=tmp_path / "cache")
        assert caught.value.code == "remote-denied"
        assert secret not in str(caught.value)


def test_what_is_not_there_is_told(pushed: Path, system: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"Check its name") as caught:
        labelstore.load("s3://no-such-bucket/team", pin=pushed, cache=tmp_path / "c1")
    assert caught.value.code == "remote-missing"
    paths = sorted(system.find("labels/team"), key=system.size)
    held = system.cat_file(paths[-1])
    system.pipe_file(paths[-1], held[:-1] + b"x")
    with pytest.raises(Corrupt, match="arrived with MD5"):
        labelstore.load("s3://labels/team", pin=pushed, cache=tmp_path / "c2")
    system.rm_file(paths[-1])
    with pytest.raises(NotFound, match="labelstore push"):
        labelstore.load("s3://labels/team", pin=pushed, cache=tmp_path / "c2")
    system.pipe_file(paths[-1], held)
    assert len(labelstore.load("s3://labels/team", pin=pushed, cache=tmp_path / "c2")) == 50


def test_forgetting_cleans_the_bucket(v1: Store, pushed: Path, system: Any) -> None:
    v1.workspace.git.run("commit", "-q", "-am", "a remote")
    before = set(system.find("labels/team"))
    done = v1.forget("item", "000000397133.jpg", reason="request 1", force=True)
    assert done.removed["far"] > 0
    system.invalidate_cache()
    assert before - set(system.find("labels/team"))
    again = labelstore.open_store(v1.workspace.folder)
    assert again.verify(every=True, remote=True).faults == []


def test_the_environment_reaches_no_other_server() -> None:
    assert "AWS_ENDPOINT_URL" not in os.environ  # each test's own ends with it
