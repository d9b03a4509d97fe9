"""Traces, for people and as JSON."""

from __future__ import annotations

from typing import Any

import typer

from labelstore.lineage.trace import Step, Trace


def show_trace(found: Trace) -> None:
    """Print the life of a label, newest version first."""
    typer.echo(f"annotation {found.annotation_id}  {found.category}  item {found.item}")
    for step in reversed(found.steps):
        typer.echo(f"  {step.version}  {step.commit.when[:10]}  {step.change}{_by(step)}")
        for name, (old, new) in step.columns.items():
            typer.echo(f"      {name}: {_short(old)} → {_short(new)}")


def _by(step: Step) -> str:
    words = f"  by {step.agent}" if step.agent else ""
    if step.activity:
        words += f"  {step.activity['kind']}"
        for source in step.activity["inputs"] or []:
            words += f" from {source['path']} (sha256 {source['sha256'][:12]}…)"
    return words


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        value = [v for v in value.values() if v is not None]
    text = str(value) if value is not None else "-"
    return text if len(text) <= 48 else text[:45] + "…"


def trace_json(found: Trace) -> dict[str, Any]:
    """Return a trace as JSON values."""
    return {
        "annotation_id": str(found.annotation_id),
        "item": found.item,
        "category": found.category,
        "steps": [_step_json(step) for step in found.steps],
    }


def _step_json(step: Step) -> dict[str, Any]:
    activity = None
    if step.activity:
        kept = ("kind", "tool", "tool_version", "started_at", "ended_at", "message", "inputs")
        activity = {name: step.activity[name] for name in kept}
        activity["activity_id"] = str(step.activity["activity_id"])
    return {
        "version": step.version,
        "commit": step.commit.sha,
        "change": step.change,
        "agent": step.agent,
        "columns": {n: {"before": a, "after": b} for n, (a, b) in step.columns.items()},
        "activity": activity,
    }
