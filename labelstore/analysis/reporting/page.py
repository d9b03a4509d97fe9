"""A difference as one page: no script, nothing loaded from elsewhere, every text escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from labelstore.analysis.reporting.bars import confusion, drift_bars
from labelstore.analysis.reporting.html import SHOWN, document, table
from labelstore.analysis.reporting.overlays import overlays
from labelstore.changes.summary import by_class, by_item, moves_of, reclassified, verdict

if TYPE_CHECKING:
    from labelstore.analysis.drift.report import Drift
    from labelstore.analysis.reporting.policy import Broken
    from labelstore.changes.report import Report

PICTURES = 12


def write_page(
    report: Report, file: Path, images: Path, *, drift: Drift | None = None,
    broken: Sequence[Broken] | None = None,
) -> None:  # fmt: skip
    """Write a difference as a page that stands alone.

    Args:
        report: the difference.
        file: the page.
        images: folder below which the images of items are, where there are some.
        drift: how class shares moved.
        broken: rules of a policy that are broken, where there is one.
    """
    file.write_text(page(report, images, drift=drift, broken=broken), encoding="utf-8")


def page(
    report: Report, images: Path, *, drift: Drift | None = None,
    broken: Sequence[Broken] | None = None,
) -> str:  # fmt: skip
    """Return the page; see `write_page`."""
    title = f"{report.named[0]} → {report.named[1]}"
    return document(f"labelstore diff {title}", title, _body(report, images, drift, broken))


def _body(
    report: Report, images: Path, drift: Drift | None, broken: Sequence[Broken] | None
) -> Iterator[str]:
    found = report.found
    yield f'<p class="verdict">{escape(verdict(found))}</p>'
    if broken is not None:
        said = "Rules that are broken" if broken else "Policy: every rule holds"
        yield f'<p class="verdict{" broken" if broken else ""}">{said}</p>'
        yield table(["rule", "allowed", "found"], [(b.rule, b.allowed, b.found) for b in broken])
    pictures = "".join(overlays(report, images, PICTURES))
    if pictures:
        yield (
            '<h2>Items that changed most</h2><p class="key"><span class="a">before</span>'
            f'<span class="b">after</span></p><div class="pictures">{pictures}</div>'
        )
    for head, columns, rows in _tables(report):
        if rows:
            yield f"<h2>{head}</h2>{table(columns, rows)}"
    moves = reclassified(found, report.names)
    if moves:
        yield f"<h2>Classes that labels went from and to</h2>{confusion(moves)}"
    if drift is not None:
        yield (
            "<h2>Class shares</h2><p>Jensen-Shannon distance "
            f"{drift.jensen_shannon:.4f}, PSI {drift.psi:.4f}</p>{drift_bars(drift)}"
        )
        rows = [(s.what, s.effect, s.psi, f"{s.distance:.4g} {s.unit}", s.before, s.after)
                for s in drift.shifts]  # fmt: skip
        yield table(["what", "effect", "PSI", "distance", "before", "after"], rows)
    yield from _items(report)


def _tables(report: Report) -> Iterator[tuple[str, list[str], Sequence[Sequence[Any]]]]:
    found = report.found
    yield "Splits", ["split", "before", "after", "items"], moves_of(found)
    yield ("Ontology", ["what", "class", "how", "labels"],
           [(e.what, e.category, e.detail, e.labels or None) for e in found.classes])  # fmt: skip
    yield ("Tables", ["table", "added", "removed", "changed", "provenance only"],
           [(n, c.added, c.removed, c.changed, c.provenance)
            for n, c in found.tables.items() if c])  # fmt: skip
    yield ("Classes", ["class", "added", "removed", "changed", "reclassified from", "to"],
           [(c.category, c.added, c.removed, c.changed, c.went, c.came)
            for c in by_class(found, report.names)])  # fmt: skip
    objects = [r["change"] for r in report.objects.to_pylist()]
    split = [(f"object {word}", objects.count(word)) for word in ("split", "merged")]
    yield ("What changed", ["what", "labels"],
           [*found.meanings.items(), *((w, n) for w, n in split if n)])  # fmt: skip
    yield ("Labels that agree least with what they were",
           ["item", "class", "what changed", "agreement", "went", "turned (degrees)"],
           list(_worst(report)))  # fmt: skip
    yield ("Activities", ["by", "activity", "added", "removed", "changed"],
           [(w.by, w.what, w.added, w.removed, w.changed) for w in report.activities])  # fmt: skip


def _worst(report: Report) -> Iterator[Sequence[Any]]:
    if not report.measures.num_rows:
        return
    low = report.measures.filter(pc.less(report.measures.column("agreement"), 1.0)).slice(0, SHOWN)
    uris = report.uris(low.column("item_id").combine_chunks())
    for r in low.to_pylist():
        went = None if r["distance"] is None else f"{r['distance']:.4g} {r['unit']}"
        yield (uris[r["item_id"]], report.names[r["category_after"]], ", ".join(r["meanings"]),
               r["agreement"], went, r["turn"])  # fmt: skip


def _items(report: Report) -> Iterator[str]:
    ranked = by_item(report.found)
    if ranked.num_rows:
        shown = ranked.slice(0, SHOWN)
        uris = report.uris(shown.column("item_id").combine_chunks())
        rows = [(uris[r["item_id"]], r["added"], r["removed"], r["changed"])
                for r in shown.to_pylist()]  # fmt: skip
        yield f"<h2>Items</h2>{table(['item', 'added', 'removed', 'changed'], rows)}"
        if ranked.num_rows > SHOWN:
            yield f"<p>… {ranked.num_rows - SHOWN:,} more</p>"
