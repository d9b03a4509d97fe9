"""Darknet data sets come back byte for byte, with or without their images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelstore.errors import FormatError, InvalidInput, LossRefused
from labelstore.store import Store, init_store

DATA = Path(__file__).parents[1] / "data"
SETS = {
    "strict": DATA / "yolo/datumaro_darknet/strict",
    "loose": DATA / "yolo/datumaro_darknet/labels",
    "split": DATA / "yolo/datumaro_darknet/annotations",
    "door": DATA / "yolo/door_darknet/tutorial",
    "voc100": DATA / "cross/voc100/yolo_format",
}
COCO = DATA / "cross/voc100/instances_default.json"


def texts(folder: Path) -> dict[str, bytes]:
    """Return the text files of a data set."""
    found = (p for p in folder.rglob("*") if p.suffix in (".txt", ".data", ".names"))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found
            if p.name != "README.txt"}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return init_store(tmp_path / "store")


@pytest.mark.parametrize("name", SETS)
def test_real_data_sets_come_back_byte_for_byte(store: Store, tmp_path: Path, name: str) -> None:
    store.import_from("darknet", SETS[name], message="in", commit=True)
    store.export_to("darknet", tmp_path / "out")
    assert texts(tmp_path / "out") == texts(SETS[name])
    again = store.import_from("darknet", SETS[name], mode="update")
    assert not again.changed


def test_boxes_are_those_of_the_coco_file(store: Store, tmp_path: Path) -> None:
    store.import_from("darknet", SETS["voc100"], sizes=COCO, message="in", commit=True)
    other = init_store(tmp_path / "other")
    other.import_from("coco", COCO, message="in", commit=True)
    question = (
        "SELECT regexp_extract(i.uri, '[^/]*$') AS image, c.name, xmin, ymin, xmax, ymax "
        "FROM annotations a JOIN items i USING (item_id) JOIN categories c USING (category_id) "
        "ORDER BY 1, 2, round(xmin), round(ymin), round(xmax), round(ymax)"
    )
    ours, theirs = (s.query(question).to_pylist() for s in (store, other))
    assert len(ours) == len(theirs) == 273
    for key in ("image", "name"):
        assert [r[key] for r in ours] == [r[key] for r in theirs]
    for key in ("xmin", "ymin", "xmax", "ymax"):
        np.testing.assert_allclose([r[key] for r in ours], [r[key] for r in theirs], atol=0.005)


def test_coco_goes_out_with_lists_that_name_every_image(store: Store, tmp_path: Path) -> None:
    store.import_from("coco", COCO, message="in", commit=True)
    with pytest.raises(LossRefused, match="darknet-drops-area"):
        store.export_to("darknet", tmp_path / "no")
    store.export_to("darknet", tmp_path / "out", allow_loss=["all"])
    data = (tmp_path / "out/obj.data").read_text()
    assert "classes = 20\n" in data
    listed = (tmp_path / "out/train.txt").read_text().splitlines()
    assert len(listed) == 100
    assert all(line.startswith("data/obj_train_data/") for line in listed)
    back = init_store(tmp_path / "back")
    back.import_from("darknet", tmp_path / "out", message="in", commit=True)
    back.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == COCO.read_bytes()


def test_new_images_and_classes_are_listed(store: Store, tmp_path: Path) -> None:
    store.import_from("darknet", SETS["voc100"], sizes=COCO, message="in", commit=True)
    with store.edit() as edit:
        edit.add([{"item": "obj_train_data/new.jpg", "category": "kite", "x": 10, "y": 10,
                   "width": 20, "height": 20}],
                 items=[{"uri": "obj_train_data/new.jpg", "width": 100, "height": 100}],
                 categories=[{"name": "kite"}])  # fmt: skip
        edit.delete(where="item_id IN (SELECT item_id FROM items WHERE uri LIKE '%2007_001585%')")
    store.export_to("darknet", tmp_path / "out", allow_loss=["all"])
    assert "classes = 21" in (tmp_path / "out/obj.data").read_text()
    assert (tmp_path / "out/obj.names").read_text().splitlines()[-1] == "kite"
    listed = (tmp_path / "out/train.txt").read_text().splitlines()
    assert listed[-1] == "data/obj_train_data/new.jpg"
    assert (tmp_path / "out/obj_train_data/new.txt").read_text() == "20 0.2 0.2 0.2 0.2\n"


def test_lines_that_darknet_cannot_read_are_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/obj.names").write_text("car\n")
    (tmp_path / "in/train.txt").write_text("a.jpg\n")
    (tmp_path / "in/a.txt").write_text("0 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1 0.9\n0 1 2 x 4\n")
    with pytest.raises(FormatError) as caught:
        store.import_from("darknet", tmp_path / "in")
    assert "a.txt, line 2: has 6 columns" in str(caught.value)
    assert "a.txt, line 3: column 4: 'x' is no finite number" in str(caught.value)
    with pytest.raises(InvalidInput, match=r"no `obj.data` and no `obj.names`"):
        store.import_from("darknet", tmp_path)
