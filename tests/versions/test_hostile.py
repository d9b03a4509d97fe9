"""What somebody else prepared: private files, links, altered objects, odd folders."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import DATA, Run

import labelstore
from labelstore.errors import Conflict, Corrupt
from labelstore.model.tables import TABLES
from labelstore.storage.objects import find
from labelstore.storage.parquet import encode, read
from labelstore.store import Store, init_store, open_store
from labelstore.versions.checkout import RECORD
from labelstore.versions.git import Git
from labelstore.versions.journal import JOURNAL

MINI = DATA / "coco" / "labelformat_masks" / "instances.json"
SHA = "1" * 40


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"/etc/hostname": ["", SHA]}},
        {"files": {"../victim": ["", SHA]}},
        {"files": {"train.py": ["", SHA]}},
        {"files": {"labels.dvc": ["", "--help"]}},
        {"branch": "../../victim/app"},
        {"branch": "refs/heads/../../../x"},
        {"tag": "../x"},
        {"new": "-x"},
    ],
)
def test_a_journal_of_somebody_else_is_refused(v1: Store, change: dict[str, Any]) -> None:
    content = {"branch": "refs/heads/main", "old": SHA, "new": SHA, "tag": "", "tag_object": "",
               "files": {}, "directory": "0" * 32 + ".dir"}  # fmt: skip
    (v1.workspace.private / JOURNAL).write_text(json.dumps({**content, **change}))
    with pytest.raises(Corrupt, match="somebody else"):
        open_store(v1.workspace.folder)


def test_a_checkout_record_cannot_delete_elsewhere(v1: Store, tmp_path: Path) -> None:
    victim = tmp_path / "precious.txt"
    victim.write_text("precious")
    (v1.workspace.private / RECORD).write_text(json.dumps({"../../precious.txt": "0" * 32}))
    v1.import_from("coco", MINI)
    with pytest.raises(Corrupt, match="no file of labels"):
        v1.commit("next")
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("below", ["", "annotations"])
def test_a_linked_labels_folder_is_not_followed(v1: Store, tmp_path: Path, below: str) -> None:
    folder = v1.workspace.folder / "labels" / below
    shutil.rmtree(folder)
    (tmp_path / "victim").mkdir()
    folder.symlink_to(tmp_path / "victim")
    v1.import_from("coco", MINI)
    before = v1.workspace.git.head()
    with pytest.raises(Conflict, match="is a link"):
        v1.commit("next")
    assert v1.workspace.git.head() == before
    assert v1.staged() is not None
    assert not list((tmp_path / "victim").iterdir())


def tampered(store: Store) -> Path:
    """Give all labels of one part another class, in a file that is good Parquet."""
    manifest = store.manifest("v1")
    part = manifest.parts_of("annotations")[0]
    path = find(store.workspace.object_folders, manifest.md5(part.path))
    table = TABLES["annotations"]
    rows = read(path, table)
    classes = pa.repeat(pa.scalar(1, pa.int64()), rows.num_rows)
    at = rows.schema.get_field_index("category_id")
    os.chmod(path, 0o644)
    path.write_bytes(encode(table, rows.set_column(at, rows.schema.field(at), classes)))
    return path


def test_an_altered_object_is_noticed(v1: Store, tmp_path: Path) -> None:
    v1.pin("v1", tmp_path / "train.lock")
    path = tampered(v1)
    with pytest.raises(Corrupt, match=path.name[:8]):
        labelstore.load(v1.workspace.folder, pin=tmp_path / "train.lock")
    assert "MD5" in " ".join(v1.check_pin(tmp_path / "train.lock"))
    with pytest.raises(Corrupt):
        v1.check(at="v1")
    with pytest.raises(Corrupt), v1.edit() as edit:
        edit.update(where="true", set={"score": "0.5"})
    assert v1.staged() is None


def test_gc_keeps_what_the_stage_rests_on(v1: Store, sh: Run) -> None:
    v1.import_from("coco", MINI)
    v1.commit("second")
    with v1.edit() as edit:
        edit.update(where="true", set={"score": "0.5"})
    sh("git", "reset", "-q", "--hard", "v1", cwd=v1.workspace.folder)
    with pytest.raises(Conflict, match="no branch or tag holds"):
        v1.gc(force=True)
    assert v1.status() is not None


@pytest.mark.parametrize("name", [":x", "b[c]", "a*[b] c", "-x", "ü é"])
def test_a_store_may_lie_in_a_folder_of_any_name(tmp_path: Path, sh: Run, name: str) -> None:
    (tmp_path / "top").mkdir()
    sh("git", "init", "-q", cwd=tmp_path / "top")
    store = init_store(tmp_path / "top" / name)
    store.import_from("coco", MINI)
    assert "?? " not in sh("git", "status", "--porcelain", cwd=tmp_path / "top").stdout
    store.commit("first", tag="v1,a")
    assert [c.tags for c in store.log()] == [("v1,a",), ()]
    pointer = store.workspace.folder / "labels.dvc"
    pointer.write_text(pointer.read_text() + "# by hand\n")
    store.import_from("coco", MINI, dataset="again", layer="other")
    with pytest.raises(Conflict, match="is changed"):
        store.commit("second")


def test_a_plain_commit_after_a_kill_keeps_the_version(
    v1: Store, sh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = v1.workspace.folder
    v1.import_from("coco", MINI)
    wanted = v1.manifest().root
    run = Git.run

    def killed(self: Git, *args: str, **options: Any) -> str:
        if args[0] == "update-ref":
            raise KeyboardInterrupt
        return run(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Git, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            v1.commit("second", tag="v2")
    (folder / "notes.txt").write_text("notes")
    sh("git", "add", "notes.txt", cwd=folder)
    sh("git", "commit", "-q", "-m", "notes", cwd=folder)
    store = open_store(folder)
    assert "labelstore tag v2" in store.recovered[0]
    assert store.staged() is None
    assert not sh("git", "status", "--porcelain", cwd=folder).stdout
    store.tag("v2")
    sh("git", "commit", "-q", "--allow-empty", "-m", "more", cwd=folder)
    assert store.manifest("HEAD").root == store.manifest("v2").root == wanted
