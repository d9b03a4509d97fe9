"""How far labels moved as a whole, against scipy on the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, wasserstein_distance
from scipy.stats.contingency import association

from labelstore.analysis.distributions import cramers_v, shifts
from labelstore.model.labels import Box
from labelstore.model.tables import TABLES
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


def test_every_measure_is_that_of_all_labels(grown: Store) -> None:
    """Also though parts that both versions have are read once."""
    found = {s.what: s for s in shifts(grown.manifest("v1"), grown.manifest("v2"))}
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
    sides = shared_out.manifest("v1"), shared_out.manifest("v2")
    known = {r["name"]: "ada" for r in sides[1].table(TABLES["agents"]).to_pylist()}
    found = {s.what: s for s in shifts(*sides, known=known)}
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
