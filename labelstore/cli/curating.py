"""The command `curate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labelstore.cli.options import HERE, At, Dataset, Json, Layer, Quiet, StoreDir, opened
from labelstore.cli.output import emit_json, notice, progress, table
from labelstore.errors import InvalidInput, counted

if TYPE_CHECKING:
    import pyarrow as pa

    from labelstore.analysis.curation.asking import Choice
    from labelstore.exchange.exporting import ExportReport
    from labelstore.store import Store

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("curate")(curate)


def curate(
    count: Annotated[int, typer.Option("--count", "-n", help="How many items at most.")] = 100,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="REASON[=WEIGHT]", help="rare, low-score, duplicates, rules, "
                     "disagreement, slices, distance or unlabelled; may be repeated. The first "
                     "four, if none is named."),
    ] = None,
    layer: Layer = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER", help="Layers to compare for disagreement; one: the people "
                     "within it."),
    ] = None,
    slices: Annotated[
        str | None,
        typer.Option("--slice", metavar="SQL", help="Column of items, or expression: prefer "
                     "values with few labelled items."),
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(metavar="PARQUET", help="Columns `embedding` and `uri` or `item_id`: prefer "
                     "what is far from all that is labelled."),
    ] = None,
    items: Annotated[
        str | None, typer.Option(metavar="SQL", help="Choose only from these items.")
    ] = None,
    dataset: Dataset = None,
    seed: Annotated[int, typer.Option(help="Another choice among equals.")] = 0,
    tasks: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the items with their labels for an annotation "
                     "tool; take it back with `import --mode update`."),
    ] = None,
    tool: Annotated[
        str, typer.Option("--as", metavar="FORMAT", help="Of that file, such as cvat.")
    ] = "label-studio",
    listed: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write items and reasons as CSV.")
    ] = None,
    at: At = None,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Choose the items to label or review next, and say why.

    The same version and question give the same choice. Scores are from 0 to 1, and their weighted
    mean is that of the item.

    \b
    Examples:
      labelstore curate -n 50
      labelstore curate -n 200 --by rare=2 --by rules --tasks review.json --as label-studio
      labelstore curate --compare vendor-a --compare vendor-b --by disagreement
      labelstore curate --by distance --embeddings clip.parquet --items "width > 100"
      labelstore curate --by slices --slice "split_part(uri, '/', 1)"
    """
    opened_store = opened(store)
    with progress(quiet=quiet) as advance:
        found = opened_store.curate(
            count, by=dict(map(_weighed, by or ())), at=at, layer=layer, compare=compare or (),
            slices=slices, embeddings=_read(embeddings) if embeddings else None, items=items,
            seed=seed, progress=advance,
        )  # fmt: skip
    if listed is not None:
        from labelstore.cli.tables import write_csv

        write_csv(found.table, listed)
        notice(f"wrote {listed}: {counted(found.table.num_rows, 'item')}", quiet=quiet)
    if not json:
        _show(found)
    written = None
    if tasks is not None:
        written = _write_tasks(opened_store, found, tasks, tool, at, layer, dataset, quiet=quiet)
    if json:
        emit_json("curate", {**found.as_json(), "tasks": written})


def _weighed(text: str) -> tuple[str, float]:
    """Return name and weight of `REASON=WEIGHT`."""
    name, equals, weight = text.partition("=")
    try:
        return name, float(weight) if equals else 1.0
    except ValueError:
        raise InvalidInput(f"--by {text}: write REASON or REASON=WEIGHT",
                           code="curate-weight") from None  # fmt: skip


def _read(file: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput(f"{file}: cannot be read as Parquet ({error})",
                           code="curate-embeddings") from error  # fmt: skip


def _write_tasks(
    store: Store, found: Choice, target: Path, tool: str, at: str | None, layer: str | None,
    dataset: str | None, *, quiet: bool,
) -> dict[str, Any] | None:  # fmt: skip
    """Write the items with their labels, say how they come back, and return what was written."""
    if not found.table.num_rows:
        notice(f"{target} is not written: no item was chosen", quiet=quiet)
        return None
    layer = layer or found.asked["layer"] or _only_layer(store, at)
    report = store.export_to(tool, target, at=at, layer=layer, dataset=dataset,
                             allow_loss=["all"], items=found.items.tolist())  # fmt: skip
    notice(f"wrote {target}: {counted(report.items, 'item')} with "
           f"{counted(report.annotations, 'label')}", quiet=quiet)  # fmt: skip
    _tell_way_back(store, report, tool, layer, at, quiet=quiet)
    return {
        "file": report.target, "sidecar": report.sidecar, "items": report.items,
        "labels": report.annotations, "dataset": report.datasets[0], "layer": layer,
    }  # fmt: skip


def _only_layer(store: Store, at: str | None) -> str | None:
    there = store.manifest(at).partitions("annotations")
    return there[0] if len(there) == 1 else None


def _tell_way_back(
    store: Store, report: ExportReport, tool: str, layer: str | None, at: str | None,
    *, quiet: bool,
) -> None:  # fmt: skip
    """Say how tasks come back: into their data set, or where there is none beside their labels."""
    from shlex import quote

    from labelstore.model.tables import TABLES

    own = layer or store.workspace.default_layer
    name, words = report.datasets[0], [tool, report.target]
    rows = store.manifest(at).table(TABLES["datasets"], ["name", "layer"]).to_pylist()
    if {"name": name, "layer": own} in rows:
        said = f"keep {report.sidecar} beside it, and take it back with"
        words += ["--mode", "update", "--dataset", name]
        words += ["--layer", own] if own != store.workspace.default_layer else []
    else:
        said = "its labels came from no file: take it back beside them, and compare the two, with"
        words += ["--no-sidecar", "--layer", f"{own}-reviewed"]
    told = " ".join(map(quote, words))
    notice(f"{said}\n  labelstore import {told}", quiet=quiet)


def _show(found: Choice) -> None:
    rows = found.table.slice(0, SHOWN).to_pylist()
    if not rows:
        typer.echo(
            f"no item of {found.considered:,} has such a reason: {', '.join(found.asked['by'])}"
        )
        return
    table(["item", "score", "because"], [(r["item"], r["score"], r["because"]) for r in rows],
          title=f"{counted(found.table.num_rows, 'item')} of {found.considered:,}")  # fmt: skip
    if found.table.num_rows > SHOWN:
        typer.echo(f"  … {found.table.num_rows - SHOWN:,} more; --csv FILE lists all")
