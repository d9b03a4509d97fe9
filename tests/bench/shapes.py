"""Arithmetic and rules of shapes beside plain NumPy, a plain loop and pydantic, in one run.

python tests/bench/shapes.py [--rows 1M]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from measure import report

from labelstore.geometry import planar
from labelstore.geometry.area import outline_areas
from labelstore.geometry.boxes import iou
from labelstore.model.geometries import Geometry
from labelstore.model.rules import check_table
from labelstore.model.tables import TABLES

SAMPLE = 20_000
"""Rows that the slow side is timed on; its time is scaled to all."""


def seconds(work: Callable[[], Any], runs: int = 5) -> float:
    """Return the least CPU time of some runs."""
    times = []
    for _ in range(runs):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def plain_iou(a: Any, b: Any) -> Any:
    """What one would write without a library."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    inner = np.clip(high - low, 0, None).prod(axis=1)
    own, other = ((c[:, 2:] - c[:, :2]).prod(axis=1) for c in (a, b))
    return inner / (own + other - inner)


def plain_area(ring: list[float]) -> float:
    """The shoelace formula in a loop."""
    total = 0.0
    for i in range(0, len(ring), 2):
        j = (i + 2) % len(ring)
        total += ring[i] * ring[j + 1] - ring[j] * ring[i + 1]
    return abs(total) / 2


def box_rows(count: int, rng: Any) -> pa.Table:
    """Rows of `geometries` with a box each."""
    schema = TABLES["geometries"].schema
    box = schema.field("box").type
    sides = [pa.array(rng.uniform(1, 500, count)) for _ in range(4)]
    columns = {
        "layer": pa.repeat("l", count),
        "item_id": np.arange(count),
        "annotation_id": np.arange(count),
        "box": pa.StructArray.from_arrays(sides, fields=list(box)),
        "box_form": pa.repeat("xywh", count),
        "geometry_hash": np.zeros(count, np.uint64),
    }
    arrays = [
        pa.array(columns[f.name]) if f.name in columns else pa.nulls(count, f.type) for f in schema
    ]
    arrays = [a.cast(f.type) for a, f in zip(arrays, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def main() -> int:
    """Run every comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1M")
    rows = int(parser.parse_args().rows.replace("M", "000000"))
    rng = np.random.default_rng(7)
    corner = rng.uniform(0, 500, (2, rows, 2))
    one, other = np.concatenate([corner, corner + rng.uniform(1, 200, (2, rows, 2))], axis=2)
    ours, plain = seconds(lambda: iou(one, other)), seconds(lambda: plain_iou(one, other))
    ok = [report("IoU", "boxes in pairs / plain NumPy", ours / plain, 2, f"{ours:.2f} s")]

    sizes = rng.integers(3, 30, rows)
    points = pa.array(rng.uniform(0, 500, 2 * int(sizes.sum())))
    offsets = pa.array(np.concatenate([[0], np.cumsum(2 * sizes)]).astype(np.int32))
    rings = pa.ListArray.from_arrays(offsets, points)
    each = pa.array(np.arange(rows + 1, dtype=np.int32))
    outlines = pa.ListArray.from_arrays(each, rings)
    none = pa.nulls(rows, pa.list_(pa.int32()))
    ours = seconds(lambda: outline_areas(outlines, none), 3)
    listed = rings.slice(0, SAMPLE).to_pylist()
    plain = seconds(lambda: [plain_area(r) for r in listed], 3) * rows / len(listed)
    ok.append(report("area", "polygons / a loop over lists", ours / plain, 0.2, f"{ours:.2f} s"))

    boxes = box_rows(rows, rng)
    ours = seconds(lambda: check_table(Geometry, boxes), 3)
    values = boxes.slice(0, SAMPLE).to_pylist()
    plain = seconds(lambda: [Geometry.model_validate(v) for v in values], 1) * rows / len(values)
    ok.append(report("rules", "column rules / pydantic row by row", ours / plain, 1 / 50,
                     f"{ours:.2f} s against {plain:.0f} s"))  # fmt: skip

    turned = np.concatenate([one[:, :2], one[:, 2:] - one[:, :2], rng.uniform(0, 6, (rows, 1))], 1)
    kind = TABLES["geometries"].schema.field("rotated_box").type
    both = [
        pa.StructArray.from_arrays([pa.array(c) for c in (turned + 9 * i).T], fields=list(kind))
        for i in (0, 1)
    ]
    begin = time.process_time()
    planar.iou(planar.rotated_boxes(both[0]), planar.rotated_boxes(both[1]))
    per = (time.process_time() - begin) / rows * 1e6
    print(f"rotated boxes in pairs: {per:.1f} µs each")
    return 0 if all(ok) else 1


if __name__ == "__main__":
    raise SystemExit(main())
