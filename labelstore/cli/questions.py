"""Commands that ask: query, stats, drift, check."""

from __future__ import annotations

import sys
from dataclasses import asdict
from json import dumps
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from labelstore.cli.options import HERE, At, Json, Layer, Quiet, Revision, StoreDir, opened
from labelstore.cli.output import emit_json, progress, table
from labelstore.errors import SHOWN_FAULTS

if TYPE_CHECKING:
    from labelstore.analysis.faults import Finding

LONGEST = 120
"""Characters of a value that a line shows."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (query, stats, drift, check):
        app.command(command.__name__)(command)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the views.")],
    at: At = None,
    format: Annotated[
        Literal["table", "json", "csv", "parquet", "arrow"],
        typer.Option(help="How to print; parquet and arrow are binary, for a pipe."),
    ] = "table",
    memory: Annotated[int, typer.Option(metavar="MB", help="Memory it may use.")] = 4096,
    seconds: Annotated[float, typer.Option(help="Time it may take.")] = 600.0,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:
    """Ask a version in SQL: items, annotations, geometries, labels, categories, splits, ….

    \b
    Example:
      labelstore query "SELECT kind, count(*) FROM annotations GROUP BY kind" --at v3
    """
    from labelstore.cli.tables import write_result
    from labelstore.query.sandbox import Limits

    result = opened(store).query(sql, at=at, limits=Limits(memory, seconds))
    write_result(result, "json" if json else format, sys.stdout)


def stats(
    at: At = None,
    layer: Layer = None,
    items: Annotated[bool, typer.Option("--items", help="Count items per class too.")] = False,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:
    """Show class balance: labels per class, imbalance, weights for a loss.

    Counts come from the part index; --items scans the labels.
    """
    found = opened(store).stats(at=at, layer=layer, items=items)
    if json:
        classes = [c.__dict__ for c in found.classes]
        emit_json("stats", {**found.__dict__, "classes": classes})
        return
    columns = ["class", "labels", "share", "weight"] + (["items"] if items else [])
    rows = [
        (c.category, c.annotations, c.share, c.weight, *([c.items] if items else []))
        for c in found.classes
    ]
    table(columns, rows)
    if found.imbalance is not None:
        entropy = "-" if found.entropy is None else f"{found.entropy:.3f}"
        typer.echo(
            f"{found.annotations:,} labels, {len(found.classes)} classes, "
            f"imbalance {found.imbalance:.1f}, entropy {entropy}"
        )


def drift(
    before: Annotated[str, Revision(metavar="A", help="Older version.")],
    after: Annotated[
        str | None, Revision(metavar="[B]", help="Newer version; else the stage, or HEAD.")
    ] = None,
    layer: Layer = None,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:
    """Show how class shares moved between two versions."""
    from labelstore.analysis.drift import as_json
    from labelstore.cli.differences import show_drift

    found = opened(store).drift(before, after, layer=layer)
    if json:
        emit_json("drift", as_json(found))
    else:
        show_drift(found)


def check(
    at: At = None,
    faults: Annotated[
        int, typer.Option(help="Tell so many labels of each rule one by one.", min=0)
    ] = 0,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the rules that a version breaks; exits with 1 where one is an error.

    \b
    Examples:
      labelstore check --at v3
      labelstore check --faults 5
    """
    opened_store = opened(store)
    shown = faults or (SHOWN_FAULTS if json else 0)
    with progress(quiet=quiet) as advance:
        found = opened_store.check(at=at, progress=advance, shown=shown)
    if json:
        emit_json("check", {"findings": [_as_json(f) for f in found]})
    elif found:
        rows = [(f.severity, f.count, f.words, f.code, str(f.example)) for f in found]
        table(["severity", "rows", "what", "code", "example"], rows)
        _show_faults(found)
    else:
        typer.echo("no rule is broken")
    if any(f.severity == "error" for f in found):
        raise typer.Exit(1)


def _as_json(finding: Finding) -> dict[str, Any]:
    """Return a finding for programs: ids are text, as they may be too large for a float."""
    faults = [
        {**asdict(f), "item": _text(f.item), "annotation": _text(f.annotation)}
        for f in finding.faults
    ]
    own = {**asdict(finding), "words": finding.words, "example": str(finding.example)}
    return {**own, "faults": faults}


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _show_faults(found: list[Finding]) -> None:
    """Print the faults that are told one by one, a line each."""
    for finding in found:
        for fault in finding.faults:
            named = {"item": fault.uri or fault.item, "annotation": fault.annotation}
            where = [f"{name} {value}" for name, value in named.items() if value is not None]
            value = dumps(fault.value)
            shown = value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
            said = f"{fault.field} = {shown}"
            typer.echo(f"  {finding.code}: {', '.join([*where, said])}")
