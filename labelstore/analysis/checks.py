"""Rules: what a version's rows break, with stable codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from labelstore.model.rules import check_table
from labelstore.model.tables import TABLES
from labelstore.query.engine import run
from labelstore.versions.manifest import Manifest


@dataclass(frozen=True)
class Finding:
    """One rule that rows break.

    Attributes:
        code: stable, such as `annotation-item-unlisted` or `annotations.score:not-finite`.
        severity: error, warning or info.
        count: rows that break it.
        example: id of one of them.
    """

    code: str
    severity: str
    count: int
    example: int


def check(
    manifest: Manifest, progress: Callable[[str, int, int], None] | None = None
) -> list[Finding]:
    """Return every rule that a version breaks, errors first.

    Args:
        manifest: the version.
        progress: told how many parts were looked at.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, int] = {}
    for i, part in enumerate(manifest.parts):
        table = TABLES[part.table]
        rows = manifest.read(part)
        for violation in check_table(table.model, rows):
            code = f"{part.table}.{violation.code}"
            counts[code] += len(violation.rows)
            first = rows.column(table.id_column)[violation.rows[0]].as_py()
            examples.setdefault(code, first)
        if progress:
            progress("checking", i + 1, len(manifest.parts))
    found = [Finding(code, "error", n, examples[code]) for code, n in counts.items()]
    found += [
        Finding(r["code"], r["severity"], r["count"], r["example"])
        for r in run(manifest, "check_rules").to_pylist()
    ]
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda f: (order[f.severity], f.code))
