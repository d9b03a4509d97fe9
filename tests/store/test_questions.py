"""Queries, balance, drift, splits, checks, traces and pins on real labels."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import DATA, TINY, Run

import labelstore
from labelstore.errors import Corrupt, InvalidInput, NotFound
from labelstore.query.engine import connect
from labelstore.query.guard import check
from labelstore.query.sandbox import Limits
from labelstore.query.statements import statement, statements
from labelstore.store import Store

DOCUMENT: dict[str, Any] = json.loads(TINY.read_text())
CLASSES = {c["id"]: c["name"] for c in DOCUMENT["categories"]}
TRUTH = Counter(CLASSES[a["category_id"]] for a in DOCUMENT["annotations"])

REFUSED = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT content FROM read_text('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "COPY items TO '/tmp/labelstore-test.csv'",
    "ATTACH '/tmp/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "PRAGMA database_list",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_views",
    "SELECT * FROM information_schema.tables",
    "SELECT current_setting('allowed_paths')",
    "SELECT getvariable('x')",
    "CREATE TABLE t AS SELECT 1",
    "INSERT INTO items SELECT * FROM items",
    "WITH x AS (DELETE FROM items RETURNING *) SELECT * FROM x",
    "SELECT 1; SELECT 2",
    "",
    "EXPLAIN SELECT 1",
    "SHOW TABLES",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM main.items",
    "WITH RECURSIVE duckdb_views AS (SELECT sql FROM duckdb_views UNION SELECT sql FROM "
    "duckdb_views WHERE false) SELECT * FROM duckdb_views",
    'WITH "duc\u212adb_views" AS (SELECT 1) SELECT * FROM duckdb_views',
    'WITH "/etc/passw\u212a" AS (SELECT 1) SELECT * FROM "/etc/passwk"',
    "SELECT * FROM listed_versions",
    "SELECT * FROM no_items",
    "WITH a AS (" * 8 + "!",
    "SELECT " + "(" * 300 + "1" + ")" * 300,
]


@pytest.mark.parametrize("sql", REFUSED)
def test_sql_that_reaches_beyond_the_version_is_refused(v1: Store, sql: str) -> None:
    with pytest.raises(InvalidInput, match="may not run") as caught:
        v1.query(sql, at="v1")
    assert caught.value.code == "query-refused"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT len(range(4000000000))", "query-memory"),
        ("SELECT nothing FROM items", "query-wrong"),
        ("SELECT count(*) FROM range(10000000) a, range(10000000) b", "query-time"),
    ],
)
def test_sql_that_is_wrong_or_too_much_is_stopped(v1: Store, sql: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        v1.query(sql, at="v1", limits=Limits(memory_mb=300, seconds=2))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "sql",
    [
        "FROM items",
        "WITH x AS (SELECT item_id FROM items) SELECT count(*) FROM x JOIN x y USING (item_id)",
        "SELECT kind, count(*) FILTER (is_crowd) OVER () FROM labels",
        "DESCRIBE SELECT * FROM annotations",
        "SELECT unnest(polygons) FROM geometries LIMIT 3",
        "SELECT * FROM relations UNION ALL SELECT * FROM relations",
        "VALUES (1), (2)",
    ],
)
def test_ordinary_sql_runs(v1: Store, sql: str) -> None:
    v1.query(sql, at="v1")


def test_labels_join_the_two_families_row_by_row(v1: Store) -> None:
    sql = "SELECT source_id, area, len(polygons) AS rings FROM labels ORDER BY source_id"
    found = {r["source_id"]: (r["area"], r["rings"]) for r in v1.query(sql, at="v1").to_pylist()}
    for a in DOCUMENT["annotations"]:
        rings = len(a["segmentation"]) if isinstance(a["segmentation"], list) else None
        assert found[a["id"]] == (a["area"], rings)


def test_a_key_in_the_query_leaves_out_other_parts() -> None:
    with connect() as con:
        sql = "SELECT * FROM labels WHERE annotation_id = 5 AND 7 = item_id AND score = 3"
        assert check(con, sql, ["labels"]).keys == {"annotation_id": 5, "item_id": 7}
        sql = "SELECT * FROM labels WHERE annotation_id = 5 OR item_id = 7"
        assert check(con, sql, ["labels"]).keys == {}
        sql = "WITH labels AS (SELECT item_id + 1 AS item_id FROM labels) SELECT * FROM labels"
        assert check(con, f"{sql} WHERE item_id = 5", ["labels"]).keys == {}
        sql = "SELECT * FROM labels AS l(x, item_id) WHERE item_id = 5"
        assert check(con, sql, ["labels"]).keys == {}
        assert check(con, f"SELECT * FROM labels WHERE item_id = {'9' * 5000}", ["labels"])


def test_times_are_of_one_zone(v1: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    sql = "SELECT CAST(TIMESTAMPTZ '2024-01-31 20:00:00+00' AS DATE)::VARCHAR AS day"
    assert v1.query(sql).to_pylist() == [{"day": "2024-01-31"}]


def test_names_are_there_also_where_they_are_joined_by(v1: Store) -> None:
    sql = "SELECT count(*) AS n FROM labels JOIN (SELECT 'person' AS category) x USING (category)"
    assert v1.query(sql).to_pylist() == [{"n": 127}]


def test_a_key_in_the_query_gives_the_same_row(v1: Store) -> None:
    sql = "SELECT item_id, annotation_id, source_id, area FROM labels ORDER BY annotation_id"
    for row in v1.query(sql, at="v1").to_pylist()[::97]:
        where = f"annotation_id = {row['annotation_id']} AND item_id = {row['item_id']}"
        sql = f"SELECT item_id, annotation_id, source_id, area FROM labels WHERE {where}"
        assert v1.query(sql, at="v1").to_pylist() == [row]


def test_class_counts_are_the_truth_by_index_and_by_scan(v1: Store) -> None:
    by_index = {c.category: c.annotations for c in v1.stats(at="v1").classes}
    scanned = v1.stats(at="v1", items=True)
    assert by_index == {c.category: c.annotations for c in scanned.classes} == TRUTH
    images = Counter(
        CLASSES[c] for c, _ in {(a["category_id"], a["image_id"]) for a in DOCUMENT["annotations"]}
    )
    assert {c.category: c.items for c in scanned.classes} == images
    assert scanned.imbalance == max(TRUTH.values()) / min(TRUTH.values())
    weights = [c.weight for c in scanned.classes]
    assert weights == sorted(weights)
    assert abs(sum(weights) / len(weights) - 1) < 1e-9


def test_drift_is_zero_for_the_same_and_one_for_disjoint_classes(v1: Store) -> None:
    assert v1.drift("v1", "v1").jensen_shannon == 0
    with v1.edit(by="ada") as edit:
        edit.update(where="true", set={"category": "'zebra'"})
    v1.commit("all zebras", tag="v2")
    with v1.edit(by="ada") as edit:
        edit.update(where="true", set={"category": "'bear'"})
    v1.commit("all bears", tag="v3")
    assert v1.drift("v2", "v3").jensen_shannon == pytest.approx(1.0)
    with v1.edit(by="ada") as edit:
        edit.delete(where="true")
    with pytest.raises(NotFound, match="no labels"):
        v1.drift("v1")


def test_a_hash_split_never_moves_an_item_when_data_grow(v1: Store) -> None:
    ratios = "train=0.6,val=0.2,test=0.2"
    first = v1.split("default", ratios=ratios, seed=1, by="ada")
    assert sum(first.subsets.values()) == 50
    sql = "SELECT item_id, subset FROM splits"
    before = {tuple(r.values()) for r in v1.query(sql).to_pylist()}
    v1.commit("split", tag="v2")
    v1.import_from("coco", DATA / "cross/voc100/instances_default.json")
    second = v1.split("default", ratios=ratios, seed=1, by="ada")
    assert second.moved == 0
    assert sum(second.subsets.values()) == 150
    assert before <= {tuple(r.values()) for r in v1.query(sql).to_pylist()}
    v1.commit("grown", tag="v3")
    assert v1.diff("v2", "v3").tables["splits"].added == 100


def test_groups_are_not_cut(v1: Store) -> None:
    v1.split("by_size", ratios="a=0.5,b=0.5", group="width", by="ada")
    sql = (
        "SELECT i.width, count(DISTINCT s.subset) AS n FROM splits s JOIN items i "
        "USING (item_id) WHERE scheme = 'by_size' GROUP BY 1"
    )
    assert {r["n"] for r in v1.query(sql).to_pylist()} == {1}
    with pytest.raises(InvalidInput, match=r"nonsense[\s\S]*Items have item_id"):
        v1.split("x", ratios="a=1", group="nonsense", by="ada")
    with pytest.raises(InvalidInput, match="add up to 1"):
        v1.split("x", ratios="a=0.5,b=0.6", by="ada")


def test_repeating_a_split_is_an_empty_change(v1: Store) -> None:
    v1.split("default", ratios="a=0.5,b=0.5", by="ada")
    v1.commit("split", tag="v2")
    v1.split("default", ratios="a=0.5,b=0.5", by="ada")
    assert v1.staged() is None


@pytest.mark.parametrize("name", statements())
def test_every_statement_of_ours_runs_with_its_header(v1: Store, name: str) -> None:
    own = statement(name)
    assert own.purpose.endswith(".")
    assert set(re.findall(r"\$(\w+)", own.sql)) == set(own.parameters)
    values = {n: "1" if n == "seed" else None for n in own.parameters}
    since = "v1" if "version" in own.columns else None
    result = v1.query(own.sql, at="v1", parameters=values, since=since)
    assert list(own.columns) == result.column_names
    kinds = {"BIGINT": pa.int64(), "VARCHAR": pa.string(), "DOUBLE": pa.float64(),
             "BOOLEAN": pa.bool_()}  # fmt: skip
    assert [kinds[kind] for kind in own.columns.values()] == result.schema.types


def test_a_statement_is_shown_and_asked_by_name(v1: Store, cli: Run) -> None:
    folder = v1.workspace.folder
    listed = cli("query", "--list", cwd=folder).stdout
    assert all(f"{name}  (" in listed for name in statements())
    shown = cli("query", "--list", "--statement", "class_balance", cwd=folder).stdout
    assert shown == statement("class_balance").sql
    asked = cli("query", "--statement", "class_balance", "--format", "csv", cwd=folder).stdout
    assert asked.splitlines()[1].split(",")[1:] == ['"person"', "127", "23"]
    refused = cli("query", "--statement", "none", cwd=folder)
    assert refused.returncode == 3
    assert "class_balance" in refused.stderr
    assert cli("query", cwd=folder).returncode == 2
    for words in (["class_balance", "--since", "v1"], ["label_age"]):
        refused = cli("query", "--statement", *words, cwd=folder)
        assert refused.returncode == 2
        assert "--since" in refused.stderr
    values = ["--param", "a=007", "--param", "b=1.5", "--format", "csv"]
    told = cli("query", "SELECT $a || '' AS a, $b + 1 AS b", *values, cwd=folder)
    assert told.stdout.splitlines()[1] == '"007",2.5'
    assert cli("query", "SELECT $a", "--param", f"a={2**70}", cwd=folder).returncode == 0


def test_a_trace_tells_every_version_field_by_field(v1: Store) -> None:
    sql = "SELECT annotation_id FROM labels WHERE source_id = 82445"
    label = v1.query(sql, at="v1").to_pylist()[0]["annotation_id"]
    with v1.edit(by="ada", message="wrong class") as edit:
        edit.update(where="annotation_id = $i", set={"category": "'cup'"}, parameters={"i": label})
    v1.commit("pass", tag="v2")
    with v1.edit(by="bob") as edit:
        edit.delete(where="is_crowd")
    v1.commit("crowds", tag="v3")
    with v1.edit(by="bob") as edit:
        edit.delete(where="annotation_id = $i", parameters={"i": label})
    v1.commit("gone", tag="v4")
    found = v1.trace(label)
    assert [(s.version, s.change) for s in found.steps] == [
        ("v1", "created"), ("v2", "changed"), ("v4", "deleted"),
    ]  # fmt: skip
    created, changed, deleted = found.steps
    assert deleted.agent == "bob"
    assert created.activity is not None
    assert created.activity["inputs"][0]["path"] == str(TINY)
    assert changed.columns == {"category": ("bottle", "cup")}
    assert changed.agent == "ada"
    assert found.item == "000000397133.jpg"
    with pytest.raises(NotFound, match="no version"):
        v1.trace(1)


def test_a_pin_gives_the_pinned_rows(v1: Store, tmp_path: Path) -> None:
    v1.split("default", ratios="train=0.8,val=0.2", by="ada")
    v1.commit("split", tag="v2")
    v1.pin("v2", tmp_path / "train.lock", split="default/train")
    assert v1.check_pin(tmp_path / "train.lock") == []
    samples = labelstore.load(v1.workspace.folder, pin=tmp_path / "train.lock")
    total = labelstore.load(v1.workspace.folder, at="v2")
    other = labelstore.load(v1.workspace.folder, at="v2", split="default/val")
    assert len(samples) + len(other) == len(total) == 50
    with pytest.raises(NotFound, match="it has: train, val"):
        v1.pin("v2", tmp_path / "b.lock", split="default/nope")
    rows = samples.annotations.num_rows + other.annotations.num_rows
    assert rows == total.annotations.num_rows == 382
    seen = 0
    for sample in samples:
        owners = np.asarray(sample["annotations"].column("item_id"))
        assert (owners == sample["item"]["item_id"]).all()
        seen += len(owners)
    assert seen == samples.annotations.num_rows
    assert [n for _, n in samples.classes] == [c["name"] for c in DOCUMENT["categories"]]
    by_uri = {s["item"]["uri"]: s["annotations"].num_rows for s in total}
    names = {i["id"]: i["file_name"] for i in DOCUMENT["images"]}
    truth = Counter(names[a["image_id"]] for a in DOCUMENT["annotations"])
    assert by_uri == {name: truth[name] for name in names.values()}


def test_a_pin_that_does_not_hold_is_named(v1: Store, tmp_path: Path) -> None:
    pin = tmp_path / "a.lock"
    made = v1.pin("v1", pin)
    pin.write_text(pin.read_text().replace(made.root, "0" * 64))
    assert "not the one that was pinned" in v1.check_pin(pin)[0]
    with pytest.raises(Corrupt, match="pinned"):
        labelstore.load(v1.workspace.folder, pin=pin)
    pin.write_text("format = 1")
    with pytest.raises(InvalidInput, match="missing"):
        v1.check_pin(pin)
    with pytest.raises(InvalidInput, match="exactly one"):
        labelstore.load(v1.workspace.folder)
    with pytest.raises(InvalidInput, match="no version names"):
        labelstore.load("s3://bucket/path", at="v1")
    with pytest.raises(NotFound, match="no split scheme"):
        v1.pin("v1", pin, split="nothing/train")
    with pytest.raises(NotFound, match="no layer 'zzz'"):
        labelstore.load(v1.workspace.folder, at="v1", layer="zzz")
    with pytest.raises(NotFound, match="no layer 'zzz'"):
        v1.stats(at="v1", layer="zzz")
    with pytest.raises(NotFound, match="no folder"):
        v1.export_to("coco", tmp_path / "nothing" / "out.json", at="v1")


def test_labels_know_the_name_of_their_class_and_item(v1: Store) -> None:
    sql = "SELECT uri, count(*) AS n FROM labels WHERE category = 'dog' GROUP BY uri"
    found = v1.query(sql).to_pylist()
    assert sum(row["n"] for row in found) == TRUTH["dog"] > 0
    assert {"category", "uri"} <= set(v1.query("SELECT * FROM labels LIMIT 1").column_names)
    with v1.edit() as edit:
        assert edit.delete(where="category = 'dog'") == TRUTH["dog"]


def test_a_folder_remote_is_read_with_a_pin(v1: Store, tmp_path: Path) -> None:
    v1.remote_add("team", str(tmp_path / "remote"), default=True)
    v1.push()
    v1.pin("v1", tmp_path / "train.lock")
    samples = labelstore.load(
        tmp_path / "remote", pin=tmp_path / "train.lock", cache=tmp_path / "cache"
    )
    assert samples.annotations.num_rows == 382
