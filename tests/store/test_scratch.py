"""Rows that went through scratch files are the same rows, in the order that was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from labelstore.errors import StorageFailed
from labelstore.exchange.scratch import Range, Scratch
from labelstore.model.tables import TABLES

TABLE = TABLES["geometries"]


def shapes(first: int, count: int, **columns: list[object]) -> pa.Table:
    """Return rows of `geometries` that fill some columns."""
    keys = {"layer": [""] * count, "item_id": [1] * count, "geometry_hash": [0] * count,
            "annotation_id": list(range(first, first + count))}  # fmt: skip
    found = {name: [None] * count for name in TABLE.schema.names} | keys | columns
    return pa.table(found, schema=TABLE.schema)


@pytest.fixture
def pieces() -> list[pa.Table]:
    """Return pieces of which each fills other columns: nested lists, structs, numbers, none."""
    return [
        shapes(0, 3, polygons=[[[0.5, 1.0], []], None, []], area=[1.5, None, 2.0]),
        shapes(3, 2, box=[{"v0": 1.0, "v1": 2.0, "v2": 3.0, "v3": 4.0}, None]),
        shapes(5, 2),
        shapes(7, 2, keypoints=[[1.0, 2.0], None], visibility=[[2], []], polygons=[None, [[9.0]]]),
    ]


def test_rows_of_several_pieces_come_in_order(pieces: list[pa.Table], tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    for i, rows in enumerate(pieces):
        scratch.save("geometries", i, rows, np.arange(rows.num_rows)[::-1])
    ranges = [Range(i, 0, rows.num_rows) for i, rows in enumerate(pieces)]
    stored = pa.concat_tables([rows.take(list(range(rows.num_rows))[::-1]) for rows in pieces])
    order = np.random.default_rng(3).permutation(stored.num_rows)
    found = scratch.rows(TABLE, ranges, order)
    assert found.to_pylist() == stored.take(order).to_pylist()
    assert found.schema.equals(TABLE.schema)


def test_a_part_of_some_pieces_and_some_columns(pieces: list[pa.Table], tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    for i, rows in enumerate(pieces):
        scratch.save("geometries", i, rows, np.arange(rows.num_rows))
    ranges = [Range(3, 1, 2), Range(0, 0, 2)]
    names = ["layer", "item_id", "annotation_id", "polygons", "geometry_hash"]
    found = scratch.rows(TABLE, ranges, np.array([1, 2, 0]), names)
    assert found.column("polygons").to_pylist() == [[[0.5, 1.0], []], None, [[9.0]]]
    assert found.column("annotation_id").to_pylist() == [0, 1, 8]
    assert found.column("area").null_count == 3
    assert scratch.rows(TABLE, [], np.empty(0, np.int64)).num_rows == 0


STOPPED = """
import os, signal
from labelstore.cli.app import _stop_on_sigterm
from labelstore.exchange.scratch import Scratch
_stop_on_sigterm()
scratch = Scratch.of_its_own()
child = os.fork()
if not child:
    del scratch
    os._exit(0)
os.waitpid(child, 0)
assert scratch._folder.exists(), "a child took it away"
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_command_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    found = {**os.environ, "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-c", STOPPED]
    told = subprocess.run(words, env=found, capture_output=True, text=True)
    assert told.returncode == 143, told.stderr
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    for scratch, way_out in ((Scratch(tmp_path), "room there."), (Scratch.of_its_own(), "TMPDIR")):
        scratch._folder = tmp_path / "gone"
        with pytest.raises(StorageFailed, match=way_out):
            scratch.save("geometries", 0, shapes(0, 1), np.array([0]))


def test_a_folder_of_its_own_goes_with_it() -> None:
    scratch = Scratch.of_its_own()
    scratch.save("geometries", 0, shapes(0, 1), np.array([0]))
    folder = scratch._folder
    assert any(folder.iterdir())
    del scratch
    assert not folder.exists()
