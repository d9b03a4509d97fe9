"""Statistics, splits and drift on generated labels, each beside what one would do instead.

    python tests/bench/questions.py [--rows 1M]

The oracles' environment (`make oracles`) has iterative-stratification.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import Watch, measured, report
from promises import LAYER

from labelstore.analysis.balance import balance
from labelstore.analysis.drift.asking import drift_between
from labelstore.analysis.drift.gathering import Gathered, Sample
from labelstore.analysis.splits.balanced import FREE, place
from labelstore.analysis.splits.groups import Strata
from labelstore.query.engine import connect, execute
from labelstore.query.views import quoted
from labelstore.store import open_store

HERE = Path(__file__).parent
ORACLE = HERE.parents[1] / ".venv-oracles/bin/python"
WHERE = "occluded > 0.5 AND xmax - xmin > 20"
CLASSES = 80
RATIOS = [0.8, 0.1, 0.1]


def ours_filtered(folder: str) -> dict[str, Any]:
    manifest = open_store(folder).workspace.manifest("v1")
    with Watch() as watch:
        found = balance(manifest, LAYER, items=True, where=WHERE)
    return {"cpu": watch.cpu, "wall": watch.wall, "labels": found.annotations}


def raw_filtered(folder: str) -> dict[str, Any]:
    manifest = open_store(folder).workspace.manifest("v1")
    paths = [str(manifest.path(p)) for p in manifest.parts_of("annotations")]
    sql = (f"SELECT category_id, COUNT(*) AS n, COUNT(DISTINCT item_id) AS items "
           f"FROM read_parquet([{', '.join(map(quoted, paths))}]) "
           f"WHERE layer = '{LAYER}' AND {WHERE} GROUP BY category_id")  # fmt: skip
    with Watch() as watch, connect() as con:
        found = execute(con, sql)
    labels = sum(found.column("n").to_pylist())
    return {"cpu": watch.cpu, "wall": watch.wall, "labels": labels}


def drift(folder: str) -> dict[str, Any]:
    workspace = open_store(folder).workspace
    sides = [Sample(workspace.manifest(v), LAYER) for v in ("v1", "v2")]
    with Watch() as watch:
        found = drift_between(sides[0], sides[1], {})
    return {"cpu": watch.cpu, "wall": watch.wall, "measures": len(found.shifts)}


def gathered_twice(folder: str) -> dict[str, Any]:
    """Read both versions whole, as one would without knowing what they share; no measure yet."""
    workspace = open_store(folder).workspace
    sides = [Sample(workspace.manifest(v), LAYER) for v in ("v1", "v2")]
    with Watch() as watch:
        for side in sides:
            Gathered(side, side.pairs())
    return {"cpu": watch.cpu, "wall": watch.wall}


def table(items: int, seed: int = 1) -> Any:
    """Return which of 80 classes each item has, shape (items, classes)."""
    rng = np.random.default_rng(seed)
    chances = 0.6 / np.arange(1, CLASSES + 1) ** 1.05
    return rng.random((items, CLASSES), dtype=np.float32) < chances


def balanced(items: int) -> dict[str, Any]:
    counts = table(items)
    group, kind = np.nonzero(counts)
    ones = np.ones(items, np.int64)
    strata = Strata([str(n) for n in range(CLASSES)], group, kind, np.ones(len(group), np.int64))
    draws = np.array([f"{n:08x}" for n in np.random.default_rng(2).integers(0, 2**32, items)])
    with Watch() as watch:
        found = place(RATIOS, ones, strata, draws, ones * FREE)
    return {"cpu": watch.cpu, "wall": watch.wall, "worst": _worst(counts, found)}


def _worst(counts: Any, subset: Any) -> float:
    totals = counts.sum(0)
    shares = [counts[subset == s].sum(0) / totals for s in range(len(RATIOS))]
    return float(np.abs(np.array(shares) - np.array(RATIOS)[:, None]).max())


def iterative(items: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "counts.npy"
        np.save(file, table(items))
        script = (
            "import sys, time, json, numpy as np\n"
            "from iterstrat.ml_stratifiers import MultilabelStratifiedKFold\n"
            "c = np.load(sys.argv[1]).astype(int); t = time.process_time()\n"
            "f = MultilabelStratifiedKFold(n_splits=10, shuffle=True, random_state=0)\n"
            "s = np.zeros(len(c), int)\n"
            "for n, (_, own) in enumerate(f.split(np.zeros(len(c)), c)): s[own] = n\n"
            "print(json.dumps([time.process_time() - t, s.tolist()]))\n"
        )
        done = subprocess.run([str(ORACLE), "-c", script, str(file)], check=True,
                              capture_output=True, text=True)  # fmt: skip
        cpu, folds = json.loads(done.stdout)
        subset = np.minimum(np.maximum(np.array(folds) - 7, 0), 2)
        return {"cpu": cpu, "wall": cpu, "worst": _worst(np.load(file), subset)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1M")
    rows = int(parser.parse_args().rows.upper().replace("M", "000000"))
    with tempfile.TemporaryDirectory(prefix="labelstore-bench-") as folder:
        here = str(Path(folder) / "store")
        measured("promises:make_store", here, rows)
        measured("meaning:edit", here, "v2", rows // 100, 0.25)
        pairs = [[measured(f"questions:{n}", here) for n in ("ours_filtered", "raw_filtered")]
                 for _ in range(7)]  # fmt: skip
        assert all(a.answer["labels"] == b.answer["labels"] > 0 for a, b in pairs)
        sides = [*zip(*pairs, strict=True)]
        wall = [statistics.median(run.wall for run in side) for side in sides]
        cpu = [statistics.median(run.cpu for run in side) for side in sides]
        cost = f"{wall[0]:.2f} s against {wall[1]:.2f} s; CPU {cpu[0] / cpu[1]:.2f}"
        report("stats", f"with a filter, of {rows:,} labels / raw DuckDB, wall",
               wall[0] / wall[1], 1.1, cost)  # fmt: skip
        moved, twice = (measured(f"questions:{n}", here) for n in ("drift", "gathered_twice"))
        cost = f"{moved.cpu:.1f} s, {moved.memory:.0f} MB, {moved.answer['measures']} measures"
        report("drift", f"all of {rows:,} labels, 1 % changed / only reading both versions, CPU",
               moved.cpu / twice.cpu, 5.0, f"{cost} against {twice.cpu:.1f} s")  # fmt: skip
    items = rows // 10
    many, few = measured("questions:balanced", items * 10), measured("questions:balanced", items)
    other = measured("questions:iterative", items)
    each = [many.cpu / (items * 10), other.cpu / items]
    report("split", f"balanced, {items * 10:,} items / iterative stratification of {items:,}, "
           "CPU of an item", each[0] / each[1], 1.0,
           f"{each[0] * 1e6:.1f} against {each[1] * 1e6:.1f} us; worst class of {items:,} items "
           f"{few.answer['worst']:.5f} against {other.answer['worst']:.5f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
