"""Pairing labels by geometry, beside Datumaro's distance comparator, in one run.

    python tests/bench/pairing.py [--items 5000]

Both are given labels in memory, those of COCO's number (7.3 an image) with outlines of 24 points,
and a copy whose every outline went a little; what counts is the time of the pairing alone. Ours
asks GEOS in all cores, Datumaro works in one; the CPU of both is printed too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import Watch, measured, report
from peers import peer

from labelstore.changes.matching import Labels, matched
from labelstore.model.tables import TABLES
from labelstore.storage.parquet import conform

POINTS, CROWD = 24, 5_000
DATUMARO = """
import json, sys, time
import numpy as np
from datumaro.components.annotation import Polygon
from datumaro.components.comparator import DistanceComparator
from datumaro.components.dataset_base import DatasetItem
data = np.load(sys.argv[1])
sides = []
for name in ("before", "after"):
    items, classes, outlines = data["items"], data["classes"], data[name]
    own = {}
    for item, label, ring in zip(items.tolist(), classes.tolist(), outlines):
        own.setdefault(item, []).append(Polygon(ring.ravel().tolist(), label=label))
    sides.append({i: DatasetItem(id=str(i), annotations=found) for i, found in own.items()})
comparator = DistanceComparator(iou_threshold=0.5)
begin, wall, pairs = time.process_time(), time.perf_counter(), 0
for i, item in sides[0].items():
    same, renamed, *_ = comparator.match_polygons(item, sides[1][i])
    pairs += len(same) + len(renamed)
print(json.dumps({"pairs": pairs, "cpu": time.process_time() - begin,
                  "wall": time.perf_counter() - wall}))
"""


def generated(path: str, items: int) -> int:
    """Write labels and their moved copies, and return how many there are."""
    rng = np.random.default_rng(11)
    counts = rng.poisson(7.3, items)
    numbers = np.repeat(np.arange(items), counts)
    centre, radius = rng.uniform(0, 600, (len(numbers), 2)), rng.gamma(2, 25, len(numbers)) + 5
    turns = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    lengths = radius[:, None] * rng.uniform(0.7, 1.0, (len(numbers), POINTS))
    around = np.stack([np.cos(turns) * lengths, np.sin(turns) * lengths], axis=2)
    before = centre[:, None] + around
    step = rng.uniform(-0.05, 0.05, (len(numbers), 1, 2)) * radius[:, None, None]
    np.savez(path, items=numbers, classes=rng.integers(0, 80, len(numbers)), before=before,
             after=before + step)  # fmt: skip
    return len(numbers)


def crowded(count: int) -> float:
    """Return the CPU seconds that pairing boxes of one image with as many takes."""
    rng = np.random.default_rng(5)
    corner, one = rng.uniform(0, 4000, (count, 2)), np.zeros(count, np.int64)
    sides = []
    for moved in (0.0, 1.0):
        box = pa.StructArray.from_arrays(
            [pa.array(v) for v in (*(corner + moved).T, *np.full((2, count), 20.0))],
            [f"v{i}" for i in range(4)])  # fmt: skip
        rows = pa.table({"box": box, "box_form": ["xywh"] * count, "layer": [""] * count,
                         "item_id": one, "annotation_id": np.arange(count)})  # fmt: skip
        kinds = np.full(count, "box", object)
        sides.append(Labels(one, one, kinds, conform(rows, TABLES["geometries"])))
    with Watch() as watch:
        matched(*sides)
    return watch.cpu


def ours(path: str) -> dict[str, float]:
    """Pair them with the matcher."""
    data = np.load(path)
    sides = []
    for name in ("before", "after"):
        rings = data[name].reshape(len(data["items"]), -1)
        ends = np.arange(len(rings) + 1, dtype=np.int32)
        flat = pa.ListArray.from_arrays(pa.array(ends * rings.shape[1]), pa.array(rings.ravel()))
        column = pa.ListArray.from_arrays(pa.array(ends), flat)
        rows = pa.table({"polygons": column, "layer": [""] * len(rings),
                         "item_id": data["items"], "annotation_id": ends[:-1]})  # fmt: skip
        kinds = np.full(len(rings), "polygon", object)
        shapes = conform(rows, TABLES["geometries"])
        sides.append(Labels(data["items"], data["classes"], kinds, shapes))
    few = Labels(data["items"][:2], data["classes"][:2], kinds[:2], shapes.slice(0, 2))
    matched(few, few)  # loads what it needs, as the peer has by now
    with Watch() as watch:
        found = matched(sides[0], sides[1])
    return {"pairs": len(found), "cpu": watch.cpu, "wall": watch.wall, "crowded": crowded(CROWD)}


def main() -> int:
    """Print the ratio; 1 where it is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=5_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = str(Path(scratch, "labels.npz"))
        count = generated(path, options.items)
        own = measured("pairing:ours", path)
        python = peer(scratch, "datumaro", "datumaro")
        if python is None:
            print(f"{count:,} labels paired in {own.cpu:.2f} s; the peer cannot be had here")
            return 0
        other = measured("pairing:theirs", python, path)
        print(f"{CROWD:,} boxes on one image, paired with as many: "
              f"{own.answer['crowded']:.2f} s")  # fmt: skip
    detail = (f"{own.wall:.2f} s for {own.answer['pairs']:,} pairs against {other.wall:.2f} s for "
              f"{other.answer['pairs']:,} of {count:,} labels; CPU {own.cpu:.2f} s against "
              f"{other.cpu:.2f} s, {own.cpu / other.cpu:.3f}")  # fmt: skip
    what = "pairing by geometry / Datumaro's distance comparator"
    return 0 if report("pairing", what, own.wall / other.wall, 0.1, detail) else 1


def theirs(python: str, path: str) -> dict[str, float]:
    """Pair them with Datumaro, in its own environment."""
    import json
    import subprocess

    done = subprocess.run([python, "-c", DATUMARO, path], capture_output=True, text=True,
                          check=True)  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
