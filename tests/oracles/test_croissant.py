"""Croissant's own library accepts what is written, and reads its records."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from histories import told_history
from oracle import HERE, PYTHON, asked

from labelstore.store import init_store


def test_records_load_and_are_the_stores_rows(tmp_path: Path) -> None:
    store = told_history(init_store(tmp_path / "store", target=64), tmp_path)
    store.croissant(tmp_path / "out")
    found = asked("croissant_records.py", tmp_path / "out" / "croissant.json")
    assert (found["errors"], found["warnings"]) == ([], [])
    for table, key, name in (("annotations", "annotation_id", "kind"), ("items", "item_id", "uri"),
                             ("categories", "category_id", "name")):  # fmt: skip
        rows = store.query(f"SELECT {key}, {name} FROM {table}").to_pylist()
        records = {r[f"{table}/{key}"]: r[f"{table}/{name}"] for r in found["records"][table]}
        assert records == {row[key]: row[name] for row in rows}
    assert set(found["records"]) >= {"geometries", "splits"}


def test_a_broken_reference_is_refused(tmp_path: Path) -> None:
    store = told_history(init_store(tmp_path / "store", target=64), tmp_path)
    store.croissant(tmp_path / "out")
    path = tmp_path / "out" / "croissant.json"
    said = json.loads(path.read_text())
    said["recordSet"][0]["field"][0]["source"]["fileSet"]["@id"] = "nowhere"
    path.write_text(json.dumps(said))
    done = subprocess.run([PYTHON, HERE / "croissant_records.py", path], capture_output=True)
    assert done.returncode
    assert b"ValidationError" in done.stderr


@pytest.mark.parametrize("at", ["v1", "v2"])
def test_earlier_versions_too(tmp_path: Path, at: str) -> None:
    store = told_history(init_store(tmp_path / "store"), tmp_path)
    store.croissant(tmp_path / "out", at=at)
    found = asked("croissant_records.py", tmp_path / "out" / "croissant.json")
    assert (found["errors"], found["warnings"]) == ([], [])
    assert len(found["records"]["annotations"]) == sum(
        part.rows for part in store.manifest(at).parts_of("annotations"))  # fmt: skip
