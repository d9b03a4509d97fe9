"""Class shares as bars, and class changes as a matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelstore.analysis.drift.report import Drift

SHOWN = 20
NAME, BAR, LINE = 160, 420, 22


def drift_bars(drift: Drift) -> str:
    """Return the shares of the classes that moved most, before above after."""
    shown = [c for c in drift.classes if c.change][:SHOWN]
    top = max((max(c.before, c.after) for c in shown), default=0.0) or 1.0
    rows = []
    for i, one in enumerate(shown):
        y = i * LINE
        name = escape(one.category if len(one.category) <= 24 else one.category[:23] + "…")
        rows.append(f'<text x="{NAME - 8}" y="{y + 14}" text-anchor="end">{name}</text>')
        for at, share, colour in ((y + 3, one.before, "was"), (y + 11, one.after, "now")):
            rows.append(f'<rect x="{NAME}" y="{at}" width="{share / top * BAR:.1f}" height="7" '
                        f'fill="var(--{colour})"/>')  # fmt: skip
        rows.append(
            f'<text x="{NAME + BAR + 8}" y="{y + 14}">{100 * one.change:+.2f} points</text>'
        )
    width, height = NAME + BAR + 110, LINE * len(shown)
    return (f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            f'aria-label="class shares before and after">{"".join(rows)}</svg>')  # fmt: skip


def count_bars(counts: Sequence[tuple[str, int]]) -> str:
    """Return counts as bars, the first ones; each with its name and number."""
    shown = counts[:SHOWN]
    top = max((n for _, n in shown), default=0) or 1
    rows = []
    for i, (said, count) in enumerate(shown):
        y = i * LINE
        name = escape(said if len(said) <= 24 else said[:23] + "…")
        rows.append(f'<text x="{NAME - 8}" y="{y + 14}" text-anchor="end">{name}</text>'
                    f'<rect x="{NAME}" y="{y + 4}" width="{count / top * BAR:.1f}" height="13" '
                    f'fill="var(--now)"/>'
                    f'<text x="{NAME + BAR + 8}" y="{y + 14}">{count:,}</text>')  # fmt: skip
    width, height = NAME + BAR + 110, LINE * len(shown)
    more = f"<p>… {len(counts) - SHOWN:,} more</p>" if len(counts) > SHOWN else ""
    return (f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            f'aria-label="counts">{"".join(rows)}</svg>{more}')  # fmt: skip


def confusion(moves: Sequence[tuple[str, str, int]]) -> str:
    """Return class changes as a matrix: rows are classes before, columns classes after.

    Args:
        moves: class before, class after, labels; the most frequent first.
    """
    counts = Counter({(a, b): n for a, b, n in moves})
    old, new = (list(dict.fromkeys(names))[:SHOWN] for names in
                ([a for a, _, _ in moves], [b for _, b, _ in moves]))  # fmt: skip
    most = max(counts.values())
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in new)
    lines = []
    for a in old:
        cells = "".join(_cell(counts[a, b], most) for b in new)
        lines.append(f"<tr><th>{escape(a)}</th>{cells}</tr>")
    hidden = len(moves) - sum((a, b) in counts for a in old for b in new)
    more = f"<p>… {hidden:,} more pairs of classes</p>" if hidden else ""
    return (f"<table><thead><tr><th>before \\ after</th>{head}</tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table>{more}")  # fmt: skip


def _cell(count: int, most: int) -> str:
    shade = f' style="background:rgb(209 73 91/{0.15 + 0.6 * count / most:.2f})"' if count else ""
    return f'<td class="n"{shade}>{count or ""}</td>'
