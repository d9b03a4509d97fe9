"""The life of one label beside reading all versions for it, and what proving it costs.

    python tests/bench/lineage.py [--rows 1M]

Twenty versions; each edits a thousand labels in one place, and every fifth the label in question.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from measure import Watch, measured, report

from labelstore.lineage.proving import prove
from labelstore.lineage.trace import trace
from labelstore.model.labels import Box
from labelstore.query.engine import connect, execute
from labelstore.query.views import quoted
from labelstore.store import open_store

VERSIONS = 20
BATCH = 1_000
OFTEN = 5
LABEL = 5_000
"""The label that is looked at; ids count from 0 in the order of items."""


def edits(folder: str, rows: int) -> dict[str, Any]:
    store = open_store(folder)
    for number in range(2, VERSIONS + 1):
        first = LABEL if number % OFTEN == 0 else rows * number // (VERSIONS + 2)
        with store.edit(by="bench") as edit:
            edit.update(where=f"annotation_id BETWEEN {first} AND {first + BATCH - 1}",
                        set={"score": number / 100})  # fmt: skip
        store.commit(f"version {number}", tag=f"v{number}")
    return {}


def added(folder: str) -> dict[str, Any]:
    """Add a label whose item, class and author are there; generated ones lack some of them."""
    store = open_store(folder)
    box = Box(item="proved.jpg", category="class 1", x=1, y=2, width=3, height=4)
    with store.edit(by="bench") as edit:
        (label,) = edit.add([box], items=[{"uri": "proved.jpg"}]).tolist()
    store.commit("one more", tag="proved")
    return {"label": label}


def traced(folder: str, label: int) -> dict[str, Any]:
    workspace = open_store(folder).workspace
    pa.scalar(0)  # here pyarrow loads pandas, where that is installed
    with Watch() as watch:
        found = trace(workspace, label)
    return {"cpu": watch.cpu, "wall": watch.wall, "steps": len(found.steps)}


def scanned(folder: str, label: int) -> dict[str, Any]:
    """Ask every version for the label, as one would without an index of parts."""
    workspace = open_store(folder).workspace
    states = set()
    pa.scalar(0)
    with Watch() as watch, connect() as con:
        for commit in workspace.git.log("HEAD", "labels.dvc"):
            manifest = workspace.manifest(commit.sha)
            for name in ("annotations", "geometries"):
                paths = [quoted(str(manifest.path(p))) for p in manifest.parts_of(name)]
                if not paths:
                    continue
                sql = f"SELECT * FROM read_parquet([{', '.join(paths)}]) WHERE annotation_id = "
                states |= {str(row) for row in execute(con, f"{sql}{label}").to_pylist()}
    return {"cpu": watch.cpu, "wall": watch.wall, "states": len(states)}


def proved(folder: str, label: int) -> dict[str, Any]:
    workspace = open_store(folder).workspace
    with Watch() as watch:
        prove(workspace, label, "HEAD")
    return {"cpu": watch.cpu, "wall": watch.wall}


def verified(folder: str) -> dict[str, Any]:
    store = open_store(folder)
    with Watch() as watch:
        found = store.verify()
    assert not found.faults
    return {"wall": watch.wall, "cpu": watch.cpu, "rows": found.rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1M")
    rows = int(parser.parse_args().rows.upper().replace("M", "000000"))
    with tempfile.TemporaryDirectory(prefix="labelstore-bench-") as folder:
        stores = {count: str(Path(folder) / str(count)) for count in (rows // 2, rows)}
        for count, here in stores.items():
            measured("promises:make_store", here, count)
            measured("lineage:edits", here, count)
        own, all_ = (measured(f"lineage:{n}", stores[rows], LABEL, runs=5)
                     for n in ("traced", "scanned"))  # fmt: skip
        assert own.answer["steps"] == 1 + VERSIONS // OFTEN
        assert all_.answer["states"] == own.answer["steps"] + 1  # its shapes stay as they are
        report("trace", f"a label in {VERSIONS} versions of {rows:,} / a scan of all, CPU",
               own.cpu / all_.cpu, 0.2,
               f"{own.cpu:.2f} s against {all_.cpu:.2f} s")  # fmt: skip
        half = measured("lineage:traced", stores[rows // 2], LABEL, runs=5)
        report("trace", "in twice the labels, CPU", own.cpu / half.cpu, 1.5,
               f"{own.cpu:.2f} s against {half.cpu:.2f} s")  # fmt: skip
        still = measured("lineage:traced", stores[rows], rows - 2 * BATCH, runs=5)
        assert still.answer["steps"] == 1
        report("trace", "of a label that never changed / that one", still.cpu / own.cpu, 1.0,
               f"{still.cpu:.2f} s")  # fmt: skip
        label = measured("lineage:added", stores[rows]).answer["label"]
        proof, whole = (measured("lineage:proved", stores[rows], label),
                        measured("lineage:verified", stores[rows]))  # fmt: skip
        report("prove", f"a label / verifying its version of {rows:,}, wall",
               proof.wall / whole.wall, 0.2,
               f"{proof.wall:.2f} s against {whole.wall:.1f} s")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
