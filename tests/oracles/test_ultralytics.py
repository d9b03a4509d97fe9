"""Ultralytics reads our YOLO as we mean it: images, classes, boxes, outlines and keypoints."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle import asked
from PIL import Image

from labelstore.store import Store, init_store
from labelstore.trees.media import Link

DATA = Path(__file__).parents[1] / "data"
SOURCES = {
    "detect": DATA / "coco/tiny_coco/instances_val2017.json",
    "segment": DATA / "coco/labelformat_masks/instances.json",
    "pose": DATA / "coco/tiny_coco/person_keypoints_val2017.json",
    "obb": DATA / "coco/tiny_coco/instances_val2017.json",
}
FONT = "Arial.ttf"
"""Which it asks for, and would fetch."""


def told_by_ultralytics(folder: Path, sizes: dict[str, tuple[int, int]], task: str) -> Any:
    """Return what the official reader makes of a data set, whose images are blank."""
    home = folder.parent / "home"
    (home / "Ultralytics").mkdir(parents=True, exist_ok=True)
    (home / "Ultralytics" / FONT).touch()
    for label in (folder / "labels").rglob("*.txt") if sizes else ():
        image = folder / "images" / label.relative_to(folder / "labels").with_suffix(".jpg")
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", sizes[label.stem]).save(image, quality=1)
    env = {**os.environ, "YOLO_CONFIG_DIR": str(home), "YOLO_OFFLINE": "true"}
    return asked("ultralytics_labels.py", folder / "data.yaml", task, env=env)


def exported(folder: Path, task: str) -> tuple[Store, dict[str, tuple[int, int]]]:
    """Return a store whose labels stand in `folder / "yolo"`, and the sizes of its images."""
    store = init_store(folder / "store")
    store.import_from("coco", SOURCES[task], message="in", commit=True)
    if task == "obb":
        with store.edit() as edit:
            edit.update(where="true", set={"corners": CORNERS})
        store.commit("corners")
    store.export_to("yolo", folder / "yolo", task=task, allow_loss=["all"], sidecar=False)
    rows = store.query("SELECT uri, width, height FROM items").to_pylist()
    return store, {Path(r["uri"]).stem: (r["width"], r["height"]) for r in rows}


CORNERS = ("[box.v0, box.v1, box.v0 + box.v2, box.v1, box.v0 + box.v2, box.v1 + box.v3, "
           "box.v0, box.v1 + box.v3]")  # fmt: skip


def held(store: Store, kind: str) -> dict[str, list[Any]]:
    """Return what the store has by image: class name, covering box and shape of each label."""
    rows = store.query(
        f"SELECT i.uri, i.width AS w, i.height AS h, c.name, {kind} AS shape, xmin, ymin, xmax, "
        "ymax FROM annotations a JOIN geometries g USING (annotation_id, item_id) JOIN items i "
        "USING (item_id) JOIN categories c USING (category_id) ORDER BY i.uri, a.seq"
    ).to_pylist()
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(Path(row["uri"]).stem, []).append(row)
    return found


def centred(row: dict[str, Any]) -> list[float]:
    """Return a label's covering box as parts of its image: centre and sides."""
    x, w = (row["xmin"] + row["xmax"]) / 2, row["xmax"] - row["xmin"]
    y, h = (row["ymin"] + row["ymax"]) / 2, row["ymax"] - row["ymin"]
    return [x / row["w"], y / row["h"], w / row["w"], h / row["h"]]


def test_boxes(tmp_path: Path) -> None:
    store, sizes = exported(tmp_path, "detect")
    told = told_by_ultralytics(tmp_path / "yolo", sizes, "detect")
    own = held(store, "box")
    assert len(told["labels"]) == len(sizes) == 50
    count = 0
    for label in told["labels"]:
        rows = own.get(label["image"], [])
        assert label["size"] == list(sizes[label["image"]])[::-1]
        assert [told["names"][str(int(c))] for c in label["classes"]] == [r["name"] for r in rows]
        if rows:
            assert np.allclose(label["boxes"], [centred(r) for r in rows], atol=1e-6)
        count += len(rows)
    assert count == 382


@pytest.mark.parametrize("task", ["segment", "obb"])
def test_outlines(tmp_path: Path, task: str) -> None:
    store, sizes = exported(tmp_path, task)
    told = told_by_ultralytics(tmp_path / "yolo", sizes, task)
    own = held(store, "polygons[1]" if task == "segment" else "corners")
    count = 0
    for label in told["labels"]:
        rows = own.get(label["image"], [])
        assert len(label["outlines"]) == len(rows)
        for outline, row in zip(label["outlines"], rows, strict=True):
            pixels = np.array(outline) * [row["w"], row["h"]]
            assert np.allclose(pixels.reshape(-1), row["shape"], atol=1e-3)
        count += len(rows)
    assert count == {"segment": 3, "obb": 382}[task]


def test_keypoints(tmp_path: Path) -> None:
    store, sizes = exported(tmp_path, "pose")
    told = told_by_ultralytics(tmp_path / "yolo", sizes, "pose")
    own = held(store, "{'points': keypoints, 'seen': visibility}")
    count = 0
    for label in told["labels"]:
        for points, row in zip(label["keypoints"] or [], own.get(label["image"], []), strict=True):
            found, flat = np.array(points), np.array(row["shape"]["points"]).reshape(-1, 2)
            assert np.allclose(found[:, :2] * [row["w"], row["h"]], flat, atol=1e-3)
            assert found[:, 2].tolist() == row["shape"]["seen"]
            count += 1
    assert count == 127


@pytest.mark.parametrize("link", ["hard", "symlink"])
def test_a_tree_of_a_pinned_version(tmp_path: Path, link: Link) -> None:
    store, sizes = exported(tmp_path, "detect")
    store.split("default", ratios="train=0.8,val=0.2")
    store.commit("split", tag="v2")
    media = tmp_path / "media"
    media.mkdir()
    for stem, size in sizes.items():
        Image.new("L", size).save(media / f"{stem}.jpg", quality=1)
    tree = tmp_path / "tree"
    report = store.materialise(tree, at="v2", scheme="default", task="detect", media=media,
                               link=link)  # fmt: skip
    told = told_by_ultralytics(tree, {}, "detect")
    sql = "SELECT l.uri FROM labels l JOIN splits s USING (item_id) WHERE s.subset = 'train'"
    own = Counter(Path(u).stem for u in store.query(sql).column(0).to_pylist())
    assert len(told["labels"]) == report.subsets["train"] == 39
    assert {one["image"]: len(one["classes"]) for one in told["labels"] if one["classes"]} == own
    assert list(told["names"].values()) == [c["name"] for c in store.query(
        "SELECT name FROM categories ORDER BY position").to_pylist()]  # fmt: skip
