"""The command `pin`: write, check and compare pins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelstore.cli.options import HERE, Json, Layer, Revision, StoreDir, opened
from labelstore.cli.output import emit_json, notice, table
from labelstore.errors import counted

if TYPE_CHECKING:
    from labelstore.training.pins.changes import PinDiff

File = Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Pin to check or compare.")]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("pin")(pin)


def pin(
    rev: Annotated[str, Revision(help="Version to pin, or the word `check` or `diff`.")],
    file: File = None,
    other: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Newer pin to compare with.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Pin file to write.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="S", help="SCHEME/SUBSET, such as default/train.")
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="SELECT of item_id, annotation_id or both: only these "
                     "items or labels are read. Its rows are pinned by a hash of their ids."),
    ] = None,
    layer: Layer = None,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:  # fmt: skip
    """Name a version by its hashes in a small file, check such a file, or compare two.

    A pin names the version, the layer, the split, the classes in their order and the remote, and
    holds no credentials: training code reads exactly that, anywhere, or stops.

    \b
    Examples:
      labelstore pin v3 --split default/train -o train.lock
      labelstore pin v3 --query "SELECT item_id FROM items WHERE width >= 640" -o wide.lock
      labelstore pin check train.lock
      labelstore pin diff old.lock train.lock
    """
    if rev == "check":
        if file is None:
            raise typer.BadParameter("name the pin file: labelstore pin check FILE")
        return _check(store, file, json)
    if rev == "diff":
        if file is None or other is None:
            raise typer.BadParameter("name two pin files: labelstore pin diff OLD NEW")
        found = opened(store).compare_pins(file, other)
        return emit_json("pin-diff", found.as_json()) if json else _compare(found)
    if output is None:
        raise typer.BadParameter("name the file to write with -o FILE")
    made = opened(store).pin(rev, output, layer=layer, split=split, query=query)
    if json:
        emit_json("pin", made.__dict__)
    else:
        typer.echo(f"pinned {rev} ({made.commit[:12]}) in {output}")
    return None


def _check(store: Path, file: Path, json: bool) -> None:
    opened_store = opened(store)
    faults = opened_store.check_pin(file)
    if json:
        emit_json("pin-check", {"file": str(file), "faults": faults})
    for fault in faults if not json else []:
        notice(f"{file}: {fault}")
    if faults:
        raise typer.Exit(1)
    if not json:
        typer.echo(f"{file}: good")
    note = opened_store.pin_note(file)
    if note is not None:
        notice(note)


def _compare(found: PinDiff) -> None:
    for name, (old, new) in found.fields.items():
        typer.echo(f"{name}: {_short(old)} → {_short(new)}")
    if found.same:
        typer.echo("the same samples")
        return
    if found.reordered:
        typer.echo("classes changed their places: a model trained with the one pin cannot go on "
                   "with the other")  # fmt: skip
    rows = [(word, c.before, c.after, c.added, c.removed, c.changed)
            for word, c in (("items", found.items), ("labels", found.labels))]  # fmt: skip
    table(("", "before", "after", "added", "removed", "changed"), rows)
    if found.classes:
        typer.echo(f"\n{counted(len(found.classes), 'class differs', 'classes differ')}")
        table(
            ("class", "place", "", "labels", ""),
            [[c.name, c.place_before, c.place_after, c.before, c.after] for c in found.classes],
        )


def _short(value: str | None) -> str:
    return "none" if value is None else value if len(value) < 40 else f"{value[:12]}…"
