"""What became of the ontology: classes added, renamed, re-parented, merged, removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest

    Row = Mapping[str, Any]

MERGED = "class merged"
"""What changed about a label whose class became another one as a whole."""
RECLASSIFIED = "reclassified"
MOST = 0.9
"""Least share of a class's labels that are of one other class now, if that took it over."""


@dataclass(frozen=True)
class ClassEdit:
    """One thing that happened to a class.

    Attributes:
        what: added, removed, renamed, re-parented, merged (into another), or changed.
        category: the class by the name that it had, or has if it is new.
        detail: its new name, its parents, the class that it became, or the columns.
        labels: how many labels went along, of a merged class.
    """

    what: str
    category: str
    detail: str = ""
    labels: int = 0


def merged_classes(before: Manifest, after: Manifest, labels: pa.Table) -> dict[int, int]:
    """Return which classes became which: those that are gone, by where nearly all labels are.

    Args:
        before: the older version.
        after: the newer.
        labels: of their difference, see `diff.LABELS`.
    """
    gone = _classes(before).keys() - _classes(after).keys()
    counts: dict[int, Counter[int]] = {}
    for row in _moves(labels).to_pylist():
        if row["category_before"] in gone and row["category_after"] is not None:
            own = counts.setdefault(row["category_before"], Counter())
            own[row["category_after"]] += row["count_all"]
    found = {old: own.most_common(1)[0] for old, own in counts.items()}
    return {old: new for old, (new, n) in found.items() if n >= MOST * counts[old].total()}


def with_merges(labels: pa.Table, merged: Mapping[int, int]) -> tuple[pa.Table, int]:
    """Return labels that say `MERGED` where their class became another; and how many do."""
    goes = np.zeros(labels.num_rows, bool)
    for old, new in merged.items():
        both = pc.and_(pc.equal(labels.column("category_before"), old),
                       pc.equal(labels.column("category_after"), new))  # fmt: skip
        goes |= np.asarray(both.fill_null(False))
    if not goes.any():
        return labels, 0
    words = labels.column("meanings").combine_chunks()
    told = pc.binary_join(words.filter(pa.array(goes)), "|")
    told = pc.split_pattern(pc.replace_substring(told, RECLASSIFIED, MERGED), "|")
    at = np.where(goes, len(words) + np.cumsum(goes) - 1, np.arange(len(words)))
    words = pa.chunked_array([words, told.cast(words.type)]).take(pa.array(at))
    place = labels.schema.get_field_index("meanings")
    return labels.set_column(place, labels.schema.field(place), words), int(goes.sum())


def class_edits(
    before: Manifest, after: Manifest, labels: pa.Table, merged: Mapping[int, int]
) -> list[ClassEdit]:
    """Return what happened to classes.

    Args:
        before: the older version.
        after: the newer.
        labels: of their difference.
        merged: see `merged_classes`.
    """
    sides = _classes(before), _classes(after)
    moves = {(r["category_before"], r["category_after"]): r["count_all"]
             for r in _moves(labels).to_pylist()}  # fmt: skip
    found = [ClassEdit("added", _name(row)) for n, row in sides[1].items() if n not in sides[0]]
    for number, row in sides[0].items():
        target = merged.get(number)
        if target is not None:
            into = f"into {_name(sides[1][target])}"
            found.append(ClassEdit("merged", _name(row), into, moves[number, target]))
        elif number not in sides[1]:
            found.append(ClassEdit("removed", _name(row)))
        else:
            found += _edits(row, sides[1][number], sides)
    return found


def _edits(
    old: Row, new: Row, sides: tuple[Mapping[int, Row], Mapping[int, Row]]
) -> Iterator[ClassEdit]:
    """Yield what differs about a class that both have."""
    name = _name(old)
    if old["name"] != new["name"]:
        yield ClassEdit("renamed", name, f"to {_name(new)}")
    if old["parent_id"] != new["parent_id"]:
        parents = (_name(known.get(row["parent_id"]))
                   for known, row in zip(sides, (old, new), strict=True))  # fmt: skip
        yield ClassEdit("re-parented", name, " → ".join(parents))
    content = TABLES["categories"].columns("content")
    others = [c for c in content if old[c] != new[c] and c not in ("name", "parent_id")]
    if others:
        yield ClassEdit("changed", name, ", ".join(others))


def _moves(labels: pa.Table) -> pa.Table:
    """Return how many labels went from which class to which."""
    rows = labels.filter(pc.equal(labels.column("change"), "changed"))
    rows = rows.filter(pc.not_equal(rows.column("category_before"), rows.column("category_after")))
    return rows.group_by(["category_before", "category_after"]).aggregate([([], "count_all")])


def _classes(manifest: Manifest) -> dict[int, Row]:
    rows = manifest.table(TABLES["categories"]).to_pylist()
    return {row["category_id"]: row for row in rows}


def _name(row: Row | None) -> str:
    return "none" if row is None else row["name"] or f"class {row['category_id']}"
