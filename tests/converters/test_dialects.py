"""What tools make of COCO comes back as they wrote it, and is found where one looks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelstore.store import Store, init_store

BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1.5, 2.0, 30.25, 40.0], "area": 1210.0}
IMAGE = {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}
CLASS = {"id": 1, "name": "car"}


def document(
    *,
    image: dict[str, Any] | None = None,
    label: dict[str, Any] | None = None,
    category: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a COCO document of one image, label and class, with further keys."""
    return {
        **more, "images": [{**IMAGE, **(image or {})}],
        "annotations": [{**BOX, **(label or {})}], "categories": [{**CLASS, **(category or {})}],
    }  # fmt: skip


LVIS = {
    "info": {"description": "LVIS v1", "year": 2019},
    "images": [{"id": 285, "width": 640, "height": 480, "license": 4,
                "coco_url": "http://images.cocodataset.org/train2017/000000000285.jpg",
                "neg_category_ids": [899, 127], "not_exhaustive_category_ids": []}],
    "annotations": [{"area": 67.5, "id": 1, "image_id": 285, "category_id": 3,
                     "segmentation": [[1.0, 1.0, 16.0, 1.0, 16.0, 10.0, 1.0, 1.0]],
                     "bbox": [1.0, 1.0, 15.0, 9.0]}],
    "categories": [{"id": 3, "name": "airplane", "synset": "airplane.n.01", "frequency": "f",
                    "synonyms": ["airplane", "aeroplane"], "def": "an aircraft",
                    "image_count": 1907, "instance_count": 3502}],
}  # fmt: skip
CVAT = document(
    licenses=[{"name": "", "id": 0, "url": ""}],
    info={"contributor": "", "date_created": "", "description": "", "url": "", "version": "",
          "year": ""},
    image={"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0},
    label={"segmentation": [], "iscrowd": 0,
           "attributes": {"occluded": False, "rotation": 30.0, "track_id": 4, "keyframe": True}},
    category={"supercategory": ""},
)  # fmt: skip
DATUMARO = document(label={"segmentation": [], "iscrowd": 0, "score": 0.5, "attributes": {"x": 1}})
LABEL_STUDIO = {
    "images": [{"width": 800, "height": 600, "id": 0, "file_name": "images/3f2b-cat.jpg"}],
    "categories": [{"id": 0, "name": "Cat"}],
    "annotations": [{"id": 0, "image_id": 0, "category_id": 0, "segmentation": [],
                     "bbox": [10.0, 20.0, 30.0, 40.0], "ignore": 0, "iscrowd": 0, "area": 1200.0}],
    "info": {"year": 2024, "version": "1.0", "contributor": "Label Studio", "description": "",
             "url": "", "date_created": "2024-01-01 00:00:00.000000"},
}  # fmt: skip
ROBOFLOW = document(
    info={"year": "2024", "version": "1", "description": "Exported from roboflow.com"},
    licenses=[{"id": 1, "url": "https://creativecommons.org/licenses/by/4.0/", "name": "CC"}],
    image={"license": 1, "date_captured": "2024-01-01T10:00:00+00:00",
           "file_name": "a_jpg.rf.0f1e2d3c.jpg", "extra": {"name": "a.jpg", "tags": ["x"]}},
    label={"segmentation": [], "iscrowd": 0}, category={"supercategory": "none"},
)  # fmt: skip
SUPERVISELY = document(image={"id": 0}, label={"id": 0, "image_id": 0, "segmentation": []})
SAHI = document(label={"segmentation": [], "iscrowd": 0, "score": 0.25, "ignore": 0})
MONO3D = document(
    image={"id": "8fb0_CAM", "cam_intrinsic": [[1266.4, 0.0, 816.2], [0.0, 1266.4, 491.5]],
           "cam2ego_rotation": [0.5, -0.5, 0.5, -0.5], "token": "8fb0"},
    label={"image_id": "8fb0_CAM", "bbox_cam3d": [1.0, 2.0, 30.0, 4.5, 1.6, 1.9, -1.5],
           "velo_cam3d": [0.1, -0.2], "center2d": [820.0, 490.0, 30.0], "attribute_id": 6},
)  # fmt: skip
TAO = document(
    videos=[{"id": 3, "name": "train/LaSOT/car", "width": 640, "height": 480}],
    tracks=[{"id": 9, "category_id": 1, "video_id": 3}],
    image={"video_id": 3, "frame_index": 30, "video": "train/LaSOT/car"},
    label={"track_id": 9, "video_id": 3, "iscrowd": 0, "instance_id": 9},
)  # fmt: skip
COCO_VID = {
    "videos": [{"id": 1, "name": "MOT17-02", "fps": 30}, {"id": 2, "name": "MOT17-04"}],
    "images": [
        {"id": n, "video_id": 1 + n // 3, "frame_id": n % 3, "file_name": f"{n}.jpg",
         "height": 1080, "width": 1920, "mot_frame_id": n + 1} for n in range(6)
    ],
    "annotations": [
        {"category_id": 1, "bbox": [912.0, 484.0, 97.0, 109.0], "area": 10573.0, "iscrowd": 0,
         "visibility": 0.5, "mot_instance_id": 7, "id": n, "image_id": n, "instance_id": n % 2}
        for n in range(6)
    ],
    "categories": [CLASS], "num_instances": 2,
}  # fmt: skip
MISSPELT = document(licences=[{"id": 1}], license=[{"id": 2}], image={"licence": 1})
DIALECTS = {
    "lvis": LVIS, "cvat": CVAT, "datumaro": DATUMARO, "label-studio": LABEL_STUDIO,
    "roboflow": ROBOFLOW, "supervisely": SUPERVISELY, "sahi": SAHI, "mono3d": MONO3D, "tao": TAO,
    "coco-vid": COCO_VID, "misspelt": MISSPELT,
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return init_store(tmp_path / "store")


def taken(store: Store, folder: Path, name: str) -> Path:
    """Return a file of a dialect, which the store has read."""
    source = folder / f"{name}.json"
    source.write_text(json.dumps(DIALECTS[name]))
    store.import_from("coco", source, message="in", commit=True)
    return source


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_comes_back_byte_for_byte(store: Store, tmp_path: Path, name: str) -> None:
    source = taken(store, tmp_path, name)
    store.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == source.read_bytes()
    assert not [f for f in store.check() if f.severity == "error"]
    assert not store.import_from("coco", source, mode="update").changed


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_comes_back_by_way_of_boxes(store: Store, tmp_path: Path, name: str) -> None:
    source = taken(store, tmp_path, name)
    store.export_to("yolo", tmp_path / "mid", task="detect", allow_loss=["all"])
    second = init_store(tmp_path / "second")
    second.import_from("yolo", tmp_path / "mid", message="back", commit=True)
    second.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == source.read_bytes()


def test_what_dialects_say_of_labels_can_be_asked_for(store: Store, tmp_path: Path) -> None:
    taken(store, tmp_path, "cvat")
    found = store.query("SELECT attributes['rotation'] AS turn FROM annotations").to_pylist()
    assert [json.loads(row["turn"]) for row in found] == [30.0]
    other = init_store(tmp_path / "other")
    taken(other, tmp_path, "datumaro")
    assert other.query("SELECT score FROM annotations").to_pylist() == [{"score": 0.5}]
