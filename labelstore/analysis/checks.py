"""Rules: what a version's rows break, with stable codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from labelstore.analysis import attributes
from labelstore.analysis.attributes import Types, attribute_types, broken_attributes
from labelstore.analysis.faults import Fault, Finding, add, name_items, plain
from labelstore.errors import SHOWN_FAULTS, InvalidInput
from labelstore.geometry.rules import RULES, broken
from labelstore.model.rules import check_table
from labelstore.model.tables import TABLES, Table
from labelstore.query.rules import broken_rules
from labelstore.versions.manifest import Manifest


def check(
    manifest: Manifest,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    shown: int = SHOWN_FAULTS,
) -> list[Finding]:
    """Return every rule that a version breaks, errors first.

    Args:
        manifest: the version.
        progress: told how many parts were looked at.
        shown: how many faults of each rule to tell one by one.

    Raises:
        InvalidInput: `shown` is below 0.
    """
    if shown < 0:
        raise InvalidInput(f"cannot show {shown} faults of each rule", code="check-shown")
    found: dict[str, Finding] = {}
    types = attribute_types(manifest)
    for i, part in enumerate(manifest.parts):
        table = TABLES[part.table]
        rows = manifest.read_verified(part)
        for code, severity, path, places in _broken(table, rows, types):
            add(found, code, severity, table, rows, path, places, shown)
        if progress:
            progress("checking", i + 1, len(manifest.parts))
    for rule, count, example, rows in broken_rules(manifest, shown):
        faults = [
            Fault(r["item_id"], r["annotation_id"], rule.field, plain(r["value"]))
            for r in rows.to_pylist()
        ]
        found[rule.code] = Finding(rule.code, rule.severity, count, example, faults)
    name_items(manifest, found.values())
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
