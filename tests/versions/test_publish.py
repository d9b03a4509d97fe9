"""Publishing refuses what would lose work, and leaves the store as it was."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from conftest import DATA, TINY, Run

from labelstore.errors import (
    AlreadyExists,
    Conflict,
    Corrupt,
    InvalidInput,
    NotFound,
    StorageFailed,
)
from labelstore.store import Store, init_store, open_store
from labelstore.versions.journal import JOURNAL

MINI = DATA / "coco" / "labelformat_masks" / "instances.json"


def head(store: Store, sh: Run) -> str:
    return str(sh("git", "rev-parse", "HEAD", cwd=store.workspace.folder).stdout).strip()


def test_committing_without_a_change_does_nothing(v1: Store, sh: Run) -> None:
    before = head(v1, sh)
    report = v1.import_from("coco", TINY, mode="update")
    assert not report.changed
    assert v1.staged() is None
    assert v1.commit("again", tag="v2") is None
    assert head(v1, sh) == before
    with pytest.raises(NotFound):
        v1.show("v2")


def test_a_moved_branch_is_a_conflict_and_the_stage_stays(v1: Store, sh: Run) -> None:
    v1.import_from("coco", MINI)
    v1.commit("second", tag="v2")
    sh("git", "reset", "-q", "--hard", "v1", cwd=v1.workspace.folder)
    with v1.edit() as edit:
        edit.delete(where="true")
    sh("git", "reset", "-q", "--hard", "v2", cwd=v1.workspace.folder)
    with pytest.raises(Conflict, match="moved") as caught:
        v1.commit("third")
    assert caught.value.exit_code == 4
    assert v1.staged() is not None


def test_a_commit_of_other_files_does_not_touch_the_stage(v1: Store, sh: Run) -> None:
    v1.import_from("coco", MINI)
    sh("git", "commit", "-q", "--allow-empty", "-m", "elsewhere", cwd=v1.workspace.folder)
    before = head(v1, sh)
    assert v1.commit("second", tag="v2")
    assert sh("git", "rev-parse", "v2^", cwd=v1.workspace.folder).stdout.strip() == before
    assert v1.diff("v1", "v2").tables["annotations"].added


def test_a_detached_head_is_a_conflict(v1: Store, sh: Run) -> None:
    sh("git", "switch", "-q", "--detach", cwd=v1.workspace.folder)
    v1.import_from("coco", MINI)
    with pytest.raises(Conflict, match="git switch"):
        v1.commit("second")


@pytest.mark.parametrize("staged", [False, True])
def test_a_changed_pointer_is_a_conflict(v1: Store, sh: Run, staged: bool) -> None:
    folder = v1.workspace.folder
    v1.import_from("coco", MINI)
    text = (folder / "labels.dvc").read_text()
    (folder / "labels.dvc").write_text(text.replace("nfiles: ", "nfiles: 1"))
    if staged:
        sh("git", "add", "labels.dvc", cwd=folder)
    with pytest.raises(Conflict, match="git restore"):
        v1.commit("second")
    sh("git", "restore", "--staged", "--worktree", "labels.dvc", cwd=folder)
    assert v1.commit("second")


def test_a_taken_tag_is_refused_before_anything_happens(v1: Store, sh: Run) -> None:
    v1.import_from("coco", MINI)
    before = head(v1, sh)
    with pytest.raises(AlreadyExists, match="'v1'"):
        v1.commit("second", tag="v1")
    with pytest.raises(InvalidInput, match="no name for a tag"):
        v1.commit("second", tag="a..b")
    with pytest.raises(InvalidInput, match="message"):
        v1.commit("  ")
    assert head(v1, sh) == before
    assert v1.commit("second", tag="v2")


def test_a_failing_ref_transaction_is_undone(v1: Store, sh: Run) -> None:
    folder = v1.workspace.folder
    v1.import_from("coco", MINI)
    hook = folder / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" = prepared ] && exit 1\nexit 0\n')
    hook.chmod(0o755)
    before = head(v1, sh), (folder / "labels.dvc").read_bytes()
    with pytest.raises(StorageFailed, match="update-ref"):
        v1.commit("second", tag="v2")
    hook.unlink()
    assert (head(v1, sh), (folder / "labels.dvc").read_bytes()) == before
    assert sh("git", "status", "--porcelain", cwd=folder).stdout == ""
    assert not (folder / ".labelstore" / JOURNAL).exists()
    assert v1.commit("second", tag="v2")


def test_a_merge_under_way_is_a_conflict(v1: Store, sh: Run) -> None:
    v1.import_from("coco", MINI)
    (v1.workspace.folder / ".git" / "MERGE_HEAD").write_text(head(v1, sh) + "\n")
    with pytest.raises(Conflict, match="MERGE_HEAD"):
        v1.commit("second")


def test_unknown_revisions_and_missing_stores_are_named(v1: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'v9'"):
        v1.diff("v9")
    with pytest.raises(InvalidInput, match="no revision"):
        v1.diff("--output=/tmp/x")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(NotFound, match="labelstore init"):
        open_store(tmp_path / "nothing")
    with pytest.raises(AlreadyExists, match="already"):
        init_store(v1.workspace.folder)


def test_a_store_without_git_is_named(v1: Store, tmp_path: Path) -> None:
    shutil.copytree(v1.workspace.folder, tmp_path / "bare", ignore=shutil.ignore_patterns(".git"))
    with pytest.raises(NotFound, match="no Git repository"):
        open_store(tmp_path / "bare")


def test_a_missing_object_is_named(v1: Store) -> None:
    manifest = v1.manifest("v1")
    part = manifest.parts_of("geometries")[0]
    path = manifest.path(part)
    os.chmod(path.parent, 0o755)
    path.unlink()
    with pytest.raises(NotFound, match="labelstore pull") as caught:
        v1.manifest("v1").read(part)
    assert caught.value.code == "object-missing"


@pytest.mark.parametrize("at", [10, 600, -5])
def test_a_corrupted_part_is_named(v1: Store, at: int) -> None:
    manifest = v1.manifest("v1")
    part = manifest.parts_of("geometries")[0]
    path = manifest.path(part)
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="labelstore pull") as caught:
        v1.manifest("v1").read(part)
    assert caught.value.exit_code == 6


def test_a_corrupted_index_is_named(v1: Store) -> None:
    manifest = v1.manifest("v1")
    path = v1.workspace.layout.cache / manifest.files["_parts.parquet"][:2]
    (file,) = [p for p in path.iterdir() if p.name == manifest.files["_parts.parquet"][2:]]
    file.chmod(0o644)
    file.write_bytes(b"nonsense")
    with pytest.raises(Corrupt, match="MD5"):
        _ = v1.manifest("v1").parts


def test_restore_drops_the_stage_and_nothing_else(v1: Store, sh: Run) -> None:
    before = v1.show("v1")
    v1.import_from("coco", MINI)
    assert v1.restore()
    assert not v1.restore()
    assert v1.staged() is None
    assert v1.show("v1") == before
    assert not v1.workspace.objects.exists()


def test_labels_folder_follows_the_version(v1: Store) -> None:
    folder = v1.workspace.folder / "labels"
    manifest = v1.manifest("v1")
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == set(
        manifest.files
    )
    (folder / "mine.txt").write_text("keep")
    v1.import_from("coco", MINI)
    v1.commit("second", tag="v2")
    assert (folder / "mine.txt").read_text() == "keep"
    shown = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert shown - {"mine.txt"} == set(v1.manifest("v2").files)
    new = {p.path: p for p in v1.manifest("v2").parts}.keys() - manifest.files.keys()
    for part in (p for p in v1.manifest("v2").parts if p.path in new):
        assert (folder / part.path).samefile(v1.manifest("v2").path(part))


def test_checkout_can_be_switched_off(v1: Store, sh: Run) -> None:
    folder = v1.workspace.folder
    settings = folder / "labelstore.toml"
    settings.write_text(settings.read_text().replace("checkout = true", "checkout = false"))
    sh("git", "commit", "-qam", "server", cwd=folder)
    store = open_store(folder)
    before = sorted((folder / "labels").rglob("*"))
    store.import_from("coco", MINI)
    store.commit("second", tag="v2")
    assert sorted((folder / "labels").rglob("*")) == before
