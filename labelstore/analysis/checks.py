"""Rules: what a version's rows break, with stable codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from labelstore.model.rules import check_table
from labelstore.model.tables import TABLES
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
    "category-name-repeated": "names that several classes have",
    "item-source-id-repeated": "source ids that several items of a data set have",
    "item-without-split": "items that came after a split was made: run `split` again",
    "split-item-missing": "split rows of an item that is not in the store",
    "leftovers-kept": "labels with keys, or an order of keys, that no column holds; kept as JSON",
}


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

    @property
    def words(self) -> str:
        """Return what is counted."""
        return WORDS.get(self.code, f"rows whose {self.code.replace(':', ' is ')}")


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
        rows = manifest.read_verified(part)
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
