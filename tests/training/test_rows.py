"""Samples have the rows that the store has, whatever is asked of them and wherever from."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import Run
from kinds import every_kind, flat

import labelstore
from labelstore.errors import Corrupt, InvalidInput, NotFound
from labelstore.store import Store


def test_every_sample_of_every_kind_equals_the_row_in_the_store(tmp_path: Path) -> None:
    store = every_kind(tmp_path / "store")
    samples = labelstore.load(store.workspace.folder, at="v1")
    truth = flat(store)
    assert len({row["kind"] for row in truth}) > 15
    for source in (samples, pickle.loads(pickle.dumps(samples))):
        found = [row for sample in source for row in sample["annotations"].to_pylist()]
        there = {name for row in truth for name, value in row.items() if value is not None}
        assert found == [{n: row[n] for n in found[0]} for row in truth]
        assert there == set(found[0])
    assert [s["item"]["uri"] for s in samples] == [
        i["uri"] for i in sorted(samples.items.to_pylist(), key=lambda i: i["item_id"])
    ]


def test_parts_of_samples_are_read_without_the_rest(v1: Store) -> None:
    folder = v1.workspace.folder
    whole = labelstore.load(folder, at="v1")
    narrow = labelstore.load(folder, at="v1", columns=["category_id", "area"])
    assert set(narrow[0]["annotations"].column_names) == {
        "item_id", "annotation_id", "category_id", "area"}  # fmt: skip
    assert narrow.annotations.column("area").equals(whole.annotations.column("area"))
    where = "area > 5000 AND category = 'person'"
    large = labelstore.load(folder, at="v1", where=where)
    asked = v1.query(f"SELECT annotation_id FROM labels WHERE {where}", at="v1")
    truth = set(asked.column(0).to_pylist())
    assert len(large) == len(whole) == 50  # items stay, with no label
    assert set(large.annotations.column("annotation_id").to_pylist()) == truth
    assert 0 < len(truth) < 382
    counts = [s["annotations"].num_rows for s in large]
    assert sum(counts) == len(truth)
    assert 0 in counts
    none = labelstore.load(folder, at="v1", where="FALSE")
    assert none[3]["annotations"].num_rows == 0
    with pytest.raises(InvalidInput, match="no column nonsense"):
        labelstore.load(folder, at="v1", columns=["nonsense"])
    with pytest.raises(InvalidInput):
        labelstore.load(folder, at="v1", where="TRUE) UNION SELECT 1 FROM read_csv('/etc/passwd'")
    with pytest.raises(InvalidInput):
        labelstore.load(folder, at="v1", where="TRUE) LIMIT (3")


def test_ranges_of_rows_cost_no_copy_and_join_across_parts(v1: Store) -> None:
    samples = labelstore.load(v1.workspace.folder, at="v1")
    rows, offsets = samples.rows([7, 3, 3, 49])
    assert offsets.tolist()[0] == 0
    for place, index in enumerate((7, 3, 3, 49)):
        own = rows.slice(offsets[place], offsets[place + 1] - offsets[place])
        assert pa.Table.from_batches([own]).equals(samples[index]["annotations"])
    assert samples[-1]["item"] == samples[49]["item"]
    with pytest.raises(IndexError):
        samples[50]
    whole = samples.families(None)[0]
    assert len(whole.paths) > 3  # parts
    first = whole.gather(np.array([0]), np.array([5]))
    mapped = whole.part(0)
    assert first.column(0).buffers()[1].address == mapped.column(0).buffers()[1].address


def test_a_branch_warns_and_a_tag_does_not(v1: Store) -> None:
    folder = v1.workspace.folder
    commit = v1.workspace.git.resolve("v1")
    for rev in ("main", "HEAD"):
        with pytest.warns(UserWarning, match=f"{rev} may move; it is {commit[:12]} now"):
            labelstore.load(folder, at=rev)
    labelstore.load(folder, at=commit[:10])


@pytest.fixture
def published(v1: Store, tmp_path: Path, sh: Run) -> Path:
    """Return a bare Git repository whose store's objects are in a remote beside it."""
    v1.remote_add("team", str(tmp_path / "remote"), default=True)
    v1.workspace.git.run("commit", "-q", "-am", "a remote")
    v1.split("default", ratios="train=0.8,val=0.2", by="ada")
    v1.commit("split", tag="v2")
    v1.push()
    sh("git", "clone", "-q", "--bare", str(v1.workspace.folder), str(tmp_path / "signs.git"),
       cwd=tmp_path)  # fmt: skip
    return tmp_path / "signs.git"


def test_a_git_url_is_read_without_checkout_and_then_without_the_repository(
    v1: Store, published: Path, tmp_path: Path
) -> None:
    url, cache = f"file://{published}", tmp_path / "cache"
    truth = labelstore.load(v1.workspace.folder, at="v2", split="default/train")
    pin = tmp_path / "train.lock"
    v1.pin("v2", pin, split="default/train")
    for place in (url, str(published), f"git+{url}"):
        found = labelstore.load(place, at="v2", split="default/train", cache=cache)
        assert found.annotations.equals(truth.annotations)
    with pytest.warns(UserWarning, match="main may move"):
        labelstore.load(url, at="main", cache=cache)
    published.rename(tmp_path / "away")
    (tmp_path / "remote").rename(tmp_path / "remote-away")
    again = labelstore.load(url, pin=pin, cache=cache)  # nothing is asked of anything
    assert again.annotations.equals(truth.annotations)
    assert not list((cache / "clones").glob("*/labels/*"))
    with pytest.warns(UserWarning, match="cannot be reached"):
        labelstore.load(url, at="v2", cache=cache)
    with pytest.raises(labelstore.errors.StorageFailed, match="git clone"):
        labelstore.load(f"file://{tmp_path}/nothing.git", at="v2", cache=cache)


def test_what_moved_in_a_repository_is_seen(v1: Store, published: Path, tmp_path: Path) -> None:
    url, cache = f"file://{published}", tmp_path / "cache"
    labelstore.load(url, at="v2", cache=cache)
    with v1.edit(by="eve") as edit:
        edit.delete(where="category = 'dog'")
    v1.commit("no dogs", tag="v3")
    v1.push()
    v1.workspace.git.run("push", "-q", "--tags", str(published), "main")
    fewer = labelstore.load(url, at="v3", cache=cache)
    with pytest.warns(UserWarning, match="main may move"):
        same = labelstore.load(url, at="main", cache=cache)
    assert fewer.annotations.num_rows == same.annotations.num_rows < 382
    with pytest.raises(NotFound, match="no version"):
        labelstore.load(url, at="v9", cache=cache)
    with pytest.raises(NotFound, match="no store there"):
        labelstore.load(f"{url}#elsewhere", at="v2", cache=cache)


def test_the_pin_protects(v1: Store, published: Path, tmp_path: Path) -> None:
    pin, folder, cache = tmp_path / "train.lock", v1.workspace.folder, tmp_path / "cache"
    made = v1.pin("v2", pin, query="SELECT item_id FROM items WHERE width >= 500")
    truth = labelstore.load(folder, pin=pin, cache=cache)
    assert 0 < len(truth) < 50
    v1.workspace.git.run("tag", "-f", "v2", "v1")  # a moved tag
    with pytest.warns(UserWarning, match="v2 now names"):
        again = labelstore.load(folder, pin=pin, cache=cache)
    assert again.annotations.equals(truth.annotations)
    assert "v2 now names" in v1.check_pin(pin)[0]
    v1.workspace.git.run("tag", "-f", "v2", made.commit)
    text = pin.read_text()
    lines = text.split("[[classes]]")
    pin.write_text("[[classes]]".join([lines[0], lines[2], lines[1], *lines[3:]]))
    with pytest.raises(Corrupt, match="classes or their order"):
        labelstore.load(folder, pin=pin, cache=cache)
    pin.write_text(text.replace("width >= 500", "width >= 400"))
    with pytest.raises(Corrupt, match="other rows than were pinned"):
        labelstore.load(folder, pin=pin, cache=cache)
    pin.write_text(text)
    part = next(p for p in truth.manifest.parts if p.table == "geometries")
    path = truth.manifest.path(part)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="its bytes have MD5"):
        labelstore.load(folder, pin=pin, cache=cache)
    assert made.rows is not None


def test_stores_in_folders_of_a_repository_are_found(
    tmp_path: Path, sh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, cache = tmp_path / "team", tmp_path / "cache"
    outer.mkdir()
    sh("git", "init", "-q", cwd=outer)
    url = f"file://{outer}"
    with pytest.raises(NotFound, match="The repository has none"):
        labelstore.load(url, at="main", cache=cache)
    for name in ("signs", "cars"):
        store = every_kind(outer / "data" / name, tag=None)
        store.remote_add("team", str(tmp_path / name), default=True)
        store.push()
        store.workspace.git.run("commit", "-q", "-am", "a remote")
    sh("git", "tag", "v1", cwd=outer)
    with pytest.raises(NotFound, match="these: data/cars, data/signs"):
        labelstore.load(url, at="v1", cache=cache)
    victim = tmp_path / "victim"
    sh("git", "init", "-q", str(victim), cwd=tmp_path)
    sh("git", "commit", "-q", "--allow-empty", "-m", "mine", cwd=victim)
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(victim / ".git"))  # as Git sets it for hooks
        with contextlib.suppress(labelstore.errors.LabelstoreError):
            labelstore.load(f"{url}#/data/signs", at="v1", cache=cache)
    assert sh("git", "log", "--format=%s", cwd=victim).stdout == "mine\n"
    assert not (victim / ".git" / "info" / "sparse-checkout").exists()
    found = labelstore.load(f"{url}#data/signs", at="v1", cache=cache)
    assert len(found) == len(labelstore.load(outer / "data" / "signs", at="v1"))


def test_names_and_passwords_in_urls_are_not_told(tmp_path: Path) -> None:
    with pytest.raises(labelstore.errors.StorageFailed) as caught:
        labelstore.load("http://ada:s3cr3t@127.0.0.1:9/x.git", at="v1", cache=tmp_path)
    assert "s3cr3t" not in str(caught.value)
    assert "127.0.0.1:9" in str(caught.value)


def test_what_is_gone_from_a_repository_is_gone(
    v1: Store, published: Path, tmp_path: Path, sh: Run
) -> None:
    url, cache = f"file://{published}", tmp_path / "cache"
    sh("git", "tag", "gone", "v1", cwd=published)
    sh("git", "branch", "old", "v1", cwd=published)
    labelstore.load(url, at="gone", cache=cache)
    sh("git", "tag", "-d", "gone", cwd=published)
    sh("git", "branch", "-D", "old", cwd=published)
    for rev in ("gone", "old"):
        with pytest.raises(NotFound):
            labelstore.load(url, at=rev, cache=cache)


def test_bytes_that_change_after_they_were_checked_are_not_believed(
    v1: Store, tmp_path: Path
) -> None:
    samples = labelstore.load(v1.workspace.folder, at="v1", cache=tmp_path / "cache")
    part = samples.manifest.parts_of("annotations")[0]
    path = samples.manifest.path(part)
    held = path.read_bytes()
    path.chmod(0o644)
    middle = len(held) // 2
    path.write_bytes(held[:middle] + bytes([held[middle] ^ 1]) + held[middle + 1 :])
    with pytest.raises(Corrupt, match=r"its bytes have MD5|cannot be read as a part"):
        _ = samples.annotations
    path.write_bytes(held)
    assert labelstore.load(v1.workspace.folder, at="v1",
                           cache=tmp_path / "cache").annotations.num_rows == 382  # fmt: skip
