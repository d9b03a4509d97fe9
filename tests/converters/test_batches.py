"""An export and its sidecar are the same, however many labels are taken at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TINY

from labelstore.exchange import ordered
from labelstore.exchange.sidecar.file import Sidecar, sidecar_path
from labelstore.store import Store, init_store
from labelstore.testing import texts

FEW = 7
"""Labels a batch, of 382 on 50 images: images, and groups of a sidecar, begin within batches."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store of real labels in several parts."""
    store = init_store(tmp_path / "store", target=64)
    store.import_from("coco", TINY, message="in", commit=True)
    assert len(store.manifest().parts_of("annotations")) > 2
    return store


def exported(store: Store, to: str, target: Path) -> dict[str, bytes]:
    """Return the texts of an export."""
    target.parent.mkdir(exist_ok=True)
    store.export_to(to, target, allow_loss=["all"])
    return texts(target)


@pytest.mark.parametrize("to", ["coco", "yolo", "darknet", "kitti", "voc", "coco-panoptic"])
def test_what_is_written_does_not_depend_on_batches(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    name = "out.json" if to.startswith("coco") else "out"
    usual = exported(store, to, tmp_path / "usual" / name)
    monkeypatch.setattr(ordered, "CHUNK", FEW)
    assert exported(store, to, tmp_path / "few" / name) == usual
    if to == "coco":
        return
    assert len(Sidecar(sidecar_path(tmp_path / "few" / name)).groups) > 50
    second = init_store(tmp_path / "second")
    second.import_from(to, tmp_path / "few" / name, message="back", commit=True)
    assert exported(second, "coco", tmp_path / "b.json")["b.json"] == TINY.read_bytes()


def test_an_edited_file_is_put_back_alike(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels moved, gone and new; those of many groups are looked up in each."""
    found = []
    for chunk in (ordered.CHUNK, FEW):
        monkeypatch.setattr(ordered, "CHUNK", chunk)
        folder = tmp_path / str(chunk)
        store.export_to("yolo", folder, task="detect", allow_loss=["all"])
        for i, path in enumerate(sorted((folder / "labels").rglob("*.txt"))):
            lines = path.read_text().splitlines(keepends=True)
            if i % 3 == 0 and lines:
                category, x, *rest = lines[0].split()
                lines[0] = " ".join([category, str(float(x) + 0.001), *rest]) + "\n"
            if i % 4 == 1 and lines:
                del lines[-1]
            if i % 5 == 2:
                lines.append("3 0.5 0.5 0.25 0.125\n")
            path.write_text("".join(lines))
        second = init_store(tmp_path / f"second-{chunk}")
        report = second.import_from("yolo", folder, message="back", commit=True)
        assert report.notices["labels-changed"] > 5
        assert report.notices["labels-new"] > 5
        written = exported(second, "coco", tmp_path / f"{chunk}.json")
        found.append((report.notices, *written.values()))
    assert found[0] == found[1]
