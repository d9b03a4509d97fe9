"""A loss report says what, how many, for instance which, and how far numbers move."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run

from labelstore.errors import InvalidInput, LossRefused
from labelstore.store import Store, init_store

SOURCE = Path(__file__).parents[1] / "data/coco/tiny_coco/instances_val2017.json"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = init_store(tmp_path / "store")
    store.import_from("coco", SOURCE, message="in", commit=True)
    return store


def boxes(store: Store) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the boxes of all labels as stated, shape (n, 4)."""
    rows = store.query(
        "SELECT xmin, ymin, xmax, ymax FROM annotations a JOIN items i USING (item_id) "
        "ORDER BY parse_filename(i.uri, true), seq"
    ).to_pylist()
    return np.array([list(row.values()) for row in rows], np.float64)


def test_a_refusal_names_examples(store: Store, tmp_path: Path) -> None:
    with pytest.raises(LossRefused) as caught:
        store.export_to("yolo", tmp_path / "out", task="detect")
    found = {loss["code"]: loss for loss in caught.value.losses}
    crowds = [a for a in json.loads(SOURCE.read_text())["annotations"] if a["iscrowd"]]
    crowd = found["yolo-drops-is_crowd"]
    assert crowd["count"] == len(crowds)
    ids = {int(text.split()[1]) for text in crowd["examples"]}
    assert ids <= {a["id"] for a in crowds}
    assert len(ids) == 3
    assert found["yolo-drops-items.source_id"]["examples"][0] == "000000397133.jpg"
    assert found["yolo-drops-items.uri"]["examples"] == found["yolo-drops-items.width"]["examples"]
    assert f"such as label {crowd['examples'][0].split()[1]} on" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_refusal_is_told_as_json(tmp_path: Path, cli: Run) -> None:
    words = ("convert", SOURCE, tmp_path / "out", "--to", "yolo", "--json")
    refused = cli(*words, cwd=tmp_path)
    assert refused.returncode == 1
    told = json.loads(refused.stdout)
    assert (told["schema"], told["refused"]) == ("labelstore/losses/1", True)
    assert {"code", "count", "words", "examples"} == set(told["losses"][0])


@pytest.mark.parametrize("name", ["yolo", "darknet"])
@pytest.mark.parametrize("digits", [3, 6, None])
def test_the_largest_rounding_error_is_what_reading_back_shows(
    store: Store, tmp_path: Path, name: str, digits: int | None
) -> None:
    task = "detect" if name == "yolo" else None
    report = store.export_to(name, tmp_path / "out", task=task, digits=digits, sidecar=False,
                             allow_loss=["all"])  # fmt: skip
    second = init_store(tmp_path / "second")
    second.import_from(name, tmp_path / "out", sizes=SOURCE, message="back", commit=True)
    moves = np.abs(boxes(store) - boxes(second))
    limit, moved = report.largest_rounding, moves.max()
    assert limit / 2 <= moved <= 2 * limit + 1e-12  # of centre and size, not of edges
    assert (limit > 1e-3) == (digits == 3)
    assert (limit > 1e-10) == (digits is not None)
    assert report.notices.get(f"{name}-rounded", 0) == (moves > 1e-9).any(axis=1).sum()


def test_only_text_of_parts_can_be_rounded(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="coco writes numbers whole"):
        store.export_to("coco", tmp_path / "out.json", digits=4)
    with pytest.raises(InvalidInput, match="must be 1 to 17"):
        store.export_to("yolo", tmp_path / "out", digits=0)


def test_no_example_is_shown_that_may_not_be_one(tmp_path: Path) -> None:
    """Two of fifty images have no labels; Label Studio's file says no size of these alone."""
    store = init_store(tmp_path / "store")
    store.import_from("coco", SOURCE, message="in", commit=True)
    with pytest.raises(LossRefused) as caught:
        store.export_to("label-studio", tmp_path / "out.json")
    found = {loss["code"]: loss for loss in caught.value.losses}
    assert found["label-studio-drops-items.width"] == {
        "code": "label-studio-drops-items.width", "count": 2, "words": "items", "examples": [],
    }  # fmt: skip
