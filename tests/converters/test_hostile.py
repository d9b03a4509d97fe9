"""Odd, broken and hostile files: refused with their place, or back as they were."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run

from labelstore.errors import FormatError, InvalidInput, LossRefused, StorageFailed
from labelstore.store import Store, init_store

VOC = "<annotation><filename>a.jpg</filename><object>{}<bndbox>{}</bndbox></object></annotation>"
BOX = "<xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax>"
FILLED = "DontCare -1 -1 -10.0 -1 -1 -1 -1 -1 -1 -1 -1000 -1000 -1000 -10 0.5\n"
HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\n"


def shape(**members: Any) -> str:
    """Return a LabelMe file of one shape."""
    own = {"label": "car", "points": [[1, 2], [3, 4], [5, 1]], "shape_type": "polygon"}
    head = {"imagePath": "a.jpg", "imageHeight": 9, "imageWidth": 9}
    return json.dumps({"shapes": [{**own, **members}], **head}, indent=2)


def result(**members: Any) -> str:
    """Return a Label Studio file of one result."""
    value = {"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["car"]}
    own = {"type": "rectanglelabels", "value": value, "original_width": 9, "original_height": 9}
    task = {"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": [{**own, **members}]}]}
    return json.dumps([task])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return init_store(tmp_path / "store")


def made(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files, and return the folder, or the one file that there is."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, newline="")
    return folder if len(files) > 1 or "/" in next(iter(files)) else folder / next(iter(files))


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("voc", "a/a.xml", VOC.format("<name></name>", BOX)),
        ("voc", "a/a.xml", VOC.format("", BOX)),
        ("voc", "a/a.xml", "\ufeff" + VOC.format("<name>Ä &amp; b</name><x y='1'/>", BOX)),
        ("open-images", "a.csv", HEADER + "a.jpg,,,1,0,1,0,1\n"),
        ("open-images", "a.csv", HEADER),
        ("labelme", "a/a.json", shape(label="")),
        ("labelme", "a/a.json", shape(points=[[1, 2], [3, 4]])),
        ("labelme", "a/a.json", shape(flags={"x": True}, group_id=7)),
        ("label-studio", "a.json", "[]"),
        ("label-studio", "a.json", result(score=0.25)),
        ("cvat", "a.xml", "<annotations></annotations>"),
        ("kitti", "label_2/a.txt", FILLED),
        ("mot", "s/gt/gt.txt", "1,-1,10,20,30,40,-1,-1,-1,-1\n"),
        ("mot", "s/gt/gt.txt", "1,1,10,20,30,40,0.5\n2,1,10,20,30,40,0.5,1.5,2.5,-3\n"),
        ("dota", "labelTxt/a.txt", "gsd:0.1\n1 2 3 2 3 4 1 4 car 0\n\n1 2 3 2 3 4 1 4 b 2\n\n"),
    ],
)
def test_odd_files_come_back(
    store: Store, tmp_path: Path, name: str, path: str, text: str
) -> None:
    source = made(tmp_path / "in", {path: text})
    store.import_from(name, source, message="in", commit=True)
    target = tmp_path / "out"
    store.export_to(name, target)
    written = target / Path(path) if target.is_dir() else target
    if source.is_dir() and not written.exists():
        written = next(p for p in target.rglob("*") if p.is_file())
    assert written.read_bytes() == text.encode()
    assert not store.import_from(name, source, mode="update").changed


@pytest.mark.parametrize(
    ("name", "path", "text", "told"),
    [
        ("voc", "a.xml", VOC.format("<name>a</name>", BOX).replace("1", "1" * 400), "finite"),
        ("voc", "a.xml", f"<annotation><size><width>{10**20}</width><height>9</height></size>"
                         "<filename>a</filename></annotation>", "beyond any column"),
        ("voc", "a.xml", "<annotation>" * 1 + "<a>" * 5000 + "</a>" * 5000 + "</annotation>",
         "RecursionError"),
        ("labelme", "a.json", shape().replace("5", "1e999"), "1e999"),
        ("labelme", "a.json", shape(shape_type="mask", points=[[1, 2], [3, 4]]), "'mask'"),
        ("labelme", "a.json", shape(label="\ud800"), "surrogates"),
        ("label-studio", "a.json", result(score=0.5).replace("0.5", "NaN"), "NaN is no JSON"),
        ("label-studio", "a.json", "[" * 5000, "nested too deeply"),
        ("label-studio", "a.json", '[{"annotations": [5]}]', "is not as label-studio has it"),
        ("cvat", "a.xml", '<annotations><track id="5"><box frame="x" xtl="1" ytl="1" xbr="2" '
                          'ybr="2"/></track></annotations>', "frame: 'x'"),
        ("cvat", "a.xml", '<annotations><image name="a"><mask rle="foo" left="0" top="0" '
                          'width="1" height="1" label="x"/></image></annotations>', "rle: must"),
        ("mot", "s/gt/gt.txt", "1,1.5,2,3,4,5,1\n9999999,1,2,3,4,5,1\n", "is no track"),
        ("kitti-tracking", "label_02/0.txt", "-1 1 " + FILLED, "is no frame"),
        ("kitti-tracking", "label_02/0.txt", "1 1e30 " + FILLED, "is no track"),
        ("kitti-tracklets", "tracklet_labels.xml",
         "<boost_serialization><tracklets><item><first_frame>99999999999999999999</first_frame>"
         "<h>1</h><w>1</w><l>1</l></item></tracklets></boost_serialization>", "is no frame"),
        ("open-images", "a.bbox.csv", HEADER + "a" * 200_000 + ",,b,1,0,1,0,1\n", "field larger"),
    ],
)  # fmt: skip
def test_broken_files_are_refused(
    store: Store, tmp_path: Path, name: str, path: str, text: str, told: str
) -> None:
    (tmp_path / "in" / path).parent.mkdir(parents=True)
    (tmp_path / "in" / path).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InvalidInput, match=re.escape(told)):
        store.import_from(name, tmp_path / "in")
    assert store.staged() is None


@pytest.mark.parametrize(
    ("name", "files", "told", "left"),
    [
        ("kitti", {"label_2/a.txt": FILLED + "Car 1\n" + FILLED}, {"lines-skipped": 1}, 2),
        ("voc", {"a/a.xml": VOC.format("", BOX), "a/b.xml": "<annotation>"},
         {"files-skipped": 1}, 1),
        ("darknet", {"o.names": "car\n", "train.txt": "a.jpg\n",
                     "a.txt": "0 1 2\n0 0.5 0.5 0.1 0.1\n0 x 1 1 1\n"}, {"lines-skipped": 2}, 1),
        ("coco", {"a.json": json.dumps({
            "images": [{"id": 1}], "categories": [],
            "annotations": [{"id": 1}, {"id": 2, "image_id": 1}, 5],
        })}, {"labels-skipped": 2}, 1),
    ],
)  # fmt: skip
def test_faults_can_be_skipped_and_are_counted(
    cli: Run, tmp_path: Path, name: str, files: dict[str, str], told: dict[str, int], left: int
) -> None:
    source = made(tmp_path / "in", files)
    folder = tmp_path / "store"
    store = init_store(folder)
    stopped = cli("import", name, str(source), "--store", str(folder))
    assert stopped.returncode == 2
    assert store.staged() is None
    done = cli("import", name, str(source), "--store", str(folder), "--on-error", "skip", "--json")
    assert done.returncode == 1, done.stderr
    notices = json.loads(done.stdout)["notices"]
    assert {code: n for code, n in notices.items() if code in told} == told
    assert store.query("SELECT * FROM annotations").num_rows == left


@pytest.mark.parametrize("target", ["voc", "dota", "labelme", "kitti", "yolo", "darknet"])
def test_no_export_leaves_its_target(store: Store, tmp_path: Path, target: str) -> None:
    outside = tmp_path / "x"
    outside.mkdir()
    for suffix in ("xml", "json", "txt"):
        (outside / f"a.{suffix}").write_text("precious")
    source = made(tmp_path / "in", {
        "a.json": shape().replace("a.jpg", "..\\\\..\\\\x\\\\a.jpg"), "b.json": shape(),
    })  # fmt: skip
    store.import_from("labelme", source, message="in", commit=True)
    store.export_to(target, tmp_path / "out", allow_loss=["all"])
    assert {p.read_text() for p in outside.iterdir()} == {"precious"}
    assert len(list(outside.iterdir())) == 3
    assert any(p.is_file() for p in (tmp_path / "out").rglob("*"))


def two_images_of_one_name(folder: Path) -> Path:
    images = [{"id": i, "file_name": "a.jpg", "width": w, "height": 50}
              for i, w in ((1, 100), (2, 50))]  # fmt: skip
    boxes = [{"id": i, "image_id": i, "category_id": 1, "bbox": [i, i, 5, 5], "area": 25,
              "iscrowd": 0} for i in (1, 2)]  # fmt: skip
    classes = [{"id": 1, "name": "car"}]
    folder.mkdir()
    text = json.dumps({"images": images, "annotations": boxes, "categories": classes})
    (folder / "in.json").write_text(text)
    return folder / "in.json"


@pytest.mark.parametrize("through", ["cvat", "label-studio"])
def test_images_of_one_name_keep_their_labels(store: Store, tmp_path: Path, through: str) -> None:
    source = two_images_of_one_name(tmp_path / "in")
    store.import_from("coco", source, message="in", commit=True)
    store.export_to(through, tmp_path / "mid", allow_loss=["all"])
    back = init_store(tmp_path / "back")
    back.import_from(through, tmp_path / "mid", message="in", commit=True)
    back.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == source.read_bytes()


def test_images_that_would_become_one_are_told(store: Store, tmp_path: Path) -> None:
    source = two_images_of_one_name(tmp_path / "in")
    store.import_from("coco", source, message="in", commit=True)
    with pytest.raises(InvalidInput, match="2 images have this name"):
        store.export_to("open-images", tmp_path / "out")


def test_a_renamed_class_that_a_format_cannot_write_is_told(store: Store, tmp_path: Path) -> None:
    source = made(tmp_path / "in", {"labelTxt/a.txt": "1 2 3 2 3 4 1 4 car 0\n"})
    store.import_from("dota", source, message="in", commit=True)
    (tmp_path / "classes.yaml").write_text("classes:\n  - name: big car\n    was: car\n")
    store.apply_ontology(tmp_path / "classes.yaml")
    with pytest.raises(LossRefused, match="dota-left-out"):
        store.export_to("dota", tmp_path / "out")


def test_a_renamed_class_of_a_sequence_gets_a_number(store: Store, tmp_path: Path) -> None:
    source = made(tmp_path / "in", {"s/gt/gt.txt": "1,1,10,20,30,40,1,1,0.5\n"})
    store.import_from("mot", source, message="in", commit=True)
    (tmp_path / "classes.yaml").write_text("classes:\n  - name: dog\n    was: pedestrian\n")
    store.apply_ontology(tmp_path / "classes.yaml")
    store.export_to("mot", tmp_path / "out", allow_loss=["all"])
    names = (tmp_path / "out/s/gt/labels.txt").read_text().splitlines()
    number = int((tmp_path / "out/s/gt/gt.txt").read_text().split(",")[7])
    assert names[number - 1] == "dog"


def test_class_names_that_are_no_line_are_told(store: Store, tmp_path: Path) -> None:
    source = two_images_of_one_name(tmp_path / "in")
    text = source.read_text().replace('"a.jpg"', '"b.jpg"', 1).replace('"car"', '"a\\nb"')
    source.write_text(text)
    store.import_from("coco", source, message="in", commit=True)
    with pytest.raises(LossRefused, match="darknet-class-misread"):
        store.export_to("darknet", tmp_path / "out")


def test_keypoints_in_space_lose_their_depth_and_nothing_else(
    store: Store, tmp_path: Path
) -> None:
    with store.edit() as edit:
        edit.add([{"item": "a.jpg", "category": "man", "keypoints": [1, 2, 9, 3, 4, 8],
                   "keypoint_dims": 3, "visibility": [2, 1]}],
                 items=[{"uri": "a.jpg", "width": 10, "height": 10}],
                 categories=[{"name": "man"}])  # fmt: skip
    report = store.export_to("coco", tmp_path / "out.json", allow_loss=["all"])
    assert report.notices["coco-keypoints-flat"] == 1
    (label,) = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert label["keypoints"] == [1, 2, 2, 3, 4, 1]
    told = store.export_to("yolo", tmp_path / "out", task="pose", allow_loss=["all"])
    assert told.notices["yolo-keypoints-flat"] == 1
    assert "kpt_shape: [2, 3]" in (tmp_path / "out/data.yaml").read_text()


def test_an_export_without_its_sidecar_is_none(store: Store, tmp_path: Path) -> None:
    store.import_from("coco", TINY, message="in", commit=True)
    folder = tmp_path / "out.json.labelstore.sidecar.parquet"
    folder.mkdir()
    with pytest.raises(InvalidInput, match="is a folder, and a sidecar goes there"):
        store.export_to("label-studio", tmp_path / "out.json", allow_loss=["all"])
    assert not (tmp_path / "out.json").exists()


def test_a_sidecar_that_cannot_be_written_takes_the_export_with_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.import_from("coco", TINY, message="in", commit=True)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labelstore.exchange.sidecar.writing.write_rows", full)
    for name, target in (("yolo", tmp_path / "out"), ("label-studio", tmp_path / "out.json")):
        with pytest.raises(StorageFailed, match="No space left"):
            store.export_to(name, target, allow_loss=["all"])
        assert not target.exists()


def test_a_mask_that_cannot_be_read_is_told(store: Store, tmp_path: Path) -> None:
    mask = {"encoding": "coco_rle_list", "h": 2, "w": 2, "counts": b"\0"}
    with store.edit() as edit:
        edit.add([{"item": "a.jpg", "category": "c", "mask": mask}],
                 items=[{"uri": "a.jpg", "width": 2, "height": 2}],
                 categories=[{"name": "c"}])  # fmt: skip
    assert [f.code for f in store.check()] != []
    with pytest.raises(InvalidInput, match="labelstore check"):
        store.export_to("coco", tmp_path / "out.json", allow_loss=["all"])
    assert not (tmp_path / "out.json").exists()


def test_labels_of_images_in_turns_are_compared_with_their_own(
    store: Store, tmp_path: Path
) -> None:
    boxes = [("x", None, 1), ("y", "c", 2), ("x", "d", 4), ("y", "c", 5), ("x", "c", 5)]
    with store.edit() as edit:
        edit.add([{"item": u, "x": v, "y": v, "width": 1, "height": 2,
                   **({"category": c} if c else {})} for u, c, v in boxes],
                 items=[{"uri": u, "width": 10, "height": 10} for u in "xy"],
                 categories=[{"name": "c"}, {"name": "d"}])  # fmt: skip
    report = store.export_to("cvat", tmp_path / "out.xml", allow_loss=["all"])
    told = {c: n for c, n in report.notices.items() if "drops" not in c}
    flags = ("occluded", "occluded_scale")  # the reader of CVAT expects them of every shape
    assert told == {"cvat-left-out": 1, **{f"cvat-changes-{c}": 4 for c in flags}}


def test_absurd_numbers_of_classes_and_names_that_are_no_text(
    store: Store, tmp_path: Path
) -> None:
    source = made(tmp_path / "in", {"data.yaml": "train: images\nnc: 99999999999999999999\n",
                                    "labels/a.txt": "0 0.5 0.5 0.1 0.1\n"})  # fmt: skip
    with pytest.raises(FormatError, match="nc: must be a whole number up to 1,000,000"):
        store.import_from("yolo", source)
    task = {"data": {"image": "a.jpg"}, "annotations": [{"result": [
        {"type": "rectanglelabels", "original_width": 9, "original_height": 9,
         "value": {"x": 1, "y": 1, "width": 1, "height": 1, "rectanglelabels": [-1]}},
    ]}]}  # fmt: skip
    (tmp_path / "ls.json").write_text(json.dumps([task]))
    with pytest.raises(FormatError, match=r"value\.rectanglelabels: must be text, is -1"):
        store.import_from("label-studio", tmp_path / "ls.json")
