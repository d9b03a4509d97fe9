"""How far labels moved as a whole, against scipy on the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from authors import boxes, store_of
from conftest import DATA, Run
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp, wasserstein_distance
from scipy.stats.contingency import association

from labelstore.analysis.drift.measures import (
    chance_of_groups,
    chance_of_share,
    cramers_v,
    holm,
    interval_of_change,
    interval_of_groups,
    interval_of_numbers,
    jensen_shannon,
    stability_of_numbers,
)
from labelstore.analysis.drift.report import Shift
from labelstore.errors import InvalidInput, NotFound
from labelstore.model.labels import Box
from labelstore.store import Store, init_store


@pytest.fixture
def grown(tmp_path: Path) -> Store:
    """Return a store whose v2 has larger boxes on half of its items, and more by another."""
    store = init_store(tmp_path / "s", target=64)
    rng = np.random.default_rng(4)
    items = [{"uri": f"{n}.jpg", "width": 200, "height": 100} for n in range(100)]
    boxes = [Box(item=f"{n % 100}.jpg", category="car" if n % 3 else "bus",
                 x=float(x), y=10, width=float(w), height=20)
             for n, (x, w) in enumerate(rng.uniform(1, 90, (400, 2)))]  # fmt: skip
    with store.edit(by="ada") as edit:
        edit.add(boxes, items=items, categories=[{"name": n} for n in ("car", "bus")])
    store.commit("first", tag="v1")
    with store.edit(by="bob") as edit:
        wider = "{v0: box.v0, v1: box.v1, v2: box.v2 * 2, v3: box.v3}"
        edit.update(where="item_id % 2 = 0", set={"box": wider})
        edit.add([Box(item=f"{n}.jpg", category="bus", x=5, y=5, width=9, height=9)
                  for n in range(40)])  # fmt: skip
    store.commit("second", tag="v2")
    return store


def measured(store: Store, *sides: str) -> dict[str, Shift]:
    """Return what moved from v1 to v2, by name."""
    return {s.what: s for s in store.drift(*(sides or ("v1", "v2"))).shifts}


def test_every_measure_is_that_of_all_labels(grown: Store) -> None:
    """Also though parts that both versions have are read once."""
    found = measured(grown)
    sql = """SELECT (xmax - xmin) * (ymax - ymin) AS area, (xmin + xmax) / 2 / 200 AS x, item_id,
                    category_id FROM annotations"""
    rows = [grown.query(sql, at=v) for v in ("v1", "v2")]
    for name in ("area", "x"):
        sides = [np.asarray(r.column(name)) for r in rows]
        assert found[name].effect == pytest.approx(ks_2samp(*sides).statistic)
        assert found[name].distance == pytest.approx(wasserstein_distance(*sides))
        assert (found[name].before, found[name].after) == pytest.approx(
            tuple(float(np.median(own)) for own in sides)
        )
    density = [np.unique(np.asarray(r.column("item_id")), return_counts=True)[1] for r in rows]
    assert found["labels per item"].effect == pytest.approx(ks_2samp(*density).statistic)
    classes = [np.unique(np.asarray(r.column("category_id")), return_counts=True)[1] for r in rows]
    table = np.array(classes)
    assert found["class"].effect == pytest.approx(association(table, method="cramer"))
    assert found["class"].counts == (400, 440)
    assert "occluded" not in found  # nobody says it of any label


@pytest.fixture
def shared_out(tmp_path: Path) -> Store:
    """Return a store of texts and boxes in shares of images of two sizes; v2 has more."""
    store = init_store(tmp_path / "s", target=64)
    rng = np.random.default_rng(5)
    items = [{"uri": f"{n}.jpg", **({} if n == 0 else {"width": 200, "height": 100 * (n % 2 + 1)})}
             for n in range(40)]  # fmt: skip
    for tag, count, by, words in (("v1", 80, "ada", "short"), ("v2", 120, "model:m@2", "longer")):
        boxes = [Box(item=f"{n % 40}.jpg", category="car", frame="unit", x=float(x), y=0.25,
                     width=float(w), height=0.5)
                 for n, (x, w) in enumerate(rng.uniform(0.1, 0.4, (count, 2)))]  # fmt: skip
        with store.edit(by=by) as edit:
            edit.add(boxes, items=items if tag == "v1" else None,
                     categories=[{"name": "car"}] if tag == "v1" else None)  # fmt: skip
            edit.update(where="text IS NULL", set={"text": f"'{words}'"})
        store.commit(tag, tag=tag)
    return store


def test_shares_of_images_are_told_in_pixels_of_them(shared_out: Store) -> None:
    """YOLO counts so; a label whose image has no known size has a place, but no area."""
    found = measured(shared_out)
    sql = """SELECT (xmin + xmax) / 2 AS x, length(labels.text) AS length,
                    (xmax - xmin) * width * (ymax - ymin) * height AS area,
                    ((xmax - xmin) * width) / ((ymax - ymin) * height) AS aspect
             FROM labels JOIN items USING (item_id)"""
    rows = [shared_out.query(sql, at=v) for v in ("v1", "v2")]
    for name, told in (("x", "x"), ("area", "area"), ("aspect", "aspect"),
                       ("length", "text length")):  # fmt: skip
        own = [np.asarray(r.column(name).drop_null()) for r in rows]
        assert found[told].effect == pytest.approx(ks_2samp(*own).statistic)
        assert found[told].counts == tuple(map(len, own))
    assert found["area"].counts == (78, 195)
    assert (found["author"].before, found["author"].after) == ("ada", "model:m@2")
    assert "source" not in found  # there is but one


@given(st.lists(st.lists(st.integers(1, 500), min_size=4, max_size=4), min_size=2, max_size=2))
def test_cramers_v_is_that_of_scipy(counts: list[list[int]]) -> None:
    assert cramers_v(counts) == pytest.approx(association(np.array(counts), method="cramer"))


def test_the_largest_effect_comes_first(grown: Store, cli: Run) -> None:
    folder = grown.workspace.folder
    told = json.loads(cli("diff", "v1", "v2", "--drift", "--json", cwd=folder).stdout)["drift"]
    effects = [s["effect"] for s in told["measures"]]
    assert effects == sorted(effects, reverse=True)
    assert told["measures"][0]["what"] in ("area", "author", "labels per item", "aspect")
    shown = cli("diff", "v1", "v2", "--drift", cwd=folder).stdout
    assert "labels as a whole" in shown
    same = json.loads(cli("diff", "v1", "v1", "--drift", "--json", cwd=folder).stdout)["drift"]
    assert {s["effect"] for s in same["measures"]} == {0.0}


@given(st.lists(st.lists(st.integers(0, 200), min_size=3, max_size=3), min_size=2, max_size=2)
       .filter(lambda t: all(map(sum, t))))  # fmt: skip
def test_chances_are_those_of_scipy(counts: list[list[int]]) -> None:
    table = np.array(counts)
    used = table[:, table.sum(axis=0) > 0]
    if used.shape[1] > 1:
        expected = chi2_contingency(used, correction=False).pvalue
        assert chance_of_groups(counts) == pytest.approx(expected, abs=1e-12)
    low, high = interval_of_groups(counts)
    assert 0 <= low <= high <= 1
    hits, totals = (counts[0][0], counts[1][0]), (sum(counts[0]), sum(counts[1]))
    below, above = interval_of_change(hits, totals)
    change = hits[1] / totals[1] - hits[0] / totals[0]
    assert below - 1e-12 <= change <= above + 1e-12


def test_rare_classes_are_compared_exactly() -> None:
    assert chance_of_share((2, 0), (900, 700)) == pytest.approx(
        fisher_exact([[2, 898], [0, 700]]).pvalue
    )
    assert chance_of_share((200, 100), (900, 700)) == pytest.approx(
        chi2_contingency([[200, 700], [100, 600]], correction=False).pvalue
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrected_chances_are_holms(chances: list[float]) -> None:
    """The k-th smallest of n, times n - k + 1, but never below a smaller one's."""
    found = holm(chances)
    ranked = sorted(chances)
    expected = [max(min(1, p * (len(ranked) - j)) for j, p in enumerate(ranked[: k + 1]))
                for k in range(len(ranked))]  # fmt: skip
    assert sorted(found) == pytest.approx(expected)
    assert all(f >= p for f, p in zip(found, chances, strict=True))


def test_intervals_hold_the_truth_of_many_samples() -> None:
    rng = np.random.default_rng(3)
    distance = 0.0796556746  # of two normal distributions that are 0.2 apart
    inside = 0
    for _ in range(100):
        effect = float(ks_2samp(rng.normal(0, 1, 300), rng.normal(0.2, 1, 400)).statistic)
        low, high = interval_of_numbers(effect, (300, 400))
        inside += low <= distance <= high
    assert inside >= 95
    held = 0
    for _ in range(200):
        hits = int(rng.binomial(400, 0.1)), int(rng.binomial(300, 0.15))
        low, high = interval_of_change(hits, (400, 300))
        held += low <= 0.05 <= high
    assert held >= 180


def test_the_stability_index_is_that_of_tenths() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.normal(0, 1, 5000), rng.normal(0.3, 1, 4000)
    edges = np.quantile(before, np.linspace(0, 1, 11)[1:-1])
    p, q = (np.histogram(own, [-np.inf, *edges, np.inf])[0] / len(own) for own in (before, after))
    assert stability_of_numbers(before, after) == pytest.approx(
        float(((q - p) * np.log(q / p)).sum())
    )


def test_sides_are_versions_layers_splits_or_conditions(grown: Store, cli: Run) -> None:
    grown.split("default", ratios="train=0.5,test=0.5")
    grown.commit("split", tag="v3")
    train, test = "split:default/train", "split:default/test"
    found = {s.what: s for s in grown.drift("v3", "v3", of_before=train, of_after=test).shifts}
    sql = """SELECT (xmax - xmin) * (ymax - ymin) AS area FROM annotations
             JOIN splits USING (item_id) WHERE subset = $subset"""
    sides = [np.asarray(grown.query(sql, parameters={"subset": s}).column("area"))
             for s in ("train", "test")]  # fmt: skip
    assert found["area"].effect == pytest.approx(ks_2samp(*sides).statistic)
    assert found["area"].counts == (len(sides[0]), len(sides[1]))
    buses = "category = 'bus'"
    only = grown.drift("v1", "v2", of_before=buses, of_after=buses)
    assert (only.jensen_shannon, [c.category for c in only.classes]) == (0.0, ["bus"])
    done = cli("drift", "v3", "v3", "--before", train, "--after", test, "--json",
               cwd=grown.workspace.folder)  # fmt: skip
    told = {m["what"]: m for m in json.loads(done.stdout)["measures"]}
    assert told["area"]["effect"] == pytest.approx(found["area"].effect)
    with pytest.raises(NotFound, match="no items in it"):
        grown.drift("v3", "v3", of_before="split:default/val")
    with pytest.raises(NotFound, match="one of the sides has no labels"):
        grown.drift("v3", "v3", of_before="false")
    with pytest.raises(InvalidInput, match="may not run"):
        grown.drift("v3", "v3", of_before="EXISTS (SELECT 1 FROM '/etc/passwd')")
    refused = cli("drift", "v1", "v2", "--where", "true", "--before", "true",
                  cwd=grown.workspace.folder)  # fmt: skip
    assert refused.returncode == 2


def test_layers_are_compared_too(v1: Store) -> None:
    v1.import_from("coco", DATA / "cross/voc100/instances_default.json", layer="other")
    v1.commit("other", tag="v2")
    found = v1.drift("v2:ground_truth", "v2:other")
    assert found.jensen_shannon == pytest.approx(1.0, abs=0.2)
    assert found.drivers == []
    source = next(s for s in found.shifts if s.what == "source")
    assert (source.before, source.after) == ("instances_val2017", "instances_default")
    assert source.effect == pytest.approx(1.0)


def test_too_few_labels_say_nothing(tmp_path: Path) -> None:
    store = init_store(tmp_path / "s")
    with store.edit(by="ada") as edit:
        few = [Box(item="a", category="c", x=n, y=0, width=9, height=9) for n in range(12)]
        edit.add(few, items=[{"uri": "a", "width": 99}], categories=[{"name": "c"}])
    store.commit("few", tag="v1")
    found = store.drift("v1", "v1")
    assert list(found.shifts) == []
    assert {"area", "class", "author"} <= set(found.skipped)


def test_who_drives_a_change_is_told(tmp_path: Path, cli: Run) -> None:
    """Without eve's edits shares would be as before; bob's go the other way."""
    store = init_store(tmp_path / "s", target=64)
    items = [{"uri": f"{n}.jpg", "width": 99, "height": 99} for n in range(50)]
    names = ("car", "bus", "van")
    with store.edit(by="ada") as edit:
        own = [Box(item=f"{n % 50}.jpg", category=names[n % 2], x=n % 7, y=1, width=9, height=9)
               for n in range(200)]  # fmt: skip
        edit.add(own, items=items, categories=[{"name": n} for n in names])
    store.commit("first", tag="v1")
    before = {c.category: c.annotations for c in store.stats().classes}
    ids = store.query("SELECT annotation_id FROM labels WHERE category = 'car' ORDER BY 1")
    cars = ids.column(0).to_pylist()
    with store.edit(by="eve", message="cars are vans") as edit:
        listed = ", ".join(map(str, cars[:60]))
        edit.update(where=f"annotation_id IN ({listed})", set={"category": "'van'"})
    with store.edit(by="bob", message="more cars") as edit:
        edit.add([Box(item=f"{n}.jpg", category="car", x=30, y=1, width=9, height=9)
                  for n in range(20)])  # fmt: skip
    store.commit("second", tag="v2")
    found = store.drift("v1", "v2")
    told = {(d.by, d.what): d for d in found.drivers}
    eve, bob = told["eve", "edit: cars are vans"], told["bob", "edit: more cars"]
    assert (eve.labels, bob.labels) == (60, 20)
    assert told["eve", ""].share == eve.share
    total = sum(before.values())
    without = {**before, "car": before["car"] + 20}
    p = [before[n] / total for n in ("car", "bus")]
    q = [without[n] / (total + 20) for n in ("car", "bus")]
    assert eve.share == pytest.approx(1 - jensen_shannon(p, q) / found.jensen_shannon)
    assert bob.share < 0 < eve.share
    shown = cli("drift", "v1", "v2", cwd=store.workspace.folder).stdout
    assert "cars are vans" in shown
    assert store.drift("v1", "v1").drivers == []


def test_the_same_groups_may_be_the_same() -> None:
    """Chance adds to what is seen, so the interval begins at none where it may do it all."""
    assert interval_of_groups([[50] * 20, [50] * 20])[0] == 0.0
    rng = np.random.default_rng(6)
    p, q = np.full(5, 0.2), np.array([0.3, 0.2, 0.2, 0.2, 0.1])
    true = cramers_v([p * 1e9, q * 1e9])
    inside = 0
    for _ in range(100):
        low, high = interval_of_groups([rng.multinomial(400, p), rng.multinomial(400, q)])
        inside += low <= true <= high
    assert inside >= 90
    low, high = interval_of_groups([[6_000_000, 4_000_000], [5_900_000, 4_100_000]])
    assert 0 < low < cramers_v([[6_000_000, 4_000_000], [5_900_000, 4_100_000]]) < high < 0.02


def test_who_removed_labels_drives_the_change(tmp_path: Path) -> None:
    """One activity that came is told with what is gone; of several nobody knows whose it was."""
    kinds = np.random.default_rng(2).integers(0, 4, (40, 4))
    store = store_of(tmp_path / "s", {"ground_truth": boxes(kinds)})
    with store.edit(by="rita", message="no vans") as edit:
        edit.delete(where="category = 'van'")
    store.commit("less", tag="v2")
    found = store.drift("v1", "v2").drivers
    assert [(d.by, d.what) for d in found] == [("rita", "edit: no vans"), ("rita", "")]
    assert [d.share for d in found] == pytest.approx([1, 1])
    with store.edit(by="tom") as edit:
        edit.add([b.model_copy(update={"category": "bus"}) for b in boxes(kinds)[:5]])
    store.commit("more", tag="v3")
    (removed, *_) = store.drift("v1", "v3").drivers
    assert (removed.by, removed.what, removed.labels) == ("", "labels removed", (kinds == 3).sum())
