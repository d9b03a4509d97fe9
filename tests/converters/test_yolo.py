"""YOLO data sets come back byte for byte, and go out by the rules of their official reader."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from trips import there_and_back

from labelstore.errors import FormatError, InvalidInput, LossRefused
from labelstore.store import Store, init_store
from labelstore_converters.yolo import Yolo

DATA = Path(__file__).parents[1] / "data"
SETS = ("labelformat_segment", "datumaro_roboflow")


def texts(folder: Path) -> dict[str, bytes]:
    """Return the text files of a data set."""
    found = (p for p in folder.rglob("*") if p.suffix in (".txt", ".yaml"))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def dataset(folder: Path, labels: Mapping[str, str | None], yaml: str = "", **images: Any) -> Path:
    """Make a data set of images of 640 x 480 and their label files."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text(yaml or "train: images\nval: images\nnames: [car, person]\n")
    for name, text in labels.items():
        Image.new("L", images.get("size", (640, 480))).save(folder / f"images/{name}.png")
        if text is not None:
            (folder / f"labels/{name}.txt").write_text(text, newline="")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return init_store(tmp_path / "store")


@pytest.mark.parametrize("name", SETS)
def test_real_data_sets_come_back_byte_for_byte(store: Store, tmp_path: Path, name: str) -> None:
    store.import_from("yolo", DATA / "yolo" / name, message="in", commit=True, tag="v1")
    store.export_to("yolo", tmp_path / "out", at="v1")
    assert texts(tmp_path / "out") == texts(DATA / "yolo" / name)
    assert not [f for f in store.check(at="v1") if f.severity == "error"]


NUMBER = st.floats(0, 1)
STYLE = st.sampled_from(["%.6f", "%g", "%r", "%.4f", "%.17g", "%.16f", "%.6e"])
GAP = st.sampled_from([" ", " ", " ", "  ", "\t"])


@st.composite
def line(draw: st.DrawFn) -> str:
    count = draw(st.sampled_from([4, 4, 5, 6, 8, 10, 11]))
    style = draw(STYLE)
    numbers = [style % n for n in draw(st.lists(NUMBER, min_size=count, max_size=count))]
    end = draw(st.sampled_from(["", "", "", " ", "\r"]))
    return draw(GAP).join([draw(st.sampled_from(["0", "1", "1.0", "01"])), *numbers]) + end


TEXT = st.none() | st.builds(
    lambda lines, end: "\n".join(lines) + end,
    st.lists(line() | st.sampled_from(["", " "]), max_size=5),
    st.sampled_from(["", "\n", "\n\n"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=3), st.integers(10, 5000), st.integers(10, 5000))
@example(["0 0.1 0.2 0.3 0.4 ", "", "\n"], 640, 480)
@example(["1 .5 5e-1 +0.5 1.\n0 0.5 0.5 0.5 0.5"], 641, 427)
def test_any_lines_come_back_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, given_: list[str | None], width: int, height: int
) -> None:
    folder = tmp_path_factory.mktemp("yolo")
    labels = {f"i{i}": text for i, text in enumerate(given_)}
    source = dataset(folder / "in", labels, size=(width, height))
    there_and_back(Yolo(), source, folder / "out")
    assert texts(folder / "out") == texts(source)
    shutil.rmtree(folder)


def test_boxes_are_in_pixels_of_their_image(store: Store, tmp_path: Path) -> None:
    labels = {"a": "1 0.5 0.25 0.1 0.2\n0 0.1 0.1 0.2 0.1 0.2 0.2\n", "b": "", "c": None}
    store.import_from("yolo", dataset(tmp_path / "in", labels))
    rows = store.query("SELECT category, kind, box, box_form, polygons, frame FROM labels "
                       "ORDER BY annotation_id").to_pylist()  # fmt: skip
    assert [(r["category"], r["kind"], r["frame"]) for r in rows] == [
        ("person", "box", None), ("car", "polygon", None)
    ]  # fmt: skip
    assert (list(rows[0]["box"].values()), rows[0]["box_form"]) == ([320, 120, 64, 96], "cxcywh")
    assert rows[1]["polygons"] == [[64.0, 48.0, 128.0, 48.0, 128.0, 96.0]]
    states = store.query("SELECT labelled_state AS s FROM items ORDER BY uri").to_pylist()
    assert [r["s"] for r in states] == ["labelled", "empty_file", "listed_no_file"]


def test_without_an_image_coordinates_stay_parts_of_it(store: Store, tmp_path: Path) -> None:
    source = dataset(tmp_path / "in", {"a": "0 0.5 0.5 0.25 0.25\n"})
    (source / "images/a.png").unlink()
    report = store.import_from("yolo", source)
    assert report.notices == {"yolo-image-missing": 1}
    (row,) = store.query("SELECT uri, box, frame FROM labels").to_pylist()
    assert (row["uri"], row["frame"], row["box"]["v2"]) == ("images/a", "unit", 0.25)
    with pytest.raises(LossRefused, match="coco-not-in-pixels"):
        store.export_to("coco", tmp_path / "out.json")


def test_a_jpeg_on_its_side_is_measured_as_it_is_shown(store: Store, tmp_path: Path) -> None:
    source = dataset(tmp_path / "in", {})
    (source / "labels/a.txt").write_text("0 0.500000 0.250000 0.100000 0.200000\n")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (640, 480)).save(source / "images/a.jpg", exif=exif)
    store.import_from("yolo", source)
    (row,) = store.query(
        "SELECT i.width, i.height, i.exif_orientation AS turn, l.box FROM labels l "
        "JOIN items i USING (item_id)"
    ).to_pylist()
    assert (row["width"], row["height"], row["turn"]) == (640, 480, 6)
    assert list(row["box"].values()) == [240, 160, 48, 128]
    store.export_to("yolo", tmp_path / "out")
    assert texts(tmp_path / "out") == texts(source)
    store.export_to(
        "coco", tmp_path / "out.json", allow_loss=["coco-drops-items.exif_orientation"]
    )
    told = json.loads((tmp_path / "out.json").read_text())
    assert (told["images"][0]["width"], told["images"][0]["height"]) == (480, 640)
    assert told["annotations"][0]["bbox"] == [216, 96, 48, 128]


POSE = "train: images\nval: images\nnames: [person]\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\n"


def test_keypoints_and_corners(store: Store, tmp_path: Path) -> None:
    text = (
        "0 0.5 0.5 0.2 0.2 0.4 0.4 2 0.000000 0.000000 0\n0 0.5 0.5 0.2 0.2 0.4 0.4 0.75 0 0 0.5"
    )
    source = dataset(tmp_path / "pose", {"a": text}, POSE)
    report = store.import_from("yolo", source)
    assert report.notices == {"yolo-keypoint-scores": 1}
    rows = store.query("SELECT kind, visibility, keypoint_scores AS scores FROM labels "
                       "ORDER BY annotation_id").to_pylist()  # fmt: skip
    assert rows == [
        {"kind": "keypoints", "visibility": [2, 0], "scores": None},
        {"kind": "keypoints", "visibility": None, "scores": [0.75, 0.5]},
    ]
    store.export_to("yolo", tmp_path / "out")
    assert texts(tmp_path / "out") == texts(source)
    with pytest.raises(LossRefused, match=r"coco-visibility-unknown +1 "):
        store.export_to("coco", tmp_path / "out.json")
    with pytest.raises(LossRefused, match="yolo-drops-keypoints"):
        store.export_to("yolo", tmp_path / "boxes", task="detect")
    with pytest.raises(LossRefused, match=r"yolo-shapes-left-out +2 "):
        store.export_to("yolo", tmp_path / "corners", task="obb")
    corners = dataset(tmp_path / "obb", {"a": "1 0 0 0.5 0 0.5 0.5 0 0.5\n"})
    store.import_from("yolo", corners, task="obb", layer="turned")
    store.export_to("yolo", tmp_path / "turned", layer="turned")
    assert texts(tmp_path / "turned") == texts(corners)
    (row,) = store.query("SELECT kind, corners FROM labels WHERE layer = 'turned'").to_pylist()
    assert row == {"kind": "corners", "corners": [0, 0, 320, 0, 320, 240, 0, 240]}


def test_an_edit_changes_its_line_alone(store: Store, tmp_path: Path) -> None:
    text = "0 0.50 0.500000 0.1 0.1\n1 0.300000 0.300000 0.100000 0.100000\n0  0.2 0.2 0.1 0.1\n"
    source = dataset(tmp_path / "in", {"a": text})
    store.import_from("yolo", source, message="in", commit=True)
    with store.edit() as edit:
        box = "{'v0': 192.0, 'v1': 144.0, 'v2': 32.0, 'v3': 48.0}"
        edit.update(where="category = 'person'", set={"box": box})
        edit.update(where="box.v0 < 150", set={"category": "'person'"})
    store.export_to("yolo", tmp_path / "out")
    said = (tmp_path / "out/labels/a.txt").read_text().splitlines()
    assert said == ["0 0.50 0.500000 0.1 0.1", "1 0.3 0.3 0.05 0.1", "1 0.2 0.2 0.1 0.1"]


def test_the_same_delivery_again_is_no_change(store: Store, tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.1 0.1\n1 0.3 0.3 0.1 0.1\n"
    store.import_from("yolo", dataset(tmp_path / "in", {"a": text}), message="in", commit=True)
    report = store.import_from("yolo", tmp_path / "in", mode="update")
    assert not report.changed


@pytest.mark.parametrize(
    ("labels", "yaml", "said"),
    [
        ({"a": "0 0.5 0.5\n0 0.5 0.5 0.5 x\n"}, "",
         ["labels/a.txt, line 1: has 3 columns", "labels/a.txt, line 2: column 5: 'x' is no"]),
        ({"a": "0.5 0.5 0.5 0.5 0.5"}, "", ["labels/a.txt, line 1: column 1: '0.5' is no class"]),
        ({"a": "0 nan 0 0 1e999"}, "", ["column 2: 'nan'", "column 5: '1e999'"]),
        ({"a": ""}, "names: 5\nnc: x\nkpt_shape: [1]\n",
         ["nc: must be a whole number", "names: must be a list", "kpt_shape: must be"]),
        ({"a": ""}, "train: images\nnames: {0: a, 2: b}\n", ["names: its keys must be 0 to 1"]),
        ({"a": ""}, "train: images\nnames: [a]\nnc: 2\n", ["names: 1 of them, and `nc` is 2"]),
        ({"a": ""}, "train: [images\n", ["line 2: "]),
        ({}, "train: images\nnames: [a]\n", ["no images and no label files"]),
    ],
)  # fmt: skip
def test_every_fault_is_told_with_file_and_line(
    store: Store, tmp_path: Path, labels: dict[str, str | None], yaml: str, said: list[str]
) -> None:
    source = dataset(tmp_path / "in", labels, yaml)
    with pytest.raises(FormatError) as caught:
        store.import_from("yolo", source)
    assert len(caught.value.faults) == len(said), caught.value.faults
    for fault, words in zip(caught.value.faults, said, strict=True):
        assert words in fault
    assert store.staged() is None


def test_a_class_beyond_the_list_is_a_placeholder(store: Store, tmp_path: Path) -> None:
    source = dataset(tmp_path / "in", {"a": "7 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1\n"})
    report = store.import_from("yolo", source)
    assert report.notices["unlisted-categories"] == 1
    store.export_to("yolo", tmp_path / "out")
    assert texts(tmp_path / "out") == texts(source)


COCO = DATA / "coco/labelformat_masks/instances.json"


def read_by_the_rules(folder: Path, names: int) -> dict[str, list[list[float]]]:
    """Read label files as the official reader does, and refuse what it refuses.

    Five columns a line, or all lines outlines of at least three points; parts of the image between
    0 and 1; classes below their number; no line twice.
    """
    found = {}
    for path in sorted((folder / "labels").rglob("*.txt")):
        rows = [[float(n) for n in text.split()] for text in path.read_text().splitlines()]
        outlines = any(len(row) > 6 for row in rows)
        for row in rows:
            assert len(row) == 5 or (outlines and len(row) >= 7 and len(row) % 2 == 1)
            assert not (outlines and len(row) == 5)
            assert all(0 <= n <= 1 for n in row[1:])
            assert row[0] == int(row[0]) < names
        assert len({tuple(r) for r in rows}) == len(rows)
        found[path.stem] = rows
    return found


@pytest.mark.parametrize("task", ["detect", "segment"])
def test_coco_goes_out_by_the_rules(store: Store, tmp_path: Path, task: str) -> None:
    store.import_from("coco", COCO)
    with pytest.raises(LossRefused, match=r"(?s)yolo-drops-area .*yolo-drops-source_id"):
        store.export_to("yolo", tmp_path / "out", task=task)
    assert not (tmp_path / "out").exists()
    store.export_to("yolo", tmp_path / "out", task=task, allow_loss=["all"])
    told = json.loads(COCO.read_text())
    found = read_by_the_rules(tmp_path / "out", len(told["categories"]))
    sizes = {i["id"]: i for i in told["images"]}
    for image in sizes.values():
        own = [a for a in told["annotations"] if a["image_id"] == image["id"]]
        rows = found[Path(image["file_name"]).stem]
        sides = [image["width"], image["height"]]
        wanted = []
        for label in own:
            x, y, w, h = label["bbox"]
            rings = label["segmentation"] if task == "segment" else [[x + w / 2, y + h / 2, w, h]]
            wanted += [np.array(r).reshape(-1, 2) for r in rings]
        assert len(rows) == len(wanted)
        for row, pixels in zip(rows, wanted, strict=True):
            assert np.abs(np.array(row[1:]).reshape(-1, 2) * sides - pixels).max() < 1e-9


def test_coco_and_yolo_of_the_same_outlines_agree(store: Store, tmp_path: Path) -> None:
    """The two files hold the same objects; YOLO's has six digits."""
    store.import_from("coco", COCO)
    store.export_to("yolo", tmp_path / "out", allow_loss=["all"])
    for path in (DATA / "yolo/labelformat_segment/labels").glob("*.txt"):
        own = (tmp_path / "out/labels" / path.name).read_text().splitlines()
        theirs = path.read_text().splitlines()
        assert len(own) == len(theirs)
        for mine, other in zip(own, theirs, strict=True):
            numbers = [np.array([float(n) for n in text.split()]) for text in (mine, other)]
            assert numbers[0].shape == numbers[1].shape
            assert np.abs(numbers[0] - numbers[1]).max() < 1e-6


def test_yolo_goes_out_as_coco(store: Store, tmp_path: Path, cli: Run) -> None:
    labels = {"a": "1 0.5 0.25 0.1 0.2\n", "b": "0 0.1 0.1 0.2 0.1 0.2 0.2\n"}
    store.import_from("yolo", dataset(tmp_path / "in", labels))
    out = tmp_path / "out.json"
    done = cli("export", "coco", out, "--store", store.workspace.folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(out.read_text())
    assert [i["file_name"] for i in told["images"]] == ["images/a.png", "images/b.png"]
    first, second = told["annotations"]
    assert (first["id"], first["image_id"], first["category_id"]) == (1, 1, 2)
    assert (first["bbox"], first["area"], first["iscrowd"]) == ([288, 72, 64, 96], 6144, 0)
    assert second["segmentation"] == [[64, 48, 128, 48, 128, 96]]
    assert second["bbox"] == [64, 48, 64, 48]


def test_labels_by_hand_go_out(store: Store, tmp_path: Path) -> None:
    with store.edit() as edit:
        edit.add([{"item": "a.jpg", "category": "car", "x": 1, "y": 2, "width": 3, "height": 4}],
                 items=[{"uri": "a.jpg", "width": 10, "height": 10}, {"uri": "b.jpg"}],
                 categories=[{"name": "car"}])  # fmt: skip
    store.export_to("coco", tmp_path / "out.json")
    told = json.loads((tmp_path / "out.json").read_text())
    assert (len(told["images"]), told["annotations"][0]["bbox"]) == (2, [1, 2, 3, 4])
    store.export_to("yolo", tmp_path / "yolo", allow_loss=["all"])
    assert texts(tmp_path / "yolo")["labels/a.txt"] == b"0 0.25 0.4 0.3 0.4\n"


def test_what_cannot_be_written_is_told(store: Store, tmp_path: Path) -> None:
    with store.edit() as edit:
        edit.add([{"item": u, "category": "car", "x": 1, "y": 2, "width": 3, "height": 4}
                  for u in ("a.jpg", "a.png")],
                 items=[{"uri": u, "width": 9, "height": 9} for u in ("a.jpg", "a.png", "b.jpg")],
                 categories=[{"name": "car"}])  # fmt: skip
        edit.add([{"item": "a.png", "category": "car", "x": 2, "y": 2, "width": 3, "height": 4}])
    with pytest.raises(InvalidInput, match="would share this file; rename one"):
        store.export_to("yolo", tmp_path / "out", allow_loss=["all"])
    with store.edit() as edit:
        edit.delete(where="uri = 'a.png'")
    with pytest.raises(InvalidInput, match="has no task 'depth'"):
        store.export_to("yolo", tmp_path / "out", task="depth")
    assert not (tmp_path / "out").exists()


def test_a_file_becomes_another_without_a_store(tmp_path: Path, cli: Run) -> None:
    out = tmp_path / "out"
    words = ("convert", COCO, out, "--from", "coco", "--to", "yolo", "--task", "detect")
    refused = cli(*words, cwd=tmp_path)
    assert (refused.returncode, out.exists()) == (1, False)
    assert "yolo-drops-area" in refused.stderr
    done = cli(*words, "--allow-loss", "all", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["export"]["annotations"] == 3
    assert list(tmp_path.iterdir()) == [out]


def test_formats_say_what_they_hold(cli: Run) -> None:
    told = json.loads(cli("formats", "--json").stdout)["formats"]
    kinds = {(f["format"], f["task"]): set(f["kinds"]) for f in told}
    assert kinds["coco", None] >= {"box", "polygon", "mask", "keypoints", "text"}
    assert kinds["yolo", "obb"] == {"corners", "rotated_box"}
    assert "polygon  " in cli("formats").stdout


NAMES = "train: images\nval: images\nnames: [car, person, dog]\n"


def exported(store: Store, target: Path, **options: Any) -> dict[str, str]:
    store.export_to("yolo", target, allow_loss=["all"], **options)
    return {name: text.decode() for name, text in texts(target).items()}


def test_classes_and_lines_have_one_numbering(store: Store, tmp_path: Path) -> None:
    lines = "".join(f"{c} 0.5 0.5 0.1 0.{c + 1}\n" for c in range(3))
    store.import_from(
        "yolo", dataset(tmp_path / "in", {"a": lines}, NAMES), message="in", commit=True
    )
    (tmp_path / "c.yaml").write_text("classes: [{name: person, merge: [car]}]")
    store.apply_ontology(tmp_path / "c.yaml")
    found = exported(store, tmp_path / "merged")
    assert "0: person\n  1: dog" in found["data.yaml"]
    assert [t[0] for t in found["labels/a.txt"].splitlines()] == ["0", "0", "1"]


def test_an_unlisted_class_keeps_its_number_and_a_new_one_follows(
    store: Store, tmp_path: Path
) -> None:
    store.import_from("yolo", dataset(tmp_path / "in", {"a": "7 0.5 0.5 0.1 0.1\n"}, NAMES))
    with store.edit() as edit:
        edit.add([{"uri": "images/a.png", "category": "cat", "x": 1, "y": 1, "width": 2,
                   "height": 2}], categories=[{"name": "cat"}])  # fmt: skip
    found = exported(store, tmp_path / "out")
    assert "3: cat" in found["data.yaml"]
    assert [t[0] for t in found["labels/a.txt"].splitlines()] == ["7", "3"]


def test_a_data_set_without_labels(store: Store, tmp_path: Path) -> None:
    source = dataset(tmp_path / "in", {"a": "", "b": None})
    assert store.import_from("yolo", source).annotations == 0
    assert exported(store, tmp_path / "out") == {n: t.decode() for n, t in texts(source).items()}


def test_labels_without_class_are_told_and_left_out(store: Store, tmp_path: Path) -> None:
    with store.edit() as edit:
        edit.add([{"item": "a.jpg", "x": 1, "y": 2, "width": 3, "height": 4}],
                 items=[{"uri": "a.jpg", "width": 10, "height": 10}])  # fmt: skip
    with pytest.raises(LossRefused) as caught:
        store.export_to("yolo", tmp_path / "out")
    assert re.search("yolo-without-class +1 labels of no class; left out", str(caught.value))
    assert "source_id" not in str(caught.value)
    assert exported(store, tmp_path / "out")["labels/a.txt"] == ""


COCO_LABEL = {"id": 1, "image_id": 1, "category_id": 1, "area": 1.0, "iscrowd": 0}


def from_coco(store: Store, path: Path, labels: list[dict[str, Any]], **category: Any) -> None:
    told = {"images": [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 50}],
            "categories": [{"id": 1, "name": "yes", **category}, {"id": 2, "name": "1:30"}],
            "annotations": [{**COCO_LABEL, "id": i, **a}
                            for i, a in enumerate(labels, 1)]}  # fmt: skip
    path.write_text(json.dumps(told))
    store.import_from("coco", path)


def test_names_read_back_as_they_are(store: Store, tmp_path: Path) -> None:
    from_coco(store, tmp_path / "in.json", [{"bbox": [1, 2, 3, 4]}])
    exported(store, tmp_path / "out")
    names = Yolo().open(tmp_path / "out").categories().column("name").to_pylist()
    assert names == ["yes", "1:30"]
    assert "path" not in (tmp_path / "out/data.yaml").read_text()


def test_what_its_reader_would_refuse_or_misread_is_told(store: Store, tmp_path: Path) -> None:
    labels: list[dict[str, Any]] = [
        {"bbox": [90, 40, 50, 50]},
        {"bbox": [1, 2, 2, 2], "segmentation": [[1, 2, 3, 4]]},
        {"bbox": [0, 0, 4, 4], "segmentation": [[0, 0, 4, 0, 4, 4], [1, 2, 3, 4]]},
    ]
    from_coco(store, tmp_path / "in.json", labels)
    with pytest.raises(LossRefused) as caught:
        store.export_to("yolo", tmp_path / "out", task="segment")
    for code, count in (("outside-image", 1), ("rings-too-short", 2), ("shapes-left-out", 1)):
        assert re.search(f"yolo-{code} +{count} ", str(caught.value))
    lines = exported(store, tmp_path / "out")["labels/a.txt"].splitlines()
    assert [len(t.split()) for t in lines] == [9, 7]


def test_poses_have_one_number_of_points(store: Store, tmp_path: Path) -> None:
    points = {"keypoints": [1, 2, 2, 3, 4, 0], "num_keypoints": 1, "bbox": [0, 0, 5, 5]}
    from_coco(store, tmp_path / "in.json", [{**points, "category_id": 2}])
    found = exported(store, tmp_path / "out")
    assert "kpt_shape: [2, 3]" in found["data.yaml"]
    assert len(found["labels/a.txt"].split()) == 11
    other = init_store(tmp_path / "other")
    from_coco(other, tmp_path / "in2.json", [points, {**points, "keypoints": [1, 2, 2]}])
    with pytest.raises(InvalidInput, match="objects have 1 x 3, 2 x 3 numbers of keypoints"):
        exported(other, tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def test_lists_of_images_come_back(store: Store, tmp_path: Path) -> None:
    source = dataset(tmp_path / "in", {"a": None, "b": "0 0.5 0.5 0.1 0.1\n"},
                     "train: train.txt\nval: images\nnames: [car]\n")  # fmt: skip
    (source / "train.txt").write_text("./images/b.png\nimages/a.png\n")
    store.import_from("yolo", source)
    uris = store.query("SELECT uri FROM items ORDER BY sources[1].seq").to_pylist()
    assert [r["uri"] for r in uris] == ["images/b.png", "images/a.png"]
    assert exported(store, tmp_path / "out") == {n: t.decode() for n, t in texts(source).items()}


@pytest.mark.parametrize("end", ["\r", "\x0c", "\r\n"])
def test_any_end_of_a_line_ends_a_label(store: Store, tmp_path: Path, end: str) -> None:
    text = f"0 0.5 0.5 0.1 0.1{end}1 0.3 0.3 0.1 0.1{end}"
    source = dataset(tmp_path / "in", {"a": text})
    assert store.import_from("yolo", source, message="in", commit=True).annotations == 2
    assert exported(store, tmp_path / "out")["labels/a.txt"] == text
    with store.edit() as edit:
        edit.update(where="category = 'car'", set={"category": "'person'"})
    edited = exported(store, tmp_path / "edited")["labels/a.txt"]
    assert edited.startswith("1 0.5 0.5 0.1 0.1" + ("\r\n" if end == "\r\n" else "\n"))


def test_a_folder_below_that_of_the_yaml(store: Store, tmp_path: Path) -> None:
    dataset(tmp_path / "in/sub", {"a": "0 0.5 0.5 0.1 0.1\n"})
    (tmp_path / "in/sub/data.yaml").rename(tmp_path / "in/data.yaml")
    with open(tmp_path / "in/data.yaml", "a") as file:
        file.write("path: sub\n")
    (tmp_path / "in/sub/labels/classes.txt").write_text("car\nperson\n")
    (tmp_path / "in/sub/images/._a.png").write_bytes(b"")
    store.import_from("yolo", tmp_path / "in")
    assert sorted(exported(store, tmp_path / "out")) == ["data.yaml", "sub/labels/a.txt"]
    assert store.query("SELECT count(*) AS n FROM items").to_pylist() == [{"n": 1}]


def test_a_set_that_says_its_task_comes_back_whatever_its_lines_are(
    store: Store, tmp_path: Path
) -> None:
    lines = "0 0.5 0.5 0.1 0.1\n1 0.1 0.1 0.2 0.1 0.2 0.2\n"
    source = dataset(tmp_path / "in", {"a": lines}, f"{NAMES}task: segment\n")
    store.import_from("yolo", source, task="detect")
    store.export_to("yolo", tmp_path / "out")
    assert texts(tmp_path / "out") == texts(source)


def test_where_no_size_is_known_nothing_is_told_to_be_outside(
    store: Store, tmp_path: Path
) -> None:
    with store.edit() as edit:
        edit.add([{"item": "a.jpg", "category": "car", "x": 1, "y": 2, "width": 3, "height": 4}],
                 items=[{"uri": "a.jpg"}], categories=[{"name": "car"}])  # fmt: skip
    with pytest.raises(InvalidInput, match="nobody knows width and height"):
        store.export_to("yolo", tmp_path / "out", allow_loss=["all"])
    assert not (tmp_path / "out").exists()


def test_an_obb_set_stays_one(store: Store, tmp_path: Path) -> None:
    source = dataset(tmp_path / "in", {"a": "1 0 0 0.5 0 0.5 0.5 0 0.5\n"})
    store.import_from("yolo", source, task="obb", message="in", commit=True)
    assert not store.import_from("yolo", source, mode="update").changed
    with store.edit() as edit:
        edit.add([{"uri": "images/a.png", "category": "car", "cx": 320, "cy": 240, "width": 64,
                   "height": 48, "angle": 0.0}])  # fmt: skip
    lines = exported(store, tmp_path / "out")["labels/a.txt"].splitlines()
    assert lines == ["1 0 0 0.5 0 0.5 0.5 0 0.5", "0 0.45 0.45 0.55 0.45 0.55 0.55 0.45 0.55"]
