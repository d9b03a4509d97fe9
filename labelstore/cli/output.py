"""How results look: tables for people, JSON for programs, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from labelstore.errors import counted


def emit_json(schema: str, content: Mapping[str, Any]) -> None:
    """Print one JSON object with a `schema` key."""
    text = json.dumps({"schema": f"labelstore/{schema}/1", **content}, default=str)
    if "NaN" in text or "Infinity" in text:  # which are no JSON; the words may also be in a text
        plain = json.loads(text, parse_constant=lambda _: None)
        text = json.dumps(plain)
    typer.echo(text)


def notice(text: str, *, quiet: bool = False) -> None:
    """Print a line on stderr."""
    if not quiet:
        typer.echo(text, err=True)


def written(labels: int, asked: int, items: int) -> str:
    """Return how many labels stand on how many items, and of how many where some are left out."""
    said = counted(asked, "label")
    return f"{f'{labels:,} of ' if labels < asked else ''}{said} on {counted(items, 'item')}"


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    title: str = "",
    plain: bool = False,
) -> None:
    """Print a table: aligned, numbers to the right, without frames.

    Args:
        columns: headings.
        rows: values, one list a row.
        title: a line above.
        plain: write integers without separators, so that ids can be copied.
    """
    cells = [[str(v) if plain and type(v) is int else _cell(v) for v in row] for row in rows]
    widths = [max(len(c), *(len(r[i]) for r in cells)) if cells else len(c)
              for i, c in enumerate(columns)]  # fmt: skip
    right = [all(isinstance(r[i], int | float) or r[i] is None for r in rows) and bool(rows)
             for i in range(len(columns))]  # fmt: skip
    if title:
        typer.echo(title)
    for line in [list(columns), *cells]:
        padded = [
            text.rjust(width) if r else text.ljust(width)
            for text, width, r in zip(line, widths, right, strict=True)
        ]
        typer.echo("  " + "  ".join(padded).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value).replace("\n", " ")
    return text if len(text) <= 60 else text[:57] + "…"


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None] | None]:
    """Yield a function that shows how far things are, on a terminal only.

    The bar is drawn when it is told something and never from a thread: imports fork.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
    tasks: dict[str, Any] = {}
    with bar:

        def advance(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=total or None)
            bar.update(tasks[phase], completed=done, total=total or None)
            bar.refresh()

        yield advance
