"""The command `review`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelstore.cli.options import HERE, At, By, Json, Layer, StoreDir, opened
from labelstore.cli.output import emit_json, table
from labelstore.errors import counted

if TYPE_CHECKING:
    from labelstore.store import Store


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("review")(review)


def review(
    state: Annotated[
        str | None,
        typer.Argument(metavar="[STATE]", help="draft, submitted, accepted, rejected or gold; "
                       "none takes a review back."),
    ] = None,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", help="Ids of annotations.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="Condition on columns of labels.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Ids from a file: one a line, or a column of "
                     "a CSV such as `query` or `agreement --queue` write."),
    ] = None,
    layer: Layer = None,
    by: By = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; it is kept with the review.")
    ] = None,
    at: At = None,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:  # fmt: skip
    """Say in which state labels are, in your name; staged like any edit.

    Without STATE it shows how many labels are in which state. A label that anything writes after
    its review counts as outdated until it is reviewed again.

    A table in labelstore.toml lets only reviewed labels into a tagged version:

    \b
      [review]
      require = ["accepted", "gold"]
      four_eyes = true

    \b
    Examples:
      labelstore review
      labelstore review accepted --where "category = 'stop sign'" --reason "spot check of 50"
      labelstore review rejected 562949953421314 --by ada --reason "box is on the wrong car"
      labelstore review submitted --from queue.csv
    """
    opened_store = opened(store)
    if state is None:
        if where is not None or file is not None:
            raise typer.BadParameter("name the state: labelstore review STATE --where …")
        _show_states(opened_store, at, layer, json)
        return
    if at is not None:
        raise typer.BadParameter("--at is for looking; a review is of what is staged, or HEAD")
    chosen = _ids(ids, file)
    done = opened_store.review(state, where=where, ids=chosen, layer=layer, by=by, reason=reason)
    if json:
        emit_json("review", vars(done))
        return
    before = ", ".join(f"{n:,} {name}" for name, n in done.before.items())
    were = f" (before: {before})" if before else ""
    typer.echo(f"{counted(done.labels, 'label')} chosen, {done.changed:,} changed{were}")
    if done.changed:
        typer.echo("staged; publish with: labelstore commit")


def _ids(ids: list[int] | None, file: Path | None) -> list[int] | None:
    if file is None:
        return ids or None
    from labelstore.changes.reviewing.listing import read_ids

    return [*(ids or []), *read_ids(file)]


def _show_states(store: Store, at: str | None, layer: str | None, json: bool) -> None:
    rows = store.review_states(at=at, layer=layer).to_pylist()
    if json:
        emit_json("review-states", {"states": rows})
        return
    marks = {"outdated": "changed since", "own": "by its author"}
    table(
        ["layer", "state", "labels", ""],
        [(r["layer"], r["state"] or "none", r["annotations"],
          ", ".join(words for name, words in marks.items() if r[name])) for r in rows],
    )  # fmt: skip
