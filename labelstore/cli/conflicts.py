"""Conflicts of a merge, asked about, shown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import typer

from labelstore.changes.summary import verdict
from labelstore.cli.output import counted, table

if TYPE_CHECKING:
    from labelstore.changes.merging.branching import MergeReport
    from labelstore.changes.merging.policies import Decide, Take

SHOWN = 12
ANSWERS: Mapping[str, Take] = {"o": "ours", "t": "theirs"}


def asked(decide: Decide) -> Decide:
    """Return what shows each conflict that is left open on the terminal and asks who wins."""

    def ask(conflicts: pa.Table) -> Sequence[Take]:
        takes = list(decide(conflicts))
        for at, conflict in enumerate(conflicts.to_pylist()):
            if takes[at] is None:
                takes[at] = _answer(conflict)
                if takes[at] is None:
                    break
        return takes

    return ask


def _answer(conflict: Mapping[str, Any]) -> Take:
    typer.echo(f"\n{_place(conflict)}, {conflict['cell']}; was {conflict['base']}")
    for side in ("ours", "theirs"):
        typer.echo(f"  {side}: {conflict[side]} ({conflict[f'{side}_by']})")
    said = typer.prompt("take (o)urs, (t)heirs, or (s)top", default="s")
    return ANSWERS.get(said[:1].lower())


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
        "root": report.root,
    }  # fmt: skip


def show_merge(report: MergeReport, branch: str, file: Path | None, *, dry_run: bool) -> None:
    """Print what came of a merge, and its conflicts."""
    _show_conflicts(report.conflicts)
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
        typer.echo(f"{branch}: {done} ({report.outcome}); this branch: {found}")


def _show_conflicts(conflicts: pa.Table) -> None:
    names = ("item", "cell", "base", "ours", "ours_by", "theirs", "theirs_by", "take")
    rows = [(_place(c), *(c[n] for n in names)) for c in conflicts.slice(0, SHOWN).to_pylist()]
    if rows:
        table(["row", "item", "cell", "was", "ours", "by", "theirs", "by", "taken"], rows)
    if conflicts.num_rows > SHOWN:
        typer.echo(f"  … {conflicts.num_rows - SHOWN:,} more; --json gives all")
