"""One command at a time changes the stage; a commit publishes and drops what it saw."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labelstore.errors import Conflict, Corrupt
from labelstore.store import Store, open_store
from labelstore.versions.journal import JOURNAL
from labelstore.versions.stage import STAGE

BOXES = Path(__file__).parents[1] / "data" / "coco" / "tiny_coco" / "instances_val2017.json"


def _edit(store: Store) -> None:
    with store.edit(by="bob"):
        pass


MEANWHILE = {
    "commit": lambda store: store.commit("too early"),
    "restore": Store.restore,
    "edit": _edit,
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_nothing_moves_the_stage_during_an_edit(v1: Store, what: str) -> None:
    other = open_store(v1.workspace.folder)
    with v1.edit(by="ada") as edit:
        assert edit.delete(where="score IS NULL") > 0
        with pytest.raises(Conflict, match="this very thread"):
            MEANWHILE[what](other)
    assert v1.commit("after the edit")


def test_imports_at_the_same_time_all_stay(v1: Store) -> None:
    def work(name: str) -> bool:
        store = open_store(v1.workspace.folder)
        return store.import_from("coco", BOXES, dataset=name, layer=name, by="ada").changed

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, ["a", "b", "c", "d"]))
    assert v1.commit("four at once", tag="v2")
    rows = v1.query("SELECT layer, count(*) AS n FROM annotations GROUP BY 1 ORDER BY 1", at="v2")
    assert rows.column("layer").to_pylist() == ["a", "b", "c", "d", "ground_truth"]
    assert len(set(rows.column("n").to_pylist())) == 1


@pytest.mark.parametrize("text", ["{}", "[]", "", "null", "{", '{"files": 3}', "[" * 100_000])
def test_a_broken_stage_is_named_and_can_be_dropped(v1: Store, text: str) -> None:
    path = v1.workspace.private / STAGE
    path.write_text(text)
    with pytest.raises(Corrupt, match=r"stage\.json"):
        v1.status()
    assert v1.restore()
    assert v1.status() is None


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", "a//b", "."])
def test_a_stage_that_names_files_elsewhere_is_refused(v1: Store, path: str) -> None:
    content = {
        "parent": v1.workspace.git.resolve("v1"),
        "activities": 1,
        "files": {path: "0" * 32},
    }
    (v1.workspace.private / STAGE).write_text(json.dumps(content))
    with pytest.raises(Corrupt, match="no file of labels/"):
        v1.commit("hostile")


def test_a_broken_journal_is_named(v1: Store) -> None:
    (v1.workspace.private / JOURNAL).write_text("{}")
    with pytest.raises(Corrupt, match=r"publishing\.json"):
        open_store(v1.workspace.folder)


def test_a_dry_run_leaves_no_objects(v1: Store) -> None:
    v1.import_from("coco", BOXES, dataset="b", layer="b", by="ada", dry_run=True)
    assert not v1.workspace.objects.exists()


def test_imports_that_publish_at_the_same_time_make_a_version_each(v1: Store) -> None:
    def work(name: str) -> str | None:
        store = open_store(v1.workspace.folder)
        report = store.import_from(
            "coco", BOXES, dataset=name, layer=name, by="ada", message=name, commit=True, tag=name
        )
        return report.commit

    with ThreadPoolExecutor(3) as pool:
        commits = list(pool.map(work, ["a", "b", "c"]))
    assert None not in commits
    assert {c.subject: c.tags for c in v1.log(limit=3)} == {n: (n,) for n in "abc"}
    assert v1.staged() is None
