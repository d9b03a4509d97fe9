"""Commands that bring labels in, change them, and write them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from labelstore.cli.options import (
    HERE,
    At,
    By,
    Dataset,
    Digits,
    Format,
    Images,
    Json,
    Layer,
    Message,
    Of,
    Quiet,
    Sidecar,
    Sizes,
    StoreDir,
    Tag,
    opened,
)
from labelstore.cli.output import emit_json, notice, progress, written
from labelstore.errors import LossRefused, counted

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest

Target = Annotated[
    int, typer.Option("--part-rows", help="Rows a part should have; fixed for the store's life.")
]

Task = Annotated[
    str | None,
    typer.Option(metavar="TASK", help="Of YOLO: detect, segment, pose or obb; else by the data."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("init")(init)
    app.command("import")(import_)
    app.command("export")(export)
    app.command("demo")(demo)


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]")] = HERE, part_rows: Target = 16_384
) -> None:
    """Create a store in DIR, with Git and DVC where they are missing.

    \b
    Example:
      labelstore init signs
    """
    from labelstore.store import init_store

    store = init_store(folder, target=part_rows)
    typer.echo(f"created an empty store in {store.workspace.folder}")
    typer.echo("next: labelstore import coco FILE -m MESSAGE --tag v1")


def import_(
    format: Format,
    source: Annotated[Path, typer.Argument(help="The file or folder that its own tools take.")],
    layer: Layer = None,
    mode: Annotated[
        Literal["add", "update", "replace"] | None,
        typer.Option(help="add: further labels. update: make the data set equal to this delivery, "
                     "labels that are the same keep id, order and lineage. replace: take the "
                     "delivery's order and ids too."),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", metavar="D", help="Name of the source; its file name by "
                     "default."),
    ] = None,
    task: Task = None,
    by: By = None,
    message: Message = None,
    tool: Annotated[
        str | None,
        typer.Option(metavar="NAME[@VERSION]", help="What the labels were made with, such as "
                     "cvat@2.5; else LABELSTORE_TOOL."),
    ] = None,
    guideline: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Rules that annotators went by: a file, whose hash is "
                     "kept, or what names them; else LABELSTORE_GUIDELINE."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="With --by model:NAME@VERSION: file of its weights, "
                     "whose hash is kept, or sha256:HEX."),
    ] = None,
    tag: Tag = None,
    images: Images = None,
    sizes: Sizes = None,
    sidecar: Sidecar = True,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option(help="stop: refuse a source with faults. skip: leave out what is faulty, say "
                     "how much, and exit with 1."),
    ] = "stop",
    of: Of = None,
    only_listed: Annotated[
        bool, typer.Option("--only-listed", help="With update: leave other items alone.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change.")] = False,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Read a file into the stage; with -m publish it at once.

    \b
    Examples:
      labelstore import coco instances.json -m "first delivery" --tag v1
      labelstore import coco instances.json --mode update --by vendor-a
      labelstore import darknet obj/ --sizes sizes.csv
      labelstore import label-studio export.json --tool label-studio@1.20 --guideline rules.md
      labelstore import coco-results predictions.json --layer model-a --of instances \\
        --by model:detector@3 --weights detector.pt
    """
    from labelstore.versions.means import Means
    from labelstore.versions.publish import check_publishable

    opened_store = opened(store)
    if tag and message is None:
        raise typer.BadParameter("--tag needs -m MESSAGE")
    if message is not None and not message.strip():
        raise typer.BadParameter("-m needs a text that says what this is")
    if message is not None and not dry_run:
        check_publishable(opened_store.workspace, tag)
    told: list[dict[str, Any]] = []
    with progress(quiet=quiet) as advance:
        report = opened_store.import_from(
            format, source, layer=layer, mode=mode, by=by, dataset=dataset, message=message,
            dry_run=dry_run, commit=message is not None, tag=tag, task=task, images=images,
            sizes=sizes, sidecar=sidecar, on_error=on_error, of=of, only_listed=only_listed,
            means=Means(tool, guideline, weights),
            progress=advance, look=partial(_look, told if json else None) if dry_run else None,
        )  # fmt: skip
    warn(format, report.notices, quiet)
    commit = report.commit
    if json:
        content = {**report.__dict__, "tag": tag if commit else None}
        emit_json("import", {**content, "diff": told[0]} if told else content)
        raise typer.Exit(1 if report.skipped else 0)
    verb = "would change" if dry_run else "staged"
    if not report.changed:
        typer.echo(f"{report.dataset}: no row differs; nothing to store")
    else:
        typer.echo(
            f"{verb} {report.dataset} in layer {report.layer}: "
            f"{counted(report.annotations, 'label')} on {counted(report.items, 'item')}"
        )
        if report.difference:
            typer.echo(f"against what was there: {report.difference}")
    if commit:
        typer.echo(f"committed {tag or commit[:12]}")
    elif tag and not dry_run:
        notice(f"no tag {tag} was made; `labelstore tag {tag}` names the current version")
        raise typer.Exit(1)
    if report.skipped:
        raise typer.Exit(1)


def _look(told: list[dict[str, Any]] | None, before: Manifest, after: Manifest) -> None:
    """Show the difference that an import would make, or keep it as JSON values."""
    from labelstore.changes.diff import diff
    from labelstore.changes.report import Report
    from labelstore.cli.differences import show_diff

    found = Report(diff(before, after), (before, after), ("now", "import"), people=False)
    if told is not None:
        told.append(found.as_json())
    elif found.found:
        show_diff(found)


def export(
    format: Format,
    target: Annotated[Path, typer.Argument(help="File or folder to write.")],
    at: At = None,
    layer: Layer = None,
    dataset: Dataset = None,
    task: Task = None,
    digits: Digits = None,
    allow_loss: Annotated[
        str, typer.Option(metavar="CODE,…", help="Losses that are accepted, or `all`.")
    ] = "",
    sidecar: Sidecar = True,
    items: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Only items for which this holds; an update by the file "
                     "touches no other."),
    ] = None,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Write a version's labels, in the words of their source.

    What another format cannot hold stands beside it in a sidecar; importing both brings all back.

    \b
    Example:
      labelstore export coco out.json --at v3
      labelstore export yolo out/ --task detect --allow-loss all
      labelstore export label-studio tasks.json --items "width < 100" --allow-loss all
    """
    opened_store = opened(store)
    with losses_told(json=json), progress(quiet=quiet) as advance:
        report = opened_store.export_to(
            format, target, at=at, layer=layer, dataset=dataset, task=task, digits=digits,
            allow_loss=allow_loss.split(","), sidecar=sidecar, items=items, progress=advance,
        )  # fmt: skip
    if json:
        emit_json("export", report.__dict__)
        return
    warn(format, report.notices, quiet)
    typer.echo(
        f"wrote {written(report.annotations, report.asked, report.items)} "
        f"{'of the stage ' if at is None and opened_store.staged() else ''}to {target}"
    )
    tell_rounding(report.largest_rounding, quiet)
    tell_sidecar(report.sidecar, quiet)


@contextmanager
def losses_told(*, json: bool) -> Iterator[None]:
    """Print the losses of a refused export as JSON, where that is asked for, beside the error."""
    try:
        yield
    except LossRefused as refusal:
        if json:
            emit_json("losses", {"refused": True, "losses": refusal.losses})
        raise


def tell_rounding(largest: float, quiet: bool) -> None:
    """Say how far coordinates are from what reads back, where they are."""
    if largest:
        notice(f"the largest rounding error of a coordinate is {largest:.2g}", quiet=quiet)


def tell_sidecar(path: str | None, quiet: bool) -> None:
    """Say where stands what an export left out."""
    if path:
        notice(f"what is left out stands in {path}; importing both brings it back", quiet=quiet)


def warn(format: str, notices: Mapping[str, int], quiet: bool) -> None:
    """Print what an import or export of a format counts that is unusual."""
    from labelstore.exchange.notices import words

    for code, count in notices.items():
        notice(f"warning: {count:,} {words(format, code)} ({code})", quiet=quiet)


def demo(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Keep the demo's store here.")
    ] = None,
) -> None:
    """Show the main job on real COCO labels: import, re-annotate, diff, count, trace."""
    from labelstore.cli.demonstration import demonstrate

    demonstrate(folder)
