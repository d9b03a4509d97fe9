"""A store that holds every kind of label at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest
from conftest import Run
from pydantic import ValidationError

from labelstore.errors import FormatError, InvalidInput, NotFound
from labelstore.model.annotations import CategoryScore
from labelstore.model.examples import CATEGORIES, ITEMS, LABELS
from labelstore.model.kinds import Kind
from labelstore.model.labels import Box, Label, Tag, rows
from labelstore.model.tables import TABLES
from labelstore.store import Store, init_store

CHANGES = {
    "box": "{'v0': 1.0, 'v1': 30.0, 'v2': 100.0, 'v3': 60.0}",
    "rotated_box": "{'cx': 100.0, 'cy': 75.0, 'w': 120.0, 'h': 50.0, 'angle': 0.6}",
    "corners": "[1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 1.0, 4.0]",
    "polygons": "[[1.0, 2.0, 3.0, 2.0, 3.0, 4.0], [1.5, 2.0, 3.0, 2.5, 2.0, 3.0]]",
    "polylines": "[[1.0, 2.0, 3.0, 2.0]]",
    "spline": "{'form': 'catmull_rom', 'degree': 3, 'closed': TRUE, "
    "'control_points': [1.0, 2.0, 3.0, 4.0], 'knots': NULL}",
    "mask": "{'encoding': 'cvat_rle', 'h': 1, 'w': 2, 'x0': 5, 'y0': 6, 'counts': '1,1'::BLOB}",
    "cuboid3d": "{'cx': 0.0, 'cy': 0.0, 'cz': 0.0, 'length': 4.0, 'width': 2.0, 'height': 1.0, "
    "'qw': 1.0, 'qx': 0.0, 'qy': 0.0, 'qz': 0.0, 'anchor': 'bottom'}",
    "mesh": "{'vertices': [0.0, 0.0, 0.0], 'faces': [0, 0, 0]}",
    "point_labels": "{'encoding': 'uint8', 'count': 1, 'labels': 'a'::BLOB}",
    "keypoints": "[1.0, 2.0, 3.0, 2.0, 3.0, 4.0]",
    "ellipse": "{'cx': 100.0, 'cy': 75.0, 'rx': 7.0, 'ry': 3.5, 'angle': 0.0}",
    "raster": "{'form': 'panoptic', 'uri': 'street.png', 'value': 8}",
    "cuboid2d": "list_transform(cuboid2d, lambda x: x + 1)",
    "velocity": "[0.0, 0.0, 0.0]",
    "surface": "'Ada Grac'",
    "spans": "[{'start': 0, 'end': 3}]",
    "text": "'hello'",
    "interval": "{'start': 1.0, 'end': 2.0, 'channel': 0, 'low_hz': NULL, 'high_hz': NULL, "
    "'first_frame': NULL, 'last_frame': NULL}",
}

MEANINGS = {
    "box": {"moved", "resized"},
    "rotated_box": {"rotated"},
    "cuboid3d": {"moved", "resized", "rotated"},
    "ellipse": {"resized", "rotated"},
    "cuboid2d": {"moved"},
    "raster": {"segment changed"},
    "point_labels": {"points relabelled"},
    "velocity": {"velocity"},
    "surface": {"text edited"},
    "spans": {"span shifted"},
    "text": {"text edited"},
    "interval": {"interval shifted"},
}
"""What the change of each column is told as; `reshaped` otherwise."""
OTHERS = {
    "category": ("'hand'", "reclassified"),
    "kind": ("'points'", "kind changed"),
    "attributes": ("MAP {'colour': '\"blue\"'}", "attributes"),
    "tags": ("['night']", "tags"),
    "is_crowd": ("TRUE", "flags"),
    "score": ("0.5", "score"),
    "review_state": ("'accepted'", "reviewed"),
    "track_id": ("7", "track relinked"),
    "group_id": ("7", "regrouped"),
    "frame": ("'ego'", "frame changed"),
    "visibility": ("[0, 0, 0]", "visibility"),
    "z_order": ("7", "restated"),
    "mask": ("NULL", "shape dropped"),
    "interval": ("NULL", "shape dropped"),
    "box_form": ("'xyxy'", "resized"),
    "ellipse": ("{'cx': 1.0, 'cy': 75.0, 'rx': 7.0, 'ry': 3.5, 'angle': 0.0}", "shape added"),
}
"""A value for labels of a kind that has none of it, and what that is told as."""


@pytest.fixture
def every(tmp_path: Path) -> Store:
    store = init_store(tmp_path / "every")
    with store.edit(by="ada") as edit:
        edit.add(list(LABELS.values()), items=list(ITEMS), categories=list(CATEGORIES))
    store.commit("every kind", tag="v1")
    return store


def test_every_kind_has_an_example() -> None:
    assert set(LABELS) == set(get_args(Kind))
    kinds = {label.kind for label in LABELS.values()}
    assert kinds == set(get_args(Kind)) - {"track"}


def test_every_kind_comes_back_bit_for_bit(every: Store) -> None:
    given = rows(list(LABELS.values()))
    names = [n for n in given.column_names if n not in ("uri", "category", "layer", "kind")]
    found = every.query(f"SELECT {', '.join(names)} FROM labels ORDER BY annotation_id", at="v1")
    for name in names:
        column = found.column(name).combine_chunks()
        wanted = given.column(name).combine_chunks()
        assert column.cast(wanted.type).equals(wanted), name


def test_every_kind_keeps_the_rules(every: Store, cli: Run) -> None:
    assert [f.code for f in every.check(at="v1")] == ["track-unlisted"]
    done = cli("check", "--at", "v1", "--store", every.workspace.folder)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("column", sorted(CHANGES))
def test_a_change_of_a_shape_is_told_as_one(every: Store, column: str) -> None:
    with every.edit() as edit:
        count = edit.update(where=f"{column} IS NOT NULL", set={column: CHANGES[column]})
    difference = every.status()
    assert difference is not None
    counts = difference.tables["annotations"]
    assert (counts.added, counts.removed, counts.changed) == (0, 0, count)
    assert column in difference.columns
    assert set(difference.meanings) == MEANINGS.get(column, {"reshaped"})
    assert sum(map(len, difference.labels.column("meanings").to_pylist())) >= count


@pytest.mark.parametrize("column", OTHERS)
def test_a_change_beside_the_shape_is_told_as_one(every: Store, column: str) -> None:
    value, word = OTHERS[column]
    kinds = {"visibility": "keypoints", "mask": "mask", "interval": "interval", "box_form": "box"}
    where = f"kind = '{kinds.get(column, 'tag')}' AND track_id IS NULL"
    with every.edit() as edit:
        assert edit.update(where=where, set={column: value}) == 1
    difference = every.status()
    assert difference is not None
    assert word in difference.meanings
    (row,) = difference.labels.to_pylist()
    assert word in row["meanings"]
    assert row["change"] == "changed"


def test_faults_are_named_with_item_label_field_and_value(every: Store, cli: Run) -> None:
    cuboid = "struct_pack(cx := 0.0, cy := 0.0, cz := 0.0, length := 4.0, width := 2.0, "
    cuboid += "height := 1.0, qw := 2.0, qx := 0.0, qy := 0.0, qz := 0.0, anchor := 'center')"
    with every.edit() as edit:
        edit.update(where="kind = 'cuboid3d'", set={"cuboid3d": cuboid})
        edit.update(where="kind = 'span'", set={"spans": "[{'start': 0, 'end': 99}]"})
        edit.update(where="kind = 'polyline'", set={"polylines": "[[1.0, 2.0]]"})
        edit.update(where="kind = 'tag'", set={"confidence": "1.5"})
    every.commit("faults", tag="v2")
    found = {f.code: f for f in every.check(at="v2")}
    assert set(found) == {
        "annotations.confidence:more-than-maximum", "polyline-too-few-points",
        "quaternion-not-unit", "span-outside-text", "surface-differs", "track-unlisted",
    }  # fmt: skip
    (fault,) = found["quaternion-not-unit"].faults
    assert (fault.field, fault.value["qw"]) == ("cuboid3d", 2.0)
    sql = "SELECT item_id, annotation_id, uri FROM labels WHERE kind = 'cuboid3d'"
    (ids,) = every.query(sql, at="v2").to_pylist()
    named = (fault.item, fault.annotation, fault.uri)
    assert named == (ids["item_id"], ids["annotation_id"], ids["uri"])
    done = cli("check", "--at", "v2", "--faults", "3", "--store", every.workspace.folder)
    assert done.returncode == 1
    for word in (ids["uri"], str(ids["annotation_id"]), "quaternion", "cuboid3d = {"):
        assert word in done.stdout
    told = json.loads(
        cli("check", "--at", "v2", "--json", "--store", every.workspace.folder).stdout
    )
    (line,) = [f for f in told["findings"] if f["code"] == "polyline-too-few-points"]
    assert line["faults"][0]["value"] == [[1.0, 2.0]]
    assert line["faults"][0]["annotation"] == line["example"]


def test_frames_and_batches_and_lists_are_the_same(tmp_path: Path) -> None:
    labels: list[Label] = [
        Box(item="a.jpg", category="car", x=i, y=0, width=1, height=2) for i in range(3)
    ]
    table = rows(labels)
    found = []
    flat = {"item": ["a.jpg"] * 3, "category": ["car"] * 3, "x": [0, 1, 2], "y": [0.0] * 3,
            "width": [1] * 3, "height": [2] * 3}  # fmt: skip
    frames = (polars.DataFrame(table), polars.DataFrame(flat), pandas.DataFrame(flat),
              pandas.DataFrame(flat, index=[7, 5, 9]))  # fmt: skip
    listed = [dict(zip(flat, values, strict=True)) for values in zip(*flat.values(), strict=True)]
    for i, given in enumerate((labels, table, table.to_batches()[0], listed, *frames)):
        store = init_store(tmp_path / str(i))
        with store.edit(by="ada") as edit:
            ids = edit.add(given, items=[{"uri": "a.jpg"}], categories=[{"name": "car"}])
            assert len(ids) == 3
        found.append(store.query("SELECT kind, box, box_form FROM labels ORDER BY box.v0"))
    assert found[0].column("kind").to_pylist() == ["box"] * 3
    assert all(f.equals(found[0]) for f in found)


FLAT = {
    "box": {"x": 1, "y": 2, "width": 3, "height": 4.5},
    "ellipse": {"cx": 1, "cy": 2.5, "rx": 3, "ry": 4, "angle": 0.5},
    "rotated_box": {"cx": 1, "cy": 2, "width": 3, "height": 4, "angle": 0.5},
}


@pytest.mark.parametrize("kind", FLAT)
def test_fields_of_typed_labels_make_shapes(every: Store, kind: str) -> None:
    item = every.query("SELECT item_id FROM items WHERE uri = 'street.jpg'").to_pylist()[0]
    bare = {"item": item["item_id"], **dict.fromkeys(FLAT[kind])}
    with every.edit() as edit:
        ids = edit.add([{**bare, **FLAT[kind]}, bare])
    sql = f"SELECT kind, {kind} FROM labels WHERE annotation_id >= {ids[0]} ORDER BY annotation_id"
    made, tag = every.query(sql).to_pylist()
    assert (made["kind"], list(made[kind].values())) == (kind, list(FLAT[kind].values()))
    assert (tag["kind"], tag[kind]) == ("tag", None)


def test_fields_that_make_half_a_shape_or_two_are_refused(every: Store) -> None:
    both = {"uri": "street.jpg", **FLAT["box"], **FLAT["ellipse"]}
    with (
        pytest.raises(InvalidInput, match="add them in two calls"),
        every.edit() as edit,
    ):
        edit.add([both])
    half = {"uri": "street.jpg", **FLAT["box"], "y": None}
    with pytest.raises(FormatError, match=r"box\.v1"), every.edit() as edit:
        edit.add([half])
    assert every.staged() is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"annotations": 5}, "cannot add a int"),
        ({"items": [{"uri": "a.jpg"}, {"uri": "a.jpg"}]}, "'a.jpg' is given more than once"),
        ({"items": [{"width": 5}]}, "row 0 of items has no `uri`"),
        ({"items": [{"uri": "a.jpg", "item_id": 5}]}, "unknown columns of items: item_id"),
        ({"categories": [{"name": "car", "sources": []}]}, "unknown columns of categories"),
        ({"items": [{"uri": "a.jpg", "width": "wide"}]}, "'width' is a number"),
        ({"items": [{"uri": 5}]}, "`uri` of items must be text"),
        ({"items": [{"uri": "a.jpg"}],
          "annotations": [{"uri": "a.jpg", "box": {"v0": 1.0, "v1": 1.0, "v2": 1.0, "v3": 1.0,
                                                   "angle": 2.0}}]}, "unknown members: box.angle"),
        ({"annotations": [Tag(item="a.jpg", track_id=2**63)]}, "column 'track_id' is int64"),
        ({"annotations": [Tag(item="a.jpg", attributes={"a": {1}})]}, "attribute 'a' cannot be"),
        ({"annotations": [Tag(item="\ud800")]}, "column 'uri' is string"),
        ({"annotations": [{"uri": "a.jpg"}, {"uri": 1}]}, "values that fit no one type"),
        ({"items": [{"uri": "a.jpg"}],
          "annotations": [Tag(item="a.jpg"), Tag(item=5)]}, "add them in two calls"),
    ],
)  # fmt: skip
def test_what_cannot_be_added_is_refused(tmp_path: Path, given: Any, said: str) -> None:
    store = init_store(tmp_path / "store")
    with pytest.raises(InvalidInput, match=said), store.edit() as edit:
        edit.add(given.pop("annotations", None), **given)
    assert store.staged() is None


def test_lists_may_say_different_things_of_each(every: Store) -> None:
    found = every.query("SELECT uri, text, duration_s, width FROM items ORDER BY item_id")
    assert found.to_pylist() == [
        {name: item.get(name) for name in ("uri", "text", "duration_s", "width")} for item in ITEMS
    ]


def test_faults_of_rows_with_repeated_attributes_are_told(every: Store) -> None:
    """Arrow's maps may have a key twice; what is told of another column does not mind."""
    attributes = pa.array([[("a", "1"), ("a", "2")]], pa.map_(pa.string(), pa.string()))
    columns = {"uri": ["street.jpg"], "confidence": [2.0], "attributes": attributes}
    with every.edit() as edit:
        edit.add(pa.table(columns))
    told = [(f.field, f.value) for finding in every.check() for f in finding.faults]
    assert told == [("confidence", 2.0), ("attributes.a", [1, 2]), ("track_id", 1)]
    with pytest.raises(InvalidInput, match="cannot show -1"):
        every.check(shown=-1)


def test_the_kind_follows_from_any_shape_and_a_box_has_a_form(every: Store) -> None:
    given = rows([label for kind, label in LABELS.items() if kind not in ("points", "track")])
    keep = [n for n in given.column_names if n not in ("kind", "box_form")]
    with every.edit() as edit:
        ids = edit.add(given.select(keep))
    found = every.query(f"SELECT kind, box_form FROM labels WHERE annotation_id >= {ids[0]}")
    kinds = [k for k in LABELS if k not in ("points", "track")]
    assert sorted(found.column("kind").to_pylist()) == sorted(kinds)
    assert found.column("box_form").drop_null().to_pylist() == ["xywh"]


def test_labels_without_a_layer_go_to_the_default_one(every: Store) -> None:
    with every.edit() as edit:
        edit.add([Tag(item="street.jpg"), Tag(item="street.jpg", layer="model")])
    assert every.query("SELECT DISTINCT layer FROM annotations").num_rows == 2


def test_attributes_of_mappings_are_plain_values(every: Store) -> None:
    given = [{"uri": "street.jpg", "attributes": {"hue": "red", "doors": 4}}, {"uri": "call.wav"}]
    with every.edit() as edit:
        ids = edit.add(given, items=[{"uri": "b.jpg", "attributes": {"weather": "rain"}}])
    sql = f"SELECT attributes FROM annotations WHERE annotation_id >= {ids[0]} ORDER BY item_id"
    found = every.query(sql).column(0).to_pylist()
    assert found == [[("hue", '"red"'), ("doors", "4")], None]
    (item,) = every.query("SELECT attributes FROM items WHERE uri = 'b.jpg'").column(0).to_pylist()
    assert item == [("weather", '"rain"')]


@pytest.mark.parametrize("value", ["10", True, 2**53 + 1, 10**400, None, float("nan")])
def test_numbers_are_numbers(value: Any) -> None:
    with pytest.raises(ValidationError):
        Box(item="a.jpg", x=value, y=0, width=1, height=1)
    box = Box(item="a.jpg", x=np.float32(0.5), y=np.int64(2), width=2**53, height=1)
    assert (box.x, box.y, box.width) == (0.5, 2.0, 2.0**53)


def test_further_classes_must_be_there(every: Store) -> None:
    (known,) = every.query("SELECT min(category_id) AS id FROM categories").to_pylist()
    for number in (known["id"], 5):
        score = CategoryScore(category_id=number, score=0.5)
        with every.edit() as edit:
            edit.add([Tag(item="street.jpg", category="thing", category_scores=[score])])
    found = {f.code: f.count for f in every.check()}
    assert found == {"category-score-missing": 1, "track-unlisted": 1}


def test_nothing_to_add_is_no_fault(every: Store) -> None:
    with every.edit() as edit:
        assert len(edit.add([])) == 0
        edit.add(items=[{"uri": "n.txt", "modality": "text"}, {"uri": "m.jpg"}])
    found = every.query("SELECT modality FROM items WHERE uri IN ('n.txt', 'm.jpg') ORDER BY uri")
    assert found.column(0).to_pylist() == ["image", "text"]


BROKEN: list[dict[str, Any]] = [
    {"corners": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]},
    {"cuboid2d": [1.0] * 15},
    {"keypoints": [1.0, 2.0], "keypoint_dims": 1},
    {"keypoints": [1.0, 2.0], "keypoint_dims": -1},
    {"spline": {"form": "b_spline", "degree": 3, "closed": False, "control_points": [1.0, 2.0]}},
    {"spline": {"form": "catmull_rom", "degree": 3, "closed": True, "control_points": [1.0, 2.0]}},
    {"spline": {"form": "b_spline", "degree": -1, "closed": False, "control_points": [1.0] * 8}},
    {"mask": {"encoding": "cvat_rle", "h": 99999, "w": 100000, "counts": b"9999900000"}},
]


@pytest.mark.parametrize("shape", BROKEN, ids=str)
def test_a_shape_that_breaks_rules_is_stored_and_told(every: Store, shape: Any) -> None:
    types = {f.name: f.type for f in TABLES["geometries"].schema}
    columns = {name: pa.array([value], types[name]) for name, value in shape.items()}
    with every.edit() as edit:
        edit.add(pa.table({"uri": ["street.jpg"], "category": ["thing"], **columns}))
    every.commit("broken", tag="v2")
    assert every.check(at="v2")


def test_an_unknown_item_is_refused(every: Store) -> None:
    with pytest.raises(NotFound, match=r"no item 'b\.jpg'"), every.edit() as edit:
        edit.add([Tag(item="b.jpg")])
    with (
        pytest.raises(InvalidInput, match=r"'street\.jpg' is in the store already"),
        every.edit() as edit,
    ):
        edit.add(items=[{"uri": "street.jpg"}])


def test_null_columns_cost_next_to_nothing(tmp_path: Path) -> None:
    """All shapes but one null: less than a byte a row in all."""
    import pyarrow.parquet as pq

    store = init_store(tmp_path / "store")
    count = 20_000
    table = pa.table(
        {
            "uri": pa.repeat("a.jpg", count),
            "category": pa.repeat("car", count),
            "text": pa.array(np.arange(count).astype(str)),
        }
    )
    with store.edit() as edit:
        edit.add(table, items=[{"uri": "a.jpg"}], categories=[{"name": "car"}])
    store.commit("texts", tag="v1")
    manifest = store.manifest("v1")
    cost = 0
    for part in manifest.parts_of("geometries", store.workspace.default_layer):
        metadata = pq.ParquetFile(manifest.path(part)).metadata
        for group in range(metadata.num_row_groups):
            columns = [metadata.row_group(group).column(i) for i in range(metadata.num_columns)]
            cost += sum(c.total_compressed_size for c in columns if c.statistics is not None
                        and c.statistics.null_count == c.num_values)  # fmt: skip
    assert 0 < cost < count
