"""Random edits of labels of every kind, of known truth, are told exactly: no more and no less."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from sides import LAYER, with_rows

from labelstore.changes.diff import diff
from labelstore.model.examples import CATEGORIES, ITEMS, LABELS
from labelstore.model.kinds import Kind
from labelstore.model.tables import FAMILY, TABLES
from labelstore.store import Store, init_store

Row = dict[str, Any]
Change = Callable[[Row], None]
COPIES = 6
"""Labels of each kind."""


def plus(column: str, member: str | int | None, by: float) -> Change:
    """Return what adds to one number of a shape."""

    def change(row: Row) -> None:
        if member is None:
            row[column] += by
        else:
            row[column][member] += by

    return change


def shifted(column: str) -> Change:
    """Return what moves every point of a flat list, or of lists of them, to the right."""

    def right(flat: list[float]) -> list[float]:
        return [v + 3 if i % 2 == 0 else v for i, v in enumerate(flat)]

    def change(row: Row) -> None:
        own = row[column]
        row[column] = [right(r) for r in own] if isinstance(own[0], list) else right(own)

    return change


def bent(column: str) -> Change:
    """Return what moves one corner alone."""

    def change(row: Row) -> None:
        own = row[column]
        (own[0] if isinstance(own[0], list) else own)[0] += 7.5

    return change


def put(column: str, value: Any) -> Change:
    """Return what sets a column."""

    def change(row: Row) -> None:
        row[column] = value

    return change


def inside(column: str, member: str, value: Any) -> Change:
    """Return what sets one member of a shape."""

    def change(row: Row) -> None:
        row[column][member] = value

    return change


SHAPES: dict[str, list[tuple[str, Change]]] = {
    "box": [("moved", plus("box", "v0", 3)), ("resized", plus("box", "v2", 5))],
    "rotated_box": [("moved", plus("rotated_box", "cx", 3)),
                    ("resized", plus("rotated_box", "w", 5)),
                    ("rotated", plus("rotated_box", "angle", 0.2))],
    "ellipse": [("moved", plus("ellipse", "cy", 3)), ("resized", plus("ellipse", "rx", 5)),
                ("rotated", plus("ellipse", "angle", 0.2))],
    "corners": [("moved", shifted("corners")), ("reshaped", bent("corners"))],
    "polygon": [("moved", shifted("polygons")), ("reshaped", bent("polygons"))],
    "polyline": [("moved", shifted("polylines")), ("reshaped", bent("polylines"))],
    "points": [("moved", shifted("keypoints"))],
    "keypoints": [("moved", shifted("keypoints")), ("reshaped", bent("keypoints"))],
    "cuboid2d": [("moved", shifted("cuboid2d")), ("reshaped", bent("cuboid2d"))],
    "cuboid3d": [("moved", plus("cuboid3d", "cx", 1)), ("resized", plus("cuboid3d", "length", 1))],
    "spline": [("reshaped", inside("spline", "closed", True))],
    "mesh": [("reshaped", lambda row: row["mesh"]["vertices"].__setitem__(0, 9.0))],
    "segment": [("segment changed", plus("raster", "value", 1))],
    "span": [("span shifted", lambda row: row["spans"][0].update(end=row["spans"][0]["end"] - 1))],
    "text": [("text edited", put("text", "other words"))],
    "interval": [("interval shifted", plus("interval", "end", 1))],
    "point_labels": [("points relabelled", inside("point_labels", "labels", bytes(3)))],
    "tag": [],
    "mask": [("reshaped", inside("mask", "counts", b"1,1"))],
}  # fmt: skip
"""Changes of shapes of each kind, and the word for each."""
BESIDE: list[tuple[str, Change]] = [
    ("reclassified", put("category_id", None)),
    ("score", put("score", 0.125)),
    ("flags", put("difficult", True)),
    ("attributes", put("attributes", {"colour": '"blue"'})),
    ("tags", put("tags", ["night"])),
    ("reviewed", put("review_state", "gold")),
    ("track relinked", put("track_id", 77)),
    ("regrouped", put("group_id", 77)),
]
"""Changes of any label."""


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store that holds several labels of every kind."""
    store = init_store(Path(tmp_path_factory.mktemp("every")) / "s", target=64)
    with store.edit(by="ada") as edit:
        edit.add(list(LABELS.values()) * COPIES, items=list(ITEMS), categories=list(CATEGORIES))
    store.commit("every kind", tag="v1")
    return store


def test_every_kind_has_changes() -> None:
    assert set(SHAPES) == set(get_args(Kind)) - {"track"}


@pytest.mark.parametrize("seed", range(8))
def test_what_was_done_is_what_is_told(every: Store, seed: int) -> None:
    rng = random.Random(seed)
    base = every.manifest("v1")
    rows = {name: {r["annotation_id"]: r for r in
                   base.table(TABLES[name], None, LAYER).to_pylist(maps_as_pydicts="strict")}
            for name in FAMILY}  # fmt: skip
    changed, gone = copy.deepcopy(rows), set[int]()
    truth: dict[int, set[str]] = {}
    for label, note in changed["annotations"].items():
        chance = rng.random()
        if chance < 0.1:
            gone.add(label)
        elif chance < 0.6:
            shapes = SHAPES[note["kind"]]
            own = [(*rng.choice(shapes), "geometries")] if shapes and rng.random() < 0.6 else []
            own += [(*one, "annotations") for one in rng.sample(BESIDE, rng.randrange(0, 3))]
            for word, change, table in own:
                change(changed[table][label])
                truth.setdefault(label, set()).add(word)
    same = {label for label, note in rows["annotations"].items()
            if all(changed[n][label] == rows[n][label] for n in FAMILY)}  # fmt: skip
    truth = {label: words for label, words in truth.items() if label not in same}
    after = with_rows(every, base, changed, set(truth), gone)
    found = diff(base, after).labels.to_pylist()
    told = {r["annotation_id"]: set(r["meanings"]) for r in found if r["change"] == "changed"}
    assert told == truth
    assert {r["annotation_id"] for r in found if r["change"] == "removed"} == gone
    back = diff(after, base).labels.to_pylist()
    assert {r["annotation_id"] for r in back if r["change"] == "added"} == gone
    assert {r["annotation_id"] for r in back if r["change"] == "changed"} == set(truth)
