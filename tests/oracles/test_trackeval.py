"""TrackEval finds in our sequences what was put into them: the walks score 100 against them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from oracle import asked

from labelstore.store import Store, init_store

FRAMES, TRACKS = 12, 5
PERFECT = {"HOTA": 1.0, "MOTA": 1.0, "IDF1": 1.0, "objects": FRAMES * TRACKS, "tracks": TRACKS}


def walks() -> list[tuple[int, int, list[float]]]:
    """Return frame (from 1), track and left, top, width, height of pedestrians that walk."""
    rng = np.random.default_rng(4)
    return [(frame, track, [round(10 * frame + rng.random(), 3), 60.0 * track, 20.5, 50.25])
            for frame in range(1, FRAMES + 1) for track in range(1, TRACKS + 1)]  # fmt: skip


def mot_lines() -> str:
    """Return the walks as MOTChallenge has them."""
    lines = (f"{frame},{track},{','.join(map(str, box))},1,1,1\n" for frame, track, box in walks())
    return "".join(lines)


def kitti_lines() -> str:
    """Return the walks as a KITTI tracker has them: frames from 0, edges, a score."""
    found = []
    for frame, track, (x, y, w, h) in walks():
        edges = f"{x} {y} {x + w} {y + h}"
        place = "-1 -1 -1 -1000 -1000 -1000 -10"
        found.append(f"{frame - 1} {track} Pedestrian -1 -1 -10 {edges} {place} 1.0\n")
    return "".join(found)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store of the walks."""
    folder = tmp_path / "in/MOT17-02/gt"
    folder.mkdir(parents=True)
    (folder / "gt.txt").write_text(mot_lines())
    (folder.parent / "seqinfo.ini").write_text(
        f"[Sequence]\nname=MOT17-02\nimDir=img1\nframeRate=30\nseqLength={FRAMES}\n"
        "imWidth=1920\nimHeight=1080\nimExt=.jpg\n"
    )
    store = init_store(tmp_path / "store")
    store.import_from("mot", tmp_path / "in", message="in", commit=True)
    return store


def test_mot_challenge(store: Store, tmp_path: Path) -> None:
    """By way of CVAT, without a sidecar."""
    store.export_to("cvat", tmp_path / "mid.xml", allow_loss=["all"], sidecar=False)
    second = init_store(tmp_path / "second")
    second.import_from("cvat", tmp_path / "mid.xml", message="in", commit=True)
    target = tmp_path / "gt/MOT17-train"
    target.parent.mkdir()
    second.export_to("mot", target, allow_loss=["all"], sidecar=False)
    (sequence,) = (p for p in target.iterdir() if p.is_dir())
    results = tmp_path / "trackers/MOT17-train/walks/data"
    results.mkdir(parents=True)
    (results / f"{sequence.name}.txt").write_text(mot_lines())
    told = asked("trackeval_scores.py", "MotChallenge2DBox", json.dumps({
        "GT_FOLDER": str(tmp_path / "gt"), "TRACKERS_FOLDER": str(tmp_path / "trackers"),
        "SEQ_INFO": {sequence.name: FRAMES}, "BENCHMARK": "MOT17", "SPLIT_TO_EVAL": "train",
        "OUTPUT_FOLDER": str(tmp_path / "scores"),
    }))  # fmt: skip
    assert told == {"pedestrian": pytest.approx(PERFECT)}


def test_kitti_tracking(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "gt"
    store.export_to("kitti-tracking", target, allow_loss=["all"], sidecar=False)
    (seqmap,) = target.glob("evaluate_tracking.seqmap")
    shutil.copy(seqmap, target / "evaluate_tracking.seqmap.training")
    (labels,) = (target / "label_02").rglob("*.txt")
    assert labels.parent == target / "label_02"
    results = tmp_path / "trackers/walks/data"
    results.mkdir(parents=True)
    (results / labels.name).write_text(kitti_lines())
    told = asked("trackeval_scores.py", "Kitti2DBox", json.dumps({
        "GT_FOLDER": str(target), "TRACKERS_FOLDER": str(tmp_path / "trackers"),
        "OUTPUT_FOLDER": str(tmp_path / "scores"), "SPLIT_TO_EVAL": "training",
        "CLASSES_TO_EVAL": ["pedestrian"],
    }))  # fmt: skip
    assert told == {"pedestrian": pytest.approx(PERFECT)}
