"""COCO files in the shape of train2017, the same for the same seed.

    python tests/bench/generate.py coco OUT.json [--scale 1.0]
    python tests/bench/generate.py edit IN.json OUT.json [--fraction 0.01]

118,287 images and 860,001 annotations at scale 1. The traps of the real file are kept: class ids
1 to 90 with gaps, crowd ids above 2^32, crowd masks as run lists, images without labels, unsorted
image ids, annotations not grouped by image.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np

IMAGES, ANNOTATIONS = 118_287, 860_001
GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
CLASS_IDS = np.array([i for i in range(1, 91) if i not in GAPS])
SIZES = np.array(
    [(640, 480), (480, 640), (640, 427), (427, 640), (640, 426), (500, 375), (612, 612)]
)
SIZE_SHARES = np.array([0.34, 0.12, 0.24, 0.07, 0.13, 0.06, 0.04])
CHUNK = 40_000
encode = msgspec.json.encode


def class_shares() -> Any:
    """Return a long-tailed distribution whose first class has 30.5 %, as `person` has."""
    shares = 1.0 / (np.arange(80) + 2.5) ** 0.95
    shares[0] = 0
    shares *= 0.695 / shares.sum()
    shares[0] = 0.305
    return shares


def coco(target: Path, scale: float, seed: int) -> dict[str, int]:
    """Write a COCO file and return its counts."""
    rng = np.random.default_rng(seed)
    images, annotations = round(IMAGES * scale), round(ANNOTATIONS * scale)
    image_ids = rng.choice(581_929, images, replace=False) + 1
    sizes = SIZES[rng.choice(len(SIZES), images, p=SIZE_SHARES)]
    empty = rng.random(images) < 0.0086
    weight = rng.gamma(0.85, 1.0, images) * ~empty
    owners = np.flatnonzero(~empty)
    more = rng.choice(images, annotations - len(owners), p=weight / weight.sum())
    owner = np.concatenate([owners, more])
    rng.shuffle(owner)
    topics = rng.choice(80, (images, 5), p=class_shares())
    classes = topics[owner, np.minimum(rng.geometric(0.45, annotations) - 1, 4)]
    crowd = rng.random(annotations) < 0.0115
    ids = rng.permutation(2_200_000)[:annotations].astype(np.int64) + 1
    ids[crowd] += 900_100_000_000
    with open(target, "wb") as file:
        _head(file, image_ids, sizes)
        for begin in range(0, annotations, CHUNK):
            at = slice(begin, min(annotations, begin + CHUNK))
            rows = list(
                _annotations(rng, owner[at], image_ids, sizes, classes[at], crowd[at], ids[at])
            )
            file.write((b"," if begin else b"") + encode(rows)[1:-1])
        names = [{"supercategory": f"group_{k // 7}", "id": int(c), "name": f"class {k:02d}"}
                 for k, c in enumerate(CLASS_IDS)]  # fmt: skip
        file.write(b'],\n"categories": ' + encode(names) + b"}")
    return {"images": images, "annotations": annotations, "crowd": int(crowd.sum())}


def _head(file: IO[bytes], image_ids: Any, sizes: Any) -> None:
    file.write(
        b'{"info": {"description": "generated, train2017 shape", "year": 2017},\n"licenses": '
    )
    file.write(encode([{"url": f"http://licence.example/{i}/", "id": i} for i in range(1, 9)]))
    file.write(b',\n"images": [')
    rows = [
        {
            "license": i % 8 + 1,
            "file_name": f"{i:012d}.jpg",
            "coco_url": f"http://images.example/train2017/{i:012d}.jpg",
            "height": h,
            "width": w,
            "date_captured": f"2013-11-{i % 28 + 1:02d} {i % 24:02d}:{i % 60:02d}:{i % 59:02d}",
            "flickr_url": f"http://farm{i % 9 + 1}.photos.example/{1000 + i % 7000}/{i * 79}.jpg",
            "id": i,
        }
        for i, (w, h) in zip(image_ids.tolist(), sizes.tolist(), strict=True)
    ]
    file.write(encode(rows)[1:-1] + b'],\n"annotations": [')


def _annotations(
    rng: Any, owner: Any, image_ids: Any, sizes: Any, classes: Any, crowd: Any, ids: Any
) -> Iterator[dict[str, Any]]:
    """Yield annotations with star-shaped rings of two-decimal points."""
    count = len(owner)
    extent = sizes[owner].astype(float)
    rings = rng.choice([1, 2, 3, 4], count, p=[0.90, 0.065, 0.022, 0.013])
    radius = np.clip(np.exp(rng.normal(3.4, 0.85, count)), 3, 0.48 * extent.min(1))
    centre = radius[:, None] + rng.random((count, 2)) * (extent - 2 * radius[:, None])
    row = np.repeat(np.arange(count), rings)
    points = np.clip(np.rint(np.exp(rng.normal(3.1, 0.42, len(row)))), 10, 60).astype(int)
    ring_radius = radius[row] / np.sqrt(rings[row])
    shift = (radius[row] - ring_radius)[:, None] * rng.uniform(-0.7, 0.7, (len(row), 2))
    ring_centre = centre[row] + shift
    ring = np.repeat(np.arange(len(row)), points)
    start = np.concatenate([[0], np.cumsum(points)[:-1]])
    turn = np.arange(len(ring)) - start[ring] + 0.6 * rng.random(len(ring))
    angle = 2 * np.pi * turn / points[ring]
    length = ring_radius[ring] * (0.62 + 0.38 * rng.random(len(ring)))
    limit = extent[row][ring]
    x = np.round(np.clip(ring_centre[ring, 0] + length * np.cos(angle), 0, limit[:, 0]), 2)
    y = np.round(np.clip(ring_centre[ring, 1] + length * np.sin(angle), 0, limit[:, 1]), 2)
    after = np.arange(len(ring)) + 1
    after[start + points - 1] = start
    areas = np.abs(np.add.reduceat(x * y[after] - x[after] * y, start)) / 2
    first = np.concatenate([[0], np.cumsum(rings)[:-1]])
    area = np.add.reduceat(areas, first).tolist()
    vertex = start[first]
    left, top = np.minimum.reduceat(x, vertex), np.minimum.reduceat(y, vertex)
    size = np.maximum.reduceat(x, vertex) - left, np.maximum.reduceat(y, vertex) - top
    boxes = np.round(np.stack([left, top, *size], 1), 2).tolist()
    xy = np.stack([x, y], 1).ravel().tolist()
    begin, end = (2 * start).tolist(), (2 * (start + points)).tolist()
    for j in range(count):
        outline: Any = [xy[begin[r] : end[r]] for r in range(first[j], first[j] + rings[j])]
        box, own_area = boxes[j], area[j]
        if crowd[j]:
            outline, box, own_area = _crowd(rng, *sizes[owner[j]].tolist())
        yield {
            "segmentation": outline,
            "area": own_area,
            "iscrowd": int(crowd[j]),
            "image_id": int(image_ids[owner[j]]),
            "bbox": box,
            "category_id": int(CLASS_IDS[classes[j]]),
            "id": int(ids[j]),
        }


def _crowd(rng: Any, width: int, height: int) -> tuple[dict[str, Any], list[float], int]:
    """Return a crowd mask as column-major runs, its box and its area."""
    x0, x1 = sorted(rng.integers(0, width, 2).tolist())
    x1 = min(width, max(x1, x0 + 12))
    x0 = max(0, min(x0, x1 - 12))
    columns = x1 - x0
    top = np.clip(rng.integers(0, height // 2) + rng.integers(0, 12, columns), 0, height - 3)
    bottom = np.clip(top + rng.integers(2, height // 2, columns), top + 1, height - 1)
    edges = np.empty(2 * columns, np.int64)
    edges[0::2] = np.arange(x0, x1) * height + top
    edges[1::2] = np.arange(x0, x1) * height + bottom
    counts = np.diff(np.concatenate([[0], edges, [width * height]])).tolist()
    box = [float(x0), float(top.min()), float(columns), float(bottom.max() - top.min())]
    return {"counts": counts, "size": [height, width]}, box, int((bottom - top).sum())


def edit(source: Path, target: Path, fraction: float, seed: int) -> dict[str, int]:
    """Write the next version of a file and return the true counts of what changed.

    Of the chosen share half are moved, a quarter reclassified, 15 % deleted, and as many as
    10 % of it added; one image in five thousand goes with its labels.
    """
    rng = np.random.default_rng(seed + 1)
    document = json.loads(source.read_bytes())
    rows = document["annotations"]
    chosen = rng.permutation(len(rows))[: int(len(rows) * fraction)].tolist()
    a, b, c = (int(len(chosen) * share) for share in (0.5, 0.75, 0.9))
    for i in chosen[:a]:
        _move(rows[i])
    for i in chosen[a:b]:
        at = int(np.searchsorted(CLASS_IDS, rows[i]["category_id"]))
        rows[i]["category_id"] = int(CLASS_IDS[(at + 1) % 80])
    dead = {rows[i]["id"] for i in chosen[b:c]}
    top = max(r["id"] for r in rows if not r["iscrowd"])
    new = [dict(rows[i], id=top + 1 + n) for n, i in enumerate(chosen[c:])]
    images = document["images"]
    count = len(images) // 5000
    gone = {images[i]["id"] for i in rng.permutation(len(images))[:count].tolist()}
    before = {r["id"]: r["image_id"] for r in rows}
    document["images"] = [r for r in images if r["id"] not in gone]
    kept = [r for r in rows if r["id"] not in dead and r["image_id"] not in gone]
    added = [r for r in new if r["image_id"] not in gone]
    document["annotations"] = kept + added
    target.write_bytes(encode(document))
    left = {r["id"] for r in kept}
    changed = sum(1 for i in chosen[:b] if rows[i]["id"] in left)
    removed = sum(1 for i in before if i not in left)
    return {"added": len(added), "removed": removed, "changed": changed, "items": len(gone)}


def _move(row: dict[str, Any]) -> None:
    row["bbox"] = [round(row["bbox"][0] + 1.25, 2), *row["bbox"][1:]]
    if not row["iscrowd"]:
        row["segmentation"] = [
            [round(v + 1.25, 2) if i % 2 == 0 else v for i, v in enumerate(ring)]
            for ring in row["segmentation"]
        ]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["coco", "edit"])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--fraction", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    if given.what == "coco":
        print(json.dumps(coco(given.paths[0], given.scale, given.seed)))
    else:
        source, target = given.paths
        print(json.dumps(edit(source, target, given.fraction, given.seed)))


if __name__ == "__main__":
    main()
