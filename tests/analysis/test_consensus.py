"""A consensus of several authors: what they say together, and where it comes from."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from authors import boxes, store_of
from conftest import DATA, Run
from hypothesis import given
from hypothesis import strategies as st

from labelstore.analysis.agreement.units import MISSED, UNSEEN, Units
from labelstore.analysis.consensus.dawid_skene import dawid_skene
from labelstore.analysis.consensus.deciding import OPEN, by_dawid_skene, by_quorum
from labelstore.errors import InvalidInput, NotFound
from labelstore.model import labels as l
from labelstore.store import Store


def units(classes: Any) -> Units:
    """Return objects of which authors say these classes, shape (u, a)."""
    said = np.array(classes, np.int64)
    ids = np.where(said > MISSED, np.arange(said.size).reshape(said.shape) + 1, 0)
    none = np.full(said.shape, np.nan)
    pairs = np.full((len(said), said.shape[1] * (said.shape[1] - 1) // 2), np.nan)
    return Units([f"a{i}" for i in range(said.shape[1])], np.arange(len(said)), ids, said,
                 none, pairs)  # fmt: skip


def test_dawid_and_skenes_own_example() -> None:
    """Table 1 of their paper, and what they publish of it: shares, and how observers err."""
    with (DATA / "consensus" / "dawid_skene_1979.csv").open() as file:
        rows = np.array([[int(v) for v in row] for row in list(csv.reader(file))[1:]])
    found = dawid_skene(rows[:, 0] - 1, rows[:, 1] - 1, rows[:, 2])
    assert found.shares.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert found.said[0].round(2).tolist() == [
        [0.89, 0.11, 0, 0], [0.07, 0.88, 0.05, 0], [0, 0.34, 0.66, 0], [0, 0, 0.56, 0.44]
    ]  # fmt: skip
    assert found.truth[35].argmax() + 1 == 4  # where the votes are three to four


def plain_dawid_skene(votes: Any, kinds: int, rounds: int = 200) -> Any:
    """Return the chances by the formulas of the paper, written out."""
    count, people = votes.shape
    truth = np.stack([(votes == k).sum(axis=1) for k in range(kinds)], axis=1) / people
    for _ in range(rounds):
        shares = truth.mean(axis=0)
        said = np.zeros((people, kinds, kinds))
        for a in range(people):
            for j in range(kinds):
                for k in range(kinds):
                    said[a, j, k] = truth[votes[:, a] == k, j].sum()
                said[a, j] /= said[a, j].sum()
        for u in range(count):
            own = shares * np.prod([said[a, :, votes[u, a]] for a in range(people)], axis=0)
            truth[u] = own / own.sum()
    return truth


def test_the_estimate_is_that_of_the_formulas() -> None:
    rng = np.random.default_rng(4)
    real = rng.integers(0, 3, 200)
    votes = np.stack([np.where(rng.random(200) < p, rng.integers(0, 3, 200), real)
                      for p in (0.2, 0.3, 0.6)], axis=1)  # fmt: skip
    unit, author = np.nonzero(votes >= 0)
    found = dawid_skene(unit, author, votes[unit, author])
    assert found.truth == pytest.approx(plain_dawid_skene(votes, 3), abs=1e-3)
    patterns, at, counts = np.unique(votes, axis=0, return_inverse=True, return_counts=True)
    unit, author = np.nonzero(patterns >= 0)
    fewer = dawid_skene(unit, author, patterns[unit, author], counts=counts)
    assert fewer.truth[at.reshape(-1)] == pytest.approx(found.truth, abs=1e-4)
    right = [(votes[:, a] == found.truth.argmax(axis=1)).mean() for a in range(3)]
    assert np.argsort(found.accuracy()).tolist() == np.argsort(right).tolist()


def test_a_bad_author_is_outvoted_by_one_good() -> None:
    """What three votes cannot decide, knowing who errs can."""
    rng = np.random.default_rng(9)
    real = rng.integers(0, 4, 600)
    votes = np.stack([np.where(rng.random(600) < p, rng.integers(0, 4, 600), real)
                      for p in (0.05, 0.7, 0.7)], axis=1)  # fmt: skip
    estimated, counted = by_dawid_skene(units(votes)), by_quorum(units(votes))
    assert (estimated.classes == real).mean() > 0.94
    assert (counted.classes == real).mean() < 0.85
    assert estimated.accuracy is not None
    assert estimated.accuracy.argmax() == 0


QUORUMS = [
    ([1, 1, 2], None, 1, 2 / 3),
    ([1, 2, 3], None, OPEN, 1 / 3),
    ([1, 1, 2, 2], None, OPEN, 0.5),
    ([1, MISSED, MISSED], None, MISSED, 2 / 3),
    ([1, MISSED], None, MISSED, 0.5),
    ([1, MISSED, UNSEEN], None, MISSED, 0.5),
    ([1, 1, UNSEEN], None, 1, 1.0),
    ([1, MISSED, MISSED], 1, 1, 1 / 3),
    ([1, 1, MISSED], 3, MISSED, 1 / 3),
    ([1, 1, UNSEEN], 3, OPEN, 1.0),
    ([-1, -1, 4], None, -1, 2 / 3),
]


@pytest.mark.parametrize(("said", "quorum", "expected", "share"), QUORUMS)
def test_votes(said: list[int], quorum: int | None, expected: int, share: float) -> None:
    found = by_quorum(units([said]), quorum)
    assert found.classes.tolist() == [expected]
    assert found.confidence.tolist() == pytest.approx([share])


@given(st.lists(st.lists(st.integers(1, 3), min_size=3, max_size=3), min_size=1, max_size=12))
def test_what_all_say_holds(rows: list[list[int]]) -> None:
    """Whatever else they say: by votes always, and by the estimate where it is sure."""
    said = np.array(rows)
    alike = (said == said[:, :1]).all(axis=1)
    found = by_quorum(units(said))
    assert (found.classes[alike] == said[alike, 0]).all()
    assert (found.confidence[alike] == 1).all()
    estimated = by_dawid_skene(units(said))
    assert ((estimated.confidence > 0) & (estimated.confidence <= 1)).all()
    assert set(np.unique(estimated.classes)) <= {*said.ravel().tolist(), OPEN}


def test_nothing_to_decide() -> None:
    empty = units(np.empty((0, 2)))
    assert len(by_quorum(empty).classes) == len(by_dawid_skene(empty).classes) == 0


@pytest.fixture
def kinds() -> Any:
    return np.random.default_rng(2).integers(0, 4, (40, 4))


def three(folder: Path, kinds: Any) -> Store:
    """Return three authors: one changes a class, one misses some, and boxes are shifted."""
    other = kinds.copy()
    other[:10, 0] = (other[:10, 0] + 1) % 4
    gone = {(n, 1) for n in range(20, 26)}
    return store_of(folder, {"a": boxes(kinds, 0.0), "b": boxes(other, 4.0),
                             "c": boxes(kinds, 6.0, gone)})  # fmt: skip


def rows_of(store: Store, layer: str) -> list[dict[str, Any]]:
    """Return place and class of a layer's labels."""
    rows: list[dict[str, Any]] = store.query(
        "SELECT item_id, xmin, category, confidence, origin FROM labels WHERE layer = $layer "
        "ORDER BY item_id, xmin", parameters={"layer": layer}
    ).to_pylist()  # fmt: skip
    return rows


def test_a_consensus_is_the_truth_with_the_middle_shape(tmp_path: Path, kinds: Any) -> None:
    store = three(tmp_path / "s", kinds)
    found, queue = store.consensus()
    assert (found.items, found.objects, found.kept) == (40, 160, 160)
    assert (found.added, found.open, found.left_out, queue.num_rows) == (160, 0, 0, 0)
    told = {a.name: (a.agreed, a.missed, a.other, a.extra) for a in found.authors}
    assert told == {"a": (160, 0, 0, 0), "b": (150, 0, 10, 0), "c": (154, 6, 0, 0)}
    made, truth = rows_of(store, "consensus"), rows_of(store, "a")
    assert [r["category"] for r in made] == [r["category"] for r in truth]
    assert {r["origin"] for r in made} == {"derived"}
    shifts = np.array([m["xmin"] - t["xmin"] for m, t in zip(made, truth, strict=True)])
    changed = np.zeros(160, bool)
    changed[np.arange(10) * 4] = True
    alone = np.zeros(160, bool)
    alone[np.arange(20, 26) * 4 + 1] = True
    assert (shifts[~changed & ~alone] == 4).all()  # b lies between the others
    assert set(shifts[changed]) == {6.0}  # b says another class, and c is nearer to b
    assert {m["confidence"] for m, c in zip(made, changed | alone, strict=True) if c} == {2 / 3}
    assert store.check() == []


def test_every_label_tells_where_it_comes_from(tmp_path: Path, kinds: Any) -> None:
    store = three(tmp_path / "s", kinds)
    store.consensus(by="judge")
    rows = store.query(
        "SELECT c.item_id AS own, s.item_id AS source, s.layer, r.label FROM relations r "
        "JOIN annotations c ON c.annotation_id = r.from_id "
        "JOIN annotations s ON s.annotation_id = r.to_id WHERE c.layer = 'consensus'"
    ).to_pylist()
    assert len(rows) == 160 * 3 - 6
    assert {r["label"] for r in rows} == {"derived_from"}
    assert all(r["own"] == r["source"] for r in rows)
    activity = store.query("SELECT kind, parameters FROM activities WHERE kind = 'consensus'")
    (row,) = activity.to_pylist()
    told = json.loads(row["parameters"])
    assert (told["layers"], told["method"], told["into"]) == (["a", "b", "c"], "quorum",
                                                             "consensus")  # fmt: skip
    assert told["of"] == store.manifest("v1").root


def test_made_again_it_changes_what_has_changed(tmp_path: Path, kinds: Any) -> None:
    store = three(tmp_path / "s", kinds)
    store.consensus()
    store.commit("consensus", tag="v2")
    found, _ = store.consensus()
    assert (found.kept, found.added, found.changed, found.removed) == (160, 0, 0, 0)
    assert store.staged() is None
    with store.edit() as edit:
        edit.update(where="layer = 'b' AND xmin < 50 AND item_id IN "
                          "(SELECT min(item_id) FROM items)", set={"category": "'van'"},
                    layer="b")  # fmt: skip
        edit.delete(where="layer IN ('a') AND item_id IN (SELECT max(item_id) FROM items)",
                    layer="a")  # fmt: skip
    store.commit("edits", tag="v3")
    found, _ = store.consensus()
    assert (found.added, found.removed) == (0, 0)
    assert 1 <= found.changed <= 5
    diff = store.status()
    assert diff is not None
    assert {row["layer"] for row in diff.labels.to_pylist()} == {"consensus"}


def test_what_somebody_decided_by_hand_stays(tmp_path: Path, kinds: Any) -> None:
    """A class that was changed in the consensus, and a label that was added to it."""
    store = three(tmp_path / "s", kinds)
    store.consensus()
    (first,) = store.query("SELECT min(annotation_id) AS i FROM annotations WHERE "
                           "layer = 'consensus'").column(0).to_pylist()  # fmt: skip
    with store.edit(by="judge") as edit:
        edit.update(where=f"annotation_id = {first}", set={"flag": "'ambiguous'"})
        edit.add([l.Box(item="3", category="van", x=370, y=70, width=9, height=9,
                        layer="consensus")])  # fmt: skip
    store.commit("decided", tag="v2")
    found, _ = store.consensus()
    assert (found.by_hand, found.added, found.changed, found.removed) == (2, 0, 0, 0)
    assert len(rows_of(store, "consensus")) == 161


def test_classes_that_are_renamed_or_merged_decide_nothing(tmp_path: Path, kinds: Any) -> None:
    """An ontology writes labels of the consensus, too; what authors change later still counts."""
    store = three(tmp_path / "s", kinds)
    store.consensus()
    store.commit("consensus", tag="v2")
    (tmp_path / "o.yaml").write_text("classes: [{name: car, merge: [bus]}]\n")
    store.apply_ontology(tmp_path / "o.yaml")
    store.commit("merged", tag="v3")
    found, _ = store.consensus()
    assert (found.by_hand, found.changed) == (0, 0)
    for layer in "abc":
        with store.edit() as edit:
            edit.update(where="item_id IN (SELECT i.item_id FROM items i WHERE i.uri = '30')",
                        layer=layer, set={"category": "'van'"})  # fmt: skip
    found, _ = store.consensus()
    assert found.changed == int((kinds[30] != 3).sum())


def test_labels_of_an_object_that_all_removed_go(tmp_path: Path, kinds: Any) -> None:
    store = three(tmp_path / "s", kinds)
    store.consensus()
    for layer in "abc":
        with store.edit() as edit:
            edit.delete(where="item_id IN (SELECT i.item_id FROM items i WHERE i.uri = '5') AND "
                              "xmin < 20", layer=layer)  # fmt: skip
    found, _ = store.consensus()
    assert (found.kept, found.removed, found.by_hand) == (159, 1, 0)


def test_a_consensus_is_no_author(tmp_path: Path, kinds: Any) -> None:
    store = three(tmp_path / "s", kinds)
    before = store.agreement()[0]
    store.consensus()
    assert store.agreement()[0] == before
    assert [s.name for s in store.score(gold="consensus")] == ["a", "b", "c"]
    found, _ = store.consensus(into="again")
    assert [a.name for a in found.authors] == ["a", "b", "c"]


def test_open_objects_are_told_and_left_out(tmp_path: Path, kinds: Any, cli: Run) -> None:
    store = store_of(tmp_path / "s", {"a": boxes(kinds), "b": boxes((kinds + (kinds == 3)) % 4)})
    file = tmp_path / "open.csv"
    told = json.loads(cli("consensus", "a", "b", "--queue", file, "--json",
                          cwd=store.workspace.folder).stdout)  # fmt: skip
    vans = int((kinds == 3).sum())
    assert (told["open"], told["kept"]) == (vans, 160 - vans)
    with file.open() as rows:
        queue = list(csv.DictReader(rows))
    assert len(queue) == vans
    assert {(r["what"], r["class a"], r["class b"]) for r in queue} == {("class", "van", "car")}
    sure, _ = store.consensus(["a", "b"], method="dawid-skene", sure=0.99, dry_run=True)
    assert sure.kept + sure.open + sure.left_out == 160


def test_authors_of_one_layer_and_an_object_of_one(tmp_path: Path, kinds: Any) -> None:
    store = store_of(tmp_path / "s", {})
    for by, leave in (("bob", {(0, 0)}), ("eve", {(0, 0)}), ("kim", set())):
        with store.edit(by=by) as edit:
            edit.add(boxes(kinds, leave=leave))
    found, _ = store.consensus(["ground_truth"], among="author", into="agreed")
    assert [a.name for a in found.authors] == ["bob", "eve", "kim"]
    assert (found.kept, found.left_out) == (159, 1)
    assert {a.name: a.extra for a in found.authors} == {"bob": 0, "eve": 0, "kim": 1}


def test_links_to_other_labels_are_left_out_and_told(tmp_path: Path, kinds: Any) -> None:
    store = three(tmp_path / "s", kinds)
    with store.edit() as edit:
        (track,) = edit.add_tracks([{"category": "car"}])
        edit.update(where="xmin < 10", set={"track_id": int(track)}, layer="b")
    found, _ = store.consensus()
    assert found.unlinked == 30  # the first box of 40 items; of ten c has the class
    nothing = store.query("SELECT count(track_id) AS n FROM annotations WHERE layer = 'consensus'")
    assert nothing.column(0)[0].as_py() == 0


def SAID(n: int, d: float) -> l.Label:
    return l.Text(item=str(n), text=f"the quick brown fox {int(d)}")


@pytest.mark.parametrize("made", [
    lambda n, d: l.Polygon(item=str(n), category="car",
                           rings=[[(d, 0.0), (d + 50, 0.0), (d + 50, 40.0), (d, 40.0)]]),
    lambda n, d: l.Interval(item=str(n), category="car", start=d, end=d + 40),
    lambda n, d: l.Tag(item=str(n), category="car"),
    SAID,
])  # fmt: skip
def test_every_kind(tmp_path: Path, made: Any) -> None:
    sides = {name: [made(n, shift) for n in range(6)]
             for name, shift in (("a", 0.0), ("b", 2.0), ("c", 5.0))}  # fmt: skip
    store = store_of(tmp_path / "s", sides, 6)
    found, _ = store.consensus()
    assert (found.objects, found.kept) == (6, 6)
    columns = "xmin, ymin, xmax, ymax, interval, text, category"
    asked = f"SELECT {columns} FROM labels WHERE layer = $layer ORDER BY item_id"
    own, *theirs = (store.query(asked, parameters={"layer": n}).to_pylist()
                    for n in ("consensus", "a", "b", "c"))  # fmt: skip
    assert own == theirs[1 if made is not SAID else 0]  # texts are all as far from each other


def test_wrong_questions(tmp_path: Path, kinds: Any) -> None:
    store = three(tmp_path / "s", kinds)
    with pytest.raises(InvalidInput, match="two authors or more: there is a"):
        store.consensus(["a"])
    with pytest.raises(InvalidInput, match="cannot be made of itself"):
        store.consensus(["a", "b"], into="b")
    with pytest.raises(InvalidInput, match="has 154 labels, none of which a consensus made"):
        store.consensus(["a", "b"], into="c")
    with pytest.raises(InvalidInput, match="there are 3 authors"):
        store.consensus(quorum=4)
    with pytest.raises(InvalidInput, match="no chance from 0 to 1"):
        store.consensus(method="dawid-skene", sure=float("nan"))
    with pytest.raises(InvalidInput, match="none from 0 to 1"):
        store.consensus(least=float("nan"))
    with pytest.raises(InvalidInput, match="--sure is for --method dawid-skene"):
        store.consensus(sure=0.9)
    with pytest.raises(InvalidInput, match="--quorum is for --method quorum"):
        store.consensus(method="dawid-skene", quorum=2)
    with pytest.raises(InvalidInput, match="--quorum is 1 or more"):
        store.consensus(quorum=0)
    with pytest.raises(NotFound):
        store.consensus(["a", "nobody"])
    with pytest.raises(InvalidInput, match="cannot name a layer"):
        store.consensus(into="../x")
    assert store.staged() is None
