"""Merges that must not go through, or must not lose anything, in real repositories."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run

from labelstore.errors import Conflict, InvalidInput
from labelstore.model.annotations import CategoryScore
from labelstore.model.labels import Box, Tag
from labelstore.store import Store, init_store, open_store


def label(store: Store, place: int) -> int:
    """Return the id of a label by its place."""
    ids = store.query("SELECT annotation_id FROM annotations ORDER BY 1", at="v1").column(0)
    return int(ids[place].as_py())


def scored(store: Store, place: int, score: float | None, *, tag: str | None = None) -> None:
    """Publish another score of one label."""
    with store.edit(by="ada") as edit:
        edit.update(where=f"annotation_id = {label(store, place)}", set={"score": score})
    store.commit(f"{place} is {score}", tag=tag)


def score(store: Store, place: int) -> Any:
    sql = f"SELECT score FROM annotations WHERE annotation_id = {label(store, place)}"
    return store.query(sql, at="HEAD").column(0)[0].as_py()


@pytest.fixture
def forked(v1: Store) -> Store:
    """Return a store whose branches changed one label each alone, and one otherwise."""
    v1.switch("side", create=True)
    scored(v1, 1, 0.25)
    scored(v1, 3, 0.5)
    v1.switch("main")
    scored(v1, 2, 0.75)
    scored(v1, 3, 1.0)
    return v1


def test_a_branch_that_moves_meanwhile_keeps_what_it_moved_to(forked: Store, sh: Run) -> None:
    """Somebody pulls while a person is asked who wins."""
    folder = forked.workspace.folder
    forked.switch("other", create=True)
    scored(forked, 5, 0.125)
    forked.switch("main")

    def pulls(conflicts: Any) -> list[Any]:
        sh("git", "merge", "-q", "--ff-only", "other", cwd=folder)
        return ["ours"] * conflicts.num_rows

    with pytest.raises(Conflict, match="Merge again"):
        forked.merge("side", policy=pulls)
    assert forked.workspace.git.head() == forked.workspace.git.resolve("other")
    assert not sh("git", "status", "--porcelain", cwd=folder).stdout
    assert forked.merge("side", policy="ours").outcome == "merged"
    assert [score(forked, n) for n in (1, 2, 3, 5)] == [0.25, 0.75, 1.0, 0.125]


def test_two_merges_at_once_lose_nothing(forked: Store) -> None:
    forked.switch("third", create=True)
    scored(forked, 7, 0.125)
    forked.switch("main")
    scored(forked, 8, 0.375)
    words = [sys.executable, "-m", "labelstore.cli", "merge", "--policy", "ours"]
    running = [subprocess.Popen([*words, name], cwd=forked.workspace.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for name in ("side", "third")]  # fmt: skip
    for one in running:
        one.communicate()
    codes = [one.returncode for one in running]
    store = open_store(forked.workspace.folder)
    for name, code in zip(("side", "third"), codes, strict=True):
        assert code in (0, 4)
        if code:
            assert store.merge(name, policy="ours").outcome == "merged"
    assert [score(store, n) for n in (1, 2, 3, 7, 8)] == [0.25, 0.75, 1.0, 0.125, 0.375]


def delivery(path: Path, first: int, classes: int | None = None) -> Path:
    """Write the delivery with other numbers of images, and of fewer classes."""
    told = json.loads(TINY.read_text())
    number = {image["id"]: first + n for n, image in enumerate(told["images"])}
    for image in told["images"]:
        image["id"] = number[image["id"]]
    for one in told["annotations"]:
        one["image_id"] = number[one["image_id"]]
    told["categories"] = told["categories"][:classes]
    known = {c["id"] for c in told["categories"]}
    told["annotations"] = [a for a in told["annotations"] if a["category_id"] in known]
    path.write_text(json.dumps(told))
    return path


def test_two_deliveries_for_the_same_images_both_stay(v1: Store, tmp_path: Path) -> None:
    files = {"side": delivery(tmp_path / "a.json", 1000), "main": delivery(tmp_path / "b.json", 7)}
    v1.switch("side", create=True)
    v1.import_from("coco", files["side"], layer="la", dataset="da", message="a", commit=True)
    v1.switch("main")
    v1.import_from("coco", files["main"], layer="lb", dataset="db", message="b", commit=True)
    report = v1.merge("side")
    assert not report.conflicts.num_rows
    for layer, dataset, file in (("la", "da", files["side"]), ("lb", "db", files["main"]),
                                 ("ground_truth", None, TINY)):  # fmt: skip
        out = tmp_path / f"{layer}.json"
        v1.export_to("coco", out, layer=layer, dataset=dataset)
        assert out.read_bytes() == file.read_bytes(), layer


def test_branches_that_merged_each_other_crosswise_are_refused(v1: Store) -> None:
    v1.switch("side", create=True)
    scored(v1, 1, 0.25, tag="t1")
    v1.switch("main")
    scored(v1, 2, 0.75, tag="m1")
    v1.merge("t1")
    v1.switch("side")
    v1.merge("m1")
    scored(v1, 4, 0.5)
    v1.switch("main")
    scored(v1, 1, None)
    with pytest.raises(Conflict, match="crosswise"):
        v1.merge("side")
    assert score(v1, 1) is None


def test_a_hook_that_refuses_leaves_everything_as_it_was(forked: Store, sh: Run) -> None:
    folder, head = forked.workspace.folder, forked.workspace.git.head()
    hook = folder / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    before = dict(forked.manifest("HEAD").files)
    with pytest.raises(Conflict, match=r"not today.*taken back"):
        forked.merge("side", policy="ours")
    assert forked.workspace.git.head() == head
    assert not sh("git", "status", "--porcelain", cwd=folder).stdout
    there = {p.relative_to(folder / "labels").as_posix() for p in (folder / "labels").rglob("*.*")}
    assert there == {*before}
    hook.unlink()
    assert forked.merge("side", policy="ours").outcome == "merged"


def test_decisions_of_other_values_are_refused(forked: Store, tmp_path: Path, cli: Run) -> None:
    folder, file = forked.workspace.folder, tmp_path / "open.json"
    cli("merge", "side", "--conflicts", file, cwd=folder)
    told = json.loads(file.read_text())
    told[0]["take"] = "theirs"
    file.write_text(json.dumps(told))
    forked.switch("side")
    scored(forked, 3, 0.0001)
    forked.switch("main")
    refused = cli("merge", "side", "--take", file, cwd=folder)
    assert refused.returncode == 2
    assert "has other values now" in refused.stderr
    told[0] |= {"id": "7"}
    with pytest.raises(InvalidInput, match="is no conflict"):
        forked.merge("side", decisions=told)


def test_a_store_in_a_folder_is_merged_by_the_driver_too(tmp_path: Path, sh: Run) -> None:
    sh("git", "init", "-q", "-b", "main", str(tmp_path / "repo"), cwd=tmp_path)
    store = init_store(tmp_path / "repo/deep/labels-here", target=64)
    store.import_from("coco", TINY, message="in", commit=True, tag="v1")
    store.switch("side", create=True)
    scored(store, 1, 0.25)
    store.switch("main")
    scored(store, 2, 0.75)
    top = tmp_path / "repo"
    (top / ".git/info/attributes").write_text("labels.dvc merge=labelstore\n")
    driver = f"{sys.executable} -m labelstore.cli merge-driver %O %A %B %P"
    sh(
        "git",
        "-c",
        f"merge.labelstore.driver={driver}",
        "merge",
        "-q",
        "--no-edit",
        "side",
        cwd=top,
    )
    assert [score(store, n) for n in (1, 2)] == [0.25, 0.75]


def ontology(store: Store, text: str, tmp_path: Path) -> None:
    """Publish a change of classes."""
    (tmp_path / "classes.yaml").write_text(text)
    store.apply_ontology(tmp_path / "classes.yaml", by="ada")
    store.commit("classes")


def test_classes_are_not_put_below_each_other(v1: Store, tmp_path: Path) -> None:
    v1.switch("side", create=True)
    ontology(v1, "classes:\n- name: bus\n  parent: truck\n", tmp_path)
    v1.switch("main")
    ontology(v1, "classes:\n- name: truck\n  parent: bus\n", tmp_path)
    with pytest.raises(Conflict, match="below itself"):
        v1.merge("side")


def test_further_classes_count_as_references(v1: Store, tmp_path: Path) -> None:
    v1.switch("side", create=True)
    ontology(v1, "classes:\n- name: car\n  merge: [truck]\n", tmp_path)
    v1.switch("main")
    truck = v1.query("SELECT category_id AS n FROM categories WHERE name = 'truck'").to_pylist()
    uri = v1.query("SELECT uri FROM items LIMIT 1").column(0)[0].as_py()
    further = [CategoryScore(category_id=truck[0]["n"], score=0.5)]
    with v1.edit(by="bob") as edit:
        edit.add([Tag(item=uri, category="car", category_scores=further)])
    v1.commit("guess")
    with pytest.raises(Conflict, match=r"by bob\), category_scores: class truck"):
        v1.merge("side")


def test_classes_and_items_that_are_two_now_are_told(v1: Store, cli: Run) -> None:
    for branch, box in (("side", 5), ("main", 6)):
        if branch == "side":
            v1.switch("side", create=True)
        with v1.edit(by="ada", message=branch) as edit:
            edit.add([Box(item="new.jpg", category="drone", x=box, y=1, width=2, height=2)],
                     items=[{"uri": "new.jpg"}], categories=[{"name": "drone"}])  # fmt: skip
        v1.commit(branch)
        v1.switch("main")
    said = cli("merge", "side", cwd=v1.workspace.folder)
    assert said.returncode == 0, said.stderr
    assert "both sides added class drone: there are two now" in said.stderr
    assert "both sides added item new.jpg" in said.stderr


def test_a_merge_without_the_other_sides_objects_changes_nothing(forked: Store) -> None:
    head, cache = forked.workspace.git.head(), forked.workspace.layout.cache
    name = forked.workspace.directory(forked.workspace.git.resolve("side"))
    assert name is not None
    shutil.move(cache / name[:2] / name[2:], cache / "away")
    with pytest.raises(LookupError, match="not in the local cache"):
        forked.merge("side", policy="ours")
    assert forked.workspace.git.head() == head
