"""What we publish is what the real DVC writes, and the real DVC agrees with it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DATA, TINY, Run
from zc.lockfile import LockFile

from labelstore.errors import Conflict, NotFound, StorageFailed
from labelstore.store import Store, init_store, open_store
from labelstore.versions.dvc.pointer import directory_object, pointer_text, read_pointer
from labelstore.versions.dvc.running import add_by_dvc
from labelstore.versions.dvc.settings import filesystem_options

MINI = DATA / "coco" / "labelformat_masks" / "instances.json"


def objects(store: Store) -> set[str]:
    cache = store.workspace.layout.cache
    return {p.parent.name + p.name for p in cache.rglob("*") if p.is_file()}


def test_pointer_and_directory_object_are_those_of_dvc_add(v1: Store, sh: Run) -> None:
    folder = v1.workspace.folder
    before = (folder / "labels.dvc").read_bytes()
    name = read_pointer(before, "labels.dvc")
    ours = (v1.workspace.layout.cache / name[:2] / name[2:]).read_bytes()
    shutil.copytree(folder / "labels", folder / "copied" / "labels")
    (folder / "copied" / ".gitignore").write_text("labels\n")
    sh("dvc", "add", "-q", "labels", cwd=folder / "copied")
    assert (folder / "copied" / "labels.dvc").read_bytes() == before
    theirs = v1.workspace.layout.cache / name[:2] / name[2:]
    assert theirs.read_bytes() == ours
    assert {e["relpath"] for e in json.loads(ours)} >= {"_schema.json", "_parts.parquet"}


def test_odd_names_are_ordered_as_dvc_orders_them(tmp_path: Path, store: Store, sh: Run) -> None:
    folder = tmp_path / "other"
    names = ["a/b", "a-b", "a.b", "a b", "ab/x", "é/z", "日本", "Z", "_s.json", "a/b.c", '"q"']
    files = {}
    for i, name in enumerate(names):
        path = folder / "labels" / name
        if path.parent.exists() and path.parent.is_file():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            path.write_bytes(bytes([i]))
            files[name] = hashlib.md5(bytes([i])).hexdigest()
    sh("git", "init", "-q", cwd=folder)
    sh("dvc", "init", "-q", cwd=folder)
    sh("dvc", "add", "-q", "labels", cwd=folder)
    name = read_pointer((folder / "labels.dvc").read_bytes(), "labels.dvc")
    theirs = (folder / ".dvc/cache/files/md5" / name[:2] / name[2:]).read_bytes()
    assert directory_object(files) == theirs
    assert (folder / "labels.dvc").read_text() == pointer_text(name, len(files), len(files))


def test_real_dvc_sees_nothing_to_do(v1: Store, sh: Run, tmp_path: Path) -> None:
    folder = v1.workspace.folder
    assert sh("dvc", "status", cwd=folder).stdout.strip().endswith("up to date.")
    v1.remote_add("store", str(tmp_path / "remote"), default=True)
    sh("git", "commit", "-qam", "a remote", cwd=folder)
    sh("dvc", "push", "-q", cwd=folder)
    assert "in sync" in sh("dvc", "status", "-c", cwd=folder).stdout
    assert v1.push()
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", folder, clone, cwd=tmp_path)
    with pytest.raises(NotFound, match="labelstore pull"):
        open_store(clone).show("v1")
    sh("dvc", "pull", "-q", cwd=clone)
    assert sh("dvc", "status", cwd=clone).stdout.strip().endswith("up to date.")
    assert open_store(clone).show("v1").root == v1.show("v1").root
    again = tmp_path / "again"
    sh("git", "clone", "-q", folder, again, cwd=tmp_path)
    second = open_store(again)
    second.pull()
    assert second.check(at="v1") == v1.check(at="v1")
    assert sh("git", "status", "--porcelain", cwd=again).stdout == ""


def test_push_sends_versions_older_than_the_remote(v1: Store, sh: Run, tmp_path: Path) -> None:
    folder = v1.workspace.folder
    v1.import_from("coco", MINI)
    v1.commit("second", tag="v2")
    v1.remote_add("store", str(tmp_path / "remote"))
    sh("git", "commit", "-qam", "a remote", cwd=folder)
    v1.push()
    sh("git", "clone", "-q", folder, tmp_path / "clone", cwd=tmp_path)
    clone = open_store(tmp_path / "clone")
    clone.pull()
    for version in ("v1", "v2"):
        assert clone.show(version).root == v1.show(version).root
        assert clone.check(at=version) == v1.check(at=version)


def test_a_push_that_misses_an_object_fails(v1: Store, sh: Run, tmp_path: Path) -> None:
    v1.remote_add("store", str(tmp_path / "remote"))
    sh("git", "commit", "-qam", "a remote", cwd=v1.workspace.folder)
    manifest = v1.manifest("v1")
    manifest.path(manifest.parts_of("geometries")[0]).unlink()
    with pytest.raises(StorageFailed, match="dvc push"):
        v1.push()


def test_collectors_keep_what_versions_need(v1: Store, sh: Run) -> None:
    folder = v1.workspace.folder
    v1.import_from("coco", MINI)
    v1.commit("second", tag="v2")
    v1.import_from("coco", DATA / "coco/keras_retinanet/instances_val2017.json", dataset="third")
    before = objects(v1)
    staged = v1.staged()
    assert staged is not None
    sh("dvc", "gc", "-A", "-w", "-f", "-q", cwd=folder)
    assert objects(v1) == before
    sh("dvc", "gc", "-w", "-T", "-f", "-q", cwd=folder)
    for version in ("v1", "v2"):
        assert v1.query("SELECT count(*) AS n FROM labels", at=version).num_rows == 1
    assert v1.staged() == staged
    v1.commit("third", tag="v3")
    assert v1.show("v3").rows["annotations"] > v1.show("v2").rows["annotations"]


def test_gc_says_first_and_then_does(v1: Store, sh: Run) -> None:
    cache = v1.workspace.layout.cache
    stray = cache / "ab" / ("c" * 30)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"nobody needs this")
    before = v1.check(at="v1")
    v1.gc()
    assert stray.exists()
    v1.gc(force=True)
    assert not stray.exists()
    assert v1.check(at="v1") == before


def test_a_plain_git_commit_leaves_the_version_in_place(v1: Store, sh: Run) -> None:
    folder = v1.workspace.folder
    (folder / "notes.txt").write_text("hello")
    sh("git", "add", "notes.txt", cwd=folder)
    root = v1.show("v1").root
    v1.import_from("coco", MINI)
    v1.commit("second", tag="v2")
    assert sh("git", "diff", "--cached", "--name-only", cwd=folder).stdout == "notes.txt\n"
    sh("git", "commit", "-qm", "notes", cwd=folder)
    assert v1.show("HEAD").root == v1.show("v2").root != root
    assert sh("git", "status", "--porcelain", cwd=folder).stdout == ""


def test_commit_and_tag_carry_the_root(v1: Store, sh: Run) -> None:
    folder = v1.workspace.folder
    root = v1.show("v1").root
    assert f"Labelstore-Root: {root}" in sh("git", "log", "-1", "--format=%B", cwd=folder).stdout
    assert f"Labelstore-Root: {root}" in sh("git", "cat-file", "tag", "v1", cwd=folder).stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_fallback_publishes_the_same_pointer(v1: Store) -> None:
    folder = v1.workspace.folder
    before = (folder / "labels.dvc").read_text()
    assert add_by_dvc(folder) == before


def test_init_touches_nothing_that_is_there(tmp_path: Path, sh: Run) -> None:
    top = tmp_path / "repo"
    top.mkdir()
    sh("git", "init", "-q", cwd=top)
    sh("dvc", "init", "-q", cwd=top)
    (top / ".gitignore").write_text("*.tmp")
    (top / "staged.txt").write_text("staged")
    sh("git", "add", ".", cwd=top)
    sh("git", "commit", "-qm", "theirs", cwd=top)
    (top / "staged.txt").write_text("changed")
    sh("git", "add", "staged.txt", cwd=top)
    (top / "sub" / "deep").mkdir(parents=True)
    (top / "sub" / "deep" / ".gitignore").write_text("*.bak")
    config = (top / ".dvc" / "config").read_bytes()
    store = init_store(top / "sub" / "deep")
    assert store.workspace.layout.root == top
    assert (top / ".dvc" / "config").read_bytes() == config
    assert (top / ".gitignore").read_text() == "*.tmp"
    assert (top / "sub" / "deep" / ".gitignore").read_text() == "*.bak\n/labels\n"
    assert sh("git", "diff", "--cached", "--name-only", cwd=top).stdout == "staged.txt\n"
    listed = sh("git", "show", "--name-only", "--format=", "HEAD", cwd=top).stdout.split()
    assert listed == ["sub/deep/labels.dvc", "sub/deep/labelstore.toml"]
    store.import_from("coco", TINY)
    store.commit("in", tag="v1")
    assert sh("dvc", "status", cwd=top).stdout.strip().endswith("up to date.")
    assert ".labelstore" not in sh("git", "status", "--porcelain", cwd=top).stdout


def test_init_in_a_plain_folder_commits_only_its_own_files(store: Store, sh: Run) -> None:
    folder = store.workspace.folder
    assert sh("git", "status", "--porcelain", cwd=folder).stdout == ""
    listed = sh("git", "ls-files", cwd=folder).stdout.split()
    assert sorted(listed) == [
        ".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "labels.dvc",
        "labelstore.toml",
    ]  # fmt: skip


def test_remote_settings_are_read_as_dvc_reads_them(v1: Store) -> None:
    folder = v1.workspace.folder
    (folder / ".dvc" / "config").write_text(
        "[core]\n    remote = near\n['remote \"near\"']\n    url = ../../rem\n"
        "['remote \"far\"']\n    url = s3://bucket/pre\n    endpointurl = http://h:1\n"
        "    region = eu\n    version_aware = false\n"
        "['remote \"odd\"']\n    url = s3://b/p\n    version_aware = true\n"
    )
    (folder / ".dvc" / "config.local").write_text(
        "['remote \"far\"']\n    access_key_id = k\n    secret_access_key = s\n"
    )
    layout = open_store(folder).workspace.layout
    assert layout.remote() == ("near", {"url": str(folder.parent / "rem")})
    name, settings = layout.remote("far")
    options = filesystem_options(settings)
    assert (name, options["key"], options["secret"]) == ("far", "k", "s")
    assert options["client_kwargs"] == {"region_name": "eu", "endpoint_url": "http://h:1"}
    with pytest.raises(ValueError, match="version_aware"):
        layout.remote("odd")
    with pytest.raises(NotFound, match="remote add"):
        layout.remote("nowhere")


def test_reading_a_manifest_imports_no_dvc(v1: Store) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from labelstore.versions.workspace import Workspace\n"
        f"m = Workspace.find(Path({str(v1.workspace.folder)!r})).manifest('v1')\n"
        "assert m.parts and m.files\n"
        "assert not [n for n in sys.modules if n == 'dvc' or n.startswith('dvc.')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_held_lock_is_waited_for_and_then_named(
    v1: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = v1.workspace.layout
    held = LockFile(str(layout.root / ".dvc" / "tmp" / "lock"))
    with pytest.raises(Conflict, match="held the lock"), layout.locked(wait=0.2):
        raise AssertionError("the lock was given twice")
    held.close()


def test_a_repository_older_than_its_store_can_push_and_pull(tmp_path: Path, sh: Run) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    sh("git", "init", "-q", ".", cwd=folder)
    sh("git", "commit", "-q", "--allow-empty", "-m", "before there was a store", cwd=folder)
    store = init_store(folder)
    store.remote_add("team", str(tmp_path / "team"))
    sh("git", "commit", "-q", "-am", "a remote", cwd=folder)
    store.import_from("coco", TINY, by="ada")
    store.commit("labels", tag="v1")
    store.push()
    sh("git", "clone", "-q", str(folder), str(tmp_path / "clone"), cwd=tmp_path)
    clone = open_store(tmp_path / "clone")
    clone.pull()
    assert clone.verify("v1", remote=True).faults == []
