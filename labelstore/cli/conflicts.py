"""Conflicts of a merge, asked about, shown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import typer

from labelstore.changes.summary import verdict
from labelstore.cli.output import notice, table
from labelstore.errors import counted

if TYPE_CHECKING:
    from labelstore.changes.merging.branching import MergeReport
    from labelstore.changes.merging.policies import Decide, Take

SHOWN = 12
QUESTION = "take (o)urs, (t)heirs; (O)urs or (T)heirs of all that are left; or (s)top"
SIDES: Mapping[str, Take] = {"o": "ours", "t": "theirs"}


def asked(decide: Decide) -> Decide:
    """Return what shows each conflict that is left open on the terminal and asks who wins."""

    def ask(conflicts: pa.Table) -> Sequence[Take]:
        takes = list(decide(conflicts))
        rest: Take = None
        for at, conflict in enumerate(conflicts.to_pylist()):
            if takes[at] is None and rest is None:
                said = _answer(conflict)
                if said == "s":
                    break
                rest = SIDES[said.lower()] if said.isupper() else None
                takes[at] = SIDES[said.lower()]
            takes[at] = takes[at] or rest
        return takes

    return ask


def _answer(conflict: Mapping[str, Any]) -> str:
    where = ", ".join(str(conflict[n]) for n in ("item", "class") if conflict[n])
    typer.echo(f"\n{_place(conflict)} ({where}), {conflict['cell']}; was {conflict['base']}")
    for side in ("ours", "theirs"):
        typer.echo(f"  {side}: {conflict[side]} ({conflict[f'{side}_by']})")
    while True:
        said = str(typer.prompt(QUESTION, default="s"))
        if said in ("o", "t", "O", "T", "s"):
            return said
        typer.echo("o, t, O, T or s")


def _place(conflict: Mapping[str, Any]) -> str:
    of = f"{conflict['partition']}/" if conflict["partition"] else ""
    return f"{conflict['table']}/{of}{conflict['id']}"


def listed(conflicts: pa.Table) -> list[dict[str, Any]]:
    """Return conflicts as JSON values."""
    rows: list[dict[str, Any]] = conflicts.to_pylist()
    for row in rows:
        for side in ("base", "ours", "theirs"):
            row[side] = json.loads(row[side])
        for side in ("ours", "theirs"):
            at = row[f"{side}_at"]
            row[f"{side}_at"] = at.isoformat() if at else None
        row |= {name: str(row[name]) for name in ("id", "item_id") if row[name] is not None}
    return rows


def merge_json(report: MergeReport) -> dict[str, Any]:
    """Return what came of a merge as JSON values."""
    return {
        "outcome": report.outcome, "commit": report.commit,
        "conflicts": listed(report.conflicts),
        "root": report.root, "twins": list(report.twins),
    }  # fmt: skip


def show_merge(report: MergeReport, branch: str, file: Path | None, *, dry_run: bool) -> None:
    """Print what came of a merge, and its conflicts."""
    _show_conflicts(report.open)
    _show_decided(report.conflicts)
    if report.changes is None:
        where = "pass --policy, or --conflicts FILE and then --take FILE"
        if file is not None:
            where = f"decide them in {file}, then pass --take {file}"
        count = counted(report.open.num_rows, "conflict")
        typer.echo(f"{count} open; nothing was changed. To go on, {where}")
    elif report.outcome == "up-to-date":
        typer.echo(f"already up to date with {branch}")
    else:
        found = verdict(report.changes)
        done = "would be merged" if dry_run else f"merged as {(report.commit or '')[:12]}"
        how = " (fast-forward)" if report.outcome == "fast-forward" else ""
        typer.echo(f"{branch}: {done}{how}; this branch: {found}")
        for twin in report.twins[:SHOWN]:
            notice(f"both sides added {twin}: there are two now")


def _show_conflicts(conflicts: pa.Table) -> None:
    names = ("item", "class", "cell", "base", "ours", "ours_by", "theirs", "theirs_by")
    rows = [(_place(c), *(c[n] for n in names)) for c in conflicts.slice(0, SHOWN).to_pylist()]
    if rows:
        table(["row", "item", "class", "cell", "was", "ours", "by", "theirs", "by"], rows)
    if conflicts.num_rows > SHOWN:
        typer.echo(f"  … {conflicts.num_rows - SHOWN:,} more; --json gives all")


def _show_decided(conflicts: pa.Table) -> None:
    """Say how many conflicts were decided, and for whom."""
    takes = conflicts.column("take").to_pylist()
    said = [f"{takes.count(side):,} {side}" for side in ("ours", "theirs") if side in takes]
    if said:
        typer.echo(f"conflicts decided: {', '.join(said)} (--json lists them)")
