"""Deliveries of COCO: counted anew, with edits that are known, and of videos."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from told import DATA

TINY = DATA / "coco/tiny_coco/instances_val2017.json"


def counted_anew(document: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a copy whose images, labels and classes stand elsewhere and have other ids."""
    told: dict[str, Any] = json.loads(json.dumps(document))
    rng = random.Random(seed)
    for key in ("images", "annotations", "categories"):
        rng.shuffle(told[key])
    images = {o["id"]: i for i, o in enumerate(told["images"], 1)}
    classes = {o["id"]: i for i, o in enumerate(told["categories"], 1)}
    for known, key in ((images, "images"), (classes, "categories")):
        for o in told[key]:
            o["id"] = known[o["id"]]
    for i, label in enumerate(told["annotations"], 1):
        label |= {"id": i, "image_id": images[label["image_id"]],
                  "category_id": classes[label["category_id"]]}  # fmt: skip
    return told


def edited(document: dict[str, Any], *, share: float) -> tuple[dict[str, Any], dict[str, int]]:
    """Return a copy with a share of its labels moved, reclassified, gone or new; how many each."""
    told: dict[str, Any] = json.loads(json.dumps(document))
    count = max(1, int(len(told["annotations"]) * share / 4))
    plain = [a for a in told["annotations"] if not a["iscrowd"] and min(a["bbox"][2:]) > 20]
    chosen = random.Random(1).sample(plain, 3 * count)
    for label in chosen[:count]:
        label["bbox"] = [label["bbox"][0] + 2.5, *label["bbox"][1:]]
    classes = [c["id"] for c in told["categories"]]
    for label in chosen[count : 2 * count]:
        label["category_id"] = next(c for c in classes if c != label["category_id"])
    gone = {label["id"] for label in chosen[2 * count :]}
    told["annotations"] = [a for a in told["annotations"] if a["id"] not in gone]
    last = max(a["id"] for a in told["annotations"])
    for i in range(count):
        box = [3.0 + 9 * i, 3.0, 4.0, 4.0]
        told["annotations"].append(
            {**chosen[0], "id": last + 1 + i, "bbox": box, "segmentation": [], "area": 16.0}
        )
    return told, {"added": count, "removed": count, "moved": count, "reclassified": count}


def tiny() -> dict[str, Any]:
    """Return a real file, as parsed."""
    found: dict[str, Any] = json.loads(TINY.read_text())
    return found


def written(document: dict[str, Any], path: Path) -> Path:
    """Write a document, and return where."""
    path.write_text(json.dumps(document))
    return path


def tao(tracks: int = 4) -> dict[str, Any]:
    """Return videos of three frames, with tracks of which each second has no label."""
    return {
        "videos": [{"id": v, "name": f"train/{v}", "width": 64, "height": 48, "metadata": {"v": v}}
                   for v in (7, 3)],
        "annotations": [
            {"id": 10 + n, "image_id": 100 + n, "category_id": 2, "bbox": [1.5, 2.0, n + 1.0, 4.0],
             "area": 4.0 * (n + 1), "track_id": 2 * (n // 3), "video_id": 7 if n < 3 else 3}
            for n in range(6)
        ],
        "tracks": [{"id": t, "category_id": 2, "video_id": 7 if t < 2 else 3}
                   for t in range(tracks)],
        "images": [{"id": 100 + n, "video_id": 7 if n < 3 else 3, "frame_index": 30 * (n % 3),
                    "file_name": f"train/{n}.jpg", "width": 64, "height": 48} for n in range(6)],
        "categories": [{"id": 2, "name": "car"}],
    }  # fmt: skip
