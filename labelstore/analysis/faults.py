"""Faults: which rows break a rule, and how they are told."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis import attributes
from labelstore.geometry.rules import RULES
from labelstore.model.tables import TABLES, Table
from labelstore.query.rules import sql_rules
from labelstore.versions.manifest import Manifest


@dataclass(frozen=True)
class Fault:
    """One row that breaks a rule.

    Attributes:
        item, annotation: ids, where the table has them.
        uri: the item's.
        field: column, or `column.member`.
        value: what stands there, as JSON would have it.
    """

    item: int | None
    annotation: int | None
    field: str
    value: Any
    uri: str | None = None


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


def name_items(manifest: Manifest, findings: Iterable[Finding]) -> None:
    """Give the faults that are told one by one the URIs of their items."""
    wanted = {fault.item for finding in findings for fault in finding.faults}
    if wanted <= {None}:
        return
    items = manifest.table(TABLES["items"], ["item_id", "uri"])
    own = items.filter(
        pc.is_in(items.column("item_id"), pa.array(sorted(n for n in wanted if n is not None)))
    )
    uris = dict(zip(*(c.to_pylist() for c in own.columns), strict=True))
    for finding in findings:
        finding.faults = [replace(f, uri=uris.get(f.item)) for f in finding.faults]


def add(
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
        finding.faults.append(Fault(item, annotation, path, plain(_attribute(path, value))))


def _attribute(path: str, value: Any) -> Any:
    """Return the attribute that a path names, a list where it is repeated; else the value."""
    column, _, name = path.partition(".")
    if column != "attributes" or not name:
        return value
    found = [attributes.decoded(text) for key, text in value or [] if key == name]
    return found if found[1:] else next(iter(found), None)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: bytes as base 64, times in ISO 8601, maps as pairs."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value.isoformat() if isinstance(value, datetime) else value
