"""Differences and drift, for people."""

from __future__ import annotations

import pyarrow.compute as pc
import typer

from labelstore.analysis.drift.report import Drift
from labelstore.changes.people import by_author
from labelstore.changes.report import LISTED, Report
from labelstore.changes.summary import by_class, by_item, moves_of, reclassified, verdict
from labelstore.cli.output import table

SHOWN = 12


def show_diff(report: Report, *, stat: bool = False, items: bool = False) -> None:
    """Print a difference: tables, classes, what changed and by how much, items, verdict."""
    rows = [
        (name, c.added, c.removed, c.changed, c.provenance)
        for name, c in report.found.tables.items()
        if c
    ]
    if rows:
        table(["table", "added", "removed", "changed", "provenance only"], rows)
    if not stat:
        _show_moves(report)
        _show_ontology(report)
        _show_classes(report)
        _show_meanings(report)
        _show_worst(report)
        _show_items(report, every=items)
        _show_people(report)
    typer.echo(f"verdict: {verdict(report.found)}")


def _show_moves(report: Report) -> None:
    """Print which items went to another subset, those out of a test set first."""
    moves = moves_of(report.found)
    if moves:
        typer.echo()
        table(["split", "before", "after", "items"], moves[:SHOWN])
        _rest(len(moves), "moves")


def _show_ontology(report: Report) -> None:
    rows = [(e.what, e.category, e.detail, e.labels or None) for e in report.found.classes]
    if rows:
        typer.echo()
        table(["ontology", "class", "how", "labels"], rows[:SHOWN])
        _rest(len(rows), "changes of classes")


def _show_classes(report: Report) -> None:
    classes = by_class(report.found, report.names)
    if classes:
        rows = [
            (c.category, c.added, c.removed, c.changed, c.went, c.came) for c in classes[:SHOWN]
        ]
        typer.echo()
        table(["class", "added", "removed", "changed", "reclassified from", "to"], rows)
        _rest(len(classes), "classes")
    moves = reclassified(report.found, report.names)
    if moves:
        typer.echo()
        table(["class before", "class after", "labels"], moves[:SHOWN])
        _rest(len(moves), "class changes")


def _show_meanings(report: Report) -> None:
    found = report.found
    objects = report.objects.column("change").to_pylist()
    split = {"split (one became several)": objects.count("split"),
             "merged (several became one)": objects.count("merged")}  # fmt: skip
    rows = [*found.meanings.items(), *((word, n) for word, n in split.items() if n)]
    if rows:
        typer.echo()
        table(["what changed", "labels"], rows)
    paired = found.labels.column("agreement").drop_null()
    if len(paired):
        typer.echo(f"\n{len(paired):,} labels paired by geometry, whose shapes agree "
                   f"{pc.mean(paired).as_py():.3f} on average, {pc.min(paired).as_py():.3f} at "
                   "least")  # fmt: skip


def _show_worst(report: Report) -> None:
    """Print the labels that agree least with what they were."""
    worst = report.measures
    if not worst.num_rows:
        return
    went = [pc.greater(worst.column(n), 0).fill_null(False) for n in ("distance", "turn")]
    low = pc.or_(pc.less(worst.column("agreement"), 1.0).fill_null(False), pc.or_(*went))
    worst = worst.filter(low)
    low = worst.slice(0, SHOWN)
    uris = report.uris(low.column("item_id").combine_chunks())
    rows = [
        (uris[r["item_id"]], report.names[r["category_after"]], ", ".join(r["meanings"]),
         "" if r["agreement"] is None else f"{r['agreement']:.3f}",
         "" if r["distance"] is None else f"{r['distance']:.4g} {r['unit']}",
         "" if r["turn"] is None else f"{r['turn']:.3g}°")
        for r in low.to_pylist()
    ]  # fmt: skip
    if rows:
        typer.echo()
        table(["item", "class", "what changed", "agreement", "went", "turned"], rows)
        _rest(worst.num_rows, "labels that went; --json gives all")
        if report.changed.num_rows == LISTED:
            typer.echo(f"  of the first {LISTED:,} that changed")


def _show_items(report: Report, *, every: bool) -> None:
    ranked = by_item(report.found)
    if not ranked.num_rows:
        return
    shown = ranked if every else ranked.slice(0, SHOWN)
    names = report.uris(shown.column("item_id").combine_chunks())
    rows = [
        (names[r["item_id"]], r["added"], r["removed"], r["changed"]) for r in shown.to_pylist()
    ]
    typer.echo()
    table(["item", "added", "removed", "changed"], rows)
    if not every:
        _rest(ranked.num_rows, "items; --items lists all")


def _show_people(report: Report) -> None:
    """Print which activities wrote what differs; authors too, where one had several."""
    told, authors = report.activities, by_author(report.activities)
    tables = [("activity", told)]
    if 1 < len(authors) < len(told):
        tables.append(("in all", authors))
    for what, written in tables:
        if written:
            typer.echo()
            rows = [(w.by, w.what, w.added, w.removed, w.changed) for w in written[:SHOWN]]
            table(["by", what, "added", "removed", "changed"], rows)
            _rest(len(written), "activities" if written is told else "authors")


def _rest(count: int, noun: str) -> None:
    if count > SHOWN:
        typer.echo(f"  … {count - SHOWN:,} more {noun}")


def show_drift(drift: Drift) -> None:
    """Print how class shares moved, and labels as a whole."""
    typer.echo(
        f"\nclass shares moved: Jensen-Shannon {drift.jensen_shannon:.4f} (0 to 1), "
        f"PSI {drift.psi:.4f}"
    )
    moved = [c for c in drift.classes if c.change]
    rows = [(c.category, c.before, c.after, c.change, _between(c.low, c.high), _chance(c.chance))
            for c in moved[:SHOWN]]  # fmt: skip
    if rows:
        table(["class", "share before", "after", "change", "95 % between", "by chance"], rows)
    _rest(len(moved), "classes")
    told = [(s.what, s.effect, _between(s.low, s.high), s.psi,
             f"{s.distance:.4g} {s.unit}".rstrip(), s.before, s.after, _chance(s.chance))
            for s in drift.shifts]  # fmt: skip
    if told:
        typer.echo("\nlabels as a whole (effect: 0 the same, 1 nothing in common):")
        table(["what", "effect", "95 % between", "PSI", "distance", "before", "after",
               "by chance"], told)  # fmt: skip
    if drift.skipped:
        typer.echo(f"  too few labels say anything of: {', '.join(drift.skipped)}")
    led = [(d.by, d.what or "(all of theirs)", d.labels, f"{d.share:.0%}") for d in drift.drivers]
    if led:
        typer.echo("\nwithout whom class shares would have moved less, by how much of the change:")
        table(["by", "activity", "labels", "less"], led)


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3g} to {high:.3g}"


def _chance(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}" if value >= 0.0001 else "< 0.0001"
