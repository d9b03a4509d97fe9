"""The command `materialise`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from labelstore.cli.options import HERE, Json, Layer, Quiet, StoreDir, opened, revisions
from labelstore.cli.output import emit_json, notice, progress
from labelstore.errors import counted


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("materialise")(materialise)


def materialise(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the tree.")],
    pin: Annotated[Path | None, typer.Option(metavar="FILE", help="Pin of the version.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="REV", help="Version, where there is no pin.",
                     autocompletion=revisions),
    ] = None,
    format: Annotated[Literal["yolo", "coco"], typer.Option(help="Of the tree.")] = "yolo",
    task: Annotated[
        str | None, typer.Option(metavar="T", help="Of the format, such as detect or segment.")
    ] = None,
    layer: Layer = None,
    split: Annotated[
        str | None, typer.Option(metavar="S", help="SCHEME/SUBSET, where there is no pin.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(metavar="S", help="Write all subsets of this split scheme.")
    ] = None,
    media: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the images are; none are placed "
                                  "without it.")
    ] = None,
    link: Annotated[
        Literal["hard", "symlink", "copy"], typer.Option(help="How images are placed.")
    ] = "hard",
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is not as it was written; exits 1 then.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files of labels that somebody changed.")
    ] = False,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Write a version as a YOLO or COCO tree for trainers that want files.

    Run again with another version, only what differs is written. The pin stands in the tree as
    labelstore.lock. Files that were not written here are left alone, and so are labels that
    somebody changed, unless --force is given. What the format cannot hold is told.

    \b
    Examples:
      labelstore materialise tree --pin train.lock --media /data/images
      labelstore materialise tree --at v3 --scheme default --task detect --link symlink --media img
      labelstore materialise tree --check
    """
    if check:
        from labelstore.trees.tree import check_tree

        faults = check_tree(target)
        for fault in faults if not json else []:
            notice(fault)
        if json:
            emit_json("tree-check", {"target": str(target), "faults": faults})
        elif not faults:
            typer.echo(f"{target}: good")
        if faults:
            raise typer.Exit(1)
        return
    with progress(quiet=quiet or json) as advance:
        report = opened(store).materialise(
            target, pin=pin, at=at, format=format, task=task, layer=layer, split=split,
            scheme=scheme, media=media, link=link, force=force, progress=advance,
        )  # fmt: skip
    for line in [*(f"left out: {loss}" for loss in report.losses), *report.notices]:
        if not quiet:
            notice(line)
    if json:
        emit_json("tree", vars(report))
        return
    placed, there = report.media
    subsets = ", ".join(f"{name} {count}" for name, count in report.subsets.items())
    typer.echo(f"{target}: {subsets}; {counted(report.written, 'file')} written, {report.kept} "
               f"as they were, {report.removed} removed; {counted(placed, 'image')} placed, "
               f"{there} were there")  # fmt: skip
