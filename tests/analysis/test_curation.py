"""What to look at next: every reason on labels of which it is known, and tasks that come back."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from authors import boxes, store_of
from conftest import Run
from hypothesis import given
from hypothesis import strategies as st

from labelstore.analysis.curation.embeddings import farthest
from labelstore.errors import InvalidInput
from labelstore.model import labels as l
from labelstore.store import Store, open_store


@pytest.fixture
def kinds() -> Any:
    """Return classes of four boxes on each of forty items: one van on 7, two bikes on 3 and 9."""
    found = np.random.default_rng(2).integers(0, 2, (40, 4))
    found[7, 1], found[3, 0], found[9, 2] = 3, 2, 2
    return found


def told(store: Store, count: int = 5, **asked: Any) -> list[tuple[str, float, str]]:
    rows = store.curate(count, **asked).table.to_pylist()
    return [(r["item"], r["score"], r["because"]) for r in rows]


def test_rare_classes_come_first(tmp_path: Path, kinds: Any) -> None:
    store = store_of(tmp_path / "s", {"ground_truth": boxes(kinds)})
    found = told(store, by={"rare": 1})
    assert found[0] == ("7", 1.0, "van (1 label in all)")
    assert {f[0] for f in found[1:3]} == {"3", "9"}
    assert found[1][1] == found[2][1] < 1
    assert found[1][2] == "bike (2 labels in all)"
    assert found[3][1] < found[2][1]
    assert store.curate(100, by={"rare": 1}).table.num_rows < 40  # the commonest is no reason


def test_low_scores(tmp_path: Path, kinds: Any) -> None:
    scored = [b.model_copy(update={"score": 0.9 - 0.01 * i}) for i, b in enumerate(boxes(kinds))]
    found = told(store_of(tmp_path / "s", {"model": scored}), 2, by={"low-score": 1})
    assert found[0] == ("39", 1.0, "a score of -0.69")
    assert found[1][0] == "38"
    sure = [b.model_copy(update={"confidence": 0.5}) for b in boxes(kinds)]
    assert told(store_of(tmp_path / "t", {"a": sure}), by={"low-score": 1}) == []


def test_labels_that_are_there_twice(tmp_path: Path, kinds: Any) -> None:
    """The same class and nearly the same box; another class, layer or place is another object."""
    again = [b for b in boxes(kinds, 2.0) if b.item in ("4", "5")][:5]
    other = [b for b in boxes((kinds + 1) % 4) if b.item == "6"]
    beside = [b for b in boxes(kinds, 40.0) if b.item == "8"]
    store = store_of(tmp_path / "s", {"ground_truth": [*boxes(kinds), *again, *other, *beside],
                                      "vendor": boxes(kinds)})  # fmt: skip
    assert told(store, by={"duplicates": 1}) == [
        ("4", 0.8, "4 labels twice"), ("5", 0.5, "1 label twice")
    ]  # fmt: skip


def test_broken_rules(tmp_path: Path, kinds: Any) -> None:
    store = store_of(tmp_path / "s", {"ground_truth": boxes(kinds)})
    crossed: list[tuple[float, float]] = [(0, 0), (9, 9), (9, 0), (0, 9)]
    with store.edit() as edit:
        edit.add([l.Box(item="2", category="car", x=390, y=90, width=60, height=60),
                  l.Polygon(item="5", category="car", rings=[crossed])])  # fmt: skip
    found = {item: because for item, _, because in told(store, by={"rules": 1})}
    codes = {f.code for f in store.check()}
    assert set(found) == {"2", "5"}
    assert all(because.removeprefix("breaks ") in codes for because in found.values())


def test_rules_are_those_of_the_layer(tmp_path: Path, kinds: Any) -> None:
    store = store_of(tmp_path / "s", {"ground_truth": boxes(kinds)})
    with store.edit() as edit:
        edit.add([l.Box(item="2", category="car", x=390, y=90, width=60, height=60, layer="b")])
    assert told(store, by={"rules": 1}) == []
    assert [f[0] for f in told(store, by={"rules": 1}, layer="b")] == ["2"]


def test_disagreement_of_layers_and_of_people(tmp_path: Path, kinds: Any) -> None:
    other = kinds.copy()
    other[4] = (other[4] + 1) % 4
    store = store_of(tmp_path / "s", {"a": boxes(kinds), "b": boxes(other, leave={(6, 0)})})
    found = told(store, compare=["a", "b"], by={"disagreement": 1})
    assert found == [("4", 0.8, "authors disagree: 4 class"),
                     ("6", pytest.approx(1 / 3), "authors disagree: 1 missed")]  # fmt: skip
    for by, own in (("bob", kinds), ("eve", other)):
        with store.edit(by=by) as edit:
            edit.add([b.model_copy(update={"layer": "people"}) for b in boxes(own)])
    assert told(store, compare=["people"], by={"disagreement": 1})[0][0] == "4"


def test_slices_with_few_labelled_items(tmp_path: Path, kinds: Any) -> None:
    some = [b for b in boxes(kinds) if int(str(b.item)) < 25]
    store = store_of(tmp_path / "s", {"ground_truth": some})
    expression = "CASE WHEN CAST(uri AS INT) < 20 THEN 'day' ELSE 'night' END"
    found = told(store, 30, slices=expression, by={"slices": 1})
    assert {int(f[0]) for f in found} == set(range(20, 40))
    assert found[0][1:] == (0.75, "slice night (5 labelled items)")
    bare = told(store, 30, slices=expression, by={"slices": 1, "unlabelled": 1})
    assert {int(f[0]) for f in bare[:15]} == set(range(25, 40))
    assert bare[0][2] == "without a label; slice night (5 labelled items)"


def test_what_is_far_from_all_that_is_labelled(tmp_path: Path, kinds: Any) -> None:
    """Two groups of near copies far away: one of each is chosen before a second of either."""
    some = [b for b in boxes(kinds) if int(str(b.item)) < 20]
    store = store_of(tmp_path / "s", {"ground_truth": some})
    vectors = np.random.default_rng(1).normal(0, 0.1, (40, 8))
    vectors[30:33, 0] += 10
    vectors[33:36, 1] += 8
    table = pa.table({"uri": [str(n) for n in range(40)], "embedding": vectors.tolist()})
    found = told(store, 4, embeddings=table, by={"distance": 1})
    assert int(found[0][0]) in range(30, 33)
    assert int(found[1][0]) in range(33, 36)
    assert found[2][1] < 0.2 < found[1][1]
    assert not {int(f[0]) for f in found} & set(range(20))
    every = store_of(tmp_path / "t", {"ground_truth": boxes(kinds)})
    assert len(told(every, 4, embeddings=table, by={"distance": 1})) == 4


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(0, 6))
def test_each_choice_is_the_farthest_then(seed: int, count: int, known: int) -> None:
    """As the plain loop over all distances has it."""
    vectors = np.random.default_rng(seed).normal(size=(14, 3))
    there = np.arange(14) < known
    found = farthest(vectors, there, np.ones(14, bool), count)
    chosen = [vectors.mean(axis=0)] if not known else list(vectors[:known])
    left = [i for i in range(14) if not there[i]]
    for _ in range(min(count, len(left))):
        far = [min(np.linalg.norm(vectors[i] - c) for c in chosen) for i in left]
        at = left.pop(int(np.argmax(far)))
        assert found[at] == pytest.approx(max(far), abs=1e-6)
        chosen.append(vectors[at])
    rest = [min(np.linalg.norm(vectors[i] - c) for c in chosen) for i in left]
    assert found[left] == pytest.approx(rest, abs=1e-6)
    assert (found[there] == 0).all()


def test_weights_and_the_pool(tmp_path: Path, kinds: Any) -> None:
    again = [b for b in boxes(kinds, 1.0) if b.item == "5"]
    store = store_of(tmp_path / "s", {"ground_truth": [*boxes(kinds), *again]})
    first = [told(store, 1, by={"rare": w, "duplicates": 1})[0] for w in (5, 0.2)]
    assert [f[0] for f in first] == ["7", "5"]
    both = store.curate(40, by={"rare": 5, "duplicates": 1}).table.to_pylist()
    for row in both:
        assert row["score"] == pytest.approx((5 * row["rare"] + row["duplicates"]) / 6)
    assert told(store, 1, by={"rare": 1}, items="CAST(uri AS INT) < 5")[0][0] == "3"


def test_the_same_question_has_the_same_answer(tmp_path: Path, kinds: Any) -> None:
    """In a clone too, and of an old version; another seed chooses others of equal score."""
    store = store_of(tmp_path / "s", {"ground_truth": boxes(kinds)})
    bare = {"unlabelled": 1.0}
    with store.edit() as edit:
        edit.add([], items=[{"uri": f"new/{n}"} for n in range(100)])
    store.commit("new items", tag="v2")
    first = store.curate(10, by=bare).as_json()
    shutil.copytree(store.workspace.folder, tmp_path / "clone", symlinks=True)
    assert open_store(tmp_path / "clone").curate(10, by=bare).as_json() == first
    with store.edit() as edit:
        edit.delete(where="item_id IN (SELECT i.item_id FROM items i WHERE i.uri = '7')")
    store.commit("less", tag="v3")
    assert store.curate(10, by=bare, at="v2").as_json() == first
    assert first["asked"]["root"] == store.manifest("v2").root
    others = store.curate(10, by=bare, at="v2", seed=1).as_json()["items"]
    assert {i["item"] for i in others} != {i["item"] for i in first["items"]}


def test_videos_are_not_chosen_but_their_frames(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", {}, 1)
    with store.edit() as edit:
        edit.add([], items=[{"uri": "v.mp4", "modality": "video"}])
        (video,) = store_ids(edit._draft.manifest, "v.mp4")
        edit.add([], items=[{"uri": f"v/{n}", "parent_id": video, "frame_index": n}
                            for n in range(3)])  # fmt: skip
    assert {f[0] for f in told(store, 9, by={"unlabelled": 1})} == {"0", "v/0", "v/1", "v/2"}


def store_ids(manifest: Any, uri: str) -> list[int]:
    from labelstore.model.tables import TABLES

    rows = manifest.table(TABLES["items"], ["item_id", "uri"]).to_pylist()
    return [r["item_id"] for r in rows if r["uri"] == uri]


@pytest.mark.parametrize(("tool", "name"), [("label-studio", "t.json"), ("cvat", "t.xml")])
def test_tasks_come_back(v1: Store, tmp_path: Path, cli: Run, tool: str, name: str) -> None:
    """What is chosen goes to a tool; a class that was changed there is the only change."""
    folder, file = v1.workspace.folder, tmp_path / name
    done = cli("curate", "-n", 6, "--by", "rare", "--tasks", file, "--as", tool, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f"import {tool} {file} --mode update --dataset instances_val2017" in done.stderr
    again = ("import", tool, file, "--mode", "update", "--dataset", "instances_val2017", "--json")
    told_ = cli(*again, cwd=folder)
    assert told_.returncode == 0, told_.stderr
    assert json.loads(told_.stdout)["changed"] is False
    chosen = v1.curate(6, by={"rare": 1}).items.tolist()
    label = v1.query(f"SELECT category FROM labels WHERE item_id IN ({chosen[0]}) LIMIT 1")
    old = label.column(0)[0].as_py()
    text = file.read_text()
    quote = '"' if tool == "label-studio" else 'label="'
    at = text.rindex(f'{quote}{old}"') + len(quote)
    new = "bench" if old != "bench" else "bird"
    file.write_text(text[:at] + new + text[at + len(old) :])
    assert json.loads(cli(*again, cwd=folder).stdout)["changed"] is True
    diff = v1.status()
    assert diff is not None
    (row,) = diff.labels.to_pylist()
    assert row["change"] == "changed"
    assert row["item_id"] in chosen


def test_the_command(tmp_path: Path, kinds: Any, cli: Run) -> None:
    folder = store_of(tmp_path / "s", {"ground_truth": boxes(kinds)}).workspace.folder
    done = cli("curate", "-n", 3, "--csv", tmp_path / "c.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "3 items of 40" in done.stdout
    rows = list(csv.DictReader((tmp_path / "c.csv").read_text().splitlines()))
    assert rows[0]["item"] == "7"
    assert set(rows[0]) == {"item_id", "item", "score", "because", "rare", "low-score",
                            "duplicates", "rules"}  # fmt: skip
    vectors = pa.table({"uri": ["1", "2"], "embedding": [[0.0, 1.0], [2.0, 1.0]]})
    pq.write_table(vectors, tmp_path / "e.parquet")
    done = cli("curate", "--by", "distance=3", "--embeddings", tmp_path / "e.parquet", "--json",
               cwd=folder)  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer["asked"]["by"] == {"distance": 3.0}
    assert {i["item"] for i in answer["items"]} == {"1", "2"}
    done = cli("curate", "-n", 1, "--tasks", tmp_path / "t.json", "--json", cwd=folder)
    written = json.loads(done.stdout)["tasks"]
    assert (written["items"], written["labels"], written["layer"]) == (1, 4, "ground_truth")
    assert len(json.loads(Path(written["file"]).read_text())) == 1


def table(**columns: Any) -> pa.Table:
    return pa.table(columns)


WRONG = [
    ({"by": {"luck": 1}}, "there is no reason 'luck'"),
    ({"by": {"rare": 0}}, "a weight is above 0"),
    ({"by": {"disagreement": 1}}, "needs layers to compare"),
    ({"by": {"slices": 1}}, "needs an expression"),
    ({"by": {"distance": 1}}, "needs a table of embeddings"),
    ({"slices": "nothing_such"}, "nothing_such"),
    ({"items": "1 +"}, "syntax"),
    ({"embeddings": table(uri=["1"])}, "it needs `embedding`"),
    ({"embeddings": table(uri=["x"], embedding=[[1.0]])}, "1 items that the version has not"),
    ({"embeddings": table(uri=["1", "1"], embedding=[[1.0], [2.0]])}, "more than once"),
    ({"embeddings": table(uri=["1", "2"], embedding=[[1.0], [2.0, 3.0]])}, "several lengths"),
    ({"embeddings": table(uri=["1", "2"], embedding=[[1.0], [np.nan]])}, "not finite"),
    ({"embeddings": table(uri=["1", "2"], embedding=[[1.0], [1e200]])}, "not below"),
    ({"embeddings": table(uri=["1"], embedding=[["x"]])}, "not lists of numbers"),
    ({"embeddings": table(uri=["1"], embedding=[5.0])}, "not lists of numbers"),
    ({"embeddings": table(item_id=["x"], embedding=[[5.0]])}, "has a column `item_id` of string"),
    ({"by": {"rare": 1e300}}, "a weight is above 0 and below"),
]


@pytest.mark.parametrize(("asked", "words"), WRONG)
def test_wrong_questions(v1: Store, asked: Any, words: str) -> None:
    uris = v1.query("SELECT uri FROM items ORDER BY uri").column(0).to_pylist()
    own = asked.get("embeddings")
    if own is not None and own.column(0)[0].as_py() == "1":
        named = pa.array([uris[int(n)] for n in own.column("uri").to_pylist()])
        asked = {**asked, "embeddings": own.set_column(0, "uri", named)}
    with pytest.raises(InvalidInput, match=words):
        v1.curate(3, **asked)


def test_nothing_to_choose(v1: Store) -> None:
    with pytest.raises(InvalidInput, match="choose one item"):
        v1.curate(0)
    assert v1.curate(3, items="FALSE").table.num_rows == 0


def test_how_tasks_of_labels_from_no_file_come_back(tmp_path: Path, kinds: Any, cli: Run) -> None:
    """They have no data set to update, so they come back beside what is there."""
    folder = store_of(tmp_path / "s", {"gold": boxes(kinds)}).workspace.folder
    done = cli("curate", "-n", 2, "--tasks", tmp_path / "t.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    words = done.stderr.rstrip().splitlines()[-1].split()[1:]
    assert words[-3:] == ["--no-sidecar", "--layer", "gold-reviewed"]
    assert cli(*words, "-m", "reviewed", cwd=folder).returncode == 0
    counts = open_store(folder).query(
        "SELECT layer, count(*) AS n FROM annotations WHERE item_id IN (SELECT a.item_id FROM "
        "annotations a WHERE a.layer = 'gold-reviewed') GROUP BY layer"
    )
    assert set(counts.column("n").to_pylist()) == {8}
