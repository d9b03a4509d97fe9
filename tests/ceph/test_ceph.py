"""A store whose objects are on a real S3 server: Ceph's RADOS Gateway."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
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


@pytest.fixture(scope="module")
def server() -> Iterator[Ceph]:
    folder = Path(tempfile.mkdtemp(prefix="ceph"))
    try:
        with ceph(folder) as running:
            running.user("reader", "reader", "reader-secret")
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Bucket:
    """A bucket of one test, and the file system that reaches it as its owner."""

    name: str
    system: Any

    @property
    def url(self) -> str:
        return f"s3://{self.name}/team"

    def objects(self) -> list[str]:
        self.system.invalidate_cache()
        return sorted(self.system.find(self.name), key=self.system.size)

    def may_read(self, user: str) -> None:
        """Let another user read, and nothing else."""
        own = f"arn:aws:s3:::{self.name}"
        allowed = {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam:::user/{user}"]},
                   "Action": ["s3:GetObject", "s3:ListBucket"],
                   "Resource": [own, f"{own}/*"]}  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self.system.call_s3("put_bucket_policy", Bucket=self.name, Policy=policy)


@pytest.fixture
def bucket(server: Ceph, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    act_as(monkeypatch, KEY, SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    made = Bucket(f"labels-{uuid.uuid4().hex[:8]}", s3fs.S3FileSystem(skip_instance_cache=True))
    made.system.mkdir(made.name)
    yield made
    s3fs.S3FileSystem.clear_instance_cache()


def act_as(monkeypatch: pytest.MonkeyPatch, key: str, secret: str) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def pushed(v1: Store, bucket: Bucket, tmp_path: Path) -> Path:
    """Return the pin of a version whose objects are in the bucket."""
    v1.remote_add("far", bucket.url, default=True)
    v1.pin("v1", tmp_path / "train.lock")
    v1.push()
    return tmp_path / "train.lock"


def test_a_store_goes_to_ceph_and_comes_back(
    v1: Store, pushed: Path, bucket: Bucket, tmp_path: Path, sh: Run
) -> None:
    truth = labelstore.load(v1.workspace.folder, at="v1")
    samples = labelstore.load(bucket.url, pin=pushed, cache=tmp_path / "cache")
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


def test_a_remote_is_checked(v1: Store, pushed: Path, bucket: Bucket) -> None:
    found = {one.name: one for one in v1.remote_check()}
    assert {n: f.good for n, f in found.items()} == {
        "reach": True, "read": True, "clock": True, "versioning": True, "checksums": True,
        "write": True, "atomic create": True, "remove": True}  # fmt: skip
    assert not [p for p in bucket.objects() if "labelstore-check" in p]
    bucket.system.call_s3("put_bucket_versioning", Bucket=bucket.name,
                   VersioningConfiguration={"Status": "Enabled"})  # fmt: skip
    again = {one.name: one for one in v1.remote_check()}
    assert "labelstore forget" in again["versioning"].said
    assert again["atomic create"].good is False  # so it is with Ceph 16 where versions are kept
    bucket.system.call_s3("put_bucket_versioning", Bucket=bucket.name,
                   VersioningConfiguration={"Status": "Suspended"})  # fmt: skip


def test_who_may_only_read_reads(
    v1: Store, pushed: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.may_read("reader")
    act_as(monkeypatch, "reader", "reader-secret")
    samples = labelstore.load(bucket.url, pin=pushed, cache=tmp_path / "cache")
    assert samples.annotations.num_rows == 382
    found = {one.name: one for one in v1.remote_check()}
    assert found["read"].good
    assert found["write"].good is False
    assert "credentials" in found["write"].said
    with v1.edit() as edit:
        edit.delete(where="category = 'dog'")
    v1.commit("no dogs")
    with pytest.raises(StorageFailed):
        v1.push()


def test_who_may_nothing_is_told(
    pushed: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, secret in (("reader", "reader-secret"), (KEY, "wrong"), ("nobody", "x-secret")):
        act_as(monkeypatch, key, secret)
        with pytest.raises(StorageFailed, match="Check the credentials") as caught:
            labelstore.load(bucket.url, pin=pushed, cache=tmp_path / "cache")
        assert caught.value.code == "remote-denied"
        assert secret not in str(caught.value)


def test_what_is_not_there_is_told(pushed: Path, bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"Check its name") as caught:
        labelstore.load("s3://no-such-bucket/team", pin=pushed, cache=tmp_path / "c1")
    assert caught.value.code == "remote-missing"
    paths = bucket.objects()
    held = bucket.system.cat_file(paths[-1])
    bucket.system.pipe_file(paths[-1], held[:-1] + b"x")
    with pytest.raises(Corrupt, match="arrived with MD5"):
        labelstore.load(bucket.url, pin=pushed, cache=tmp_path / "c2")
    bucket.system.rm_file(paths[-1])
    with pytest.raises(NotFound, match="labelstore push"):
        labelstore.load(bucket.url, pin=pushed, cache=tmp_path / "c2")
    bucket.system.pipe_file(paths[-1], held)
    assert len(labelstore.load(bucket.url, pin=pushed, cache=tmp_path / "c2")) == 50


def test_forgetting_cleans_the_bucket(v1: Store, pushed: Path, bucket: Bucket) -> None:
    v1.workspace.git.run("commit", "-q", "-am", "a remote")
    before = set(bucket.objects())
    done = v1.forget("item", "000000397133.jpg", reason="request 1", force=True)
    assert done.removed["far"] > 0
    assert before - set(bucket.objects())
    again = labelstore.open_store(v1.workspace.folder)
    assert again.verify(every=True, remote=True).faults == []
