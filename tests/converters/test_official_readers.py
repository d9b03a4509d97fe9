"""What official readers make of our files."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from labelstore.store import init_store

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "coco/tiny_coco"


def average_precision(truth: Path, found: Path, kind: str) -> float:
    """Return COCO's average precision of a file's labels, taken for results, against another's."""
    labels: list[dict[str, Any]] = json.loads(found.read_text())["annotations"]
    told = [a for a in labels if not a.get("iscrowd") and a.get("num_keypoints", 1)]
    results = [{**label, "score": 1.0} for label in told]
    with contextlib.redirect_stdout(io.StringIO()):
        reader = COCO(str(truth))
        evaluation = COCOeval(reader, reader.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("instances_val2017.json", "bbox"),
        ("instances_val2017.json", "segm"),
        ("person_keypoints_val2017.json", "keypoints"),
    ],
)
@pytest.mark.parametrize("through", ["coco", "kitti"])
def test_an_export_has_the_precision_of_its_original(
    tmp_path: Path, name: str, kind: str, through: str
) -> None:
    """By way of another format too, whose sidecar keeps masks and keypoints."""
    first = init_store(tmp_path / "first")
    first.import_from("coco", TINY / name, message="in", commit=True)
    target = tmp_path / ("mid.json" if through == "coco" else "mid")
    first.export_to(through, target, allow_loss=["all"])
    second = init_store(tmp_path / "second")
    second.import_from(through, target, message="in", commit=True)
    second.export_to("coco", tmp_path / "out.json")
    assert average_precision(TINY / name, tmp_path / "out.json", kind) == pytest.approx(1.0)


def test_boxes_without_a_sidecar_keep_their_precision(tmp_path: Path) -> None:
    """COCO to YOLO and back, with nothing but the lines and the sizes of the images."""
    source = TINY / "instances_val2017.json"
    first = init_store(tmp_path / "first")
    first.import_from("coco", source, message="in", commit=True)
    first.export_to("yolo", tmp_path / "mid", task="detect", allow_loss=["all"], sidecar=False)
    second = init_store(tmp_path / "second")
    second.import_from("yolo", tmp_path / "mid", sizes=source, message="in", commit=True)
    second.export_to("coco", tmp_path / "out.json", allow_loss=["all"])
    found = json.loads((tmp_path / "out.json").read_text())
    truth = json.loads(source.read_text())
    names = {Path(i["file_name"]).stem: i["id"] for i in truth["images"]}
    images = {i["id"]: names[Path(i["file_name"]).stem] for i in found["images"]}
    classes = {c["id"]: t["id"] for c, t in
               zip(found["categories"], truth["categories"], strict=True)}  # fmt: skip
    for label in found["annotations"]:
        label["image_id"] = images[label["image_id"]]
        label["category_id"] = classes[label["category_id"]]
    (tmp_path / "mapped.json").write_text(json.dumps(found))
    assert average_precision(source, tmp_path / "mapped.json", "bbox") == pytest.approx(1.0)


def test_kitti_lines_have_the_columns_of_the_development_kit(tmp_path: Path) -> None:
    """Of a COCO file's boxes: 15 columns, those of no use with the kit's fillers."""
    store = init_store(tmp_path / "store")
    store.import_from("coco", TINY / "instances_val2017.json", message="in", commit=True)
    store.export_to("kitti", tmp_path / "out", allow_loss=["all"])
    rows = [line.split() for path in (tmp_path / "out/label_2").rglob("*.txt")
            for line in path.read_text().splitlines()]  # fmt: skip
    assert len(rows) == 382
    for row in rows:
        numbers = np.array(row[-14:], float)
        assert numbers[:3].tolist() == [-1, -1, -10]
        assert numbers[7:].tolist() == [-1, -1, -1, -1000, -1000, -1000, -10]
        assert (numbers[3:5] <= numbers[5:7]).all()
