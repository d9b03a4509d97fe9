"""COCO labels that are decoded in the order of parts are those that went through scratch files."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from conftest import DATA, TINY
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstore.errors import FormatError, InvalidInput
from labelstore.exchange import importing
from labelstore.model.arrow import reordered
from labelstore.model.tables import FAMILY
from labelstore.store import Store, init_store
from labelstore_converters.coco import FORMAT, members, owners, reading
from labelstore_converters.coco.reading import CocoReading

VOC = DATA / "cross" / "voc100"


def parts(store: Store, source: Path) -> tuple[list[Any], Any]:
    """Return the parts of labels that an import would make, and what it reports."""
    found: list[Any] = []

    def look(_: Any, after: Any) -> None:
        found.extend(p for name in FAMILY for p in after.parts_of(name))

    report = store.import_from("coco", source, dry_run=True, look=look)
    return found, report


def both_ways(folder: Path, source: Path) -> tuple[list[Any], list[Any]]:
    """Return the parts of labels made in order, and those made from scratch files."""
    store = init_store(folder / "store", target=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CHUNK", 7)
        patch.setattr(reading, "PIECE", 50)
        patch.setattr(owners, "CHUNK", 9)
        patch.setattr(importing, "spill", None)
        assert FORMAT.open(source).owners() is not None
        straight, told = parts(store, source)
        patch.undo()
        patch.setattr(reading, "PIECE", 50)
        patch.setattr(CocoReading, "owners", lambda self: None)
        spilt, told_then = parts(store, source)
    assert told == told_then
    return straight, spilt


@pytest.mark.parametrize("name", ["instances_val2017", "person_keypoints_val2017"])
def test_real_labels_in_any_order_make_the_same_parts(name: str, tmp_path: Path) -> None:
    document = json.loads((TINY.parent / f"{name}.json").read_text())
    random.Random(5).shuffle(document["annotations"])
    crowd = next(a for a in document["annotations"] if "segmentation" in a)
    document["annotations"] += [  # such as go the careful way, beside the regular ones
        {**crowd, "id": 1, "other": {"a": [1]}}, {**crowd, "id": 2, "bbox": [1, 2, 3]},
        {**crowd, "id": 3, "segmentation": {"counts": [3, 5], "size": [2, 4]}},
        {**crowd, "id": 4, "segmentation": {"counts": [3, -5], "size": [2, 4]}},
        {"image_id": crowd["image_id"]},
    ]  # fmt: skip
    source = tmp_path / "in.json"
    source.write_text(json.dumps(document, indent=1))
    straight, spilt = both_ways(tmp_path, source)
    assert len(straight) > len(FAMILY)
    assert straight == spilt


def test_labels_that_are_sorted_make_the_same_parts(tmp_path: Path) -> None:
    (source,) = VOC.rglob("*.json")
    straight, spilt = both_ways(tmp_path, source)
    assert straight == spilt


def test_what_is_unusual_is_told_whichever_way(tmp_path: Path, store: Store) -> None:
    source = tmp_path / "in.json"
    labels = [{"image_id": 7, "bbox": "none", "id": 1}, {"image_id": 7}]
    source.write_text(json.dumps({**COMMON, "annotations": labels}))
    assert FORMAT.open(source).owners() is not None
    _, report = parts(store, source)
    assert report.notices == {"coco-bbox-kept-verbatim": 1, "coco-annotation-without-id": 1}


def test_of_several_faults_the_first_in_the_file_is_named(tmp_path: Path, store: Store) -> None:
    source = tmp_path / "in.json"
    images = {"images": [{"id": 7}, {"id": 9}]}
    usual = [{"image_id": 7, "id": 1}] * 64  # as many as are looked at beforehand
    faulty = [{"image_id": image, "id": 1, "a": "N"} for image in (9, 7, 7)]
    text = json.dumps({**images, "annotations": usual + faulty})
    source.write_text(text.replace('"N"', "1e400"))
    assert FORMAT.open(source).owners() is not None
    with pytest.raises(FormatError, match=r"annotations\[64\]"):
        store.import_from("coco", source)
    assert store.status() is None


def test_a_late_fault_is_named(tmp_path: Path, store: Store) -> None:
    source = tmp_path / "in.json"
    usual = json.dumps({"image_id": 7, "category_id": 3, "id": 1}).encode()
    faulty = usual.replace(b"1}", b'"\xff"}')
    text = json.dumps({**COMMON, "annotations": []}).encode()
    source.write_bytes(text.replace(b"[]", b"[" + b",".join([usual] * 100 + [faulty]) + b"]"))
    with pytest.raises(FormatError, match="is not UTF-8"):
        store.import_from("coco", source)


COMMON = {"images": [{"id": 7}], "categories": [{"id": 3}]}
UNUSUAL: dict[str, Any] = {
    "an image that is not listed": {"image_id": 8},
    "a class that is not listed": {"image_id": 7, "category_id": 4},
    "an image by text": {"image_id": "7"},
    "a number with a point": {"image_id": 7.0},
    "an id beyond 64 bits": {"image_id": 2**63},
    "a faulty id": {"image_id": 7, "id": []},
    "a class that is a list": {"image_id": 7, "category_id": []},
    "no object": 5,
    "no image": {"id": 1},
}


@pytest.mark.parametrize("label", UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_is_decoded_to_know_it(label: Any, tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    usual = {"image_id": 7, "category_id": 3, "id": 1}
    path.write_text(json.dumps({**COMMON, "annotations": [usual, label]}))
    assert FORMAT.open(path).owners() is None
    path.write_text(json.dumps({**COMMON, "annotations": [usual, {"image_id": 7}]}))
    known = FORMAT.open(path).owners()
    assert known is not None
    assert known.tolist() == [0, 0]


def test_a_file_that_is_larger_than_memory_is_read_from_end_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "IN_MEMORY", TINY.stat().st_size - 1)
    assert FORMAT.open(TINY).owners() is None


def test_a_converter_that_says_other_items_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = FORMAT.open(TINY).owners()
    assert said is not None
    monkeypatch.setattr(CocoReading, "owners", lambda self: said[::-1])
    with pytest.raises(InvalidInput, match="of other items than its `owners` says"):
        store.import_from("coco", TINY)
    assert store.status() is None


blanks = st.text(" \t\n\r", max_size=2)
member = st.sampled_from(["1", "-2.5e3", '"}, {"', '{"a": [1, {"b": "]"}]}', "[]", "null", '""'])


@settings(deadline=None)
@given(
    texts=st.lists(member, max_size=6),
    gaps=st.lists(st.tuples(blanks, blanks), min_size=7, max_size=7),
    even=st.booleans(),
)
def test_members_are_found_whatever_lies_between_them(
    texts: list[str], gaps: list[tuple[str, str]], even: bool
) -> None:
    text = '{"x": ['
    for i, value in enumerate(texts):
        before, after = gaps[0 if even else i]
        text += ("," if i else "") + before + value + after
    data = (text + "]}").encode()
    raws = msgspec.json.decode(data, type=dict[str, list[msgspec.Raw]])["x"]
    looked = Mock(wraps=members._address)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "_address", looked)
        found = members.Members(memoryview(data), raws)
    assert not even or looked.call_count <= 3  # the first and the last tell all
    assert len(found) == len(texts)
    assert [bytes(m).decode() for m in found] == texts
    for a in range(len(texts) + 1):
        assert json.loads(found.listed(a)) == [json.loads(t) for t in texts[a:]]


@given(data=st.data())
def test_rows_are_in_the_order_that_was_asked_for(data: st.DataObject) -> None:
    rings = st.none() | st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=3)
    values = data.draw(st.lists(rings, max_size=6))
    order = data.draw(st.permutations(range(len(values))) | st.just(list(range(len(values)))))
    kind = pa.list_(pa.list_(pa.int64()))
    column = pa.array([[[5]], *values], kind).slice(1)
    if data.draw(st.booleans()):  # members may lie below a null
        hidden = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
        mask = pa.array([h or v is None for h, v in zip(hidden, values, strict=True)], pa.bool_())
        whole = pa.array([v or [] for v in values], kind)
        column = pa.ListArray.from_arrays(whole.offsets, whole.values, type=kind, mask=mask)
        values = [None if h else v for h, v in zip(mask.to_pylist(), values, strict=True)]
    rows = pa.table({"n": pa.array(range(len(values))), "rings": column})
    found = reordered(rows, np.array(order, np.int64))
    found.validate(full=True)
    assert found.column("n").to_pylist() == list(order)
    assert found.column("rings").to_pylist() == [values[i] for i in order]
