"""Promises P13 to P17 and P21 beside what a user would pick instead, in one run.

    python tests/bench/formats.py [--scale 0.05] [--keep DIR]

Peers live in environments of their own, made here: labelformat, globox and datumaro; Python's
`json` stands beside the export of COCO. Data are generated with a fixed seed: COCO of train2017's
shape (a twentieth of its images by default), YOLO exported from it, KITTI of 7,481 files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import Cost, Watch, command, measured, report
from peers import our_command, peer

from labelstore.store import open_store

LABELFORMAT = """
import sys
from pathlib import Path
from labelformat.formats import COCOObjectDetectionInput, YOLOv8ObjectDetectionOutput
found = COCOObjectDetectionInput(input_file=Path(sys.argv[1]))
target = Path(sys.argv[2]) / "data.yaml"
YOLOv8ObjectDetectionOutput(output_file=target, output_split="train").save(label_input=found)
"""
ULTRALYTICS = """
import sys
from ultralytics.data.converter import convert_coco
convert_coco(sys.argv[1], save_dir=sys.argv[2], use_segments=True, cls91to80=False)
"""
GLOBOX = """
import sys
from globox import AnnotationSet
found = AnnotationSet.from_yolo_v5(sys.argv[1], image_folder=sys.argv[2], image_extension=".png")
found.save_coco(sys.argv[3], auto_ids=True)
"""
DATUMARO = """
import sys
from datumaro.components.dataset import Dataset
print(len(Dataset.import_from(sys.argv[1], "kitti3d")))
"""
ORACLES = Path(__file__).parents[2] / ".venv-oracles/bin/python"
"""Where `make oracles` puts Ultralytics, which needs PyTorch."""
CLASSES = ("Car", "Van", "Truck", "Pedestrian", "Cyclist", "Tram", "Misc", "DontCare")


def dump(source: str, target: str) -> dict[str, float]:
    """Write a COCO file by the standard library, and return what the writing alone cost."""
    found = json.loads(Path(source).read_bytes())
    with Watch() as watch, open(target, "w") as file:
        json.dump(found, file)
    return {"cpu": watch.cpu, "wall": watch.wall}


def blank_images(source: str, folder: str) -> int:
    """Write an image of one colour for each of a COCO file, and return how many."""
    from PIL import Image

    images = json.loads(Path(source).read_bytes())["images"]
    Path(folder).mkdir()
    for image in images:
        blank = Image.new("1", (image["width"], image["height"]))
        blank.save(Path(folder, image["file_name"]).with_suffix(".png"))
    return len(images)


def kitti(folder: str, files: int = 7_481, seed: int = 7) -> int:
    """Write label files of KITTI's shape, and return how many lines they have."""
    rng = np.random.default_rng(seed)
    labels = Path(folder, "training/label_2")
    labels.mkdir(parents=True)
    labels.with_name("image_2").mkdir()
    counts = rng.poisson(6.9, files)
    for i, count in enumerate(counts.tolist()):
        numbers = rng.uniform(-3, 60, (count, 11)).round(2)
        kinds = rng.integers(0, len(CLASSES), count)
        lines = [
            f"{CLASSES[k]} 0.00 {k % 4} " + " ".join(f"{v:.2f}" for v in row) + " 1.57"
            for k, row in zip(kinds.tolist(), numbers.tolist(), strict=True)
        ]
        (labels / f"{i:06d}.txt").write_text("".join(f"{line}\n" for line in lines))
    return int(counts.sum())


def _ratio(name: str, what: str, own: Cost, other: Cost | None, limit: float) -> bool:
    if other is None:
        print(f"{name}: {what}: {own.cpu:.1f} s, {own.memory:.0f} MB; the peer cannot be had here")
        return True
    detail = (f"{own.cpu:.1f} s and {own.memory:.0f} MB against {other.cpu:.1f} s and "
              f"{other.memory:.0f} MB")  # fmt: skip
    return report(name, what, own.cpu / other.cpu, limit, detail)


def _peer(python: str | None, code: str, *args: str) -> Cost | None:
    if python is None:
        return None
    try:
        return command([python, "-c", code, *args])
    except SystemExit as error:
        print(f"a peer failed: {error}")
        return None


def _promises(scratch: Path, scale: float) -> bool:
    first, store, ours = scratch / "coco.json", scratch / "store", our_command(str(scratch))
    measured("peers:make_first", str(first), scale)  # elsewhere: this process must stay small
    size = first.stat().st_size
    print(f"COCO of {size / 1e6:.0f} MB", flush=True)
    command([ours, "init", str(store)])
    command([ours, "import", "coco", str(first), "--store", str(store), "-m", "v", "--tag", "v1",
             "--quiet"])  # fmt: skip
    at = ["--store", str(store), "--at", "v1", "--quiet"]
    loss = ["--allow-loss", "all", "--no-sidecar"]
    ok = []
    own = command([ours, "export", "coco", str(scratch / "out.json"), *at])
    other: Cost | None = measured("formats:dump", str(first), str(scratch / "dump.json"))
    ok.append(_ratio("P13", "export COCO / json.dump, CPU", own, other, 0.27))
    labelformat = peer(str(scratch), "labelformat", "labelformat")
    target = str(scratch / "theirs")
    other = _peer(labelformat, LABELFORMAT, str(first), target)
    own = command(
        [ours, "export", "yolo", str(scratch / "detect"), "--task", "detect", *at, *loss]
    )
    ok.append(_ratio("P14", "COCO to YOLO detect from the store / labelformat", own, other, 0.33))
    words = [str(first), str(scratch / "direct"), "--from", "coco", "--to", "yolo", "--quiet"]
    own = command([ours, "convert", *words, "--task", "detect", *loss])
    ok.append(_ratio("P14", "the same from JSON / labelformat", own, other, 0.65))
    own = command(
        [ours, "export", "yolo", str(scratch / "outline"), "--task", "segment", *at, *loss]
    )
    only = scratch / "only"
    only.mkdir()
    (only / "coco.json").symlink_to(first)
    python = str(ORACLES) if ORACLES.exists() else None
    other = _peer(python, ULTRALYTICS, str(only), str(scratch / "ultralytics"))
    ok.append(_ratio("P15", "COCO to YOLO segment / ultralytics", own, other, 0.31))
    words = [str(scratch / "detect"), str(scratch / "back.json"), "--from", "yolo", "--to", "coco"]
    own = command([ours, "convert", *words, "--sizes", str(first), "--quiet", *loss])
    measured("formats:blank_images", str(first), str(scratch / "images"))
    globox = peer(str(scratch), "globox", "globox")
    other = _peer(globox, GLOBOX, str(scratch / "detect/labels"), str(scratch / "images"),
                  str(scratch / "globox.json"))  # fmt: skip
    ok.append(_ratio("P16", "YOLO to COCO / globox", own, other, 0.22))
    lines = measured("formats:kitti", str(scratch / "kitti")).answer
    print(f"KITTI: {lines:,} lines in 7,481 files")
    command([ours, "init", str(scratch / "k")])
    words = ["import", "kitti", str(scratch / "kitti"), "--store", str(scratch / "k"), "--quiet"]
    own = command([ours, *words])
    datumaro = peer(str(scratch), "datumaro", "datumaro")
    other = _peer(datumaro, DATUMARO, str(scratch / "kitti/training"))
    ok.append(_ratio("P17", "KITTI import / datumaro's load", own, other, 0.6))
    manifest = open_store(store).workspace.manifest("v1")
    share = sum(part.size for part in manifest.parts) / size
    ok.append(report("P21", "bytes of the version / bytes of the JSON", share, 0.29, ""))
    return all(ok)


def main() -> int:
    """Run every comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.05)
    parser.add_argument("--keep", help="folder for the data; a temporary one otherwise")
    given = parser.parse_args()
    scratch = Path(given.keep or tempfile.mkdtemp(prefix="labelstore-formats-"))
    scratch.mkdir(exist_ok=True)
    defaults: dict[str, Any] = {"DVC_NO_ANALYTICS": "1", "LABELSTORE_KEY_FILE": f"{scratch}/key"}
    os.environ.update({k: v for k, v in defaults.items() if k not in os.environ})
    try:
        return 0 if _promises(scratch, given.scale) else 1
    finally:
        if not given.keep:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
