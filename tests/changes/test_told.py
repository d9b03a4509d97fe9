"""What a difference tells beyond rows: classes, splits, objects in pieces, and who did it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import Run

from labelstore.changes.objects import regrouped
from labelstore.changes.summary import verdict
from labelstore.model import labels as l
from labelstore.store import Store, init_store

SCHEMA = Path(__file__).parents[2] / "schemas/v1/diff.schema.json"


def store_of(folder: Path, labels: list[l.Label], classes: tuple[str, ...] = ("c", "d")) -> Store:
    """Return a store whose v1 has some labels on the items a and b."""
    store = init_store(folder)
    items = [{"uri": n, "width": 200, "height": 100, "text": "some text"} for n in "ab"]
    with store.edit(message="first", by="ada") as edit:
        edit.add(labels, items=items, categories=[{"name": n} for n in classes])
    store.commit("first", tag="v1")
    return store


def told(cli: Run, store: Store, *words: str) -> dict[str, Any]:
    """Return what `diff v1 v2 --json` says, which must be as its schema has it."""
    said = cli("diff", "v1", "v2", "--json", *words, cwd=store.workspace.folder)
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    return found


def boxes(count: int, category: str, item: str = "a") -> list[l.Label]:
    return [l.Box(item=item, category=category, x=9 * n, y=0, width=8, height=8)
            for n in range(count)]  # fmt: skip


def test_a_merged_class_is_one_event_and_not_its_labels(tmp_path: Path, cli: Run) -> None:
    store = store_of(tmp_path / "s", [*boxes(9, "car"), *boxes(4, "lorry", "b")],
                     ("car", "lorry", "person", "thing"))  # fmt: skip
    file = tmp_path / "classes.yaml"
    file.write_text("classes:\n- name: vehicle\n  was: car\n  merge: [lorry]\n  parent: thing\n")
    store.apply_ontology(file, by="eve")
    ids = store.query("SELECT annotation_id FROM annotations ORDER BY 1").column(0).to_pylist()
    with store.edit(by="eve") as edit:
        edit.update(where=f"annotation_id = {ids[0]}", set={"category": "'person'"})
        edit.update(where=f"annotation_id = {ids[-1]}", set={"score": 0.5})
    store.commit("classes", tag="v2")
    found = told(cli, store)
    assert sorted((e["what"], e["category"], e["detail"], e["labels"])
                  for e in found["ontology"]) == [
        ("merged", "lorry", "into vehicle", 4),
        ("re-parented", "car", "none → thing", 0),
        ("renamed", "car", "to vehicle", 0),
    ]  # fmt: skip
    assert found["reclassified"] == [{"from": "vehicle", "to": "person", "labels": 1}]
    assert found["meanings"] == {"class merged": 4, "reclassified": 1, "score": 1}
    assert found["verdict"].endswith("2 labels changed, 1 class merged (4 labels)")


def test_a_class_whose_labels_went_apart_was_not_merged(tmp_path: Path, cli: Run) -> None:
    store = store_of(tmp_path / "s", boxes(4, "car"), ("car", "lorry", "bus"))
    ids = store.query("SELECT annotation_id FROM annotations ORDER BY 1").column(0).to_pylist()
    with store.edit() as edit:
        for at, name in enumerate(("lorry", "lorry", "bus", "bus")):
            edit.update(where=f"annotation_id = {ids[at]}", set={"category": f"'{name}'"})
    file = tmp_path / "classes.yaml"
    file.write_text("classes:\n- name: car\n  remove: true\n")
    store.apply_ontology(file)
    store.commit("classes", tag="v2")
    found = told(cli, store)
    assert [e["what"] for e in found["ontology"]] == ["removed"]
    assert {(m["to"], m["labels"]) for m in found["reclassified"]} == {("lorry", 2), ("bus", 2)}
    assert found["meanings"] == {"reclassified": 4}


def disc(cx: float, width: float) -> list[tuple[float, float]]:
    return [(cx, 10.0), (cx + width, 10.0), (cx + width, 50.0), (cx, 50.0)]


def run_of(begin: int, length: int) -> bytes:
    """Return the runs of a picture of one row."""
    import numpy as np
    from pycocotools import mask

    pixels = np.zeros((1, 200), np.uint8, order="F")
    pixels[0, begin : begin + length] = 1
    return bytes(mask.encode(pixels)["counts"])


ON = {"item": "a", "category": "c"}
KINDS: dict[str, Callable[[float, float], l.Label]] = {
    "box": lambda x, w: l.Box(**ON, x=x, y=10, width=w, height=40),
    "rotated_box": lambda x, w: l.RotatedBox(
        **ON, cx=x + w / 2, cy=50, width=40, height=w, angle=math.pi / 2
    ),
    "corners": lambda x, w: l.Corners(**ON, points=disc(x, w)),
    "polygon": lambda x, w: l.Polygon(**ON, rings=[disc(x, w)]),
    "mask": lambda x, w: l.Mask(
        **ON, encoding="coco_rle", h=1, w=200, counts=run_of(int(x), int(w))
    ),
    "interval": lambda x, w: l.Interval(**ON, start=x, end=x + w),
}


def pieces(store: Store, before: str, after: str) -> list[tuple[str, int]]:
    """Return what became of objects, and how many pieces each has."""
    found = store.diff(before, after)
    sides = store.manifest(before), store.manifest(after)
    rows = regrouped(found.labels, *sides).to_pylist()
    return [(r["change"], len(r["pieces"])) for r in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_in_pieces_is_told_both_ways(tmp_path: Path, kind: str) -> None:
    made = KINDS[kind]
    store = store_of(tmp_path / "s", [made(20, 60), made(120, 30)])
    ids = store.query("SELECT annotation_id FROM annotations ORDER BY 1").column(0).to_pylist()
    with store.edit() as edit:
        edit.delete(where=f"annotation_id = {ids[0]}")
        edit.add([made(20, 28), made(50, 30), made(160, 20)])
    store.commit("pieces", tag="v2")
    assert pieces(store, "v1", "v2") == [("split", 2)]
    assert pieces(store, "v2", "v1") == [("merged", 2)]


def test_a_label_that_shrank_beside_a_new_one_is_split(tmp_path: Path, cli: Run) -> None:
    made = KINDS["polygon"]
    store = store_of(tmp_path / "s", [made(20, 60)])
    ids = store.query("SELECT annotation_id FROM annotations").column(0).to_pylist()
    with store.edit() as edit:
        edit.update(where="true", set={"polygons": str([[c for p in disc(20, 28) for c in p]])})
        edit.add([made(50, 30), KINDS["polygon"](150, 30)])
    store.commit("pieces", tag="v2")
    (split,) = told(cli, store)["objects"]
    assert (split["change"], split["annotation_id"]) == ("split", str(ids[0]))
    assert len(split["pieces"]) == 2
    assert str(ids[0]) in split["pieces"]
    shown = cli("diff", "v1", "v2", cwd=store.workspace.folder).stdout
    assert "split (one became several)       1" in shown


def test_a_neighbour_of_another_class_is_no_piece(tmp_path: Path) -> None:
    made = KINDS["box"]
    store = store_of(tmp_path / "s", [made(20, 60)])
    with store.edit() as edit:
        edit.delete(where="true")
        edit.add([made(20, 28), l.Box(item="a", category="d", x=50, y=10, width=30, height=40)])
    store.commit("other", tag="v2")
    assert pieces(store, "v1", "v2") == []


@pytest.mark.parametrize("kind", KINDS)
def test_labels_that_do_not_cover_it_are_no_pieces(tmp_path: Path, kind: str) -> None:
    made = KINDS[kind]
    store = store_of(tmp_path / "s", [made(20, 60)])
    with store.edit() as edit:
        edit.delete(where="true")
        edit.add([made(20, 10), made(70, 10)])
    store.commit("two thirds are of neither", tag="v2")
    assert pieces(store, "v1", "v2") == []


def test_labels_without_class_are_a_class_of_their_own(tmp_path: Path, cli: Run) -> None:
    store = store_of(tmp_path / "s", boxes(3, "c"))
    with store.edit() as edit:
        edit.delete(where="true")
        edit.add([l.Box(item="a", x=90, y=0, width=8, height=8), *boxes(2, "d")])
    store.commit("other", tag="v2")
    found = told(cli, store, "--class", "(no class)")
    assert [label["class_after"] for label in found["labels"]] == ["(no class)"]
    assert [label["class_after"] for label in told(cli, store, "--class", "d")["labels"]] == [
        "d", "d",
    ]  # fmt: skip


def test_a_class_that_is_not_listed_goes_by_its_number(tmp_path: Path, cli: Run) -> None:
    """pycocotools accepts such files, so the store has such labels."""
    store = init_store(tmp_path / "s")
    whole = {"images": [{"id": 1, "file_name": "a", "width": 9, "height": 9}], "categories": []}
    label = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, 5, 5], "area": 25,
             "iscrowd": 0}  # fmt: skip
    for tag, own in (("v1", []), ("v2", [label])):
        (tmp_path / "a.json").write_text(json.dumps({**whole, "annotations": own}))
        store.import_from("coco", tmp_path / "a.json", mode="update" if own else "add")
        store.commit(tag, tag=tag)
    (number,) = store.query("SELECT category_id FROM annotations").column(0).to_pylist()
    ((only,), counts) = (told(cli, store)[n] for n in ("labels", "classes"))
    assert only["class_after"] == counts[0]["category"] == f"class {number}"
    assert f"class {number}" in cli("diff", "v1", "v2", cwd=store.workspace.folder).stdout


def test_items_that_left_the_test_set_come_first(tmp_path: Path, cli: Run) -> None:
    store = init_store(tmp_path / "s")
    with store.edit() as edit:
        edit.add([], items=[{"uri": f"{n}.jpg"} for n in range(60)])
    store.split("default", ratios="train=0.5,test=0.5", seed=1)
    store.commit("first", tag="v1")
    store.split("default", ratios="train=0.5,test=0.5", seed=2)
    store.commit("second", tag="v2")
    sides = [dict(store.query("SELECT item_id, subset FROM splits", at=v).to_pydict().items())
             for v in ("v1", "v2")]  # fmt: skip
    subset = [dict(zip(s["item_id"], s["subset"], strict=True)) for s in sides]
    moved = [(subset[0][i], subset[1][i]) for i in subset[0] if subset[0][i] != subset[1][i]]
    found = told(cli, store)["split_moves"]
    assert found[0]["from"] == "test"
    assert {(m["from"], m["to"]): m["items"] for m in found} == {
        pair: moved.count(pair) for pair in moved
    }


def test_who_did_it_is_told_by_activity_and_author(tmp_path: Path, cli: Run) -> None:
    store = store_of(tmp_path / "s", boxes(6, "c"))
    ids = store.query("SELECT annotation_id FROM annotations ORDER BY 1").column(0).to_pylist()
    for at, (by, message) in enumerate((("bob", "one"), ("bob", "two"), ("eve", "three"))):
        with store.edit(by=by, message=message) as edit:
            edit.update(where=f"annotation_id = {ids[at]}", set={"score": 0.5})
            edit.add([l.Box(item="b", category="c", x=at, y=0, width=8, height=8)])
    store.commit("work", tag="v2")
    found = told(cli, store)
    assert {a["removed"] for a in found["activities"]} == {0}
    assert [(a["by"], a["what"], a["added"], a["changed"]) for a in found["activities"]] == [
        ("bob", "edit: one", 1, 1), ("bob", "edit: two", 1, 1), ("eve", "edit: three", 1, 1),
    ]  # fmt: skip
    assert [(a["by"], a["what"], a["added"]) for a in found["authors"]] == [
        ("bob", "2 activities", 2), ("eve", "1 activity", 1),
    ]  # fmt: skip


def test_labels_that_went_are_of_who_was_there(tmp_path: Path, cli: Run) -> None:
    store = store_of(tmp_path / "s", boxes(6, "c"))
    ids = store.query("SELECT annotation_id FROM annotations ORDER BY 1").column(0).to_pylist()
    with store.edit(by="bob", message="out") as edit:
        edit.delete(where=f"annotation_id = {ids[0]}")
    store.commit("one", tag="v2")
    (by,) = told(cli, store)["activities"]
    assert (by["by"], by["what"], by["removed"]) == ("bob", "edit: out", 1)
    with store.edit(by="model:yolo@8", message="more") as edit:
        edit.delete(where=f"annotation_id = {ids[1]}")
    store.commit("two", tag="v3")
    folder = store.workspace.folder
    said = json.loads(cli("diff", "v1", "v3", "--json", cwd=folder).stdout)["activities"]
    assert [(w["by"], w["what"], w["removed"]) for w in said] == [
        ("bob or model:yolo@8", "one of several", 2)
    ]


def test_one_class_alone(tmp_path: Path, cli: Run) -> None:
    store = store_of(tmp_path / "s", [*boxes(2, "c"), *boxes(3, "d")])
    with store.edit() as edit:
        edit.update(where="true", set={"score": 0.5})
    store.commit("scores", tag="v2")
    found = told(cli, store, "--class", "d")
    assert [c["category"] for c in found["classes"]] == ["d"]
    assert found["meanings"] == {"score": 3}
    assert found["summary"]["annotations"]["changed"] == 3
    assert found["verdict"] == "3 labels changed"
    refused = cli("diff", "v1", "v2", "--class", "e", cwd=store.workspace.folder)
    assert refused.returncode == 2
    assert "neither version has it" in refused.stderr


def test_the_schema_describes_every_form(tmp_path: Path, cli: Run) -> None:
    store = store_of(tmp_path / "s", boxes(3, "c"))
    with store.edit() as edit:
        edit.update(where="true", set={"box": "{v0: box.v0 + 1, v1: 0, v2: 8, v3: 8}"})
    store.commit("moved", tag="v2")
    (tmp_path / "p.toml").write_text("changed = 3\n")
    for words in (["--stat"], ["--match", "geometry"], ["--drift"],
                  ["--policy", str(tmp_path / "p.toml")]):  # fmt: skip
        assert told(cli, store, *words)["verdict"] == "3 labels changed"
    assert "no label differs" not in verdict(store.diff("v1", "v2"))
