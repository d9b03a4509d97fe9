"""Edits store what was given, under ids of their own, or nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest

from labelstore.errors import InvalidInput, LabelstoreError, NotFound
from labelstore.model.labels import Box, Polygon, Tag
from labelstore.store import Store, init_store
from labelstore.versions import ids

BOX = {"x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = init_store(tmp_path / "store")
    with store.edit(by="ada") as edit:
        edit.add(items=[{"uri": "a.jpg"}, {"uri": "b.jpg"}], categories=[{"name": "car"}])
    return store


def test_blocks_of_ids_are_never_shared(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "DIGEST_BITS", 6)
    monkeypatch.setattr(ids, "SEQUENCE_BITS", 45)
    monkeypatch.setattr(ids, "BLOCK", 2**45)
    given: list[int] = []
    for _ in range(4):
        with store.edit() as edit:
            for n in range(8):
                given += edit.add([Box(item="a.jpg", x=n, y=0, width=1, height=1)]).tolist()
    assert len(set(given)) == len(given) == 32
    assert store.query("SELECT count(*) AS n FROM labels").to_pylist() == [{"n": 32}]


def test_floats_that_round_ids_are_refused(store: Store) -> None:
    small = pandas.DataFrame({"item": ["a.jpg", "b.jpg"], "group_id": [7, None]})
    large = pandas.DataFrame({"item": ["a.jpg"], "group_id": [2.0**53 + 2]})
    with store.edit() as edit:
        edit.add(small)
        with pytest.raises(InvalidInput, match="ids as floats, which are rounded"):
            edit.add(large)
        with pytest.raises(InvalidInput, match="ids as floats, which are rounded"):
            edit.update(where="TRUE", set={"track_id": 2.0**60})
        with pytest.raises(InvalidInput, match="whole numbers"):
            edit.add([{"uri": "a.jpg", "group_id": 0.5}])
    found = store.query("SELECT group_id FROM labels ORDER BY annotation_id").to_pylist()
    assert [r["group_id"] for r in found] == [7, None]


def test_ends_of_relations_are_compared_exactly(store: Store) -> None:
    with store.edit() as edit:
        (one,) = edit.add([Tag(item="a.jpg")])
        far = pa.array([2**60 + int(one)], pa.uint64())
        with pytest.raises(NotFound):
            edit.add_relations(pa.table({"from_id": pa.array([one]), "to_id": far}))


def test_decimals_are_the_nearest_floats(store: Store) -> None:
    words = [0.7, 10.1, 2.060325, *np.random.default_rng(5).uniform(0, 3000, 40).round(6).tolist()]
    ring = ", ".join(map(repr, words[:42]))
    with store.edit() as edit:
        edit.add([Box(item="a.jpg", x=0, y=0, width=1, height=1)])
        values = {
            "score": "0.7",
            "confidence": 0.1,
            "box": "{'v0': 10.1, 'v1': 2.060325, 'v2': 1.5, 'v3': 0.7}",
            "polygons": f"[[{ring}], [0.1, 0.2, 0.3, 1.1, 1.2, 1.3]]",
        }
        edit.update(where="TRUE", set=values)
    (row,) = store.query("SELECT score, confidence, box, polygons FROM labels").to_pylist()
    assert (row["score"], row["confidence"]) == (0.7, 0.1)
    assert list(row["box"].values()) == [10.1, 2.060325, 1.5, 0.7]
    assert row["polygons"] == [words[:42], [0.1, 0.2, 0.3, 1.1, 1.2, 1.3]]


def test_only_a_new_shape_takes_the_place_of_another(store: Store) -> None:
    square = Polygon(item="a.jpg", rings=[[(0, 0), (4, 0), (4, 4)]])
    with store.edit() as edit:
        edit.add([square, square])
        first, second = edit.add(
            pa.table({"uri": ["a.jpg"] * 2, "polygons": [[[0.0, 0, 4, 0, 4, 4]]] * 2,
                      "box": [{"v0": 0.0, "v1": 0.0, "v2": 4.0, "v3": 4.0}] * 2})
        )  # fmt: skip
        edit.update(where="TRUE", set={"box": "box"})
        edit.update(where=f"annotation_id = {second}", set={"box": None})
    sql = "SELECT kind, polygons IS NOT NULL AS outlined, box IS NOT NULL AS boxed FROM labels"
    found = store.query(f"{sql} ORDER BY annotation_id").to_pylist()
    assert all(row["outlined"] and row["kind"] == "polygon" for row in found)
    assert sum(row["boxed"] for row in found) == 1
    with store.edit() as edit:
        edit.update(where=f"annotation_id = {first}", set={"box_form": "'xyxy'"})
    row = store.query(f"{sql} WHERE annotation_id = {first}").to_pylist()
    assert row == [{"kind": "box", "outlined": False, "boxed": True}]


def test_a_tag_that_gets_a_shape_is_of_its_kind(store: Store) -> None:
    with store.edit() as edit:
        edit.add([Tag(item="a.jpg"), Tag(item="b.jpg")])
        box = "{'v0': 1, 'v1': 2, 'v2': 3, 'v3': 4}"
        edit.update(where="TRUE", set={"box": box})
        edit.update(where="uri = 'b.jpg'", set={"kind": "'tag'", "box": box})
    found = store.query("SELECT kind FROM labels ORDER BY uri").to_pylist()
    assert [r["kind"] for r in found] == ["box", "tag"]
    assert [f.code for f in store.check()] == ["tag-with-shape"]


def test_a_call_that_fails_leaves_nothing(store: Store) -> None:
    with store.edit() as edit:
        with pytest.raises(NotFound):
            edit.add([Tag(item="nowhere.jpg")], items=[{"uri": "new.jpg"}])
        edit.add([Tag(item="a.jpg")])
    uris = store.query("SELECT uri FROM items ORDER BY uri").to_pylist()
    assert [r["uri"] for r in uris] == ["a.jpg", "b.jpg"]


def test_an_edit_that_has_ended_changes_nothing(store: Store) -> None:
    with store.edit() as edit:
        edit.add([Tag(item="a.jpg")])
    for late in (lambda: edit.add([Tag(item="a.jpg")]), lambda: edit.delete(where="TRUE"),
                 lambda: edit.update(where="TRUE", set={"score": 1})):  # fmt: skip
        with pytest.raises(InvalidInput, match="this edit has ended"):
            late()
    assert store.query("SELECT count(*) AS n FROM labels").to_pylist() == [{"n": 1}]


def test_equal_rows_get_equal_ids(store: Store) -> None:
    def frame(index: Any) -> pandas.DataFrame:
        return pandas.DataFrame({"item": ["a.jpg", "b.jpg"], **BOX}, index=index)

    bare = pa.table(frame([0, 1])).replace_schema_metadata()
    chunks = pa.concat_tables([bare.slice(0, 1), bare.slice(1)])
    found = []
    for given in (frame([0, 1]), frame(pandas.RangeIndex(5, 7)), bare, chunks):
        with store.edit() as edit:
            found.append(edit.add(given).tolist())
            edit.delete(where="TRUE")
    assert found == [found[0]] * 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"uri": ["a.jpg"]}], "'uri' needs names"),
        ([{"uri": "a.jpg", "category": {"a": 1}}], "'category' needs names"),
        (pa.table([["a.jpg"], [1.0], [1.0]], ["uri", "x", "x"]), "columns given twice: x"),
        (pandas.DataFrame({"item": ["a.jpg", 5]}), "cannot be read as columns"),
        (pandas.Series(["a.jpg"]), "cannot add a Series"),
        ({"uri": ["a.jpg"]}, "a dict of columns: pyarrow.table"),
        ([{"uri": "a.jpg", 5: 5}], "unknown columns: 5"),
        ([{"uri": "a.jpg", "layer": 5}], "'layer' is text"),
        ([{"uri": "a.jpg", "difficult": 5}], "'difficult' is a truth value"),
        ([{"uri": "a.jpg", "score": True}], "'score' is a number"),
        ([{"uri": "a.jpg", **BOX, "x": "1"}], "'box.v0' is a number"),
    ],
)
def test_what_is_of_another_sort_is_refused(store: Store, given: Any, said: str) -> None:
    with store.edit() as edit, pytest.raises(InvalidInput, match=said):
        edit.add(given)


@pytest.mark.parametrize(
    ("where", "values"),
    [
        (None, {"score": 1}), (True, {"score": 1}), ("TRUE", {"difficult": 5}),
        ("TRUE", {"text": 5}), ("TRUE", {"score": "'7'"}), ("TRUE", {"category": "['car']"}),
    ],
)  # fmt: skip
def test_updates_of_another_sort_are_refused(store: Store, where: Any, values: Any) -> None:
    with store.edit() as edit:
        edit.add([Tag(item="a.jpg")])
        with pytest.raises(LabelstoreError):
            edit.update(where=where, set=values)
        edit.update(where="TRUE", set={"score": np.float64(0.5), "z_order": np.int64(4)})
        numbered: Any = {1: 1}
        with pytest.raises(InvalidInput, match="name must be text"):
            edit.update(where="TRUE", set={"score": 1}, parameters=numbered)
    found = store.query("SELECT score, z_order FROM labels").to_pylist()
    assert found == [{"score": 0.5, "z_order": 4}]


def test_uris_by_hand_are_those_of_imports(store: Store) -> None:
    with store.edit() as edit:
        edit.add([Tag(item="./a.jpg")], items=[{"uri": "./k//z.jpg"}, {"uri": "v\\0.jpg"}])
        edit.add([Tag(item="k/z.jpg"), Tag(item="v\\0.jpg")])
        with pytest.raises(InvalidInput, match="is in the store already"):
            edit.add(items=[{"uri": "./a.jpg"}])
    uris = store.query("SELECT uri FROM labels ORDER BY uri").to_pylist()
    assert [r["uri"] for r in uris] == ["a.jpg", "k/z.jpg", "v/0.jpg"]


def test_attributes_of_frames_are_attributes(store: Store) -> None:
    frame = polars.DataFrame(
        {
            "item": ["a.jpg", "b.jpg"],
            "attributes": [{"colour": "red", "doors": None}, {"colour": None, "doors": 4}],
        }
    )
    with store.edit() as edit:
        edit.add(frame)
    found = store.query("SELECT attributes FROM labels ORDER BY uri").to_pylist()
    assert [dict(r["attributes"]) for r in found] == [{"colour": '"red"'}, {"doors": "4"}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"uri": "a.jpg", "x": 1, "y": 1, "widht": 1, "height": 1}], "is it 'width'?"),
        ([{"uri": "a.jpg", "confidense": 1}], "is it 'confidence'?"),
        ([{"uri": "A.jpg"}], "is it 'a.jpg'?"),
        ([{"uri": "a.jpg", "category": "cra"}], "no class 'cra'"),
        ([{"score": 1}], "need `item`"),
    ],
)
def test_what_is_misspelt_is_told(store: Store, given: Any, said: str) -> None:
    with store.edit() as edit, pytest.raises(LabelstoreError, match=re.escape(said)):
        edit.add(given)


def test_a_text_without_quotes_is_told(store: Store) -> None:
    with store.edit() as edit:
        edit.add([Tag(item="a.jpg")])
        with pytest.raises(InvalidInput, match="a text needs quotes of its own"):
            edit.update(where="TRUE", set={"category": "car"})
