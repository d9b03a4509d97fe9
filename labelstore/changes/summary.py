"""A difference in numbers: per class, per item, and a line of verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.classes import MERGED
from labelstore.changes.difference import Diff
from labelstore.errors import counted
from labelstore.model.tables import TABLES
from labelstore.versions.manifest import Manifest

NO_CLASS = "(no class)"


@dataclass(frozen=True)
class ClassChange:
    """What happened to the labels of one class.

    Attributes:
        came: labels that were of another class before.
        went: labels that are of another class now.
        changed: labels of this class, before and after, that differ otherwise.
    """

    category: str
    added: int
    removed: int
    came: int
    went: int
    changed: int

    @property
    def total(self) -> int:
        """Return how many labels are concerned."""
        return self.added + self.removed + self.came + self.went + self.changed


class ClassNames(dict[int | None, str]):
    """Names by category id; one that is not listed is told by its number."""

    def __missing__(self, number: int | None) -> str:
        """Return what stands for a class that no version lists."""
        return f"class {number}"


def class_names(*manifests: Manifest) -> ClassNames:
    """Return the name of each category id, of the later version where they differ."""
    names = ClassNames({None: NO_CLASS})
    for manifest in manifests:
        rows = manifest.table(TABLES["categories"], ["category_id", "name"]).to_pylist()
        names.update({r["category_id"]: r["name"] or f"class {r['category_id']}" for r in rows})
    return names


def distinct(names: ClassNames) -> ClassNames:
    """Return names of which no two classes have the same: where they do, with their ids."""
    count = Counter(names.values())
    return ClassNames({i: n if count[n] == 1 else f"{n} ({i})" for i, n in names.items()})


def class_order(manifest: Manifest) -> list[tuple[int, str]]:
    """Return (id, name) of the classes in the order of the ontology."""
    columns = ["position", "category_id", "name"]
    rows = manifest.table(TABLES["categories"], columns).to_pylist()
    rows.sort(key=lambda r: (r["position"], r["category_id"]))
    return [(r["category_id"], r["name"] or "") for r in rows]


def item_names(ids: pa.Array, *manifests: Manifest) -> dict[int, str]:
    """Return the URI of items, else their number."""
    names = {i: str(i) for i in ids.to_pylist()}
    for manifest in manifests:
        for part in manifest.parts_of("items"):
            rows = manifest.read(part, ["item_id", "uri"])
            chosen = rows.filter(pc.is_in(rows.column("item_id"), value_set=ids))
            known = zip(*(chosen.column(n).to_pylist() for n in ("item_id", "uri")), strict=True)
            names.update({i: uri for i, uri in known if uri})
    return names


def by_class(found: Diff, names: ClassNames) -> list[ClassChange]:
    """Return what happened per class, the most concerned first."""
    counts: dict[str, dict[str, int]] = {}
    grouped = found.labels.group_by(["change", "category_before", "category_after"]).aggregate(
        [([], "count_all")]
    )
    for row in grouped.to_pylist():
        if _is_merged(found, row):
            continue
        old, new = names[row["category_before"]], names[row["category_after"]]
        for name, field in _fields(row["change"], old, new):
            own = counts.setdefault(name, dict.fromkeys(FIELDS, 0))
            own[field] += row["count_all"]
    changes = [ClassChange(name, **own) for name, own in counts.items()]
    return sorted(changes, key=lambda c: (-c.total, c.category))


FIELDS = ("added", "removed", "came", "went", "changed")


def _fields(change: str, old: str, new: str) -> list[tuple[str, str]]:
    if change == "added":
        return [(new, "added")]
    if change == "removed":
        return [(old, "removed")]
    if change == "provenance":
        return []
    return [(old, "changed")] if old == new else [(old, "went"), (new, "came")]


def reclassified(found: Diff, names: ClassNames) -> list[tuple[str, str, int]]:
    """Return (from, to, count) of class changes, the most frequent first."""
    rows = found.labels.filter(pc.equal(found.labels.column("change"), "changed"))
    grouped = rows.group_by(["category_before", "category_after"]).aggregate([([], "count_all")])
    moves = [
        (names[r["category_before"]], names[r["category_after"]], r["count_all"])
        for r in grouped.to_pylist()
        if r["category_before"] != r["category_after"] and not _is_merged(found, r)
    ]
    return sorted(moves, key=lambda m: (-m[2], m))


def _merged_alone(found: Diff) -> int:
    """Return how many labels changed in nothing but that their class became another."""
    if not found.merged:
        return 0
    words = pc.binary_join(found.labels.column("meanings"), "|")
    return int(pc.sum(pc.equal(words, MERGED)).as_py() or 0)


def _is_merged(found: Diff, row: Mapping[str, Any]) -> bool:
    """Say whether labels changed class because their class became the other as a whole."""
    target = found.merged.get(row["category_before"])
    return target is not None and target == row["category_after"]


def moves_of(found: Diff) -> list[tuple[str, str | None, str | None, int]]:
    """Return (scheme, subset before, subset after, items), those out of test sets first."""
    grouped = found.moves.group_by(["scheme", "before", "after"]).aggregate([([], "count_all")])
    moves = [tuple(row.values()) for row in grouped.to_pylist()]
    return sorted(moves, key=lambda m: ("test" not in str(m[1]), m[1] is None, -m[3], str(m)))


def by_item(found: Diff) -> pa.Table:
    """Return item_id, added, removed and changed per item, the most concerned first."""
    labels = found.labels.filter(pc.not_equal(found.labels.column("change"), "provenance"))
    columns: dict[str, Any] = {"item_id": labels.column("item_id")}
    for change in ("added", "removed", "changed"):
        columns[change] = pc.equal(labels.column("change"), change).cast(pa.int64())
    grouped = (
        pa.table(columns)
        .group_by("item_id")
        .aggregate([(c, "sum") for c in columns if c != "item_id"])
    )
    grouped = grouped.rename_columns(["item_id", "added", "removed", "changed"])
    total = pc.add(
        pc.add(grouped.column("added"), grouped.column("removed")), grouped.column("changed")
    )
    return grouped.append_column("total", total).sort_by(
        [("total", "descending"), ("item_id", "ascending")]
    )


NOUNS = (
    ("items", "item", "items"),
    ("categories", "class", "classes"),
    ("annotations", "label", "labels"),
    ("tracks", "track", "tracks"),
    ("relations", "relation", "relations"),
    ("splits", "place in a split", "places in splits"),
)


def verdict(found: Diff) -> str:
    """Return the difference in one line."""
    labels, items = found.tables.get("annotations"), found.tables.get("items")
    words = []
    gone = sum(e.labels for e in found.classes if e.what == "merged")
    for name, one, many in NOUNS:
        for change in ("added", "removed", "changed"):
            count = getattr(found.tables.get(name), change, 0)
            if (name, change) == ("annotations", "changed"):
                count -= _merged_alone(found)
            if count:
                words.append(f"{counted(count, one, many)} {change}")
    if found.merged:
        merged = counted(len(found.merged), "class", "classes")
        words.append(f"{merged} merged ({counted(gone, 'label')})")
    if words:
        return ", ".join(words)
    if labels or items:
        return "no label differs; only who wrote them, or their order"
    rest = [name for name, counts in found.tables.items() if counts]
    return f"only {', '.join(rest)} differ" if rest else "the same"
