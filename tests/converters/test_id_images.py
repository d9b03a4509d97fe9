"""Images of ids and MOTS come back pixel for pixel, and say the same of each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from labelstore.errors import FormatError, InvalidInput
from labelstore.store import Store, init_store

DATA = Path(__file__).parents[1] / "data"
SETS = {
    "kitti-instance": DATA / "kitti/datumaro_segmentation",
    "mots-png": DATA / "other/mots_datumaro",
}
PLACES = {"kitti-instance": "instance", "mots-png": "instances"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return init_store(tmp_path / "store")


def pixels(folder: Path, name: str) -> dict[str, list[list[int]]]:
    """Return the values of each image of ids."""
    found = folder.rglob(f"{PLACES[name]}/*.png")
    return {p.relative_to(folder).as_posix(): np.asarray(Image.open(p)).tolist() for p in found}


@pytest.mark.parametrize("name", SETS)
def test_real_images_come_back_pixel_for_pixel(store: Store, tmp_path: Path, name: str) -> None:
    store.import_from(name, SETS[name], message="in", commit=True)
    store.export_to(name, tmp_path / "out")
    assert pixels(tmp_path / "out", name) == pixels(SETS[name], name) != {}
    texts = {p.relative_to(SETS[name]) for p in SETS[name].rglob("*.txt")}
    for path in texts:
        assert (tmp_path / "out" / path).read_bytes() == (SETS[name] / path).read_bytes()
    assert not [f for f in store.check() if f.severity == "error"]
    assert not store.import_from(name, SETS[name], mode="update").changed


def test_values_are_class_and_instance(store: Store) -> None:
    store.import_from("kitti-instance", SETS["kitti-instance"], message="in", commit=True)
    found = store.query(
        "SELECT c.name, g.raster.value AS value FROM annotations a JOIN geometries g USING "
        "(annotation_id) JOIN categories c USING (category_id) ORDER BY 2"
    ).to_pylist()
    assert {(row["name"], row["value"]) for row in found} == {
        ("class 3", 768), ("class 27", 6913), ("class 27", 6914), ("class 12", 3073),
        ("class 31", 7937),
    }  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_outlines_of_coco_become_values_and_come_back(
    store: Store, tmp_path: Path, name: str
) -> None:
    source = DATA / "coco/tiny_coco/instances_val2017.json"
    store.import_from("coco", source, message="in", commit=True)
    report = store.export_to(name, tmp_path / "mid", allow_loss=["all"])
    assert report.notices[f"{name}-outlines-as-pixels"] == 377
    back = init_store(tmp_path / "back")
    back.import_from(name, tmp_path / "mid", message="in", commit=True)
    back.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == source.read_bytes()


def line(frame: int, number: int, category: int, image: np.ndarray) -> str:
    """Return a line of MOTS."""
    runs = coco.encode(np.asfortranarray(image, dtype=np.uint8))
    h, w = image.shape
    return f"{frame} {number} {category} {h} {w} {runs['counts'].decode()}\n"


def test_mots_as_text_comes_back(store: Store, tmp_path: Path) -> None:
    image = np.zeros((4, 6), bool)
    image[1:3, 2:5] = True
    text = line(0, 1001, 1, image) + line(2, 1001, 1, ~image) + line(2, 10000, 10, image)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/0002.txt").write_text(text)
    store.import_from("mots", tmp_path / "in", message="in", commit=True)
    store.export_to("mots", tmp_path / "out")
    assert (tmp_path / "out/0002.txt").read_text() == text
    rows = store.query(
        "SELECT i.frame_index, t.source_id, c.name, a.ignore, a.xmin, a.ymax FROM annotations a "
        "JOIN items i USING (item_id) JOIN tracks t USING (track_id) JOIN categories c "
        "ON c.category_id = a.category_id ORDER BY a.seq"
    ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (0, 1001, "car", None, 2.0, 3.0),
        (2, 1001, "car", None, 0.0, 4.0),
        (2, 10000, "ignore", True, 2.0, 3.0),
    ]


def test_faults_are_named(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "0001.txt").write_text("0 1 1 4 6\nx 1001 1 4 6 abc\n0 1 1 4 6 \x7f\n")
    with pytest.raises(FormatError) as caught:
        store.import_from("mots", folder)
    for told in ("line 1: has 5 columns", "line 2, frame: 'x'", "line 3, runs: are none"):
        assert told in str(caught.value)
    with pytest.raises(InvalidInput, match="has no folder `instance` with PNG files"):
        store.import_from("kitti-instance", folder)
    (folder / "instance").mkdir()
    (folder / "instance/a.png").write_bytes(b"no image")
    with pytest.raises(FormatError, match=r"instance/a\.png: is no PNG"):
        store.import_from("kitti-instance", folder)


def semantic(folder: Path) -> Path:
    """Return a folder of the classes alone that real images of ids have."""
    for path in (SETS["kitti-instance"] / "training/instance").glob("*.png"):
        target = folder / "training/semantic" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((np.asarray(Image.open(path)) // 256).astype(np.uint8)).save(target)
    return folder


def test_semantic_images_come_back_pixel_for_pixel(store: Store, tmp_path: Path) -> None:
    source = semantic(tmp_path / "in")
    report = store.import_from("kitti-semantic", source, message="in", commit=True)
    values = {p.name: np.asarray(Image.open(p)) for p in source.rglob("*.png")}
    assert report.annotations == sum(len(np.unique(v[v > 0])) for v in values.values()) > 0
    store.export_to("kitti-semantic", tmp_path / "out")
    found = {p.name: np.asarray(Image.open(p)) for p in (tmp_path / "out").rglob("*.png")}
    assert found.keys() == values.keys()
    assert all((found[name] == values[name]).all() for name in values)
    assert {v.dtype for v in found.values()} == {np.dtype(np.uint8)}


def test_instances_of_a_class_join_in_semantic_images(store: Store, tmp_path: Path) -> None:
    store.import_from("kitti-instance", SETS["kitti-instance"], message="in", commit=True)
    report = store.export_to("kitti-semantic", tmp_path / "out", allow_loss=["all"])
    assert report.notices["kitti-semantic-joined"] == 1
    values = {p.name: np.asarray(Image.open(p)) for p in (tmp_path / "out").rglob("*.png")}
    for path in (SETS["kitti-instance"] / "training/instance").glob("*.png"):
        assert (values[path.name] == np.asarray(Image.open(path)) // 256).all()
    second = init_store(tmp_path / "second")
    second.import_from("kitti-semantic", tmp_path / "out", message="in", commit=True)
    second.export_to("kitti-instance", tmp_path / "again")
    assert pixels(tmp_path / "again", "kitti-instance") == pixels(
        SETS["kitti-instance"], "kitti-instance"
    )
