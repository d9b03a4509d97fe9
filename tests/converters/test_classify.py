"""Folders of images by class are tags; nothing is written that would need the images."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TINY
from PIL import Image

from labelstore.errors import InvalidInput, NotFound
from labelstore.exchange.detecting import detected
from labelstore.store import init_store

PLACES = ("train/dog/b.jpg", "train/cat/a.png", "train/cat/deep/c.jpg", "val/cat/d.jpg",
          "val/emu/e.jpg")  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place in PLACES:
        path = tmp_path / "pets" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 6)).save(path)
    (tmp_path / "pets/train/dog/notes.txt").write_text("no image")
    return tmp_path / "pets"


def test_folders_are_classes_by_name(folder: Path, tmp_path: Path) -> None:
    store = init_store(tmp_path / "store")
    report = store.import_from("yolo-classify", folder, message="in", commit=True)
    assert (report.items, report.annotations) == (5, 5)
    assert dict(report.notices) == {"yolo-classify-class-untrained": 1}
    rows = store.query(
        "SELECT uri, name, kind, width, height FROM annotations JOIN items USING (item_id) "
        "JOIN categories c USING (category_id) ORDER BY uri"
    ).to_pylist()
    assert [(r["uri"], r["name"]) for r in rows] == sorted((p, p.split("/")[1]) for p in PLACES)
    assert {(r["kind"], r["width"], r["height"]) for r in rows} == {("tag", 8, 6)}
    classes = store.query("SELECT name FROM categories ORDER BY position").to_pylist()
    assert [row["name"] for row in classes] == ["cat", "dog", "emu"]
    assert not store.import_from("yolo-classify", folder, mode="update").changed
    assert not [f for f in store.check() if f.severity == "error"]


def test_an_image_in_another_folder_is_another_class(folder: Path, tmp_path: Path) -> None:
    store = init_store(tmp_path / "store")
    store.import_from("yolo-classify", folder, message="in", commit=True, tag="v1")
    (folder / "train/cat/a.png").rename(folder / "train/dog/a.png")
    report = store.import_from("yolo-classify", folder, mode="update", message="b", commit=True)
    assert report.changed
    counts = store.query(
        "SELECT name, count(*) AS n FROM annotations JOIN categories USING (category_id) "
        "GROUP BY ALL ORDER BY name"
    ).to_pylist()
    assert [tuple(row.values()) for row in counts] == [("cat", 2), ("dog", 2), ("emu", 1)]


def test_it_is_known_by_its_looks_and_is_not_written(folder: Path, tmp_path: Path) -> None:
    assert detected(folder) == "yolo-classify"
    store = init_store(tmp_path / "store")
    store.import_from("yolo-classify", folder, message="in", commit=True)
    for allowed in ([], ["all"]):
        with pytest.raises(InvalidInput, match="copies no images"):
            store.export_to("yolo-classify", tmp_path / "out", allow_loss=allowed)
    coco = init_store(tmp_path / "coco")
    coco.import_from("coco", TINY, message="in", commit=True)
    with pytest.raises(InvalidInput, match="copies no images"):
        coco.export_to("yolo-classify", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    store.export_to("coco", tmp_path / "out.json", allow_loss=["all"])


def test_other_folders_are_refused(tmp_path: Path) -> None:
    store = init_store(tmp_path / "store")
    with pytest.raises(NotFound, match="no such folder"):
        store.import_from("yolo-classify", tmp_path / "none")
    (tmp_path / "empty/train").mkdir(parents=True)
    with pytest.raises(InvalidInput, match="has no images"):
        store.import_from("yolo-classify", tmp_path / "empty")
