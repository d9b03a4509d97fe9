"""Agreement of layers and authors, on labels whose agreement is known."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from authors import CLASSES, boxes, store_of
from conftest import Run

from labelstore.analysis.agreement.coefficients import Metric, alpha, cohen, fleiss
from labelstore.analysis.agreement.measuring import interval
from labelstore.analysis.agreement.units import MISSED, UNSEEN, Units
from labelstore.errors import InvalidInput, NotFound
from labelstore.model import labels as l
from labelstore.store import init_store


@pytest.fixture
def kinds() -> Any:
    return np.random.default_rng(2).integers(0, 4, (40, 4))


def test_the_same_labels_agree(tmp_path: Path, kinds: Any) -> None:
    store = store_of(tmp_path / "s", {"a": boxes(kinds), "b": boxes(kinds)})
    found, queue = store.agreement(["a", "b"])
    assert (found.alpha, found.low, found.high, found.fleiss, found.shapes) == (1, 1, 1, 1, 1)
    assert (found.items, found.objects, queue.num_rows) == (40, 160, 0)
    assert {g.alpha for g in found.classes} == {1.0}


def test_disagreement_is_that_of_the_judgements(tmp_path: Path, kinds: Any) -> None:
    """Classes changed, objects missed, boxes shifted: all as the plain formulas have them."""
    rng = np.random.default_rng(3)
    other = np.where(rng.random(kinds.shape) < 0.2, (kinds + 1) % 4, kinds)
    leave = {(n, 2) for n in range(0, 40, 3)}
    store = store_of(tmp_path / "s", {"a": boxes(kinds), "b": boxes(other, 6.0, leave)})
    found, queue = store.agreement(["a", "b"])
    both = [[zip(kinds[n], other[n], strict=True)] for n in range(40)]
    values = [(int(a), -2 if (n, i) in leave else int(b))
              for n, (pairs,) in enumerate(both) for i, (a, b) in enumerate(pairs)]  # fmt: skip
    units = np.repeat(np.arange(160), 2)
    assert found.alpha == pytest.approx(alpha(units, np.array(values).ravel()))
    confusion = np.zeros((5, 5))
    for a, b in values:
        confusion[a, b if b >= 0 else 4] += 1
    (pair,) = found.pairs
    assert pair.kappa == pytest.approx(cohen(confusion))
    assert pair.shapes == found.shapes == pytest.approx(54 / 66)
    assert found.low is not None
    assert found.high is not None
    assert found.alpha is not None
    assert found.low < found.alpha < found.high
    one, two = found.authors
    assert (one.missed, two.missed, one.alone, two.alone) == (0, len(leave), len(leave), 0)
    lenient, usual, strict = (value for _, value in found.sweep)
    assert lenient == usual == found.alpha  # all boxes agree by 54 / 66
    assert strict is not None
    assert strict < 0
    rows = queue.to_pylist()
    counts = Counter(r["what"] for r in rows)
    reclassified = sum(x != y for x, y in values if y >= 0)
    assert counts == {"missed": len(leave), "class": reclassified,
                      "shape": 160 - len(leave) - reclassified}  # fmt: skip
    assert [r["what"] for r in rows] == sorted([r["what"] for r in rows],
                                               key=["missed", "class", "shape"].index)  # fmt: skip


def test_chance_is_none_and_contradiction_is_below(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    first, second = rng.integers(0, 4, (2, 40, 4))
    store = store_of(tmp_path / "s", {"a": boxes(first), "b": boxes(second),
                                      "c": boxes((first + 1) % 4)})  # fmt: skip
    chance = store.agreement(["a", "b"])[0].alpha
    against = store.agreement(["a", "c"])[0].alpha
    assert chance == pytest.approx(0, abs=0.12)
    assert against == pytest.approx(-1 / 3, abs=0.02)


def test_three_authors_and_items_that_one_never_saw(tmp_path: Path, kinds: Any) -> None:
    """Where an author has no label on an item nobody knows that they missed something there."""
    some = [label for label in boxes(kinds) if int(str(label.item)) < 10]
    other = np.where(np.random.default_rng(6).random(kinds.shape) < 0.3, 0, kinds)
    store = store_of(tmp_path / "s", {"a": boxes(kinds), "b": boxes(other), "c": some})
    found, _ = store.agreement()
    assert [(a.name, a.labels, a.missed) for a in found.authors] == [
        ("a", 160, 0), ("b", 160, 0), ("c", 40, 0)
    ]  # fmt: skip
    assert found.fleiss is None  # not all judged all
    values = [(u, int(v)) for u, pair in enumerate(zip(kinds.ravel(), other.ravel(), strict=True))
              for v in (*pair, *([pair[0]] if u < 40 else []))]  # fmt: skip
    columns = np.array(values)
    expected = alpha(columns[:, 0], columns[:, 1])
    assert found.alpha == pytest.approx(expected)
    assert len(found.pairs) == 3
    whole, _ = store.agreement(["a", "b"])
    counts = np.zeros((160, 4))
    for u, (a, b) in enumerate(zip(kinds.ravel(), other.ravel(), strict=True)):
        counts[u, a] += 1
        counts[u, b] += 1
    assert whole.fleiss == pytest.approx(fleiss(counts))


KINDS: dict[str, Callable[[int, float], l.Label]] = {
    "polygon": lambda n, d: l.Polygon(item=str(n), category="car", rings=[
        [(d, 0.0), (d + 50, 0.0), (d + 50, 40.0), (d, 40.0)]]),
    "keypoints": lambda n, d: l.Keypoints(item=str(n), category="car",
                                          points=[(9 + d, 9), (60 + d, 9), (9 + d, 80)],
                                          visibility=[2, 2, 2]),
    "span": lambda n, d: l.Span(item=str(n), category="car", spans=[(int(d), int(d) + 12)]),
    "interval": lambda n, d: l.Interval(item=str(n), category="car", start=d, end=d + 40),
    "tag": lambda n, d: l.Tag(item=str(n), category="car"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_matched(tmp_path: Path, kind: str) -> None:
    made = KINDS[kind]
    sides = {name: [made(n, shift) for n in range(6)] for name, shift in (("a", 0), ("b", 2))}
    found, _ = store_of(tmp_path / "s", sides, 6).agreement()
    assert (found.objects, found.alpha) == (6, 1.0)
    if kind == "tag":
        assert found.shapes is None
    else:
        assert found.shapes is not None
        assert 0.5 < found.shapes <= 1


def test_authors_within_a_layer_and_months(tmp_path: Path, kinds: Any, cli: Run) -> None:
    store = store_of(tmp_path / "s", {})
    for by in ("bob", "eve"):
        with store.edit(by=by) as edit:
            edit.add(boxes(kinds if by == "bob" else (kinds + (kinds == 3)) % 4))
    store.commit("two passes", tag="v2")
    told = json.loads(cli("agreement", "ground_truth", "--by", "author", "--json",
                          cwd=store.workspace.folder).stdout)  # fmt: skip
    assert [a["name"] for a in told["authors"]] == ["bob", "eve"]
    assert told["pairs"][0]["objects"] == 160
    changed = int((kinds == 3).sum())
    assert told["disagreements"] == changed
    assert len(told["months"]) == 1
    assert told["months"][0]["alpha"] == told["alpha"]
    classes = {g["name"]: g["alpha"] for g in told["classes"]}
    assert classes["bus"] == classes["bike"] == 1.0
    assert classes["van"] < 0 or classes["van"] == pytest.approx(0, abs=0.2)


def test_shapes_that_need_no_review(tmp_path: Path, kinds: Any, cli: Run) -> None:
    """Boxes that agree by 54 / 66 are to be reviewed, or not, as somebody says."""
    store = store_of(tmp_path / "s", {"a": boxes(kinds), "b": boxes(kinds, 6.0)})
    counts = [store.agreement(alike=alike)[1].num_rows for alike in (0.8, 0.9, 1.0)]
    assert counts == [0, 160, 160]
    told = cli("agreement", "--review-below", "0.8", cwd=store.workspace.folder).stdout
    assert "0 objects to review" in told


def test_every_pair_is_measured(tmp_path: Path, kinds: Any) -> None:
    """Also of authors who are not the first: boxes shifted by 0, 6 and 12 of 60 pixels."""
    store = store_of(tmp_path / "s", {"a": boxes(kinds), "b": boxes(kinds, 6.0),
                                      "c": boxes(kinds, 12.0)})  # fmt: skip
    told = {(p.first, p.second): p.shapes for p in store.agreement()[0].pairs}
    assert told == {("a", "b"): pytest.approx(54 / 66), ("a", "c"): pytest.approx(48 / 72),
                    ("b", "c"): pytest.approx(54 / 66)}  # fmt: skip


def test_values_are_compared_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    truth = rng.integers(1, 6, 40)
    sides: dict[str, list[l.Label]] = {
        name: [l.Box(item=str(n), category="car", x=5, y=5, width=9, height=9,
                          attributes={"level": int(v)})
                    for n, v in enumerate(np.clip(truth + noise, 1, 5))]
             for name, noise in (("a", 0), ("b", rng.integers(-1, 2, 40)))}  # fmt: skip
    store = store_of(tmp_path / "s", sides)
    level = "CAST(attributes['level'] AS INT)"
    rows = store.query(f"SELECT layer, item_id, {level} AS v FROM labels ORDER BY layer, item_id")
    table = np.array(rows.column("v").to_pylist(), float).reshape(2, 40)
    units = np.tile(np.arange(40), 2)
    metrics: tuple[Metric, ...] = ("ordinal", "interval", "nominal", "ratio")
    for metric in metrics:
        found, _ = store.agreement(value=level, metric=metric)
        assert found.value == pytest.approx(alpha(units, table.ravel(), metric))
        assert found.pairs[0].correlation == pytest.approx(np.corrcoef(table)[0, 1])
        assert found.alpha == 1.0


def test_the_queue_names_items_classes_and_labels(tmp_path: Path, kinds: Any, cli: Run) -> None:
    other = kinds.copy()
    other[7, 1] = (other[7, 1] + 1) % 4
    store = store_of(tmp_path / "s", {"a": boxes(kinds), "b": boxes(other, leave={(3, 0)})})
    file = tmp_path / "queue.csv"
    done = cli("agreement", "a", "b", "--queue", file, cwd=store.workspace.folder)
    assert done.returncode == 0, done.stderr
    assert "2 objects to review" in done.stdout
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [(r["item"], r["what"]) for r in rows] == [("3", "missed"), ("7", "class")]
    assert rows[0]["class b"] == "(missed)"
    assert rows[0]["annotation b"] == ""
    assert rows[1]["class a"] == CLASSES[kinds[7, 1]]
    assert rows[1]["class b"] == CLASSES[other[7, 1]]


def test_questions_that_are_none_are_refused(tmp_path: Path, kinds: Any) -> None:
    store = store_of(tmp_path / "s", {"a": boxes(kinds)})
    with pytest.raises(InvalidInput, match="there is a\\. Name layers"):
        store.agreement()
    with pytest.raises(NotFound, match="no layer 'z'"):
        store.agreement(["a", "z"])
    with pytest.raises(InvalidInput, match="there is ada"):
        store.agreement(["a"], by="author")
    empty = init_store(tmp_path / "e")
    with pytest.raises(InvalidInput, match="nobody"):
        empty.agreement()


def test_authors_who_share_no_item_say_nothing(tmp_path: Path, kinds: Any, cli: Run) -> None:
    halves = [[label for label in boxes(kinds) if (int(str(label.item)) < 20) == first]
              for first in (True, False)]  # fmt: skip
    store = store_of(tmp_path / "s", {"a": halves[0], "b": halves[1]})
    found, queue = store.agreement()
    assert (found.items, found.alpha, found.low, queue.num_rows) == (0, None, None, 0)
    said = cli("agreement", cwd=store.workspace.folder)
    assert said.returncode == 0, said.stderr
    assert "alpha -, 0 objects on 0 items" in said.stdout


def test_the_interval_holds_the_truth_of_many_samples() -> None:
    """Of samples of one population, its alpha lies in the interval of about 95 in 100."""
    rng = np.random.default_rng(9)

    def sample(items: int) -> Units:
        truth = rng.integers(0, 3, items)
        second = np.where(rng.random(items) < 0.25, rng.integers(0, 3, items), truth)
        classes = np.stack([truth, second], axis=1)
        return Units(["a", "b"], np.arange(items), classes + 1, classes, np.ones((items, 2)),
                     np.ones((items, 1)))  # fmt: skip

    whole = alpha(*sample(200_000).judgements())
    assert whole is not None
    inside = 0
    for _ in range(100):
        low, high = interval(sample(150), draws=200)
        assert low is not None
        assert high is not None
        inside += low <= whole <= high
    assert inside >= 85


def test_what_was_missed_and_what_was_not_seen_differ() -> None:
    classes = np.array([[1, MISSED, UNSEEN], [1, 1, UNSEEN]])
    units = Units(["a", "b", "c"], np.array([5, 6]), (classes > 0) * 1, classes,
                  np.ones((2, 3)), np.ones((2, 3)))  # fmt: skip
    unit, value = units.judgements()
    assert sorted(zip(unit.tolist(), value.tolist(), strict=True)) == [
        (0, MISSED), (0, 1), (1, 1), (1, 1)
    ]  # fmt: skip


def test_shapes_are_those_of_the_two_authors(tmp_path: Path) -> None:
    """Also where neither was the first to label the object."""
    sides: dict[str, list[l.Label]] = {
        name: [l.Box(item="0", category="car", x=x, y=0, width=10, height=10)]
        for name, x in (("a", 0.0), ("b", 3.0), ("c", 3.0))
    }
    found, _ = store_of(tmp_path / "s", sides, 1).agreement()
    shapes = {(p.first, p.second): p.shapes for p in found.pairs}
    assert shapes["b", "c"] == 1.0
    assert shapes["a", "b"] == shapes["a", "c"] == pytest.approx(70 / 130)
    assert found.sweep == []  # said of two authors alone


def test_labels_of_whole_items_have_no_shapes_to_agree(tmp_path: Path) -> None:
    sides: dict[str, list[l.Label]] = {
        name: [l.Tag(item=str(n), category=kind) for n in range(4)]
        for name, kind in (("a", "car"), ("b", "bus"))
    }
    found, queue = store_of(tmp_path / "s", sides, 4).agreement()
    assert (found.shapes, found.pairs[0].shapes) == (None, None)
    assert {r["what"] for r in queue.to_pylist()} == {"class"}


def test_values_of_other_layers_are_not_looked_at(tmp_path: Path) -> None:
    sides: dict[str, list[l.Label]] = {
        name: [l.Box(item=str(n), category="car", x=5, y=5, width=9, height=9,
                     attributes={"level": level if name == "m" else n})
               for n in range(4)]
        for name, level in (("a", 1), ("b", 1), ("m", "high"))
    }  # fmt: skip
    store = store_of(tmp_path / "s", sides, 4)
    found, _ = store.agreement(["a", "b"], value="CAST(attributes['level'] AS INT)")
    assert found.value == 1.0
