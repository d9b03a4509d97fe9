"""Commands that move objects: push, pull, gc, remote; and the published schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from labelstore.cli.options import HERE, Json, StoreDir, opened
from labelstore.cli.output import emit_json, table

Remote = Annotated[str | None, typer.Option("-r", "--remote", help="DVC remote.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (push, pull, gc):
        app.command(command.__name__)(command)
    remote = typer.Typer(help="Remotes, which are DVC's.", no_args_is_help=True)
    remote.command("add")(remote_add)
    remote.command("check")(remote_check)
    app.add_typer(remote, name="remote")
    schema = typer.Typer(help="The published schema.", no_args_is_help=True)
    schema.command("export")(schema_export)
    app.add_typer(schema, name="schema")


def push(remote: Remote = None, store: StoreDir = HERE) -> None:
    """Send the objects of all versions to a remote, by DVC. Push the commits with Git."""
    typer.echo(opened(store).push(remote=remote, show=sys.stderr.isatty()))
    typer.echo("now push the versions themselves: git push --follow-tags")


def pull(remote: Remote = None, store: StoreDir = HERE) -> None:
    """Fetch the objects of all versions from a remote, by DVC."""
    typer.echo(opened(store).pull(remote=remote, show=sys.stderr.isatty()))


def gc(
    force: Annotated[bool, typer.Option("--force", help="Do it; without, only say what.")] = False,
    store: StoreDir = HERE,
) -> None:
    """Collect cached objects that no commit of any branch or tag needs, by DVC."""
    typer.echo(opened(store).gc(force=force))


def remote_add(
    name: Annotated[str, typer.Argument(help="Name of the remote.")],
    url: Annotated[str, typer.Argument(help="Such as s3://bucket/path or a folder.")],
    default: Annotated[bool, typer.Option("--default", "-d", help="Use it by default.")] = False,
    store: StoreDir = HERE,
) -> None:
    """Add a remote to DVC's configuration.

    \b
    Example:
      labelstore remote add team s3://team-labels/signs --default
    """
    opened(store).remote_add(name, url, default=default)
    typer.echo(f"added {name}; commit .dvc/config with Git")


def remote_check(
    name: Annotated[
        str | None, typer.Argument(help="Name of the remote; the default one otherwise.")
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Try nothing that writes.")
    ] = False,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:  # fmt: skip
    """Try what a remote lets you do: reach, read, write, create, remove; and its clock.

    Writes one small object and removes it again. Exits 1 where reading or publishing would fail.

    \b
    Examples:
      labelstore remote check
      labelstore remote check team --read-only
    """
    found = opened(store).remote_check(name, write=not read_only)
    failed = [one for one in found if one.good is False and one.needed]
    if json:
        emit_json("remote-check", {"findings": [vars(one) for one in found]})
    else:
        marks = {True: "yes", False: "NO", None: "?"}
        table(("check", "works", ""), [[one.name, marks[one.good], one.said] for one in found])
    if failed:
        raise typer.Exit(1)


def schema_export(
    folder: Annotated[Path, typer.Argument(help="Folder for the files.")],
) -> None:
    """Write JSON Schema, Arrow schema and hash vectors of every table, and examples."""
    from labelstore.model.published import published_files

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in published_files().items():
        (folder / name).write_text(text)
    typer.echo(f"wrote {len(published_files())} files to {folder}")
