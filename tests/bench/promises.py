"""Promises P1 to P9 on generated labels, each beside what it is measured against, in one run.

python tests/bench/promises.py [--rows 1M] [--keep DIR]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from measure import Watch, measured, report

from labelstore.changes.diff import diff
from labelstore.model.tables import FAMILY, TABLES
from labelstore.query.engine import connect, execute, run
from labelstore.query.views import Plan, create_views, quoted, table_files
from labelstore.storage.cutting import cut
from labelstore.storage.index import build
from labelstore.storage.objects import put
from labelstore.storage.parallel import fork_map
from labelstore.storage.parquet import conform, encode
from labelstore.storage.rewriting import Edits
from labelstore.store import init_store, open_store
from labelstore.versions.dvc.pointer import read_directory_object
from labelstore.versions.manifest import TARGET, Manifest
from labelstore.versions.publish import place_objects, publish
from labelstore.versions.stage import Draft

LAYER = "ground_truth"
KINDS = ("annotations", "geometries")
FULL = 10_000_000


def rows_of(items: Any, ids: Any, seed: int) -> dict[str, pa.Table]:
    """Return annotations and polygons of 20 vertices on a 0.01 px grid for sorted items."""
    rng = np.random.default_rng(seed)
    count = len(items)
    shares = 1.0 / np.arange(1, 81) ** 0.9
    points = 3 + rng.poisson(17, count)
    total = int(points.sum())
    start = np.concatenate([[0], np.cumsum(points)[:-1]])
    turn = np.arange(total) - np.repeat(start, points)
    angle = 2 * np.pi * turn / np.repeat(points, points)
    radius = np.repeat(rng.gamma(2.0, 25.0, count) + 3, points) * rng.uniform(0.7, 1.1, total)
    x = np.round(np.repeat(rng.uniform(60, 1860, count), points) + radius * np.cos(angle), 2)
    y = np.round(np.repeat(rng.uniform(60, 1020, count), points) + radius * np.sin(angle), 2)
    ends = [np.minimum.reduceat(x, start), np.minimum.reduceat(y, start),
            np.maximum.reduceat(x, start), np.maximum.reduceat(y, start)]  # fmt: skip
    ring_ends = np.concatenate([[0], np.cumsum(2 * points)]).astype(np.int32)
    xy = np.stack([x, y], 1).ravel()
    kind = TABLES["geometries"].schema.field("polygons").type
    inner = pa.ListArray.from_arrays(pa.array(ring_ends), pa.array(xy), type=kind.value_type)
    polygons = pa.ListArray.from_arrays(
        pa.array(np.arange(count + 1, dtype=np.int32)), inner, type=kind
    )
    keys = {"layer": pa.repeat(LAYER, count), "item_id": items, "annotation_id": ids}
    labels = {
        **keys,
        "category_id": rng.choice(80, count, p=shares / shares.sum()),
        "kind": pa.repeat("polygon", count),
        **dict(zip(("xmin", "ymin", "xmax", "ymax"), ends, strict=True)),
        "occluded": (rng.random(count) < 0.2).astype(float),
        "truncated": (rng.random(count) < 0.1).astype(float),
        "created_by": np.asarray(items) // 40 % 50,
        "created_in": np.asarray(items) // 2000,
        "changed_in": np.asarray(items) // 2000,
        "created_at": pa.array(
            1_700_000_000_000_000 + np.asarray(items) * 3_000_000, pa.timestamp("us", "UTC")
        ),
    }
    shapes = {**keys, "polygons": polygons, "geometry_hash": np.zeros(count, np.uint64)}
    labels["row_hash"] = np.zeros(count, np.uint64)
    tables = {"annotations": pa.table(labels), "geometries": pa.table(shapes)}
    return {name: conform(table, TABLES[name]) for name, table in tables.items()}


def make_store(folder: str, count: int, target: int = TARGET) -> dict[str, Any]:
    """Create a store whose v1 has `count` rows; part by part, in all cores."""
    store = init_store(folder, target=target)
    rng = np.random.default_rng(7)
    sizes = 1 + rng.poisson(7, count // 8 + 100)
    items = np.repeat(np.arange(len(sizes)), sizes)[:count].astype(np.int64)
    ids = np.arange(len(items), dtype=np.int64)
    draft = Draft(store.workspace, "edit", by="bench")
    ends = cut(items, ids, draft.manifest.target, last=True)
    objects = store.workspace.objects

    def work(span: tuple[int, int]) -> list[Any]:
        at = slice(*span)
        tables = rows_of(items[at], ids[at], span[0])
        built = [build(TABLES[name], LAYER, tables[name]) for name in FAMILY]
        return [(part, put(objects, file)) for part, file in built]

    spans = list(zip([0, *ends], ends, strict=False))
    made = [entry for built in fork_map(work, spans) for entry in built]
    draft.adopt([*draft.manifest.parts, *(p for p, _ in made)], {p.path: m for p, m in made})
    classes = [{"category_id": i, "name": f"class {i}", "position": i, "sources": [],
                "row_hash": 0} for i in range(80)]  # fmt: skip
    schema = TABLES["categories"].schema
    nothing = schema.empty_table().select(["category_id"])
    draft.apply({("categories", ""): Edits(pa.Table.from_pylist(classes, schema=schema), nothing)})
    publish(store.workspace, draft.manifest, parent=draft.parent, message="v1", tag="v1")
    return {"rows": len(items)}


def edit(folder: str, tag: str, how: str, amount: int) -> dict[str, Any]:
    """Publish a version with an edit of v1 and return bytes stored and bytes changed."""
    store = open_store(folder)
    workspace = store.workspace
    workspace.git.run("reset", "-q", "--hard", "v1")
    draft = Draft(workspace, "edit", by="bench", parameters={"tag": tag})
    before = draft.manifest
    parts = before.parts_of("annotations", LAYER)
    total = sum(p.rows for p in parts)
    changed = 0
    if how == "append":
        first = 1 + max(p.last_key for p in parts)
        items = np.repeat(np.arange(first, first + amount), 8)[:amount].astype(np.int64)
        tables = rows_of(items, total + np.arange(amount), 3)
        changed = sum(_own_size(n, tables[n], before.target) for n in FAMILY)
        nothing = {n: TABLES[n].schema.empty_table().select(list(TABLES[n].key)) for n in FAMILY}
        draft.apply({(n, LAYER): Edits(tables[n], nothing[n]) for n in FAMILY})
    else:
        families = FAMILY if how == "batch" else ("annotations",)
        for name in families:
            rows = _edited(before, name, how, amount, total)
            changed += _own_size(name, rows, before.target)
            nothing = TABLES[name].schema.empty_table().select(list(TABLES[name].key))
            draft.apply({(name, LAYER): Edits(rows, nothing)})
    publish(workspace, draft.manifest, parent=draft.parent, message=tag, tag=tag)
    known = set(before.files.values())
    after = workspace.manifest(tag)
    stored = sum(p.size for p in after.parts if after.files[p.path] not in known)
    whole = sum(p.size for p in before.parts if p.table in FAMILY)
    return {"stored": stored, "changed": changed, "whole": whole}


def _own_size(name: str, rows: pa.Table, target: int) -> int:
    """Return the bytes that rows take in parts of their own, each full."""
    slices = [rows.slice(i, target) for i in range(0, rows.num_rows, target)]
    return sum(encode(TABLES[name], s.combine_chunks()).size for s in slices)


def _edited(before: Any, name: str, how: str, amount: int, total: int) -> pa.Table:
    """Return changed rows: every row of ten runs, or rows spread evenly."""
    if how == "batch":
        run_length = amount // 10
        starts = [int(total * (i + 0.5) / 10) for i in range(10)]
        chosen = np.concatenate([np.arange(s, s + run_length) for s in starts])
    else:
        chosen = np.arange(0, total, max(1, total // amount))
    found = []
    begin = 0
    for part in before.parts_of(name, LAYER):
        inside = chosen[(chosen >= begin) & (chosen < begin + part.rows)] - begin
        if len(inside):
            found.append(before.read(part).take(pa.array(inside)))
        begin += part.rows
    rows = pa.concat_tables(found).combine_chunks()
    if name == "annotations":
        at = rows.schema.get_field_index("category_id")
        other = np.asarray(rows.column("category_id").combine_chunks()) + 1
        return rows.set_column(at, rows.schema.field(at), pa.array(other % 80))
    at = rows.schema.get_field_index("area")
    return rows.set_column(at, rows.schema.field(at), pa.array(np.full(len(rows), 1.5)))


def our_diff(folder: str, before: str, after: str) -> dict[str, Any]:
    """Compare two versions, row by row, with changed columns; no coordinates need be read."""
    workspace = open_store(folder).workspace
    with Watch() as watch:
        found = diff(workspace.manifest(before), workspace.manifest(after), shapes=False)
        counts = found.tables["annotations"]
    return {"cpu": watch.cpu, "wall": watch.wall, "changed": counts.content + counts.provenance}


def except_diff(folder: str, before: str, after: str) -> dict[str, Any]:
    """Compare two versions with EXCEPT over every column of both tables, both ways."""
    workspace = open_store(folder).workspace
    sides = [table_files(workspace.manifest(rev)) for rev in (before, after)]
    total = 0
    with Watch() as watch, connect(threads=2, memory_limit="14GB") as con:
        for name in KINDS:
            a, b = (_parquet(side[name]["paths"]) for side in sides)
            for one, other in ((a, b), (b, a)):
                sql = f"SELECT count(*) FROM (SELECT * FROM {one} EXCEPT SELECT * FROM {other})"
                total += con.execute(sql).fetchall()[0][0]
    return {"cpu": watch.cpu, "wall": watch.wall, "rows": total}


def _parquet(paths: list[str]) -> str:
    return f"read_parquet([{', '.join(map(quoted, paths))}])"


def unchanged(folder: str) -> dict[str, Any]:
    """Write rows again that do not differ, by this writer and by one that makes other bytes."""
    store = open_store(folder)
    store.workspace.git.run("reset", "-q", "--hard", "v1")
    draft = Draft(store.workspace, "edit", by="bench")
    part = draft.manifest.parts_of("annotations", LAYER)[0]
    nothing = TABLES["annotations"].schema.empty_table().select(["item_id", "annotation_id"])
    original = pq.write_table
    stored = []
    for extra in ({}, {"data_page_version": "2.0"}):
        pq.write_table = partial(_written_otherwise, original, extra)
        draft.apply({("annotations", LAYER): Edits(draft.manifest.read(part), nothing)})
        known = set(draft.base.files.values())
        stored.append(sum(md5 not in known for md5 in draft.manifest.files.values()))
    pq.write_table = original
    return {"objects": stored, "changed": draft.changed()}


def _written_otherwise(write: Any, extra: dict[str, Any], *words: Any, **options: Any) -> None:
    write(*words, **{**options, **extra})


def many_objects(folder: str, parts: int) -> dict[str, Any]:
    """Make a folder of many objects that DVC tracks."""
    from dvc.repo import Repo

    scratch = Path(folder, "many")
    scratch.mkdir()
    for i in range(parts):
        (scratch / f"{i:05d}").write_bytes(os.urandom(8192))
    with Repo(folder) as repo:
        repo.add([str(scratch)])
    return {"parts": parts}


def place_by_us(folder: str) -> dict[str, Any]:
    """Place one new object among many, and the `.dir`; encoding and Git aside."""
    workspace = open_store(folder).workspace
    text = Path(folder, "many.dvc").read_text()
    name = text.split("md5: ")[1].split("\n")[0]
    path = workspace.layout.cache / name[:2] / name[2:]
    files = read_directory_object(path.read_bytes(), "many")
    files["00001"] = put(workspace.objects, os.urandom(8192))
    with Watch() as watch:
        place_objects(workspace, Manifest(files, workspace.object_folders))
    shutil.rmtree(workspace.objects)
    return {"cpu": watch.cpu, "wall": watch.wall}


def place_by_dvc(folder: str) -> dict[str, Any]:
    """Add the same change by DVC, in process, its import aside."""
    from dvc.repo import Repo

    path = Path(folder, "many", "00001")
    path.unlink()
    path.write_bytes(os.urandom(8192))
    with Repo(folder) as repo, Watch() as watch:
        repo.add([str(path.parent)])
    return {"cpu": watch.cpu, "wall": watch.wall}


def our_manifest(folder: str) -> dict[str, Any]:
    """Resolve v1 to its files."""
    from labelstore.versions.workspace import Workspace

    workspace = Workspace.find(Path(folder))
    with Watch() as watch:
        for _ in range(10):
            count = len(workspace.manifest("v1").files)
    assert "dvc" not in sys.modules
    return {"cpu": watch.cpu / 10 + _children() / 10, "files": count}


def _children() -> float:
    used = os.times()
    return used.children_user + used.children_system


def dvc_manifest(folder: str) -> dict[str, Any]:
    """Resolve v1 to its files by DVC's file system, the import of DVC included."""
    with Watch() as watch:
        from dvc.api import DVCFileSystem

        files = DVCFileSystem(folder, rev="v1").find("labels", detail=True)
        count = len(files)
    return {"cpu": watch.cpu, "files": count}


SCAN = "SELECT category_id, count(*), avg(xmax - xmin) FROM {} GROUP BY 1"
SHAPES = "SELECT category_id, sum(len(polygons[1])) FROM {} GROUP BY 1"
KEYED = "SELECT * FROM {} WHERE item_id = {}"


def make_wide(folder: str, target: str) -> dict[str, Any]:
    """Write one wide table with the parts of v1, as somebody without families would have it."""
    manifest = open_store(folder).workspace.manifest("v1")
    Path(target).mkdir()
    pairs = zip(*(manifest.parts_of(n, LAYER) for n in FAMILY), strict=True)
    for i, (a, g) in enumerate(pairs):
        rows = manifest.read(a)
        shapes = manifest.read(g).drop_columns(["layer", "item_id", "annotation_id"])
        for name in shapes.column_names:
            rows = rows.append_column(name, shapes.column(name))
        pq.write_table(rows, f"{target}/{i:05d}.parquet", compression="zstd", store_schema=False)
    return {"parts": i + 1}


def scans(folder: str, wide: str) -> dict[str, Any]:
    """Time our views, the same files read raw, and one wide table, in turn, in one process."""
    manifest = open_store(folder).workspace.manifest("v1")
    plan = table_files(manifest)
    raw = _parquet(plan["annotations"]["paths"])
    table = _parquet([str(p) for p in sorted(Path(wide).iterdir())])
    key = manifest.parts_of("annotations", LAYER)[3].first_key
    holding = [p for p in manifest.parts_of("annotations", LAYER)
               if p.first_key <= key <= p.last_key]  # fmt: skip
    picked = {n: [p for p in manifest.parts_of(n, LAYER) if p.first_key <= key <= p.last_key]
              for n in FAMILY}  # fmt: skip
    assert holding
    with connect(threads=2) as con, connect(threads=2) as keyed:
        create_views(con, Plan(plan))
        create_views(keyed, Plan(table_files(manifest, picked), keyed=True))
        jobs: dict[str, Callable[[], pa.Table]] = {
            "view": lambda: execute(con, SCAN.format("annotations")),
            "raw": lambda: execute(con, SCAN.format(raw)),
            "labels": lambda: execute(con, SHAPES.format("labels")),
            "wide": lambda: execute(con, SHAPES.format(table)),
            "by key": lambda: execute(keyed, KEYED.format("labels", key)),
            "wide by key": lambda: execute(con, KEYED.format(table, key)),
        }
        found: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(5):
            for name, job in jobs.items():
                with Watch() as watch:
                    job()
                found[name].append(watch.wall if "key" in name else watch.cpu)
    return {name: sorted(values)[2] for name, values in found.items()}


def counts(folder: str) -> dict[str, Any]:
    """Time class counts from the index, and by a scan."""
    store = open_store(folder)
    from labelstore.analysis.balance import class_counts

    found: dict[str, list[float]] = {"index": [], "scan": []}
    for _ in range(5):
        manifest = store.workspace.manifest("v1")
        with Watch() as watch:
            by_index = class_counts(manifest)
        found["index"].append(watch.wall)
        with Watch() as watch:
            by_scan = run(manifest, "class_balance", layer=None)
        found["scan"].append(watch.wall)
        assert sum(by_index.values()) == pc.sum(by_scan.column("annotations")).as_py()
    return {name: sorted(values)[2] for name, values in found.items()}


def ids_cost(folder: str) -> dict[str, Any]:
    """Return the bytes that annotation ids take per row."""
    manifest = open_store(folder).workspace.manifest("v1")
    total = rows = 0
    for part in manifest.parts_of("annotations", LAYER):
        group = pq.read_metadata(manifest.path(part)).row_group(0)
        for i in range(group.num_columns):
            if group.column(i).path_in_schema == "annotation_id":
                total += group.column(i).total_compressed_size
        rows += part.rows
    return {"bytes": total / rows}


def main() -> int:
    """Run every promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1M")
    parser.add_argument("--keep", help="folder for the data; a temporary one otherwise")
    given = parser.parse_args()
    rows = int(float(given.rows.rstrip("Mm")) * 1e6)
    scratch = given.keep or tempfile.mkdtemp(prefix="labelstore-bench-")
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    os.environ.setdefault("LABELSTORE_KEY_FILE", f"{scratch}/key")
    try:
        return 0 if _promises(scratch, rows) else 1
    finally:
        if not given.keep:
            shutil.rmtree(scratch, ignore_errors=True)


def _promises(scratch: str, rows: int) -> bool:
    here, half, wide = f"{scratch}/store", f"{scratch}/half", f"{scratch}/wide"
    many, part_rows = f"{scratch}/many", max(256, TARGET * rows // FULL)
    print(f"{rows:,} rows; batch edits in parts of {part_rows:,}, as many as {FULL:,} rows have")
    measured("promises:make_store", here, rows)
    measured("promises:make_store", half, rows // 2, part_rows)
    measured("promises:make_store", many, rows, part_rows)
    share = rows // 100
    batch = measured("promises:edit", many, "batch", "batch", share).answer
    spread = measured("promises:edit", here, "spread", "spread", share).answer
    grown = measured("promises:edit", here, "grown", "append", rows // 20).answer
    measured("promises:edit", half, "batch", "batch", share)
    ok = []
    ours = measured("promises:our_diff", many, "v1", "batch", runs=3)
    theirs = measured("promises:except_diff", many, "v1", "batch")
    detail = f"{ours.cpu:.2f} s against {theirs.cpu:.2f} s CPU"
    ok.append(
        report("P1", "diff of a batch edit / EXCEPT, CPU", ours.cpu / theirs.cpu, 0.01, detail)
    )
    ours = measured("promises:our_diff", here, "v1", "spread", runs=3)
    theirs = measured("promises:except_diff", here, "v1", "spread")
    detail = f"{ours.cpu:.2f} s against {theirs.cpu:.2f} s CPU"
    ok.append(report("P2", "scattered diff / EXCEPT, CPU", ours.cpu / theirs.cpu, 1 / 15, detail))
    detail = f"{ours.memory:.0f} MB against {theirs.memory:.0f} MB"
    ok.append(report("P2", "the same, memory", ours.memory / theirs.memory, 0.2, detail))
    two = measured("promises:our_diff", many, "v1", "batch", runs=5)
    one = measured("promises:our_diff", half, "v1", "batch", runs=5)
    detail = f"{two.cpu:.3f} s against {one.cpu:.3f} s CPU"
    ok.append(report("P3", "the same edit in twice the data, CPU", two.cpu / one.cpu, 1.2, detail))
    part = spread["whole"] / max(1, rows / TARGET)
    append = (grown["stored"] - part) / grown["changed"]
    ok.append(report("P4", "append: stored / changed bytes, less a part", append, 1.05,
                     f"{grown['stored']:,} B"))  # fmt: skip
    times = batch["stored"] / batch["changed"]
    detail = f"{batch['stored']:,} B"
    ok.append(report("P4", "batch edit: stored / changed bytes", times, 4, detail))
    times = spread["stored"] / spread["whole"]
    detail = f"{spread['stored']:,} B"
    ok.append(report("P4", "scattered label edit: stored / whole table", times, 0.3, detail))
    same = float(sum(measured("promises:unchanged", here).answer["objects"]))
    detail = "another writer makes other bytes"
    ok.append(report("P5", "objects stored for unchanged rows, both writers", same, 0, detail))
    measured("promises:many_objects", half, 2000)
    ours = measured("promises:place_by_us", half, runs=5)
    theirs = measured("promises:place_by_dvc", half, runs=5)
    detail = f"{ours.wall * 1e3:.1f} ms against {theirs.wall * 1e3:.0f} ms"
    ok.append(report("P6", "placing objects / Repo.add, 2,000 parts, wall",
                     ours.wall / theirs.wall, 1 / 50, detail))  # fmt: skip
    ours = measured("promises:our_manifest", here, runs=3)
    theirs = measured("promises:dvc_manifest", here, runs=3)
    detail = f"{ours.cpu * 1e3:.1f} ms against {theirs.cpu * 1e3:.0f} ms CPU"
    ok.append(report("P7", "revision to manifest / DVCFileSystem.find", ours.cpu / theirs.cpu,
                     1 / 50, detail))  # fmt: skip
    measured("promises:make_wide", here, wide)
    s = measured("promises:scans", here, wide).answer
    for what, a, b, limit in (
        ("view / raw read_parquet, CPU", "view", "raw", 1.1),
        ("class and polygon scan / one wide table, CPU", "labels", "wide", 1.1),
        ("by key / one wide table, wall", "by key", "wide by key", 1.5),
    ):
        detail = f"{s[a] * 1e3:.0f} ms against {s[b] * 1e3:.0f} ms"
        ok.append(report("P8", what, s[a] / s[b], limit, detail))
    found = measured("promises:counts", here).answer
    detail = f"{found['index'] * 1e3:.1f} ms against {found['scan'] * 1e3:.0f} ms"
    ok.append(report("P9", "class counts by index / by scan, wall",
                     found["index"] / found["scan"], 0.1, detail))  # fmt: skip
    cost = measured("promises:ids_cost", here).answer["bytes"]
    ok.append(report("ids", "bytes a row for annotation ids", cost, 3, ""))
    return all(ok)


if __name__ == "__main__":
    sys.exit(main())
