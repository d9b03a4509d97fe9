"""A difference as Markdown, short enough for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from labelstore.changes.summary import by_class, by_item, moves_of, reclassified, verdict
from labelstore.errors import counted

if TYPE_CHECKING:
    from labelstore.analysis.drift.report import Drift
    from labelstore.analysis.reporting.policy import Broken
    from labelstore.changes.report import Report

SHOWN = 10
MARKS = str.maketrans(
    {c: " " for c in map(chr, (*range(32), *range(127, 160), 0x2028, 0x2029))}
    | {c: f"\\{c}" for c in "\\`*_[]<>|#~$"}
    | {"&": "&amp;", "@": "&#64;"}
)
"""What would be markup, a mention, a link or a line of its own."""


def markdown(
    report: Report, drift: Drift | None = None, broken: Sequence[Broken] | None = None
) -> str:
    """Return a difference as Markdown.

    Args:
        report: the difference.
        drift: how class shares moved, where that is asked.
        broken: rules of a policy that are broken, where there is one.
    """
    title = f"### Labels: {_plain(report.named[0])} → {_plain(report.named[1])}"
    lines = [title, "", f"**{_plain(verdict(report.found))}**"]
    if broken is not None:
        said = f"{counted(len(broken), 'rule is', 'rules are')} broken"
        lines += ["", f"Policy: {said if broken else 'every rule holds'}."]
    for head, rows in _tables(report, drift, broken or ()):
        if rows:
            lines += ["", *text_table(head, rows[:SHOWN])]
            lines += ["", f"… {len(rows) - SHOWN:,} more"] * (len(rows) > SHOWN)
    return "\n".join(lines) + "\n"


def _tables(
    report: Report, drift: Drift | None, broken: Sequence[Broken]
) -> Iterator[tuple[list[str], Sequence[Sequence[Any]]]]:
    found = report.found
    yield ["rule", "allowed", "found"], [(b.rule, b.allowed, b.found) for b in broken]
    yield ["split", "before", "after", "items"], moves_of(found)
    yield (["ontology", "class", "how", "labels"],
           [(e.what, e.category, e.detail, e.labels or "") for e in found.classes])  # fmt: skip
    yield (["class", "added", "removed", "changed", "reclassified from", "to"],
           [(c.category, c.added, c.removed, c.changed, c.went, c.came)
            for c in by_class(found, report.names)])  # fmt: skip
    yield ["class before", "class after", "labels"], reclassified(found, report.names)
    yield ["what changed", "labels"], list(found.meanings.items())
    ranked = by_item(found).slice(0, SHOWN + 1)
    uris = report.uris(ranked.column("item_id").combine_chunks())
    yield (["item", "added", "removed", "changed"],
           [(uris[r["item_id"]], r["added"], r["removed"], r["changed"])
            for r in ranked.slice(0, SHOWN).to_pylist()])  # fmt: skip
    yield (["by", "activity", "added", "removed", "changed"],
           [(w.by, w.what, w.added, w.removed, w.changed) for w in report.activities])  # fmt: skip
    if drift is not None:
        yield (["class shares", "before", "after", "change"],
               [(c.category, c.before, c.after, c.change) for c in drift.classes])  # fmt: skip


def text_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return a table as lines of Markdown, in which nothing is markup."""
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else "---" if value == "---" else _plain(str(value))


def _plain(text: str) -> str:
    """Return text that is no markup."""
    return text.translate(MARKS).replace("://", "&#58;//").replace("www.", "www&#46;")
