"""Commands about classes: ontology show, ontology apply."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labelstore.cli.options import HERE, At, By, Json, StoreDir, opened
from labelstore.cli.output import emit_json, table


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    ontology = typer.Typer(help="Classes: show them, change them.", no_args_is_help=True)
    ontology.command("show")(show)
    ontology.command("apply")(apply)
    app.add_typer(ontology, name="ontology")


def show(at: At = None, store: StoreDir = HERE, json: Json = False) -> None:
    """Print the classes of a version as YAML, for `ontology apply`.

    \b
    Example:
      labelstore ontology show > classes.yaml
    """
    from labelstore.changes.ontology.text import ontology_text

    classes = opened(store).ontology(at=at)
    if json:
        emit_json("ontology", {"classes": classes})
    else:
        typer.echo(ontology_text(classes), nl=False)


def apply(
    file: Annotated[Path, typer.Argument(help="YAML, as `ontology show` prints it.")],
    by: By = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would happen.")
    ] = False,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:
    """Rename, merge, split and re-parent classes as FILE says; staged like any edit.

    A class of FILE is the one with its id, or of its name, or a new one; classes that are not in
    FILE, and fields that are left out, stay as they are. Beside the fields that `ontology show`
    prints an entry may have:

    \b
      was: NAME                          give the class of that name this one
      merge: [NAME, …]                   these classes become this one, with all labels
      take: [{from: NAME, where: SQL}]   labels of that class become this one
      remove: true                       the class goes; nothing may use it

    \b
    Example:
      labelstore ontology apply classes.yaml --dry-run
    """
    changes = opened(store).apply_ontology(file, by=by, dry_run=dry_run)
    if json:
        emit_json("ontology-apply", {"changes": [vars(c) for c in changes], "dry_run": dry_run})
        return
    if not changes:
        typer.echo("no class differs; nothing to store")
        return
    rows = [(c.what, c.category, c.detail, c.labels or None) for c in changes]
    table(["what", "class", "how", "labels"], rows)
    if any(c.what in ("added", "changed", "merged", "split") for c in changes):
        typer.echo("labels may break rules of their classes now; see: labelstore check")
    typer.echo("nothing was staged" if dry_run else "staged; publish with: labelstore commit")
