"""Commands that ask: query, stats, drift, check."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from labelstore.cli.options import (
    HERE,
    At,
    Json,
    Layer,
    Quiet,
    Revision,
    StoreDir,
    opened,
    revisions,
)
from labelstore.cli.output import emit_json, notice, progress, table
from labelstore.errors import SHOWN_FAULTS, InvalidInput

if TYPE_CHECKING:
    from labelstore.analysis.faults import Finding

NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?")
"""Parameters that are numbers; others, such as 007, are texts."""
LONGEST = 120
"""Characters of a value that a line shows."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (query, stats, drift, check):
        app.command(command.__name__)(command)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the views.")] = "",
    at: At = None,
    statement: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of our own statements.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="Value of $NAME; may be repeated."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            help="Ask all versions from this one; views tell `version`.",
            autocompletion=revisions,
        ),
    ] = None,
    engine: Annotated[
        Literal["duckdb", "spark"], typer.Option(help="What answers; Spark needs --master.")
    ] = "duckdb",
    master: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Of Spark: spark://HOST:7077, or local[2]."),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List our own statements; with --statement its text.")
    ] = False,
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

    `versions` lists the versions up to this one. A query that names versions('A', 'B') is about
    all from A to B: each view has a column `version`.

    \b
    Examples:
      labelstore query "SELECT kind, count(*) FROM annotations GROUP BY kind" --at v3
      labelstore query "SELECT * FROM labels WHERE score < $least" --param least=0.3
      labelstore query "SELECT version, count(*) FROM annotations
                        JOIN versions('v1', 'v4') USING (version) GROUP BY version"
      labelstore query --list
      labelstore query --statement classes_by_split
      labelstore query --statement rework_by_author --since v1 --at v4
      labelstore query --statement class_balance --engine spark --master spark://host:7077
    """
    from labelstore.cli.tables import write_result
    from labelstore.query.sandbox import Limits
    from labelstore.query.statements import statement as named

    if listed:
        _list_statements(statement)
        return
    if bool(sql) == (statement is not None):
        both = " and not both" if sql else ""
        raise InvalidInput(f"give a query or --statement NAME{both}", code="query-text")
    if (engine == "spark") != (master is not None):
        raise InvalidInput("--engine spark and --master URL go together", code="query-engine")
    values = dict(map(_parameter, parameters or ()))
    if statement is not None:
        own = named(statement)
        if own.several != (since is not None):
            said = "is about several versions: give --since REV" if own.several else (
                "is about one version: leave out --since")  # fmt: skip
            raise InvalidInput(f"{statement} {said}", code="query-versions")
        sql, values = own.sql, {**dict.fromkeys(own.parameters), **values}
    result = opened(store).query(
        sql, at=at, parameters=values, limits=Limits(memory, seconds), since=since, master=master
    )
    write_result(result, "json" if json else format, sys.stdout)


def _parameter(text: str) -> tuple[str, Any]:
    """Return name and value of `NAME=VALUE`: a number where it is one, else text."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InvalidInput(f"--param {text}: write NAME=VALUE", code="query-parameter")
    if not NUMBER.fullmatch(value):
        return name, value
    return name, float(value) if "." in value else int(value)


def _list_statements(name: str | None) -> None:
    from labelstore.query.statements import statement, statements

    if name is not None:
        typer.echo(statement(name).sql, nl=False)
        return
    for own in statements().values():
        told = ", ".join(f"${parameter}" for parameter in own.parameters)
        typer.echo(f"{own.name}{f'  ({told})' if told else ''}\n    {own.purpose}")


def stats(
    at: At = None,
    layer: Layer = None,
    items: Annotated[
        bool, typer.Option("--items", help="Count items, and measure sizes and labels per item.")
    ] = False,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="Balance by split, layer, author, source, kind or "
                     "month, too; may be repeated."),
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="Only labels that meet a condition.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write class weights for a loss as JSON.")
    ] = None,
    beta: Annotated[float, typer.Option(help="Of the effective number of samples.")] = 0.999,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page.")] = None,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:  # fmt: skip
    """Show class balance: labels per class, imbalance, weights for a loss.

    Counts come from the part index; --items, --by and --where scan the labels.

    \b
    Examples:
      labelstore stats --at v3
      labelstore stats --items --html stats.html
      labelstore stats --by split --by author
      labelstore stats --where "category = 'person' AND occluded > 0"
      labelstore stats --weights weights.json
    """
    from labelstore.analysis.statistics import as_json, class_weights
    from labelstore.cli.numbers import show_stats

    opened_store = opened(store)
    found = opened_store.stats(
        at=at, layer=layer, items=items, by=by or (), where=where, beta=beta
    )
    if weights is not None:
        content = {"beta": beta, **class_weights(found, opened_store.manifest(at))}
        text = dumps({"schema": "labelstore/class-weights/1", **content}, indent=1)
        weights.write_text(text + "\n", encoding="utf-8")
        notice(f"wrote {weights}")
    if html is not None:
        from labelstore.analysis.reporting.numbers import numbers_page

        title = at or ("stage" if opened_store.staged() else "HEAD")
        html.write_text(numbers_page(found, title), encoding="utf-8")
        notice(f"wrote {html}")
    if json:
        emit_json("stats", as_json(found))
    else:
        show_stats(found)


def drift(
    before: Annotated[str, Revision(metavar="A", help="Older version, or REV:LAYER.")],
    after: Annotated[
        str | None,
        Revision(metavar="[B]", help="Newer version, or REV:LAYER; else the stage, or HEAD."),
    ] = None,
    layer: Layer = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Labels of both sides that meet a condition, or are in "
                     "split:SCHEME/SUBSET."),
    ] = None,
    of_before: Annotated[
        str | None, typer.Option("--before", metavar="SQL", help="The same, of A alone.")
    ] = None,
    of_after: Annotated[
        str | None, typer.Option("--after", metavar="SQL", help="The same, of B alone.")
    ] = None,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:  # fmt: skip
    """Show how far classes, sizes, places, authors, … moved from one side to another.

    The effect comes first: with many labels the smallest shift is beyond chance. Chances are
    corrected for the number of questions (Holm).

    \b
    Examples:
      labelstore drift v3 v4
      labelstore drift v4:ground_truth v4:model-a
      labelstore drift v4 v4 --before split:default/train --after split:default/test
      labelstore drift v3 v4 --where "category = 'person'"
    """
    from labelstore.analysis.drift.report import as_json
    from labelstore.cli.differences import show_drift

    if where is not None and (of_before or of_after):
        raise InvalidInput("--where is for both sides; leave out --before and --after",
                           code="drift-where")  # fmt: skip
    found = opened(store).drift(before, after, layer=layer, of_before=of_before or where,
                                of_after=of_after or where)  # fmt: skip
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
