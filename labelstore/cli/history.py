"""Commands about versions: status, commit, log, show, tag; and diff."""

from __future__ import annotations

from typing import Annotated

import typer

from labelstore.cli.comparing import diff
from labelstore.cli.options import HERE, Json, Revision, StoreDir, Tag, opened
from labelstore.cli.output import emit_json, notice, table
from labelstore.errors import counted

Rev = Annotated[str, Revision(metavar="[REV]", help="Tag, branch or commit.")]


Sign = Annotated[
    bool | None,
    typer.Option("--sign/--no-sign", help="Sign the tag, as `git tag -s` does; else as Git's "
                 "tag.gpgSign says."),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (status, commit, restore, log, show, tag, diff):
        app.command(command.__name__)(command)


def status(store: StoreDir = HERE, json: Json = False) -> None:
    """Show what is staged: the difference between HEAD and the stage."""
    from labelstore.changes.report import Report
    from labelstore.cli.differences import show_diff
    from labelstore.versions.publish import onto

    opened_store = opened(store)
    staged = opened_store.staged()
    found = opened_store.status()
    if json:
        content = None
        if staged and found:
            sides = opened_store.manifest(staged.parent), staged.manifest
            content = Report(found, sides, (staged.parent, "stage")).as_json()
        emit_json("status", {"staged": staged is not None, "diff": content})
        return
    if staged is None or found is None:
        typer.echo("nothing is staged")
        return
    sides = opened_store.manifest(staged.parent), staged.manifest
    activities = counted(staged.activities, "activity", "activities")
    typer.echo(f"staged on {staged.parent[:12]}: {activities}")
    show_diff(Report(found, sides, (staged.parent, "stage")), stat=True)
    workspace = opened_store.workspace
    if onto(workspace, staged.parent) == workspace.git.head():
        typer.echo("publish with: labelstore commit -m MESSAGE [--tag TAG]")
    else:
        typer.echo("HEAD has other labels: go back to that commit to publish, or drop the stage")
        typer.echo("with: labelstore restore")


def commit(
    message: Annotated[str, typer.Option("-m", "--message", help="What this version is.")],
    tag: Tag = None,
    sign: Sign = None,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:
    """Publish the stage as a Git commit, with a tag if one is given.

    \b
    Example:
      labelstore commit -m "second pass" --tag v4
    """
    made = opened(store).commit(message, tag=tag, sign=sign)
    if json:
        emit_json("commit", {"commit": made, "tag": tag if made else None})
    elif made is None:
        typer.echo("nothing is staged; nothing was committed")
        if tag:
            notice(f"no tag {tag} was made; `labelstore tag {tag}` names the current version")
    else:
        typer.echo(f"committed {made[:12]}" + (f" as {tag}" if tag else ""))
    if made is None and tag:
        raise typer.Exit(1)


def restore(store: StoreDir = HERE) -> None:
    """Drop the stage; published versions are not touched."""
    typer.echo("dropped the stage" if opened(store).restore() else "nothing was staged")


def log(
    rev: Rev = "HEAD",
    limit: Annotated[int | None, typer.Option("-n", help="At most this many.")] = None,
    item: Annotated[
        str | None, typer.Option(help="Only those that changed this item; its URI or id.")
    ] = None,
    category: Annotated[
        str | None, typer.Option("--class", metavar="C", help="… that changed labels of it.")
    ] = None,
    author: Annotated[
        str | None, typer.Option(metavar="AGENT", help="… in which they acted, as --by has it.")
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="… that read such a file: its path, the end of it, or a pattern."
        ),
    ] = None,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:
    """List the versions, newest first; all, or those that did something.

    Where something is asked for, what came by a merge counts as that merge.

    \b
    Examples:
      labelstore log -n 5
      labelstore log --class person --author vendor-a
      labelstore log --item 000000397133.jpg
      labelstore log --path "*/delivery-*.json"
    """
    commits = opened(store).log(
        rev, limit=limit, item=item, category=category, author=author, path=path
    )
    if json:
        emit_json("log", {"versions": [c.__dict__ for c in commits]})
        return
    rows = [(c.sha[:12], ", ".join(c.tags), c.when[:10], c.author, c.subject) for c in commits]
    table(["commit", "tags", "date", "author", "message"], rows)


def show(rev: Rev = "HEAD", store: StoreDir = HERE, json: Json = False) -> None:
    """Describe one version: rows, parts, bytes, root."""
    version = opened(store).show(rev)
    if json:
        emit_json("show", {**version.__dict__, "commit": version.commit.__dict__})
        return
    named = f" ({', '.join(version.commit.tags)})" if version.commit.tags else ""
    typer.echo(f"{version.commit.sha[:12]}{named}  {version.commit.when}  {version.commit.author}")
    typer.echo(f"{version.commit.subject}\n\nroot {version.root}")
    typer.echo(f"{version.parts:,} parts, {version.size:,} bytes")
    table(["table", "rows"], sorted(version.rows.items()))


def tag(
    name: Annotated[str, typer.Argument(help="Name of the tag.")],
    rev: Rev = "HEAD",
    message: Annotated[str | None, typer.Option("-m", "--message")] = None,
    sign: Sign = None,
    store: StoreDir = HERE,
) -> None:
    """Give a version a name; the tag's message carries its root."""
    opened(store).tag(name, rev, message=message, sign=sign)
    typer.echo(f"tagged {name}")
