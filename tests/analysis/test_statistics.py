"""A version in numbers, against the same counted from the source file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run

from labelstore.analysis.statistics import GROUPS, class_weights
from labelstore.errors import InvalidInput
from labelstore.model.labels import Box
from labelstore.store import Store, init_store

DOCUMENT: dict[str, Any] = json.loads(TINY.read_text())
LABELS = DOCUMENT["annotations"]
NAMES = {c["id"]: c["name"] for c in DOCUMENT["categories"]}


def test_sizes_are_those_of_the_boxes(v1: Store) -> None:
    found = v1.stats(at="v1", items=True)
    boxes: dict[str, list[list[float]]] = {}
    for own in LABELS:
        boxes.setdefault(NAMES[own["category_id"]], []).append(own["bbox"][2:])
    assert {s.category: s.boxes for s in found.sizes} == {n: len(b) for n, b in boxes.items()}
    for size in found.sizes:
        sides = boxes[size.category]
        areas = [w * h for w, h in sides]
        assert size.mean_width == pytest.approx(sum(w for w, _ in sides) / len(sides), rel=0.05)
        assert size.small + size.medium + size.large == sum(size.sides.values()) == size.boxes
        assert size.small == sum(n for side, n in size.sides.items() if side < 32)
        assert size.small == pytest.approx(sum(a < 32**2 for a in areas), abs=1)
        assert size.large == pytest.approx(sum(a >= 96**2 for a in areas), abs=1)


def test_labels_per_item_count_items_without_any(v1: Store) -> None:
    counts = Counter(a["image_id"] for a in LABELS)
    per_item = sorted(counts[i["id"]] for i in DOCUMENT["images"])
    found = v1.stats(at="v1", items=True).density
    assert found is not None
    assert found.items == len(per_item)
    assert found.empty == per_item.count(0)
    assert found.most == per_item[-1]
    assert found.mean == pytest.approx(sum(per_item) / len(per_item))
    assert found.median == (per_item[24] + per_item[25]) / 2
    assert dict(found.counts) == dict(Counter(per_item))


def test_groups_add_up_to_the_whole(v1: Store) -> None:
    v1.split("default", ratios="train=0.7,test=0.3")
    v1.commit("split", tag="v2")
    found = v1.stats(at="v2", by=GROUPS)
    for name, group in found.groups.items():
        assert sum(own.annotations for own in group.values()) == len(LABELS), name
        counts: Counter[str] = Counter()
        for own in group.values():
            counts.update({c.category: c.annotations for c in own.classes})
        assert counts == {c.category: c.annotations for c in found.classes}
    sql = """SELECT s.subset, count(*) AS n FROM annotations JOIN splits s USING (item_id)
             GROUP BY 1"""
    subsets = {f"default/{r['subset']}": r["n"] for r in v1.query(sql, at="v2").to_pylist()}
    assert {n: own.annotations for n, own in found.groups["split"].items()} == subsets
    assert set(found.groups["kind"]) == {"polygon", "mask"}
    assert set(found.groups["source"]) == {"instances_val2017"}


def test_a_condition_narrows_every_number(v1: Store) -> None:
    people = [a for a in LABELS if NAMES[a["category_id"]] == "person"]
    images = {a["image_id"] for a in people}
    found = v1.stats(at="v1", items=True, by=["kind"], where="category = 'person'")
    assert [(c.category, c.annotations, c.items) for c in found.classes] == [
        ("person", len(people), len(images))
    ]
    assert found.density is not None
    assert found.density.empty == 50 - len(images)
    assert sum(own.annotations for own in found.groups["kind"].values()) == len(people)
    within = "item_id IN (SELECT item_id FROM labels WHERE category = 'person')"
    expected = sum(a["image_id"] in images for a in LABELS)
    assert v1.stats(at="v1", where=within).annotations == expected


def test_a_condition_on_the_whole_row_is_about_labels(v1: Store) -> None:
    found = v1.stats(at="v1", items=True, where="labels::VARCHAR LIKE '%polygon%'")
    assert found.annotations == sum(s.boxes for s in found.sizes) > 0


@pytest.mark.parametrize(
    ("where", "code"),
    [("read_text('/etc/passwd') = ''", "query-refused"),
     ("EXISTS (SELECT 1 FROM '/etc/passwd')", "query-refused"),
     ("EXISTS (SELECT 1 FROM versions('v1', 'v1'))", "query-refused"),
     ("true) OR (true", "query-refused"),
     ("true; DROP VIEW items", "query-refused"),
     ("nothing > 1", "query-wrong"), ("", "edit-sql")],
)  # fmt: skip
def test_a_condition_is_a_condition(v1: Store, where: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        v1.stats(at="v1", where=where)
    assert refused.value.code == code


def test_weights_come_in_the_order_of_the_classes(v1: Store, cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "weights.json"
    done = cli("stats", "--weights", file, "--beta", 0.99, cwd=v1.workspace.folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(file.read_text())
    assert [c["name"] for c in told["classes"]] == [c["name"] for c in DOCUMENT["categories"]]
    counts = Counter(NAMES[a["category_id"]] for a in LABELS)
    raw = {n: (1 - 0.99) / (1 - 0.99**count) for n, count in counts.items()}
    mean = sum(raw.values()) / len(raw)
    for own in told["classes"]:
        assert own["labels"] == counts[own["name"]]
        assert own["weight"] == pytest.approx(raw.get(own["name"], 0) / mean)
    with pytest.raises(InvalidInput, match="at least 0"):
        v1.stats(beta=1.0)
    equal = class_weights(v1.stats(beta=0.0), v1.manifest())["classes"]
    assert {c["weight"] for c in equal} == {0.0, 1.0}


def test_the_page_stands_alone(v1: Store, cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "stats.html"
    words = ["--items", "--by", "kind", "--html", file]
    assert cli("stats", *words, cwd=v1.workspace.folder).returncode == 0
    text = file.read_text()
    assert "382 labels, 48 classes" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert "refrigerator" in text


def test_a_store_without_labels_has_numbers_too(tmp_path: Path, cli: Run) -> None:
    store = init_store(tmp_path / "s")
    found = store.stats(items=True, by=GROUPS)
    assert (found.annotations, found.classes, found.imbalance, found.sizes) == (0, [], None, [])
    done = cli("stats", "--items", "--by", "split", cwd=store.workspace.folder)
    assert done.returncode == 0, done.stderr
    with store.edit(by="ada") as edit:
        edit.add([Box(item="a", category="c", x=0.1, y=0.1, width=0.5, height=0.5, frame="unit")],
                 items=[{"uri": "a"}], categories=[{"name": "c"}, {"name": "d"}])  # fmt: skip
    found = store.stats(items=True)
    assert found.absent == ["d"]
    assert found.sizes == []  # shares of an image of unknown size
    assert (found.imbalance, found.entropy, found.classes[0].weight) == (1.0, None, 1.0)


def test_versions_are_asked_through_time(v1: Store, cli: Run) -> None:
    for step in (2, 3):
        with v1.edit(by="bob") as edit:
            edit.update(where=f"source_id % 7 = {step}", set={"score": 0.5})
        v1.commit(f"scores {step}", tag=f"v{step}")
    with v1.edit(by="bob") as edit:
        people = "category_id IN (SELECT category_id FROM categories WHERE name = 'person')"
        edit.delete(where=people)
    v1.commit("no people", tag="v4")
    listed = v1.query("SELECT version, message FROM versions ORDER BY position").to_pylist()
    assert [tuple(r.values()) for r in listed][-3:] == [
        ("v2", "scores 2"), ("v3", "scores 3"), ("v4", "no people"),
    ]  # fmt: skip
    sql = """SELECT version, count(*) AS labels, count(score) AS scored
             FROM labels JOIN versions('v1', 'v4') USING (version)
             GROUP BY ALL ORDER BY version"""
    expected = []
    for name, steps in (("v1", ()), ("v2", (2,)), ("v3", (2, 3)), ("v4", (2, 3))):
        own = [a for a in LABELS if name != "v4" or NAMES[a["category_id"]] != "person"]
        scored = sum(a["id"] % 7 in steps for a in own)
        expected.append({"version": name, "labels": len(own), "scored": scored})
    assert v1.query(sql).to_pylist() == expected
    one = "SELECT version, count(*) AS labels, count(score) AS scored FROM labels GROUP BY ALL"
    since = v1.query(f"{one} ORDER BY version", since="v2", at="v3").to_pylist()
    assert since == expected[1:3]


def test_rework_is_told_of_each_author(v1: Store, cli: Run) -> None:
    with v1.edit(by="bob") as edit:
        edit.update(where="source_id % 7 = 2", set={"score": 0.5})
    v1.commit("scores", tag="v2")
    told = cli("query", "--statement", "rework_by_author", "--since", "v1", "--format", "csv",
               cwd=v1.workspace.folder)  # fmt: skip
    assert told.returncode == 0, told.stderr
    changed = sum(a["id"] % 7 == 2 for a in LABELS)
    rows = [line.split(",") for line in told.stdout.splitlines()[1:]]
    assert [(r[0], *map(int, r[2:])) for r in rows] == [
        ('"v1"', 382, 0, 0), ('"v2"', 382, changed, changed),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "said"),
    [("versions('v3', 'v1')", "is no version|older version comes first"),
     ("versions('v1', upper('v1'))", "each a version as text"),
     ("versions('v1')", "each a version as text"),
     ("main.versions('v1', 'v1')", "not allowed"),
     ("versions('v1', 'v1'), versions('v1', 'HEAD')", "two ranges")],
)  # fmt: skip
def test_ranges_of_versions_are_plain(v1: Store, sql: str, said: str) -> None:
    with v1.edit(by="bob") as edit:
        edit.update(where="source_id % 7 = 2", set={"score": 0.5})
    v1.commit("scores", tag="v3")
    with pytest.raises(InvalidInput, match=said):
        v1.query(f"SELECT * FROM {sql}")
