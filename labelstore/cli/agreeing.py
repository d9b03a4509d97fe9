"""The command `agreement`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labelstore.cli.options import HERE, At, Json, MinAgreement, Quiet, StoreDir, opened
from labelstore.cli.output import emit_json, notice, progress, table
from labelstore.errors import counted

if TYPE_CHECKING:
    from labelstore.analysis.agreement.report import Agreement

SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("agreement")(agreement)


def agreement(
    layers: Annotated[
        list[str] | None,
        typer.Argument(help="Layers to compare; if none is named, all that no consensus made."),
    ] = None,
    by: Annotated[
        Literal["layer", "author"],
        typer.Option(help="Each layer is an author, or each agent within one layer is."),
    ] = "layer",
    min_agreement: MinAgreement = None,
    value: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Compare this number of the labels, too."),
    ] = None,
    metric: Annotated[
        Literal["nominal", "ordinal", "interval", "ratio"],
        typer.Option(help="How far two such numbers are apart."),
    ] = "interval",
    queue: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write disagreements, the worst first, as CSV."),
    ] = None,
    review_below: Annotated[
        float,
        typer.Option(help="Shapes that agree by less are to be reviewed.", min=0, max=1),
    ] = 0.9,
    at: At = None,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show how far authors who labelled the same items agree.

    Labels are matched by geometry, those of one class first, then the rest whatever their class;
    an object that an author missed counts as a class of its own. Alpha is Krippendorff's: 1 for
    agreement, 0 for chance.

    \b
    Examples:
      labelstore agreement vendor-a vendor-b
      labelstore agreement ground_truth --by author --at v3
      labelstore agreement --value "CAST(attributes['severity'] AS INT)" --metric ordinal
      labelstore agreement vendor-a vendor-b --queue review.csv
    """
    opened_store = opened(store)
    with progress(quiet=quiet) as advance:
        found, open_ = opened_store.agreement(
            layers or (), at=at, by=by, least=min_agreement, value=value, metric=metric,
            alike=review_below, progress=advance,
        )  # fmt: skip
    if queue is not None:
        from labelstore.cli.tables import write_queue

        write_queue(open_, opened_store.manifest(at), [a.name for a in found.authors], queue)
        notice(f"wrote {queue}: {counted(open_.num_rows, 'object')}")
    if json:
        emit_json("agreement", {**found.as_json(), "disagreements": open_.num_rows})
    else:
        _show(found)
        typer.echo(f"{counted(open_.num_rows, 'object')} to review; --queue FILE lists them")


def _show(found: Agreement) -> None:
    between = (
        "" if found.low is None else f" (95 % of samples: {found.low:.3f} to {found.high:.3f})"
    )
    alpha = "-" if found.alpha is None else f"{found.alpha:.3f}"
    typer.echo(
        f"alpha {alpha}{between}, {counted(found.objects, 'object')} on "
        f"{counted(found.items, 'item')}"
    )
    if found.fleiss is not None:
        typer.echo(f"Fleiss' kappa {found.fleiss:.3f}")
    if found.shapes is not None:
        typer.echo(f"shapes agree by {found.shapes:.3f} on average")
    if found.value is not None:
        typer.echo(f"alpha of the values ({found.metric}) {found.value:.3f}")
    table(["author", "labels", "missed", "alone", "alpha with others"],
          [(a.name, a.labels, a.missed, a.alone, a.alpha) for a in found.authors],
          title="\nauthors")  # fmt: skip
    pairs = [(p.first, p.second, p.objects, p.kappa, p.shapes, p.correlation)
             for p in found.pairs]  # fmt: skip
    columns = ["author", "and", "objects", "kappa", "shapes", "correlation"]
    width = 6 if found.value is not None else 5
    table(columns[:width], [p[:width] for p in pairs], title="\npairs")
    table(["class", "objects", "alpha"],
          [(g.name, g.objects, g.alpha) for g in found.classes[:SHOWN]],
          title="\nclasses, those least agreed upon first")  # fmt: skip
    if len(found.classes) > SHOWN:
        typer.echo(f"  … {len(found.classes) - SHOWN:,} more")
    if len(found.months) > 1:
        table(["month", "objects", "alpha"], [(g.name, g.objects, g.alpha) for g in found.months],
              title="\nmonths")  # fmt: skip
    if found.sweep:
        table(["shapes agree by", "alpha"], found.sweep, title="\nhow strict")
