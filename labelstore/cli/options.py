"""Options that many commands share."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from labelstore.store import Store


def revisions(incomplete: str) -> list[str]:
    """Return tags and branches that begin so, for the shell's completion."""
    return _refs(incomplete, "refs/tags", "refs/heads")


def _refs(incomplete: str, *kinds: str) -> list[str]:
    done = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname:short)", *kinds],
        capture_output=True,
        text=True,
    )
    return [name for name in done.stdout.split() if name.startswith(incomplete)]


def branch_names(incomplete: str) -> list[str]:
    """Return the branches that begin so, for the shell's completion."""
    return _refs(incomplete, "refs/heads")


def format_names(incomplete: str) -> list[str]:
    """Return the formats that begin so, for the shell's completion."""
    from importlib.metadata import entry_points

    found = entry_points(group="labelstore.converters")
    return sorted(e.name for e in found if e.name.startswith(incomplete))


Revision = partial(typer.Argument, autocompletion=revisions)
Format = Annotated[
    str, typer.Argument(help="Name of a format, such as coco.", autocompletion=format_names)
]
StoreDir = Annotated[
    Path, typer.Option("--store", metavar="DIR", help="The store's folder, or one inside it.")
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="REV", help="Version to read: tag, branch or commit. "
                 "Without it the stage, else HEAD.", autocompletion=revisions),
]  # fmt: skip
AtVersion = Annotated[
    str,
    typer.Option("--at", metavar="REV", help="The version: tag, branch or commit.",
                 autocompletion=revisions),
]  # fmt: skip
Layer = Annotated[
    str | None, typer.Option("--layer", metavar="L", help="Set of judgements, such as vendor-a.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notices.")]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="AGENT", help="Who acts: NAME, model:NAME@VERSION or tool:NAME."),
]
Message = Annotated[str | None, typer.Option("-m", "--message", help="What this is.")]
Tag = Annotated[str | None, typer.Option("--tag", metavar="TAG", help="Name of the new version.")]
Dataset = Annotated[
    str | None,
    typer.Option("--dataset", metavar="D", help="Data set, where the layer has several."),
]
MinAgreement = Annotated[
    float | None,
    typer.Option(help="Of shapes; below it no two labels are one object.", min=0, max=1),
]
Images = Annotated[
    Path | None,
    typer.Option("--images", metavar="DIR", help="Where the images are, to read their sizes."),
]
Sizes = Annotated[
    Path | None,
    typer.Option("--sizes", metavar="FILE", help="CSV of uri,width,height, or a COCO file."),
]
Digits = Annotated[
    int | None,
    typer.Option("--digits", metavar="N", help="Round parts of the image to N significant digits; "
                 "all are written otherwise."),
]  # fmt: skip
Of = Annotated[
    str | None,
    typer.Option("--of", metavar="NAME", help="Data set that results are of: [LAYER/]NAME."),
]
Sidecar = Annotated[
    bool,
    typer.Option("--sidecar/--no-sidecar", help="Keep beside an export what it leaves out, and "
                 "put it back on import."),
]  # fmt: skip

HERE = Path()


def opened(folder: Path) -> Store:
    """Return the store at a folder or above it, saying what a killed process had left behind."""
    from labelstore.store import open_store

    store = open_store(folder)
    for sentence in store.recovered:
        typer.echo(f"note: {sentence}", err=True)
    return store
