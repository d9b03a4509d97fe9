"""Commands about branches: branch, switch, merge, merge-driver."""

from __future__ import annotations

import json as text
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from labelstore.cli.options import (
    HERE,
    By,
    Json,
    Message,
    Revision,
    StoreDir,
    branch_names,
    opened,
)
from labelstore.cli.output import emit_json, notice, table
from labelstore.errors import InvalidInput


class Policy(StrEnum):
    """Who wins where both sides changed a cell otherwise."""

    ask = "ask"
    ours = "ours"
    theirs = "theirs"
    newest = "newest"
    reviewer = "reviewer"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (branch, switch, merge):
        app.command(command.__name__)(command)
    app.command("merge-driver")(merge_driver)


def branch(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Branch to make.")] = None,
    rev: Annotated[str, Revision(metavar="[REV]", help="Version that it begins from.")] = "HEAD",
    store: StoreDir = HERE,
    json: Json = False,
) -> None:
    """List the branches, or make one.

    \b
    Examples:
      labelstore branch
      labelstore branch vendor-fixes v3
    """
    found = opened(store).branch(name, rev)
    if json:
        emit_json("branch", {"branches": [b.__dict__ for b in found]})
    elif name is not None:
        typer.echo(f"made branch {name}; go to it with: labelstore switch {name}")
    else:
        rows = [("*" if b.current else "", b.name, b.sha[:12], b.subject) for b in found]
        table(["", "branch", "commit", "message"], rows)


def switch(
    name: Annotated[str, typer.Argument(help="Branch to go to.", autocompletion=branch_names)],
    rev: Annotated[
        str | None, Revision(metavar="[REV]", help="Version that a new branch begins from.")
    ] = None,
    create: Annotated[bool, typer.Option("-c", "--create", help="Make it first.")] = False,
    store: StoreDir = HERE,
) -> None:
    """Go to a branch; labels/ follows. One that only a remote has is made from there.

    \b
    Examples:
      labelstore switch --create vendor-fixes
      labelstore switch --create fixes-of-v3 v3
    """
    if rev is not None and not create:
        raise typer.BadParameter("a version is for a new branch: pass --create")
    opened(store).switch(name, create=create, at=rev or "HEAD")
    typer.echo(f"on branch {name}")


def merge(
    branch: Annotated[str, Revision(help="Branch, tag or commit to merge into this branch.")],
    policy: Annotated[
        Policy,
        typer.Option(help="Who wins where both sides changed a cell otherwise; `ask` asks on a "
                     "terminal, and stops elsewhere."),
    ] = Policy.ask,
    conflicts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the conflicts as JSON, to be decided."),
    ] = None,
    take: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Decisions: that file, with `take` ours or theirs."),
    ] = None,
    message: Message = None,
    by: By = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come.")] = False,
    store: StoreDir = HERE,
    json: Json = False,
) -> None:  # fmt: skip
    """Merge the labels of another branch into this one, and publish the result.

    What one side alone changed is taken: labels, and single cells of one label. What both sides
    changed otherwise is a conflict; while one is open nothing is changed, and the exit code is 1.

    \b
    Examples:
      labelstore merge vendor-fixes
      labelstore merge vendor-fixes --policy newest --dry-run
      labelstore merge vendor-fixes --conflicts open.json
      labelstore merge vendor-fixes --take open.json
    """
    decisions = _decisions(take) if take else []
    asking = policy == Policy.ask and sys.stdin.isatty() and not json and conflicts is None
    from labelstore.changes.merging.policies import by_policy
    from labelstore.cli.conflicts import asked, listed, merge_json, show_merge

    if conflicts is not None and not conflicts.absolute().parent.is_dir():
        raise InvalidInput(f"{conflicts}: its folder is not there", code="merge-conflicts-file")
    decide = by_policy(policy.value, decisions)
    report = opened(store).merge(
        branch, policy=asked(decide) if asking else decide, by=by, message=message,
        dry_run=dry_run,
    )  # fmt: skip
    if conflicts is not None:
        conflicts.write_text(text.dumps(listed(report.conflicts), indent=1) + "\n")
    if json:
        emit_json("merge", merge_json(report))
    else:
        show_merge(report, branch, conflicts, dry_run=dry_run)
    if report.outcome == "conflicts":
        raise typer.Exit(1)


def merge_driver(
    base: Annotated[Path, typer.Argument(help="%O of Git.")],
    ours: Annotated[Path, typer.Argument(help="%A of Git; replaced.")],
    theirs: Annotated[Path, typer.Argument(help="%B of Git.")],
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="%P of Git: where labels.dvc is.")
    ] = None,
    policy: Annotated[Policy, typer.Option(help="Who wins a conflict.")] = Policy.ask,
    store: StoreDir = HERE,
) -> None:
    """Merge three versions of labels.dvc: for Git to run in its own `git merge`.

    \b
    Once in every clone, and once in .gitattributes:
      git config merge.labelstore.driver "labelstore merge-driver %O %A %B %P"
      labels.dvc merge=labelstore
    """
    from labelstore.changes.merging.branching import merge_pointers
    from labelstore.changes.merging.policies import by_policy

    workspace = opened(store if path is None else path.parent).workspace
    merge_pointers(workspace, base, ours, theirs, by_policy(policy.value))
    here = (workspace.git.branch() or "BRANCH").removeprefix("refs/heads/")
    notice(f"labels are merged; after the commit `labelstore switch {here}` lets labels/ follow")


def _decisions(file: Path) -> list[Mapping[str, Any]]:
    try:
        found = text.loads(file.read_text())
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise ValueError("is no list of objects")
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}", code="merge-decision") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file}: {error}", code="merge-decision") from error
    return found
