"""Commands that hand a version's lineage on: `card`, `prov`, `croissant`, `openlineage`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labelstore.cli.options import HERE, AtVersion, Json, StoreDir, opened
from labelstore.cli.output import emit_json, notice
from labelstore.errors import counted

Target = Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("card")(card)
    app.command("prov")(prov)
    app.command("croissant")(croissant)
    app.command("openlineage")(openlineage)


def card(
    target: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Ends in .html for a page; else "
                                    "Markdown. Shown without it.")
    ] = None,
    at: AtVersion = "HEAD",
    store: StoreDir = HERE,
    json: Json = False,
) -> None:  # fmt: skip
    """Describe a version for those who get it: a data card.

    Sources and licences, counts, classes, splits, authors (by pseudonym), tools, models and
    guidelines, review, agreement of layers, and what is known to be missing. What no label says
    stands in the table [about] of labelstore.toml: name, description, license, url, creators,
    cite_as, collection, protocol, preprocessing, uses, limitations, biases, sensitive,
    social_impact, maintenance.

    \b
    Examples:
      labelstore card --at v3
      labelstore card card.html --at v3
    """
    found = opened(store).card(at=at)
    if target is not None:
        page = target.suffix.lower() in (".html", ".htm")
        target.write_text(found.html() if page else found.markdown(), encoding="utf-8")
        notice(f"wrote {target}")
    if json:
        emit_json("card", found.as_json())
    elif target is None:
        typer.echo(found.markdown(), nl=False)


def prov(target: Target, at: AtVersion = "HEAD", store: StoreDir = HERE) -> None:
    """Write a version's lineage as W3C PROV, in its JSON form.

    Versions and files are entities, what was done activities, people (by pseudonym), models and
    tools agents. Needs: pip install 'labelstore[lineage]'.

    \b
    Example:
      labelstore prov lineage.json --at v3
    """
    opened(store).prov(target, at=at)
    notice(f"wrote {target}")


def croissant(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write.")],
    at: AtVersion = "HEAD",
    store: StoreDir = HERE,
) -> None:
    """Write a version as a Croissant data set: its Parquet parts and croissant.json.

    Croissant 1.1 with the terms of responsible AI. The parts are the store's own, byte for byte.

    \b
    Example:
      labelstore croissant signs-v3 --at v3
    """
    opened(store).croissant(target, at=at)
    notice(f"wrote {target}")


def openlineage(target: Target, at: AtVersion = "HEAD", store: StoreDir = HERE) -> None:
    """Write what led to a version as OpenLineage events, one a line.

    Each activity is a run, with the files and the version that it read and the version that it is
    part of. Needs: pip install 'labelstore[lineage]'.

    \b
    Example:
      labelstore openlineage events.ndjson --at v3
    """
    count = opened(store).openlineage(target, at=at)
    notice(f"wrote {target}: {counted(count, 'event')}")
