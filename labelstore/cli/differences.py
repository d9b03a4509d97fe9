"""Differences and drift, for people and as JSON."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import typer

from labelstore.analysis.drift import Drift
from labelstore.changes.diff import Counts, Diff
from labelstore.changes.measures import MEASURES, measured
from labelstore.changes.summary import (
    by_class,
    by_item,
    class_names,
    item_names,
    reclassified,
    verdict,
)
from labelstore.cli.output import table
from labelstore.versions.manifest import Manifest

Sides = tuple[Manifest, Manifest]
Layers = tuple[str | None, str | None]
SHOWN = 12
LISTED = 10_000


def show_diff(
    found: Diff, sides: Sides, layers: Layers = (None, None), *, stat: bool = False,
    items: bool = False,
) -> None:  # fmt: skip
    """Print a difference: tables, classes, what changed and by how much, items, verdict."""
    rows = [
        (name, c.added, c.removed, c.changed, c.provenance)
        for name, c in found.tables.items()
        if c
    ]
    if rows:
        table(["table", "added", "removed", "changed", "provenance only"], rows)
    if not stat:
        _show_classes(found, sides)
        _show_meanings(found)
        _show_worst(found, sides, layers)
        _show_items(found, sides, every=items)
    typer.echo(f"verdict: {verdict(found)}")


def _show_classes(found: Diff, sides: Sides) -> None:
    names = class_names(*sides)
    classes = by_class(found, names)
    if classes:
        rows = [
            (c.category, c.added, c.removed, c.changed, c.went, c.came) for c in classes[:SHOWN]
        ]
        typer.echo()
        table(["class", "added", "removed", "changed", "reclassified from", "to"], rows)
        _rest(len(classes), "classes")
    moves = reclassified(found, names)
    if moves:
        typer.echo()
        table(["class before", "class after", "labels"], moves[:SHOWN])
        _rest(len(moves), "class changes")


def _show_meanings(found: Diff) -> None:
    if found.meanings:
        typer.echo()
        table(["what changed", "labels"], list(found.meanings.items()))
    paired = found.labels.column("agreement").drop_null()
    if len(paired):
        typer.echo(f"\n{len(paired):,} labels paired by geometry, agreement "
                   f"{pc.mean(paired).as_py():.3f} on average, {pc.min(paired).as_py():.3f} at "
                   "least")  # fmt: skip


def _show_worst(found: Diff, sides: Sides, layers: Layers) -> None:
    """Print the labels that agree least with what they were."""
    worst = measured(_changed(found), sides, layers)
    if not worst.num_rows:
        return
    went = [pc.greater(worst.column(n), 0).fill_null(False) for n in ("distance", "turn")]
    low = pc.or_(pc.less(worst.column("agreement"), 1.0).fill_null(False), pc.or_(*went))
    worst = worst.filter(low)
    low = worst.slice(0, SHOWN)
    uris = item_names(low.column("item_id").combine_chunks(), *sides)
    names = class_names(*sides)
    rows = [
        (uris[r["item_id"]], names.get(r["category_after"]), ", ".join(r["meanings"]),
         "" if r["agreement"] is None else f"{r['agreement']:.3f}",
         "" if r["distance"] is None else f"{r['distance']:.4g} {r['unit']}",
         "" if r["turn"] is None else f"{r['turn']:.3g}°")
        for r in low.to_pylist()
    ]  # fmt: skip
    if rows:
        typer.echo()
        table(["item", "class", "what changed", "agreement", "went", "turned"], rows)
        _rest(worst.num_rows, "labels that went; --json gives all")
        if _changed(found).num_rows == LISTED:
            typer.echo(f"  of the first {LISTED:,} that changed")


def _changed(found: Diff) -> pa.Table:
    """Return the labels that are there before and after, as many as are listed."""
    changed = pc.equal(found.labels.column("change"), "changed")
    return found.labels.filter(changed).slice(0, LISTED)


def _show_items(found: Diff, sides: Sides, *, every: bool) -> None:
    ranked = by_item(found)
    if not ranked.num_rows:
        return
    shown = ranked if every else ranked.slice(0, SHOWN)
    names = item_names(shown.column("item_id").combine_chunks(), *sides)
    rows = [
        (names[r["item_id"]], r["added"], r["removed"], r["changed"]) for r in shown.to_pylist()
    ]
    typer.echo()
    table(["item", "added", "removed", "changed"], rows)
    if not every:
        _rest(ranked.num_rows, "items; --items lists all")


def _rest(count: int, noun: str) -> None:
    if count > SHOWN:
        typer.echo(f"  … {count - SHOWN:,} more {noun}")


def show_drift(drift: Drift) -> None:
    """Print how class shares moved."""
    typer.echo(
        f"\nclass shares moved: Jensen-Shannon {drift.jensen_shannon:.4f} (0 to 1), "
        f"PSI {drift.psi:.4f}"
    )
    rows = [(c.category, c.before, c.after, c.change) for c in drift.classes[:SHOWN]]
    table(["class", "share before", "after", "change"], rows)
    more = len(drift.classes) - SHOWN
    if more > 0:
        typer.echo(f"  … {more:,} more; --json gives all")


def diff_json(
    found: Diff,
    sides: Sides,
    named: tuple[str, str],
    layers: Layers = (None, None),
    *,
    details: bool = True,
) -> dict[str, Any]:
    """Return a difference as JSON values; lists are cut at ten thousand entries and say so."""
    names = class_names(*sides)
    sources = zip(named, sides, strict=True)
    before, after = ({"revision": name, "root": m.root} for name, m in sources)
    summary = {n: _counts(found.tables.get(n, Counts())) for n in ("items", "annotations")}
    content: dict[str, Any] = {
        "from": before,
        "to": after,
        "summary": summary,
        "verdict": verdict(found),
        "tables": {name: _counts(c) for name, c in found.tables.items()},
        "meanings": dict(found.meanings),
        "columns": dict(found.columns),
    }
    if details:
        content["classes"] = [c.__dict__ for c in by_class(found, names)]
        content["reclassified"] = [
            {"from": a, "to": b, "labels": n} for a, b, n in reclassified(found, names)
        ]
        content["items"] = _item_list(found, sides)
        content["labels"] = _label_list(found, names)
        content["measures"] = _measure_list(found, sides, layers)
        content["cut_at"] = LISTED
    return content


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "added": counts.added,
        "removed": counts.removed,
        "changed": counts.changed,
        "provenance_only": counts.provenance,
    }


def _item_list(found: Diff, sides: Sides) -> list[dict[str, Any]]:
    ranked = by_item(found).slice(0, LISTED)
    names = item_names(ranked.column("item_id").combine_chunks(), *sides)
    return [
        {**row, "item_id": str(row["item_id"]), "uri": names[row["item_id"]]}
        for row in ranked.to_pylist()
    ]


def _measure_list(found: Diff, sides: Sides, layers: Layers) -> list[dict[str, Any]]:
    """Return by how much labels changed, those that agree least first."""
    rows = measured(_changed(found), sides, layers)
    if not rows.num_rows:
        return []
    return [
        {"annotation_id": str(r["annotation_id"]),
         **{name: r[name] for name in MEASURES if r[name] is not None}}
        for r in rows.to_pylist()
    ]  # fmt: skip


def _label_list(found: Diff, names: dict[int | None, str]) -> list[dict[str, Any]]:
    labels = found.labels.filter(pc.not_equal(found.labels.column("change"), "provenance"))
    return [
        {
            "layer": r["layer"],
            "item_id": str(r["item_id"]),
            "annotation_id": str(r["annotation_id"]),
            "change": r["change"],
            "meanings": r["meanings"],
            "class_before": names.get(r["category_before"]) if r["change"] != "added" else None,
            "class_after": names.get(r["category_after"]) if r["change"] != "removed" else None,
            **(
                {"annotation_after": str(r["annotation_after"]), "agreement": r["agreement"]}
                if r["annotation_after"] is not None
                else {}
            ),
        }
        for r in labels.slice(0, LISTED).to_pylist()
    ]
