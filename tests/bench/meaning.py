"""What a difference means beside what merely differs, and a merge beside both sides' differences.

    python tests/bench/meaning.py [--rows 1M]

One row in a hundred is edited in ten runs: the outlines move, the class changes. The row diff
says which labels differ; the report says how (moved, reclassified, by how much, who), with the
lists that `--json` prints. A merge has such an edit on either side, in other places.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from measure import Watch, measured, report
from promises import FULL, LAYER, our_diff

from labelstore.changes.diff import diff
from labelstore.changes.report import Report
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.rewriting import Edits
from labelstore.store import open_store
from labelstore.versions.manifest import TARGET
from labelstore.versions.publish import publish
from labelstore.versions.stage import Draft

RUNS = 10


def edit(folder: str, tag: str, amount: int, offset: float) -> dict[str, Any]:
    """Publish a version in which labels of ten runs moved and changed class.

    Args:
        folder: the store.
        tag: of the version.
        amount: how many labels.
        offset: where the runs begin, as a part of a tenth of the rows.
    """
    store = open_store(folder)
    workspace = store.workspace
    workspace.git.run("reset", "-q", "--hard", "v1")
    draft = Draft(workspace, "edit", by="bench", parameters={"tag": tag})
    before = draft.manifest
    total = sum(p.rows for p in before.parts_of("annotations", LAYER))
    starts = [int(total * (i + offset) / RUNS) for i in range(RUNS)]
    chosen = np.concatenate([np.arange(s, s + amount // RUNS) for s in starts])
    for name in FAMILY:
        found, begin = [], 0
        for part in before.parts_of(name, LAYER):
            inside = chosen[(chosen >= begin) & (chosen < begin + part.rows)] - begin
            if len(inside):
                found.append(before.read(part).take(pa.array(inside)))
            begin += part.rows
        rows = _changed(pa.concat_tables(found).combine_chunks(), draft.activity_id)
        nothing = TABLES[name].schema.empty_table().select(list(TABLES[name].key))
        draft.apply({(name, LAYER): Edits(rows, nothing)})
    draft.record(tag)
    publish(workspace, draft.manifest, parent=draft.parent, message=tag, tag=tag)
    return {"rows": len(chosen)}


def _changed(rows: pa.Table, activity: int) -> pa.Table:
    if "polygons" not in rows.column_names:
        other = np.asarray(rows.column("category_id").combine_chunks()) + 1
        rows = with_column(rows, "category_id", other % 80)
        return with_column(rows, "changed_in", np.full(len(rows), activity))
    rings = rows.column("polygons").combine_chunks()
    inner = rings.flatten()
    moved = pa.array(np.asarray(inner.flatten()) + 3.0)
    inner = pa.ListArray.from_arrays(inner.offsets, moved)
    column = pa.ListArray.from_arrays(rings.offsets, inner).cast(rings.type)
    return with_column(rows, "polygons", column)


def our_report(folder: str, before: str, after: str) -> dict[str, Any]:
    """Say what a difference means, with all that is listed."""
    workspace = open_store(folder).workspace
    with Watch() as watch:
        sides = workspace.manifest(before), workspace.manifest(after)
        found = Report(diff(*sides), sides, (before, after)).as_json()
    return {"cpu": watch.cpu, "wall": watch.wall, "meanings": found["meanings"]}


def our_merge(folder: str) -> dict[str, Any]:
    """Merge two edits of other places."""
    store = open_store(folder)
    store.workspace.git.run("reset", "-q", "--hard", "one")
    with Watch() as watch:
        found = store.merge("other", dry_run=True)
    assert found.changes is not None
    return {"cpu": watch.cpu, "changed": found.changes.tables["annotations"].changed}


def main() -> int:
    """Print the ratios; 1 where one is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1M")
    rows = int(float(parser.parse_args().rows.rstrip("Mm")) * 1e6)
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    with tempfile.TemporaryDirectory(prefix="labelstore-bench-") as scratch:
        os.environ.setdefault("LABELSTORE_KEY_FILE", str(Path(scratch, "key")))
        return 0 if _ratios(f"{scratch}/store", rows) else 1


def _ratios(folder: str, rows: int) -> bool:
    measured("promises:make_store", folder, rows, max(256, TARGET * rows // FULL))
    for tag, offset in (("one", 0.25), ("other", 0.75)):
        measured("meaning:edit", folder, tag, rows // 100, offset)
    plain = measured("meaning:our_diff", folder, "v1", "one", runs=3)
    meant = measured("meaning:our_report", folder, "v1", "one", runs=3)
    detail = (f"{meant.cpu:.2f} s and {meant.memory:.0f} MB against {plain.cpu:.2f} s and "
              f"{plain.memory:.0f} MB; {meant.answer['meanings']}")  # fmt: skip
    what = f"meaning of {rows // 100:,} changes in {rows:,} labels / the row diff, CPU"
    ok = report("diff", what,
                meant.cpu / plain.cpu, 5, detail)  # fmt: skip
    other = measured("meaning:our_merge", folder)
    print(f"merge of two such edits, without publishing: {other.cpu:.2f} s and "
          f"{other.memory:.0f} MB; {other.answer['changed']:,} labels taken")  # fmt: skip
    return ok


__all__ = ["edit", "main", "our_diff", "our_merge", "our_report"]

if __name__ == "__main__":
    sys.exit(main())
