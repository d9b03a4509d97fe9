"""A plan for the ontology, carried out in a draft: classes first, then the labels they get."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.editing import Edit
from labelstore.changes.ontology.plan import OntologyChange, Plan, Steps
from labelstore.changes.ontology.planning import plan
from labelstore.changes.ontology.text import Lines, read_ontology
from labelstore.errors import FormatError, InvalidInput
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.query.sandbox import expressions, query
from labelstore.storage.rewriting import Edits
from labelstore.versions.stage import Draft, additions

OF_CLASS = "category_id = $category"
FURTHER = "list_contains(list_transform(category_scores, lambda s: s.category_id), $category)"


def apply_ontology(draft: Draft, path: Path, default_layer: str) -> list[OntologyChange]:
    """Change classes, and the labels that they take over, as a file says.

    Args:
        draft: what to change.
        path: YAML as `ontology.text.ontology_text` writes it; see `model.ontology.Ontology`.
        default_layer: the store's.

    Returns:
        What happened, classes first and then labels; nothing where all is so already.

    Raises:
        FormatError: with every fault of the file and its line.
        InvalidInput: a class that goes is still used, or a condition is no good.
    """
    ontology, lines = read_ontology(path)
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    draft.inputs = [{"path": str(path), "sha256": digest, "size": len(data),
                     "rows": len(ontology.classes)}]  # fmt: skip
    draft.distinguish(digest)
    expressions(t.where for entry in ontology.classes for t in entry.take or [])
    rows = draft.manifest.table(TABLES["categories"]).to_pylist()
    planned = plan(ontology, lines, rows, _new_ids(draft, digest, len(ontology.classes)))
    return _Applying(draft, Edit(draft, default_layer), planned, lines).changes()


def _new_ids(draft: Draft, digest: str, most: int) -> Iterator[int]:
    yield from draft.block(f"classes {digest}").take(most).tolist()


class _Applying:
    def __init__(self, draft: Draft, edit: Edit, planned: Plan, lines: Lines) -> None:
        self._draft = draft
        self._edit = edit
        self._plan = planned
        self._lines = lines

    def changes(self) -> list[OntologyChange]:
        """Carry the plan out, and return what happened."""
        planned = self._plan
        written = planned.written()
        told = [change for row in written for change in self._told(row)]
        self._write([row for row in written if not planned.old(row["category_id"])])
        for source, target, where, steps in planned.taken:  # by the old names
            count = self._taken(source, target, where, steps)
            what = f"from {planned.name(source)} where {where}"
            if count:
                told.append(OntologyChange("split", planned.name(target), what, count))
        self._write([row for row in written if planned.old(row["category_id"])])
        for gone, target in planned.merged.items():
            count = self._relabel(gone, target)
            self._rescore(gone, target)
            self._retrack(gone, target)
            told.append(OntologyChange("merged", planned.name(target), planned.name(gone), count))
        self._remove()
        alone = planned.removed - planned.merged.keys()
        return told + [OntologyChange("removed", planned.name(n)) for n in sorted(alone)]

    def _write(self, rows: list[dict[str, Any]]) -> None:
        """Put classes into the draft."""
        table = TABLES["categories"]
        if rows:
            stamp = {"changed_in": self._draft.activity_id, "row_hash": 0}
            stamped = [{**row, **stamp} for row in rows]
            self._draft.apply({(table.name, ""): additions(table, stamped)})

    def _told(self, new: dict[str, Any]) -> Iterator[OntologyChange]:
        """Yield what differs between a class as it was and as it is to be."""
        number = new["category_id"]
        name, old = self._plan.name(number), self._plan.old(number)
        if not old:
            others = [r["name"] for r in self._plan.before.values() if r["name"]]
            close = get_close_matches(name, others, 1, 0.8)
            yield OntologyChange("added", name, f"not {close[0]}" if close else "")
            return
        fields = [key for key, value in new.items() if value != old[key]]
        if "name" in fields:
            yield OntologyChange("renamed", name, f"was {old['name']}")
        if "parent_id" in fields:
            sides = (r["parent_id"] for r in (old, new))
            said = ["none" if n is None else self._plan.name(n) for n in sides]
            yield OntologyChange("re-parented", name, " → ".join(said))
        others = [f for f in fields if f not in ("name", "parent_id")]
        if others:
            yield OntologyChange("changed", name, ", ".join(others))

    def _taken(self, source: int, target: int, where: str, steps: Steps) -> int:
        """Give labels of a class another one where a condition of the file holds."""
        try:
            return self._relabel(source, target, where)
        except InvalidInput as error:
            fault = f"{self._lines.place(*steps)}: {error}"
            raise FormatError(self._lines.path, [fault], code=error.code) from error

    def _relabel(self, source: int, target: int, where: str = "TRUE") -> int:
        """Give labels of a class another one, and return how many."""
        return self._update(
            f"{OF_CLASS} AND ({where}\n)", {"category_id": "$target"}, source, target
        )

    def _rescore(self, source: int, target: int) -> None:
        """Put another class among the further classes of labels, once."""
        other = ("list_transform(category_scores, lambda s: {'category_id': CASE WHEN "
                 "s.category_id = $category THEN $target ELSE s.category_id END, "
                 "'score': s.score})")  # fmt: skip
        there = FURTHER.replace("$category", "$target")
        fewer = "list_filter(category_scores, lambda s: s.category_id <> $category)"
        new = f"CASE WHEN {there} THEN {fewer} ELSE {other} END"
        self._update(FURTHER, {"category_scores": new}, source, target)

    def _update(self, where: str, values: dict[str, str], source: int, target: int) -> int:
        parameters = {"category": source, "target": target}
        used = {n: v for n, v in parameters.items() if f"${n}" in where + str(values)}
        layers = self._draft.manifest.partitions("annotations")
        return sum(
            self._edit.update(where=where, set=values, layer=layer, parameters=used)
            for layer in layers
        )

    def _retrack(self, source: int, target: int) -> None:
        """Give tracks of a class another one."""
        table = TABLES["tracks"]
        rows = self._draft.manifest.table(table)
        own = rows.filter(pc.equal(rows.column("category_id"), source))
        if own.num_rows:
            own = with_column(own, "category_id", pa.repeat(target, own.num_rows))
            stamp = pa.repeat(self._draft.activity_id, own.num_rows)
            nothing = table.schema.empty_table().select(list(table.key))
            own = with_column(own, "changed_in", stamp).combine_chunks()
            self._draft.apply({(table.name, ""): Edits(own, nothing)})

    def _remove(self) -> None:
        """Drop classes that nothing uses."""
        table, gone = TABLES["categories"], sorted(self._plan.removed)
        for number in gone:
            self._refuse_used(number)
        if gone:
            keys = pa.table({"category_id": pa.array(gone, pa.int64())})
            self._draft.apply({(table.name, ""): Edits(table.schema.empty_table(), keys)})

    def _refuse_used(self, number: int) -> None:
        sql = (f"SELECT count(*) AS count FROM annotations WHERE {OF_CLASS} OR {FURTHER} "
               "UNION ALL SELECT count(*) FROM tracks WHERE category_id = $category")  # fmt: skip
        counts = query(self._draft.manifest, sql, {"category": number}).column(0).to_pylist()
        if any(counts):
            raise InvalidInput(
                f"class {self._plan.name(number)} cannot go: {counts[0]:,} labels and "
                f"{counts[1]:,} tracks have it. Merge it into another class instead.",
                code="category-used",
            )
