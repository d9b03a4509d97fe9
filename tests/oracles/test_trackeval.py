"""TrackEval reads our sequences by its own conventions: tracks against themselves score 100."""

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


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store of pedestrians that walk to the right, as MOTChallenge has them."""
    folder = tmp_path / "in/MOT17-02/gt"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(4)
    lines = [f"{frame},{track},{10 * frame + rng.random():.3f},{60 * track:.1f},20.5,50.25,1,1,1\n"
             for frame in range(1, FRAMES + 1) for track in range(1, TRACKS + 1)]  # fmt: skip
    (folder / "gt.txt").write_text("".join(lines))
    (folder.parent / "seqinfo.ini").write_text(
        f"[Sequence]\nname=MOT17-02\nimDir=img1\nframeRate=30\nseqLength={FRAMES}\n"
        "imWidth=1920\nimHeight=1080\nimExt=.jpg\n"
    )
    store = init_store(tmp_path / "store")
    store.import_from("mot", tmp_path / "in", message="in", commit=True)
    return store


def test_mot_challenge(store: Store, tmp_path: Path) -> None:
    """By way of COCO's neighbours CVAT and back, without a sidecar."""
    store.export_to("cvat", tmp_path / "mid.xml", allow_loss=["all"], sidecar=False)
    second = init_store(tmp_path / "second")
    second.import_from("cvat", tmp_path / "mid.xml", message="in", commit=True)
    target = tmp_path / "gt/MOT17-train"
    target.parent.mkdir()
    second.export_to("mot", target, allow_loss=["all"], sidecar=False)
    (sequence,) = (p for p in target.iterdir() if p.is_dir())
    results = tmp_path / "trackers/MOT17-train/same/data"
    results.mkdir(parents=True)
    shutil.copy(sequence / "gt/gt.txt", results / f"{sequence.name}.txt")
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
    results = tmp_path / "trackers/same/data"
    results.mkdir(parents=True)
    for path in (target / "label_02").rglob("*.txt"):
        assert path.parent == target / "label_02"
        lines = [f"{line} 1.0\n" for line in path.read_text().splitlines()]
        (results / path.name).write_text("".join(lines))
    told = asked("trackeval_scores.py", "Kitti2DBox", json.dumps({
        "GT_FOLDER": str(target), "TRACKERS_FOLDER": str(tmp_path / "trackers"),
        "OUTPUT_FOLDER": str(tmp_path / "scores"), "SPLIT_TO_EVAL": "training",
        "CLASSES_TO_EVAL": ["pedestrian"],
    }))  # fmt: skip
    assert told == {"pedestrian": pytest.approx(PERFECT)}
