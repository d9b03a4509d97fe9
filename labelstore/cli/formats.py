"""Commands about formats: formats, convert."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from labelstore.cli.options import Digits, Images, Json, Quiet, Sidecar, Sizes, format_names
from labelstore.cli.output import emit_json, progress, table, written


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("formats")(formats)
    app.command("convert")(convert)


def formats(json: Json = False) -> None:
    """Show which kinds of labels, and what beside them, each format holds.

    \b
    Example:
      labelstore formats
    """
    from labelstore.exchange.capabilities import capabilities, matrix

    found = capabilities()
    if json:
        emit_json("formats", {"formats": [asdict(c) for c in found]})
        return
    rows = [(name, *("yes" if held else "-" for held in row)) for name, row in matrix(found)]
    table(["", *(c.name for c in found)], rows)


def convert(
    source: Annotated[Path, typer.Argument(help="The file or folder that its own tools take.")],
    target: Annotated[Path, typer.Argument(help="File or folder to write.")],
    target_format: Annotated[
        str,
        typer.Option("--to", metavar="FORMAT", help="Of TARGET.", autocompletion=format_names),
    ],
    source_format: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="Of SOURCE; by its looks where it is left out.",
            autocompletion=format_names,
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Of TARGET, where its format has several.")
    ] = None,
    source_task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Of SOURCE, where it does not say.")
    ] = None,
    digits: Digits = None,
    allow_loss: Annotated[
        str, typer.Option(metavar="CODE,…", help="Losses that are accepted, or `all`.")
    ] = "",
    images: Images = None,
    sizes: Sizes = None,
    sidecar: Sidecar = True,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn labels of one format into another, without a store of your own.

    What TARGET's format cannot hold is told, and nothing is written unless --allow-loss names it.

    \b
    Examples:
      labelstore convert instances.json yolo/ --to yolo --task detect --allow-loss all
      labelstore convert annotations/ out.json --from voc --to coco --allow-loss all
    """
    from labelstore.cli.data import losses_told, tell_rounding, tell_sidecar, warn
    from labelstore.exchange.converting import convert as run
    from labelstore.exchange.detecting import detected

    source_format = source_format or detected(source)
    with losses_told(json=json), progress(quiet=quiet) as advance:
        brought, report = run(
            source, target, source_format, target_format, source_task=source_task, task=task,
            digits=digits, allow_loss=allow_loss.split(","), images=images, sizes=sizes,
            sidecar=sidecar, progress=advance,
        )  # fmt: skip
    if json:
        emit_json("convert", {"import": vars(brought), "export": vars(report)})
        return
    warn(source_format, brought.notices, quiet)
    warn(target_format, report.notices, quiet)
    typer.echo(f"wrote {written(report.annotations, report.asked, report.items)} to {target}")
    tell_rounding(report.largest_rounding, quiet)
    tell_sidecar(report.sidecar, quiet)
