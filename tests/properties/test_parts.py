"""The same rows have the same parts, whatever their history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelstore.model.tables import TABLES
from labelstore.storage.cutting import cut
from labelstore.storage.index import Part, decode_index, encode_index, read_index, version_root
from labelstore.storage.parquet import read
from labelstore.storage.rewriting import Edits, rewrite

TABLE = TABLES["annotations"]
TARGET = 8
Key = tuple[int, int, int]


def table_of(keys: Sequence[Key]) -> pa.Table:
    """Return annotation rows of (item, id, class)."""
    listed = [
        {"layer": "gt", "item_id": i, "annotation_id": a, "category_id": c, "kind": "box",
         "row_hash": 0}
        for i, a, c in keys
    ]  # fmt: skip
    return pa.Table.from_pylist(listed, schema=TABLE.schema)


def apply(
    parts: list[Part], files: dict[bytes, pa.Buffer], write: Sequence[Key], drop: Sequence[Key]
) -> list[Part]:
    edits = Edits(table_of(write), table_of(drop).select(["item_id", "annotation_id"]))
    return rewrite(
        TABLE,
        "gt",
        parts,
        edits,
        target=TARGET,
        read=lambda p: read(files[p.digest], TABLE),
        keep=lambda p, data: files.__setitem__(p.digest, data),
    )


items = st.one_of(st.just(7), st.integers(0, 30), st.integers(0, 3000))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(st.lists(items, max_size=40), st.integers(0, 9), st.integers(0, 2**32)),
        min_size=1,
        max_size=4,
    )
)
def test_any_history_gives_the_same_parts(steps: list[tuple[list[int], int, int]]) -> None:
    files: dict[bytes, pa.Buffer] = {}
    rows: dict[int, Key] = {}
    parts: list[Part] = []
    following = 0
    for added, changed, seed in steps:
        rng = np.random.default_rng(seed)
        known = sorted(rows)
        touched = (
            rng.choice(known, min(changed, len(known)), replace=False).tolist() if known else []
        )
        half = len(touched) // 2
        write = [(rows[k][0], k, 99) for k in touched[:half]]
        drop = [rows[k] for k in touched[half:]]
        for item in added:
            write.append((item, following, int(rng.integers(5))))
            following += 1
        parts = apply(parts, files, write, drop)
        rows.update({k[1]: k for k in write})
        for k in drop:
            del rows[k[1]]
    fresh = apply([], {}, sorted(rows.values()), [])
    assert parts == fresh
    assert sum(p.rows for p in parts) == len(rows)
    assert len({p.path for p in parts}) == len(parts)
    index = read_index(encode_index(parts).to_pybytes(), "index")
    assert decode_index(index, "index") == parts
    assert decode_index(index, "index", "annotations") == [
        p for p in parts if p.table == "annotations"
    ]
    assert version_root(parts) == version_root(fresh)


def test_a_part_that_does_not_change_is_not_written() -> None:
    files: dict[bytes, pa.Buffer] = {}
    keys = [(i, i, 0) for i in range(200)]
    parts = apply([], files, keys, [])
    before = dict(files)
    files.clear()
    files.update(before)
    again = apply(parts, files, [keys[100]], [])
    assert again == parts
    assert files.keys() == before.keys()


def test_an_edit_rewrites_the_parts_near_it_only() -> None:
    files: dict[bytes, pa.Buffer] = {}
    parts = apply([], files, [(i, i, 0) for i in range(400)], [])
    edited = apply(parts, files, [(100, 100, 5)], [])
    assert len(parts) > 20
    assert len({p.digest for p in edited} - {p.digest for p in parts}) == 1


def test_no_item_is_cut_below_four_targets() -> None:
    first = np.repeat(np.arange(50), 30)
    ends = cut(first, np.arange(len(first)), TARGET, last=True)
    assert all(first[e - 1] != first[e] for e in ends[:-1])


def test_a_giant_item_is_cut_by_annotation() -> None:
    first = np.zeros(1000, np.int64)
    sizes = np.diff([0, *cut(first, np.arange(1000), TARGET, last=True)])
    assert sizes.max() <= 2 * TARGET
    assert len(sizes) > 40


def test_sizes_stay_near_the_target() -> None:
    rng = np.random.default_rng(1)
    first = np.repeat(np.arange(20_000), 1 + rng.poisson(7, 20_000))
    sizes = np.diff([0, *cut(first, np.arange(len(first)), 1000, last=True)])[:-1]
    assert 900 < sizes.mean() < 1400
    assert sizes.std() / sizes.mean() < 0.35
