"""Rules: what a version's rows break, with stable codes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import pyarrow as pa

from labelstore.analysis import attributes
from labelstore.analysis.attributes import Types, attribute_types, broken_attributes
from labelstore.geometry.rules import RULES, broken
from labelstore.model.rules import check_table
from labelstore.model.tables import TABLES, Table
from labelstore.query.rules import broken_rules, sql_rules
from labelstore.versions.manifest import Manifest

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
        faults: the first of them one by one.
    """

    code: str
    severity: str
    count: int
    example: int
    faults: list[Fault] = field(default_factory=list)

    @property
    def words(self) -> str:
        """Return what is counted."""
        return words().get(self.code, f"rows whose {self.code.replace(':', ' is ')}")


@cache
def words() -> dict[str, str]:
    """Return by code what a row is that breaks a rule of shapes, attributes or across tables."""
    across = {rule.code: rule.words for rule in sql_rules()}
    return {**{rule.code: rule.words for rule in RULES}, **across, **attributes.WORDS}


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
    types = attribute_types(manifest)
    for i, part in enumerate(manifest.parts):
        table = TABLES[part.table]
        rows = manifest.read_verified(part)
        for code, severity, path, places in _broken(table, rows, types):
            _add(found, code, severity, table, rows, path, places, shown)
        if progress:
            progress("checking", i + 1, len(manifest.parts))
    for rule, count, example, rows in broken_rules(manifest, shown):
        faults = [
            Fault(r["item_id"], r["annotation_id"], rule.field, _plain(r["value"]))
            for r in rows.to_pylist()
        ]
        found[rule.code] = Finding(rule.code, rule.severity, count, example, faults)
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(found.values(), key=lambda f: (order[f.severity], f.code))


def _broken(
    table: Table, rows: pa.Table, types: Types
) -> Iterator[tuple[str, str, str, list[int]]]:
    """Yield code, severity, field and rows of each rule that rows of a table break."""
    for violation in check_table(table.model, rows):
        yield f"{table.name}.{violation.code}", "error", violation.column, violation.rows
    if table.name == "annotations":
        for code, path, chosen in broken_attributes(types, rows):
            yield code, attributes.SEVERITY[code], path, chosen
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
        finding.faults.append(Fault(item, annotation, path, _plain(_attribute(path, value))))


def _attribute(path: str, value: Any) -> Any:
    """Return the attribute that a path names, of all that a label has; anything else as it is."""
    column, _, name = path.partition(".")
    if column != "attributes" or not name:
        return value
    return attributes.decoded(dict(value or []).get(name, "null"))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: bytes as base 64, times in ISO 8601, maps as pairs."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, datetime) else value
