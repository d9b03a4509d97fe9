"""The command `consensus`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labelstore.cli.options import HERE, By, Json, MinAgreement, Quiet, StoreDir, opened
from labelstore.cli.output import emit_json, notice, progress, table
from labelstore.errors import InvalidInput, counted

if TYPE_CHECKING:
    from labelstore.analysis.consensus.report import Consensus


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("consensus")(consensus)


def consensus(
    layers: Annotated[
        list[str] | None,
        typer.Argument(help="Layers to take; if none is named, all that no consensus made."),
    ] = None,
    into: Annotated[str, typer.Option(metavar="LAYER", help="Layer that takes it.")] = "consensus",
    method: Annotated[
        Literal["quorum", "dawid-skene"],
        typer.Option(help="By votes, or by an estimate of how each author errs."),
    ] = "quorum",
    among: Annotated[
        Literal["layer", "author"],
        typer.Option(help="Each layer is an author, or each agent within one layer is."),
    ] = "layer",
    quorum: Annotated[
        int | None,
        typer.Option(metavar="N", help="Authors who must have an object; else more than half."),
    ] = None,
    sure: Annotated[
        float | None,
        typer.Option(help="Chance that dawid-skene must exceed; 0.5 otherwise.", min=0, max=1),
    ] = None,
    min_agreement: MinAgreement = None,
    queue: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write objects that are open as CSV, for review."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would come of it.")
    ] = False,
    by: By = None,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make one layer of the labels of several authors, staged like any edit.

    An object is one if enough authors have it, and takes the class that most of them say (quorum),
    or what is likeliest of how each of them errs (dawid-skene). Its label is that of the author
    whose shape agrees most with the others'; relations say from which labels it comes. What nobody
    can say is left out, and told.

    \b
    Examples:
      labelstore consensus vendor-a vendor-b vendor-c
      labelstore consensus ground_truth --among author --method dawid-skene --sure 0.9
      labelstore consensus --quorum 3 --queue open.csv --dry-run
    """
    if queue is not None and not queue.absolute().parent.is_dir():
        raise InvalidInput(f"{queue}: there is no folder {queue.absolute().parent}",
                           code="queue-folder")  # fmt: skip
    opened_store = opened(store)
    with progress(quiet=quiet) as advance:
        found, open_ = opened_store.consensus(
            layers or (), into=into, method=method, among=among, quorum=quorum, sure=sure,
            least=min_agreement, by=by, dry_run=dry_run, progress=advance,
        )  # fmt: skip
    if queue is not None:
        from labelstore.cli.tables import write_queue

        write_queue(open_, opened_store.manifest(), [a.name for a in found.authors], queue)
        notice(f"wrote {queue}: {counted(open_.num_rows, 'object')}")
    if json:
        emit_json("consensus", {**found.as_json(), "dry_run": dry_run})
    else:
        _show(found, dry_run=dry_run)


def _show(found: Consensus, *, dry_run: bool) -> None:
    typer.echo(
        f"{counted(found.objects, 'object')} on {counted(found.items, 'item')}: "
        f"{found.kept:,} kept, {found.left_out:,} left out, {found.open:,} open"
    )
    verb = "would come to" if dry_run else "staged in"
    typer.echo(f"{verb} layer {found.layer}: +{found.added:,} ~{found.changed:,} "
               f"-{found.removed:,} labels")  # fmt: skip
    if found.by_hand:
        typer.echo(f"{counted(found.by_hand, 'label')} that somebody changed since stay as they "
                   "are")  # fmt: skip
    if found.unlinked:
        typer.echo(f"{counted(found.unlinked, 'label')} without the track, group or parent that "
                   "the author's has")  # fmt: skip
    columns = ["author", "objects", "agreed", "missed", "other class", "extra", "accuracy"]
    rows = [(a.name, a.objects, a.agreed, a.missed, a.other, a.extra, a.accuracy)
            for a in found.authors]  # fmt: skip
    width = len(columns) if found.method == "dawid-skene" else len(columns) - 1
    table(columns[:width], [row[:width] for row in rows], title="\nauthors")
