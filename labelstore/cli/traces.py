"""The commands `trace` and `blame`."""

from __future__ import annotations

from collections.abc import Iterator
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labelstore.cli.options import HERE, AtVersion, Json, StoreDir, opened
from labelstore.cli.output import emit_json, notice, table
from labelstore.errors import counted

if TYPE_CHECKING:
    from labelstore.lineage.blame import Blame
    from labelstore.lineage.rows import Row
    from labelstore.lineage.sources import Source
    from labelstore.lineage.trace import Held, Review, Step, Trace

Page = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("trace")(trace)
    app.command("blame")(blame)


def trace(
    annotation_id: Annotated[int, typer.Argument(metavar="ID", help="Id of an annotation.")],
    at: AtVersion = "HEAD",
    html: Page = None,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:
    """Show the life of one label: versions, changes, who, from which file, and who holds it.

    Newest first: each version in which it changed, field by field; who wrote that, by which
    activity, and the file and place it was read from; then its review, the subsets that its item
    lay in, and the pins that hold it (those written here, and those that Git tracks).

    \b
    Examples:
      labelstore trace 3366897374462139
      labelstore trace 3366897374462139 --at v3 --html label.html
    """
    found = opened(store).trace(annotation_id, at=at)
    if html is not None:
        _write_page(html, f"annotation {annotation_id}", found.category, [*_sections(found)])
    if json:
        emit_json("trace", trace_json(found))
    elif html is None:
        show_trace(found)


def blame(
    item: Annotated[str, typer.Argument(help="URI of an item, or its id.")],
    at: AtVersion = "HEAD",
    html: Page = None,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:
    """Show who last wrote each label of an item, when, and in which version.

    \b
    Example:
      labelstore blame 000000397133.jpg --at v3
    """
    found = opened(store).blame(item, at=at)
    if html is not None:
        _write_page(html, f"item {found.item}", at, [("labels", BLAMED, [*_blamed(found)])])
    if json:
        emit_json("blame", _blame_json(found))
    elif html is None:
        typer.echo(f"item {found.item} ({found.item_id}): {counted(len(found.labels), 'label')}")
        table(BLAMED, [*_blamed(found)])


def show_trace(found: Trace) -> None:
    """Print the life of a label, newest version first."""
    typer.echo(f"annotation {found.annotation_id}  {found.category}  item {found.item}")
    if found.made_by or found.made_at:
        typer.echo(f"  made{_made(found)}")
    for step in reversed(found.steps):
        typer.echo(f"  {step.version}  {step.commit.when[:10]}  {step.change}{_by(step)}")
        means = _means(step.activity) if step.activity else ""
        if means:
            typer.echo(f"      {means}")
        for name, (old, new) in step.columns.items():
            typer.echo(f"      {name}: {_short(old)} → {_short(new)}")
        for own in step.others:
            typer.echo(f"      perhaps also {_other(own)}")
    if found.review is not None:
        typer.echo(f"  review: {_reviewed(found.review)}")
    for placed in reversed(found.subsets):
        words = f"in {placed.scheme}/{placed.subset}" if placed.subset else (
            f"in no subset of {placed.scheme}")  # fmt: skip
        typer.echo(f"  since {placed.commit.name}  {words}")
    for held in found.pins:
        typer.echo(f"  {_pinned(held)}")


def _made(found: Trace) -> str:
    """Return who judged, and when, as the source has it."""
    by = f" by {found.made_by}" if found.made_by else ""
    return by + (f" at {found.made_at:%Y-%m-%d %H:%M}" if found.made_at else "")


def _means(activity: Row) -> str:
    """Return the tool, the model's weights and the guideline of an activity, if they are told."""
    tool = "" if activity["tool"] == "labelstore" else "@".join(
        filter(None, (activity["tool"], activity["tool_version"])))  # fmt: skip
    weights = loads(activity["parameters"] or "{}").get("weights", {}).get("sha256")
    digest = activity["guideline_sha256"]
    said = (tool and f"with {tool}", weights and f"weights sha256 {weights[:12]}…",
            activity["guideline"] and f"by {activity['guideline']}"
            + (f" (sha256 {digest[:12]}…)" if digest else ""))  # fmt: skip
    return ", ".join(word for word in said if word)


def _pinned(held: Held) -> str:
    if not held.here:
        return (f"perhaps pinned by {held.path} ({held.revision}): that version is not here; "
                "`labelstore pull` fetches it")  # fmt: skip
    of = f", as of {held.version}" if held.version else ""
    return f"pinned by {held.path} ({held.revision}{of})"


def _by(step: Step) -> str:
    words = f"  by {step.agent}" if step.agent else f"  by git: {step.commit.subject}"
    if step.activity:
        said = step.activity["message"]
        words += f"  {step.activity['kind']}" + (f": {said}" if said else "")
    return words + (f" from {_from(step.source)}" if step.source else "")


def _other(activity: Row) -> str:
    """Return an activity that may have had a part in a change: kind, agent, message, files."""
    files = ", ".join(file["path"] for file in (activity["inputs"] or [])[:3])
    said = f": {activity['message']}" if activity["message"] else ""
    return f"{activity['kind']}{said} by {activity['agent']}" + (f" from {files}" if files else "")


def _from(source: Source) -> str:
    place = ", ".join(
        p for p in (source.place, source.source_id and f"id {source.source_id}") if p
    )
    more = f" or {counted(source.others, 'other file')}" if source.others else ""
    return f"{source.path}{more}" + (f", {place}" if place else "") + (
        f" (sha256 {source.sha256[:12]}…)")  # fmt: skip


def _reviewed(review: Review) -> str:
    when = f" at {review.at:%Y-%m-%d %H:%M}" if review.at else ""
    outdated = ", outdated: something wrote the label since" if review.outdated else ""
    return f"{review.state}" + (f" by {review.by}" if review.by else "") + when + outdated


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        value = [v for v in value.values() if v is not None]
    text = str(value) if value is not None else "-"
    return text if len(text) <= 48 else text[:45] + "…"


BLAMED = ["label", "layer", "class", "kind", "made by", "last written by", "activity", "version",
          "date", "review"]  # fmt: skip


def _blamed(found: Blame) -> Iterator[tuple[Any, ...]]:
    for own in found.labels:
        review = own.review
        state = (
            None if review is None else review.state + (" (outdated)" if review.outdated else "")
        )
        yield (str(own.annotation_id), own.layer, own.category, own.kind, own.created_by, own.by,
               own.activity, own.commit.name if own.commit else None,
               own.at and f"{own.at:%Y-%m-%d}", state)  # fmt: skip


def _blame_json(found: Blame) -> dict[str, Any]:
    labels = [
        {
            "annotation_id": str(own.annotation_id),
            "layer": own.layer,
            "category": own.category,
            "kind": own.kind,
            "created_by": own.created_by,
            "by": own.by,
            "activity": own.activity,
            "at": own.at,
            "version": own.commit.name if own.commit else None,
            "commit": own.commit.sha if own.commit else None,
            "review": _review_json(own.review),
        }
        for own in found.labels
    ]
    return {"item_id": str(found.item_id), "item": found.item, "labels": labels}


def trace_json(found: Trace) -> dict[str, Any]:
    """Return a trace as JSON values."""
    return {
        "annotation_id": str(found.annotation_id),
        "layer": found.layer,
        "item": found.item,
        "category": found.category,
        "made_by": found.made_by,
        "made_at": found.made_at,
        "steps": [_step_json(step) for step in found.steps],
        "review": _review_json(found.review),
        "subsets": [
            {"version": p.commit.name, "commit": p.commit.sha, "scheme": p.scheme,
             "subset": p.subset} for p in found.subsets
        ],
        "pins": [vars(held) for held in found.pins],
    }  # fmt: skip


def _step_json(step: Step) -> dict[str, Any]:
    activity = None
    if step.activity:
        kept = ("kind", "tool", "tool_version", "model", "guideline", "guideline_sha256",
                "parameters", "started_at", "ended_at", "message", "inputs")  # fmt: skip
        activity = {name: step.activity[name] for name in kept}
        activity["activity_id"] = str(step.activity["activity_id"])
    return {
        "version": step.version,
        "commit": step.commit.sha,
        "change": step.change,
        "agent": step.agent,
        "columns": {n: {"before": a, "after": b} for n, (a, b) in step.columns.items()},
        "activity": activity,
        "source": vars(step.source) if step.source else None,
        "others": [_other(own) for own in step.others],
    }


def _review_json(review: Review | None) -> dict[str, Any] | None:
    return None if review is None else vars(review)


Section = tuple[str, list[str], list[tuple[Any, ...]]]


def _sections(found: Trace) -> Iterator[Section]:
    """Yield the tables of a trace's page."""
    yield ("label", ["layer", "item", "class", "made"],
           [(found.layer, found.item, found.category, _made(found))])  # fmt: skip
    steps: list[tuple[Any, ...]] = []
    for step in reversed(found.steps):
        told = (step.version, step.commit.when[:10], step.change, step.agent,
                step.activity and step.activity["kind"],
                step.activity and step.activity["message"],
                step.source and _from(step.source))  # fmt: skip
        steps.append((*told, None, None, None))
        steps += [(None,) * 6 + (f"perhaps also {_other(own)}", None, None, None)
                  for own in step.others]  # fmt: skip
        steps += [(None,) * 7 + (name, _short(a), _short(b))
                  for name, (a, b) in step.columns.items()]  # fmt: skip
    yield ("versions", ["version", "date", "change", "by", "activity", "message", "read from",
                        "field", "before", "after"], steps)  # fmt: skip
    if found.review:
        yield "review", ["state"], [(_reviewed(found.review),)]
    yield ("subsets", ["since", "scheme", "subset"],
           [(p.commit.name, p.scheme, p.subset) for p in reversed(found.subsets)])  # fmt: skip
    yield ("pins", ["file", "revision", "commit", "as of"],
           [(p.path, p.revision, p.commit[:12], p.version if p.here else "not here")
            for p in found.pins])  # fmt: skip


def _write_page(file: Path, name: str, of: str, sections: list[Section]) -> None:
    """Write tables as a page that stands alone."""
    from labelstore.analysis.reporting import html

    body = [f"<h2>{head}</h2>{html.table(columns, rows)}" for head, columns, rows in sections
            if rows]  # fmt: skip
    file.write_text(html.document(f"labelstore {name}", f"{name} · {of}", body), encoding="utf-8")
    notice(f"wrote {file}")
