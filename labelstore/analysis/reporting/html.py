"""Pages that stand alone: no script, nothing loaded from elsewhere, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

SHOWN = 50
"""Rows of a table that are shown."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root{color-scheme:light dark;--line:#8884;--was:#d1495b;--now:#00798c}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;margin:.5rem 0}
td,th{padding:.2rem .8rem;border-bottom:1px solid var(--line);text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.verdict{font-size:1.1rem;border-left:4px solid var(--now);padding:.3rem .8rem}
.broken{border-color:var(--was)}
.pictures{columns:20rem;column-gap:1rem}
figure{margin:0 0 1rem;break-inside:avoid}figcaption{font-size:.85rem;overflow-wrap:anywhere}
svg{max-width:100%;height:auto;background:#8881}svg text{fill:currentColor;font-size:12px}
.s,.l,.h{fill:none;vector-effect:non-scaling-stroke;stroke-width:2}
.was *{stroke:var(--was);stroke-dasharray:5 3}.now *{stroke:var(--now)}
.was .d,.was .m{fill:var(--was)}.now .d,.now .m{fill:var(--now)}
.m{fill-opacity:.4;stroke:none}.was .t,.now .t{stroke:none}
.key span{padding:0 .5rem}.key .a{color:var(--was)}.key .b{color:var(--now)}
"""


def document(name: str, title: str, body: Iterable[str]) -> str:
    """Return a page.

    Args:
        name: what the browser's tab says.
        title: the heading.
        body: pieces of HTML, in which texts are escaped already.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{''.join(body)}</body></html>\n"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table; at most fifty rows, and how many more there are."""
    if not rows:
        return ""
    numbers = [all(isinstance(row[i], int | float) for row in rows if row[i] is not None)
               for i in range(len(columns))]  # fmt: skip
    marks = [' class="n"' if n else "" for n in numbers]
    head = "".join(f"<th{m}>{escape(c)}</th>" for m, c in zip(marks, columns, strict=True))
    lines = "".join(f"<tr>{_cells(row, marks)}</tr>" for row in rows[:SHOWN])
    more = f"<p>… {len(rows) - SHOWN:,} more</p>" if len(rows) > SHOWN else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{more}"


def _cells(row: Sequence[Any], marks: Sequence[str]) -> str:
    return "".join(f"<td{m}>{_cell(v)}</td>" for m, v in zip(marks, row, strict=True))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))
