"""Panoptic files come back with every pixel and segment, and instances become segments."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labelstore.errors import FormatError
from labelstore.store import Store, init_store

DATA = Path(__file__).parents[1] / "data/coco"
SETS = {
    "samples": DATA / "panoptic_samples/panoptic_examples.json",
    "train": DATA / "datumaro_assets/panoptic_train.json",
    "val": DATA / "datumaro_assets/panoptic_val.json",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return init_store(tmp_path / "store")


def ids(path: Path) -> np.ndarray:
    """Return the ids of a PNG, as panopticapi reads it."""
    colours = np.asarray(Image.open(path).convert("RGB"), np.uint32)
    found: np.ndarray = colours[..., 0] + 256 * colours[..., 1] + 256**2 * colours[..., 2]
    return found


def quality(truth: Path, found: Path) -> tuple[float, int]:
    """Return panoptic quality by panopticapi's rules, and how many segments match.

    A pair of segments of one class matches above an IoU of 0.5; an id that only one of PNG and
    JSON has is an error.
    """
    sides: list[dict[str, Any]] = [json.loads(path.read_text()) for path in (truth, found)]
    total, matched, count = 0.0, 0, 0
    for pair in zip(*(side["annotations"] for side in sides), strict=True):
        images = [ids(path.with_suffix("") / record["file_name"])
                  for path, record in zip((truth, found), pair, strict=True)]  # fmt: skip
        segments = [{s["id"]: s for s in record["segments_info"]} for record in pair]
        for image, own in zip(images, segments, strict=True):
            assert set(np.unique(image).tolist()) - {0} == set(own)
        for number, segment in segments[0].items():
            count += 1
            for other, candidate in segments[1].items():
                if candidate["category_id"] == segment["category_id"]:
                    a, b = images[0] == number, images[1] == other
                    iou = (a & b).sum() / (a | b).sum()
                    total, matched = total + (iou if iou > 0.5 else 0), matched + int(iou > 0.5)
    return total / count, matched


@pytest.mark.parametrize("name", SETS)
def test_real_files_come_back_with_every_pixel(store: Store, tmp_path: Path, name: str) -> None:
    store.import_from("coco-panoptic", SETS[name], message="in", commit=True)
    target = tmp_path / "out.json"
    store.export_to("coco-panoptic", target)
    assert json.dumps(json.loads(target.read_text())) == json.dumps(
        json.loads(SETS[name].read_text())
    )
    for path in SETS[name].with_suffix("").glob("*.png"):
        np.testing.assert_array_equal(ids(path), ids(target.with_suffix("") / path.name))
    assert quality(SETS[name], target)[0] == 1.0
    assert not [f for f in store.check() if f.severity == "error"]
    assert not store.import_from("coco-panoptic", SETS[name], mode="update").changed


def test_the_sample_is_byte_equal(store: Store, tmp_path: Path) -> None:
    store.import_from("coco-panoptic", SETS["samples"], message="in", commit=True)
    store.export_to("coco-panoptic", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == SETS["samples"].read_bytes()


def test_masks_are_those_of_the_detection_file(store: Store, tmp_path: Path) -> None:
    """panopticapi wrote the same segments as detections with compressed runs."""
    store.import_from("coco-panoptic", SETS["samples"], message="in", commit=True)
    found = store.query("SELECT mask.counts AS counts FROM geometries").column(0).to_pylist()
    other = json.loads((DATA / "panoptic_samples/panoptic_coco_detection_format.json").read_text())
    listed = other if isinstance(other, list) else other["annotations"]
    assert sorted(c.decode() for c in found) == sorted(a["segmentation"]["counts"] for a in listed)


def test_instances_become_segments_and_come_back(store: Store, tmp_path: Path) -> None:
    source = DATA / "tiny_coco/instances_val2017.json"
    store.import_from("coco", source, message="in", commit=True)
    report = store.export_to("coco-panoptic", tmp_path / "pan.json", allow_loss=["all"])
    assert report.notices["coco-panoptic-outlines-as-pixels"] == 377
    assert report.notices["coco-panoptic-overlaps"] > 0
    back = init_store(tmp_path / "back")
    back.import_from("coco-panoptic", tmp_path / "pan.json", message="in", commit=True)
    back.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == source.read_bytes()


def test_faults_and_what_is_unusual_are_named(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "pan.json"
    shutil.copytree(SETS["samples"].with_suffix(""), tmp_path / "pan")
    found = json.loads(SETS["samples"].read_text())
    first, second = found["annotations"]
    gone = first["segments_info"].pop()
    (tmp_path / "pan" / second["file_name"]).unlink()
    target.write_text(json.dumps(found))
    report = store.import_from("coco-panoptic", target, message="in", commit=True)
    assert report.notices["coco-panoptic-id-unlisted"] == 1
    assert report.notices["coco-panoptic-png-missing"] == 1
    store.export_to("coco-panoptic", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == found
    assert gone["id"] in ids(tmp_path / "out" / first["file_name"])
    first["segments_info"].append({**first["segments_info"][0]})
    second["segments_info"][0]["id"] = "x"
    del second["file_name"]
    target.write_text(json.dumps(found))
    with pytest.raises(FormatError) as caught:
        store.import_from("coco-panoptic", target, mode="update")
    told = str(caught.value)
    assert "annotations[0], segments_info: two segments have one id" in told
    assert "annotations[1], file_name: missing" in told
    assert "annotations[1], segments_info[0], id: must be a whole number" in told
