"""Promises P12, P18 and P22 beside what a user would pick instead, in one run.

    python tests/bench/peers.py [--scale 1.0] [--keep DIR]

Peers live in environments of their own, made here: pycocotools, and datachain for the diff.
Without datachain (135 packages) `--no-datachain` compares with the figure measured for it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import generate
from measure import Watch, command, measured, report

from labelstore.changes.diff import diff
from labelstore.changes.difference import Counts
from labelstore.store import open_store

BIN = Path(sys.executable).parent
LOAD = "import sys; from pycocotools.coco import COCO; COCO(sys.argv[1])"
DATACHAIN = """
import json, resource, sys
import datachain as dc
from pydantic import BaseModel
class Row(BaseModel):
    id: int
    bbox: list[float]
    category_id: int
def cpu():
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(w)[:2]) for w in whose)
sides = [
    dc.read_json(path, jmespath="annotations", spec=Row).save(name)
    for path, name in zip(sys.argv[1:3], ("before", "after"))
]
begin = cpu()
both = dict(on="annotations.id", compare=["annotations.bbox", "annotations.category_id"])
rows = sides[0].diff(sides[1], **both, deleted=True, status_col="d").count()
print(json.dumps({"rows": rows, "cpu": cpu() - begin, "whole": cpu()}))
"""


def peer(scratch: str, name: str, *packages: str) -> str | None:
    """Make an environment with a peer and return its Python, or None where it cannot be had."""
    folder = f"{scratch}/{name}"
    env = {**os.environ, "VIRTUAL_ENV": folder}
    uv = str(BIN / "uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    done = subprocess.run([uv, "pip", "install", "-q", *packages], env=env)
    return f"{folder}/bin/python" if done.returncode == 0 else None


def our_command(scratch: str) -> str:
    """Make an environment with labelstore as users have it, and return its command.

    The one of the tests has pandas, which pyarrow loads where it is: 0.4 s at every start.
    """
    folder = f"{scratch}/labelstore"
    env = {**os.environ, "VIRTUAL_ENV": folder}
    uv, root = str(BIN / "uv"), Path(__file__).parents[2]
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    subprocess.run([uv, "build", "-q", "--wheel", "--no-build-isolation", "--python",
                    sys.executable, "-o", scratch, str(root)], check=True)  # fmt: skip
    (wheel,) = Path(scratch).glob("labelstore-*.whl")
    locked = ["--require-hashes", "-r", str(root / "requirements/runtime.txt")]
    for words in (locked, ["--no-deps", str(wheel)]):
        subprocess.run([uv, "pip", "install", "-q", "--compile-bytecode", *words], env=env,
                       check=True)  # fmt: skip
    return f"{folder}/bin/labelstore"


def make_first(target: str, scale: float) -> dict[str, int]:
    """Write the first version."""
    return generate.coco(Path(target), scale, 7)


def make_second(source: str, target: str) -> dict[str, int]:
    """Write the second version and return the truth of the edit."""
    return generate.edit(Path(source), Path(target), 0.01, 7)


def our_diff(folder: str, shapes: bool) -> dict[str, Any]:
    """Compare v3 and v4: box and class (the first family), or every column of both."""
    workspace = open_store(folder).workspace
    with Watch() as watch:
        found = diff(workspace.manifest("v3"), workspace.manifest("v4"), shapes=shapes)
    counts, items = (found.tables.get(name, Counts()) for name in ("annotations", "items"))
    return {
        "cpu": watch.cpu,
        "wall": watch.wall,
        "added": counts.added,
        "removed": counts.removed,
        "changed": counts.changed,
        "items": items.removed,
    }


def main() -> int:
    """Run every comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--keep", help="folder for the data; a temporary one otherwise")
    parser.add_argument("--no-datachain", action="store_true")
    given = parser.parse_args()
    scratch = given.keep or tempfile.mkdtemp(prefix="labelstore-peers-")
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    os.environ.setdefault("LABELSTORE_KEY_FILE", f"{scratch}/key")
    try:
        return 0 if _promises(scratch, given.scale, datachain=not given.no_datachain) else 1
    finally:
        if not given.keep:
            shutil.rmtree(scratch, ignore_errors=True)


def _promises(scratch: str, scale: float, *, datachain: bool) -> bool:
    first, second = Path(scratch, "v3.json"), Path(scratch, "v4.json")
    measured("peers:make_first", str(first), scale)  # elsewhere: this process must stay small
    truth = measured("peers:make_second", str(first), str(second)).answer
    size = first.stat().st_size
    print(f"COCO of {size / 1e6:.0f} MB; truth of the edit: {truth}", flush=True)
    ours = our_command(scratch)
    store = f"{scratch}/store"
    pycocotools = peer(scratch, "pycocotools", "pycocotools")
    assert pycocotools is not None
    load, imported = [], []
    for _ in range(3):
        load.append(command([pycocotools, "-c", LOAD, str(first)]))
        shutil.rmtree(store, ignore_errors=True)
        command([ours, "init", store])
        words = [ours, "import", "coco", str(first), "--store", store, "-m", "v3", "--tag", "v3"]
        imported.append(command([*words, "--dataset", "train", "--quiet"]))
    theirs = sorted(load, key=lambda c: c.cpu)[1]
    us = sorted(imported, key=lambda c: c.cpu)[1]
    ok = []
    detail = f"{us.cpu:.1f} s against {theirs.cpu:.1f} s"
    ok.append(report("P12", "import and commit / pycocotools load, CPU", us.cpu / theirs.cpu,
                     0.75, detail))  # fmt: skip
    detail = f"{us.wall:.1f} s against {theirs.wall:.1f} s"
    ok.append(report("P12", "the same, wall", us.wall / theirs.wall, 0.5, detail))
    detail = f"against {theirs.memory / 1000:.2f} GB"
    ok.append(
        report("P12", "peak memory of the largest process, GB", us.memory / 1000, 1.2, detail)
    )
    manifest = open_store(store).workspace.manifest("v3")
    share = sum(p.size for p in manifest.parts) / size
    report("P21", "bytes of the version / bytes of the JSON", share, 0.29, "committed later")
    words = [ours, "import", "coco", str(second), "--store", store, "-m", "v4", "--tag", "v4"]
    command([*words, "--dataset", "train", "--mode", "update", "--quiet"])
    ok += _diffs(scratch, store, truth, (first, second), datachain=datachain)
    dvc = command([str(BIN / "dvc"), "--help"], runs=9)
    for words in (["--help"], ["diff", "--help"]):
        cost = command([ours, *words], runs=9)
        detail = f"{cost.wall:.3f} s against {dvc.wall:.3f} s"
        ok.append(report("P22", f"labelstore {' '.join(words)} / dvc --help, wall",
                         cost.wall / dvc.wall, 0.85, detail))  # fmt: skip
    bare = command([sys.executable, "-c", "import typer"], runs=9)
    cost = command([ours, "--help"], runs=9)
    ok.append(report("help", "labelstore --help / python -c 'import typer', wall",
                     cost.wall / bare.wall, 3, f"{bare.wall:.3f} s"))  # fmt: skip
    return all(ok)


def _diffs(
    scratch: str, store: str, truth: dict[str, int], files: tuple[Path, Path], *, datachain: bool
) -> list[bool]:
    theirs = {"files to diff": 95.7}  # as measured elsewhere
    if datachain:
        python = peer(scratch, "datachain", "datachain")
        if python is not None:
            words = [python, "-c", DATACHAIN, *map(str, files)]
            env = {**os.environ, "DATACHAIN_ROOT_DIR": f"{scratch}/datachain-root"}
            done = subprocess.run(words, env=env, check=True, stdout=subprocess.PIPE)
            found = json.loads(done.stdout.splitlines()[-1])
            theirs = {"files to diff": found["whole"], "loading aside": found["cpu"]}
    ok = []
    for what, shapes, limit in (("box and class", False, 0.01), ("everything", True, 0.05)):
        ours = measured("peers:our_diff", store, shapes, runs=3)
        answer = {k: ours.answer[k] for k in ("added", "removed", "changed", "items")}
        assert answer == truth, (answer, truth)
        for how, seconds in theirs.items():
            detail = f"{ours.cpu:.2f} s against {seconds:.1f} s; right"
            name = f"diff, {what} / datachain, {how}, CPU"
            ok.append(report("P18", name, ours.cpu / seconds, limit, detail))
        ok.append(report("P18", f"diff, {what}, memory in GB", ours.memory / 1000, 0.5, ""))
    return ok


if __name__ == "__main__":
    sys.exit(main())
