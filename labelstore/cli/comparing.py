"""The command that compares: versions, layers, or files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from labelstore.cli.options import HERE, Json, Quiet, Revision, StoreDir, format_names, opened
from labelstore.cli.output import emit_json, progress
from labelstore.errors import InvalidInput

if TYPE_CHECKING:
    from labelstore.changes.diff import Diff
    from labelstore.versions.manifest import Manifest

SUBJECT = {"annotations", "items", "categories", "tracks", "relations", "splits"}
"""Tables that say what labels are; the others say who wrote them."""


class Match(StrEnum):
    """How labels of both sides are paired."""

    identity = "identity"
    geometry = "geometry"


class Compared(NamedTuple):
    """What was compared, and how it differs; layers where sides are such."""

    found: Diff
    sides: tuple[Manifest, Manifest]
    layers: tuple[str | None, str | None]
    names: tuple[str, str]


def diff(
    before: Annotated[
        str, Revision(metavar="A", help="Older version, layer (REV:LAYER), or with --as file.")
    ],
    after: Annotated[
        str | None, Revision(metavar="[B]", help="Newer one; else the stage, or HEAD.")
    ] = None,
    match: Annotated[
        Match,
        typer.Option(help="Pair labels by their numbers alone, or then those that agree."),
    ] = Match.identity,
    min_agreement: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="SHARE",
            help="Least agreement (IoU and its like) of what is one; else 0.5, of lines 0.8, of "
            "cuboids in space 0.25.",
        ),
    ] = None,
    as_format: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="FORMAT", help="A and B are files or folders of this format.",
            autocompletion=format_names,
        ),
    ] = None,
    stat: Annotated[bool, typer.Option("--stat", help="Counts only.")] = False,
    items: Annotated[bool, typer.Option("--items", help="List the items concerned.")] = False,
    drift: Annotated[bool, typer.Option("--drift", help="Add how class shares moved.")] = False,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            help="Exit with 1 where the labels or what they refer to differ.",
        ),
    ] = False,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Show what differs between two versions, layers or files, by class and by item.

    \b
    Examples:
      labelstore diff v3 v4
      labelstore diff v3 --stat
      labelstore diff v3 v4 --drift --json
      labelstore diff v3 v4 --match geometry
      labelstore diff v3:ground_truth v3:model-a
      labelstore diff old.json new.json --as coco
    """
    from labelstore.analysis.drift import as_json, class_drift
    from labelstore.cli.differences import diff_json, show_diff, show_drift

    way = (
        _of_versions(store, before, after, match, min_agreement, shapes=not stat, quiet=quiet)
        if as_format is None
        else _of_files(before, after, as_format, min_agreement, quiet=quiet)
    )
    with way as (found, sides, layers, names):
        moved = class_drift(*sides, *layers) if drift else None
        if json:
            content = diff_json(found, sides, names, layers, details=not stat)
            if moved:
                content["drift"] = as_json(moved)
            emit_json("diff", content)
        else:
            typer.echo(f"{names[0]} → {names[1]}")
            show_diff(found, sides, layers, stat=stat, items=items)
            if moved:
                show_drift(moved)
    if exit_code and any(found.tables[name].content for name in found.tables.keys() & SUBJECT):
        raise typer.Exit(1)


@contextmanager
def _of_versions(
    folder: Path, before: str, after: str | None, match: Match, least: float | None, *,
    shapes: bool, quiet: bool,
) -> Iterator[Compared]:  # fmt: skip
    from labelstore.store import side

    store = opened(folder)
    (old, layer), (new, other) = side(store, before), side(store, after)
    with progress(quiet=quiet) as advance:
        found = store.diff(before, after, shapes=shapes, match=match.value, least=least,
                           progress=advance)  # fmt: skip
    named = after or ("stage" if store.staged() else "HEAD")
    yield Compared(found, (old, new), (layer, other), (before, named))


@contextmanager
def _of_files(
    before: str, after: str | None, format_name: str, least: float | None, *, quiet: bool
) -> Iterator[Compared]:
    from labelstore.exchange.comparing import LAYERS, compared

    if after is None:
        raise InvalidInput("--as compares two files: name the second", code="diff-sides")
    with ExitStack() as stack:
        with progress(quiet=quiet) as advance:
            way = compared(Path(before), Path(after), format_name, least=least, progress=advance)
            found, manifest = stack.enter_context(way)
        yield Compared(found, (manifest, manifest), LAYERS, (before, after))
