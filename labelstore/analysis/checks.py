"""Rules: what a version's rows break, with stable codes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from labelstore.geometry.rules import RULES, broken
from labelstore.model.rules import check_table
from labelstore.model.tables import TABLES, Table
from labelstore.query.engine import run
from labelstore.versions.manifest import Manifest

WORDS = {
    "annotation-item-missing": "labels of an item that is not in the store",
    "annotation-item-unlisted": "labels of an item that their source does not list",
    "annotation-category-missing": "labels of a class that is not in the store",
    "annotation-category-unlisted": "labels of a class that their source does not list",
    "annotation-source-id-repeated": "source ids that several labels of a data set have",
    "box-not-positive": "labels without width or height",
    "box-outside-image": "labels that reach out of their image",
    "category-score-missing": "further classes of a label that are not in the store",
    "category-name-repeated": "names that several classes have",
    "item-source-id-repeated": "source ids that several items of a data set have",
    "item-without-split": "items that came after a split was made: run `split` again",
    "split-item-missing": "split rows of an item that is not in the store",
    "keypoints-not-of-class": "labels with more or fewer keypoints than their class names",
    "kind-without-shape": "labels whose kind says a shape that they do not have",
    "span-outside-text": "spans that reach beyond the text of their item",
    "surface-differs": "spans whose surface is not what stands there in the text",
    "leftovers-kept": "labels with keys, or an order of keys, that no column holds; kept as JSON",
    **{rule.code: rule.words for rule in RULES},
}
SHOWN = 20
"""Faults of one rule that are told one by one, where nobody says how many."""


@dataclass(frozen=True)
class Fault:
    """One row that breaks a rule.

    Attributes:
        item, annotation: ids, where the table has them.
        field: column, or `column.member`.
        value: what stands there, as JSON would have it.
    """

    item: int | None
    annotation: int | None
    field: str
    value: Any


@dataclass
class Finding:
    """One rule that rows break.

    Attributes:
        code: stable, such as `annotation-item-unlisted` or `annotations.score:not-finite`.
        severity: error, warning or info.
        count: rows that break it.
        example: id of one of them.
        faults: the first of them one by one, where the rule is about a single row.
    """

    code: str
    severity: str
    count: int
    example: int
    faults: list[Fault] = field(default_factory=list)

    @property
    def words(self) -> str:
        """Return what is counted."""
        return WORDS.get(self.code, f"rows whose {self.code.replace(':', ' is ')}")


def check(
    manifest: Manifest,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    shown: int = SHOWN,
) -> list[Finding]:
    """Return every rule that a version breaks, errors first.

    Args:
        manifest: the version.
        progress: told how many parts were looked at.
        shown: how many faults of each rule to tell one by one.
    """
    found: dict[str, Finding] = {}
    for i, part in enumerate(manifest.parts):
        table = TABLES[part.table]
        rows = manifest.read_verified(part)
        for code, severity, path, places in _broken(table, rows):
            _add(found, code, severity, table, rows, path, places, shown)
        if progress:
            progress("checking", i + 1, len(manifest.parts))
    across = [
        Finding(r["code"], r["severity"], r["count"], r["example"])
        for r in run(manifest, "check_rules").to_pylist()
    ]
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted([*found.values(), *across], key=lambda f: (order[f.severity], f.code))


def _broken(table: Table, rows: pa.Table) -> Iterator[tuple[str, str, str, list[int]]]:
    """Yield code, severity, field and rows of each rule that rows of a table break."""
    for violation in check_table(table.model, rows):
        yield f"{table.name}.{violation.code}", "error", violation.column, violation.rows
    if table.name == "geometries":
        for rule in RULES:
            places = broken(rule, rows)
            if len(places):
                yield rule.code, rule.severity, rule.shape, places.tolist()


def _add(
    found: dict[str, Finding],
    code: str,
    severity: str,
    table: Table,
    rows: pa.Table,
    path: str,
    places: list[int],
    shown: int,
) -> None:
    """Count rows that break a rule, and tell the first of them."""
    first = rows.column(table.id_column)[places[0]].as_py()
    finding = found.setdefault(code, Finding(code, severity, 0, first))
    finding.count += len(places)
    told = pa.array(places[: shown - len(finding.faults)], pa.int64())
    names = ["item_id", "annotation_id", path.split(".")[0]]
    columns = [
        rows.column(n).take(told).to_pylist() if n in rows.column_names else [None] * len(told)
        for n in names
    ]
    for item, annotation, value in zip(*columns, strict=True):
        finding.faults.append(Fault(item, annotation, path, _plain(value)))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: bytes as base 64, times in ISO 8601, maps as pairs."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, datetime) else value
