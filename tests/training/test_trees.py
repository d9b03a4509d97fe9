"""Trees for trainers hold the pinned labels, are brought up to date, and touch nobody's files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import Run
from pycocotools.coco import COCO

from labelstore.errors import Conflict, Corrupt, InvalidInput, LossRefused, NotFound
from labelstore.store import Store
from labelstore.training.pins.pin import read_pin
from labelstore.trees.media import Link
from labelstore.trees.tree import check_tree


@pytest.fixture
def media(v1: Store, tmp_path: Path) -> Path:
    """Return a folder with a file for each item; v2 has a split."""
    folder = tmp_path / "media"
    folder.mkdir()
    for uri in v1.query("SELECT uri FROM items", at="v1").column(0).to_pylist():
        (folder / uri).write_text(f"pixels of {uri}")
    v1.split("default", ratios="train=0.8,val=0.2", by="ada")
    v1.commit("split", tag="v2")
    return folder


def times(tree: Path) -> dict[str, int]:
    return {p.relative_to(tree).as_posix(): p.stat().st_mtime_ns
            for p in tree.rglob("*") if p.is_file()}  # fmt: skip


@pytest.mark.parametrize("link", ["hard", "symlink", "copy"])
def test_a_yolo_tree_is_what_ultralytics_looks_for(
    v1: Store, media: Path, tmp_path: Path, link: Link
) -> None:
    tree, pin = tmp_path / "tree", tmp_path / "train.lock"
    v1.pin("v2", pin)
    found = v1.materialise(tree, pin=pin, scheme="default", task="detect", media=media, link=link)
    assert found.subsets == {"train": 39, "val": 11}
    assert (tree / "labelstore.lock").read_text() == pin.read_text()
    assert (tree / "data.yaml").read_text().startswith("train: train.txt\nval: val.txt\nnames:\n")
    seen = []
    for name in ("train", "val"):
        for line in (tree / f"{name}.txt").read_text().splitlines():
            image = tree / line
            assert image.read_text() == f"pixels of {image.name}"
            assert image.is_symlink() == (link == "symlink")
            assert os.path.samefile(image, media / image.name) == (link != "copy")
            seen.append(image.name)
    assert sorted(seen) == sorted(p.name for p in media.iterdir())
    sql = ("SELECT l.uri, l.category_id, (l.xmin + l.xmax) / 2 / i.width AS x FROM labels l "
           "JOIN items i USING (item_id)")  # fmt: skip
    places = {number: i for i, (number, _) in enumerate(read_pin(pin).classes)}
    expected = sorted((r["uri"], places[r["category_id"]], round(r["x"], 5))
                      for r in v1.query(sql, at="v2").to_pylist())  # fmt: skip
    lines = [(p.stem, *line.split()) for p in (tree / "labels").glob("*.txt")
             for line in p.read_text().splitlines()]  # fmt: skip
    assert sorted((f"{w[0]}.jpg", int(w[1]), round(float(w[2]), 5)) for w in lines) == expected
    assert any("is_crowd" in loss for loss in found.losses)
    assert check_tree(tree) == []


def test_a_coco_tree_has_a_file_for_each_subset(v1: Store, media: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    v1.materialise(tree, at="v2", format="coco", scheme="default", media=media)
    files = {p.name: COCO(str(p)) for p in (tree / "annotations").iterdir()}
    assert set(files) == {"instances_train.json", "instances_val.json"}
    assert sum(len(one.anns) for one in files.values()) == 382
    assert all((tree / "images" / image["file_name"]).is_file()
               for one in files.values() for image in one.imgs.values())  # fmt: skip
    one = tmp_path / "one"
    report = v1.materialise(one, at="v2", format="coco", split="default/val")
    assert report.subsets == {"val": 11}
    assert json.loads((one / "annotations" / "instances_val.json").read_text())["images"]
    assert not (one / "images").exists()


def test_only_what_differs_is_written_again(v1: Store, media: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    first = v1.materialise(tree, at="v2", scheme="default", media=media)
    before = times(tree)
    same = v1.materialise(tree, at="v2", scheme="default", media=media)
    assert (same.written, same.removed, same.media) == (0, 0, (0, 50))
    assert same.kept == first.written
    assert {n: t for n, t in times(tree).items() if n != "labelstore.tree.json"} == {
        n: t for n, t in before.items() if n != "labelstore.tree.json"}  # fmt: skip
    (tree / "train.cache").write_text("a trainer's own")
    with v1.edit(by="ada") as edit:
        edit.delete(where="uri = '000000397133.jpg'")
    v1.commit("less", tag="v3")
    report = v1.materialise(tree, at="v3", scheme="default", media=media)
    assert report.written == 2  # its label file and the pin
    assert (tree / "labels" / "000000397133.txt").read_text() == ""
    assert (tree / "train.cache").read_text() == "a trainer's own"
    narrow = v1.materialise(tree, at="v3", split="default/val", media=media)
    assert narrow.removed > 30
    assert len(list((tree / "images").iterdir())) == 11
    assert check_tree(tree) == []


def test_what_was_changed_or_is_not_ours_stays(
    v1: Store, media: Path, tmp_path: Path, cli: Run
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "data.yaml").write_text("somebody's")
    with pytest.raises(Conflict, match="not written here"):
        v1.materialise(tree, at="v2")
    assert (tree / "data.yaml").read_text() == "somebody's"
    (tree / "data.yaml").unlink()
    v1.materialise(tree, at="v2", media=media)
    label = next((tree / "labels").glob("*.txt"))
    label.write_text("0 0.5 0.5 0.1 0.1\n")
    (tree / "images" / label.with_suffix(".jpg").name).unlink()
    faults = check_tree(tree)
    assert len(faults) == 2
    shown = cli("materialise", tree, "--check", "--store", v1.workspace.folder)
    assert shown.returncode == 1
    assert "was changed" in shown.stderr
    assert "medium is missing" in shown.stderr
    with pytest.raises(Conflict, match="changed since they were written"):
        v1.materialise(tree, at="v2", media=media)
    v1.materialise(tree, at="v2", media=media, force=True)
    assert check_tree(tree) == []
    assert check_tree(tmp_path / "media") == [
        f"{tmp_path / 'media'}: no labelstore.tree.json there; `labelstore materialise` writes one"
    ]


def test_a_run_that_dies_is_finished_by_the_next(
    v1: Store, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    v1.materialise(tree, at="v1", media=media)
    own, count = Path.replace, 0

    def dying(self: Path, target: Path) -> Path:
        nonlocal count
        count += target.is_relative_to(tree)
        if count == 5:
            raise KeyboardInterrupt
        return own(self, target)

    with v1.edit(by="ada") as edit:
        edit.update(where="TRUE", set={"category_id": v1.query(
            "SELECT category_id FROM categories LIMIT 1").column(0)[0].as_py()})  # fmt: skip
    v1.commit("all one class", tag="v3")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            v1.materialise(tree, at="v3", media=media)
    assert "is unfinished" in check_tree(tree)[0]
    v1.materialise(tree, at="v3", media=media)
    assert check_tree(tree) == []
    fresh = tmp_path / "fresh"
    v1.materialise(fresh, at="v3", media=media)
    assert {n for n in times(tree)} == {n for n in times(fresh)}


def test_what_cannot_be_a_tree_is_refused(v1: Store, media: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    next(media.iterdir()).unlink()
    with pytest.raises(NotFound, match="1 medium is not below it"):
        v1.materialise(tree, at="v2", media=media)
    with pytest.raises(LossRefused):
        v1.materialise(tree, at="v2", allow_loss=())
    with pytest.raises(InvalidInput, match="by a pin or by at"):
        v1.materialise(tree)
    v1.pin("v2", tmp_path / "a.lock", query="SELECT annotation_id FROM labels")
    with pytest.raises(InvalidInput, match="pin items, not labels"):
        v1.materialise(tree, pin=tmp_path / "a.lock")
    with pytest.raises(NotFound, match="no split scheme"):
        v1.materialise(tree, at="v2", scheme="nothing")
    assert not tree.exists() or not list(tree.iterdir())
    assert not list(tmp_path.glob(".tree-*"))
    with v1.edit(by="eve") as edit:
        edit.add([], items=[{"uri": "../../etc/passwd"}])
    v1.commit("hostile", tag="v9")
    with pytest.raises(InvalidInput, match="is no path below a folder"):
        v1.materialise(tree, at="v9")


def test_the_command_tells_what_it_did(v1: Store, media: Path, tmp_path: Path, cli: Run) -> None:
    words = ("materialise", tmp_path / "tree", "--at", "v2", "--scheme", "default", "--media",
             media, "--store", v1.workspace.folder)  # fmt: skip
    done = cli(*words)
    assert done.returncode == 0, done.stderr
    assert "train 39, val 11" in done.stdout
    assert "50 images placed" in done.stdout
    assert "left out" in done.stderr
    assert json.loads(cli(*words, "--json").stdout)["media"] == [0, 50]
    assert cli("materialise", tmp_path / "tree", "--check").returncode == 0


def test_originals_and_files_of_others_are_safe(v1: Store, media: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "images").mkdir(parents=True)
    name = next(media.iterdir()).name
    (tree / "images" / name).write_text("mine")
    with pytest.raises(Conflict, match="not placed here"):
        v1.materialise(tree, at="v2", media=media)
    assert (tree / "images" / name).read_text() == "mine"
    inside = tmp_path / "data"
    media.rename(inside)
    (inside / "images").mkdir()
    with pytest.raises(InvalidInput, match="lies in the tree"):
        v1.materialise(inside, at="v2", media=inside, link="symlink")
    assert (inside / name).read_text() == f"pixels of {name}"
    v1.materialise(tmp_path / "good", at="v2", media=inside)
    v1.materialise(tmp_path / "good", at="v2")  # without media, what is there stays
    assert len(list((tmp_path / "good" / "images").iterdir())) == 50
    (tmp_path / "victim.txt").write_text("x")
    listed = tmp_path / "good" / "labelstore.tree.json"
    content = json.loads(listed.read_text())
    content["media"]["../victim.txt"] = "1:2"
    listed.write_text(json.dumps(content))
    with pytest.raises(Corrupt, match="leaves the tree"):
        v1.materialise(tmp_path / "good", at="v2")
    assert (tmp_path / "victim.txt").exists()
    for own in (v1.workspace.folder, v1.workspace.folder / "labels", v1.workspace.folder.parent):
        with pytest.raises(InvalidInput, match="the store's own"):
            v1.materialise(own, at="v2")
