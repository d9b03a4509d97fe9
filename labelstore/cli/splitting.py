"""The command `split`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labelstore.cli.options import HERE, At, By, Images, Json, Layer, Quiet, StoreDir, opened
from labelstore.cli.output import emit_json, progress, table
from labelstore.errors import InvalidInput, NotFound, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labelstore.analysis.splits.leaks import Leak
    from labelstore.analysis.splits.report import SplitReport

SHOWN = 10
FAR = 0.005
"""Distance of a subset's share from what was asked that is told."""


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("split")(split)


def split(
    scheme: Annotated[str, typer.Argument(help="Name of the split, such as default.")],
    ratios: Annotated[
        str | None, typer.Option(help="Subset to share, adding up to 1: train=0.8,test=0.2.")
    ] = None,
    mode: Annotated[
        Literal["hash", "balanced"],
        typer.Option(help="hash: by the group's name alone. balanced: by classes; what is "
                     "assigned stays."),
    ] = "hash",
    group: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Column of items, or expression, that is kept together."),
    ] = None,
    stratify: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Balance this of the labels instead of their class."),
    ] = None,
    stratify_items: Annotated[
        str | None, typer.Option(metavar="SQL", help="Balance this of the items, too.")
    ] = None,
    layer: Layer = None,
    seed: Annotated[int, typer.Option(help="Another seed is another split.")] = 0,
    freeze: Annotated[
        list[str] | None,
        typer.Option(metavar="SUBSET", help="No item joins or leaves it from now on."),
    ] = None,
    thaw: Annotated[
        list[str] | None, typer.Option(metavar="SUBSET", help="Take that back.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Assign everything anew, but for frozen subsets.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only look at the split that is there.")
    ] = False,
    images: Images = None,
    at: At = None,
    by: By = None,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Assign every item to a subset, staged like any edit, and say what leaks between them.

    Leaks are groups, files of the same content, altered copies and neighbouring frames in
    several subsets; with --images also images that look the same. Exits with 1 where there are
    any.

    \b
    Examples:
      labelstore split default --ratios train=0.8,val=0.1,test=0.1
      labelstore split default --ratios train=0.8,test=0.2 --mode balanced --group scene
      labelstore split default --ratios train=0.8,test=0.2 --mode balanced --freeze test
      labelstore split by_area --ratios a=0.5,b=0.5 --mode balanced
                       --stratify "category || (xmax - xmin > 100)"
      labelstore split default --check --at v3 --images ../images
    """
    if ratios is None and not check:
        raise InvalidInput("say the shares: --ratios train=0.8,test=0.2", code="split-ratios")
    if at is not None and not check:
        raise InvalidInput("--at is for --check; a split is made on what is newest",
                           code="split-at")  # fmt: skip
    opened_store = opened(store)
    report = None
    if not check:
        report = opened_store.split(
            scheme, ratios=ratios or "", mode=mode, group=group, stratify=stratify,
            stratify_items=stratify_items, layer=layer, seed=seed, freeze=freeze or (),
            thaw=thaw or (), fresh=fresh, by=by,
        )  # fmt: skip
    if report is not None and not sum(report.subsets.values()):
        raise NotFound("there are no items to split", code="split-empty")
    with progress(quiet=quiet) as advance:
        present, leaks = opened_store.check_split(
            scheme, at=at, ratios=ratios, layer=layer, images=images, progress=advance
        )
    shown = report or present
    if json:
        emit_json("split", {**shown.as_json(), "leaks": [vars(leak) for leak in leaks]})
    else:
        _show(shown)
        _show_leaks(leaks, staged=report is not None)
    if leaks:
        raise typer.Exit(1)


def _show(report: SplitReport) -> None:
    rows = [
        (name, count, report.shares[name], report.wanted.get(name), report.groups.get(name),
         "frozen" if name in report.frozen else "")
        for name, count in report.subsets.items()
    ]  # fmt: skip
    columns = ["subset", "items", "share", "asked", "groups", ""]
    kept = [i for i, _ in enumerate(columns) if any(row[i] not in (None, "") for row in rows)]
    table([columns[i] for i in kept], [[row[i] for i in kept] for row in rows],
          title=f"split {report.scheme}")  # fmt: skip
    far = [n for n, share in report.wanted.items()
           if abs(report.shares.get(n, 0.0) - share) > FAR]  # fmt: skip
    if far and report.mode == "balanced":
        typer.echo(f"  {', '.join(far)}: the nearest that was found with whole groups")
    elif far and report.mode == "hash":
        typer.echo(f"  {', '.join(far)}: shares by hash are met on average; "
                   "--mode balanced comes nearer")  # fmt: skip
    if report.moved:
        typer.echo(f"  {counted(report.moved, 'item')} moved from another subset")
    if report.left_out:
        typer.echo(f"  {counted(report.left_out, 'item')} of groups in a frozen subset: in none")
    _show_deviations(report)


def _show_deviations(report: SplitReport) -> None:
    scarce = [d for d in report.deviations if d.groups < len(report.wanted)]
    rest = [d for d in report.deviations if d.groups >= len(report.wanted)]
    if rest:
        columns = ["class", "labels", "error", *report.subsets]
        rows = [(d.stratum, d.count, d.error, *d.shares.values()) for d in rest[:SHOWN]]
        table(columns, rows, title="\nclasses whose shares are farthest from what was asked")
        if len(rest) > SHOWN:
            typer.echo(f"  … {len(rest) - SHOWN:,} more")
    if scarce:
        names = ", ".join(d.stratum for d in scarce[:SHOWN])
        more = f" and {len(scarce) - SHOWN:,} more" if len(scarce) > SHOWN else ""
        typer.echo(f"  in fewer groups than there are subsets: {names}{more}")


def _show_leaks(leaks: Sequence[Leak], *, staged: bool) -> None:
    if not leaks:
        typer.echo("nothing leaks that was looked for")
        return
    for leak in leaks:
        typer.echo(f"\nleak: {leak.words}: {leak.count:,} ({counted(leak.items, 'item')})")
        table(["what", "subset", "other", "items"], leak.examples)
        if leak.count > len(leak.examples):
            typer.echo(f"  … {leak.count - len(leak.examples):,} more")
    if staged:
        typer.echo("\nthe split is staged; `labelstore restore` drops it")
