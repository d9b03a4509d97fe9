"""The command `forget`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labelstore.cli.options import HERE, By, Json, Quiet, StoreDir, opened
from labelstore.cli.output import emit_json, notice, progress, table
from labelstore.errors import counted

if TYPE_CHECKING:
    from labelstore.lineage.forgetting.planning import Plan


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("forget")(forget)


def forget(
    what: Annotated[
        Literal["item", "source", "agent"] | None,
        typer.Argument(metavar="[item|source|agent]", help="What goes; nothing: only objects that "
                       "were to go before, such as in another clone."),
    ] = None,
    named: Annotated[
        str, typer.Argument(metavar="[NAME]", help="URI or id of an item; name of a source, or "
                            "LAYER/NAME; name or pseudonym of a person.")
    ] = "",
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; kept, so it must not name what goes.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Do it; without, only say what.")] = False,
    by: By = None,
    sign: Annotated[
        bool | None, typer.Option("--sign/--no-sign", help="Sign the map; else as tag.gpgSign.")
    ] = None,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Remove an item, a source or a person's name from every version.

    Shows what it takes; --force does it. Items and sources: every version is written anew without
    them, branches and tags follow, and the old objects go from the remotes and the cache. A tag
    forgotten/N keeps the map from old roots to new ones, with counts and the reason: pins and
    `verify` go on by it. A person: the name behind the pseudonym is dropped, nothing is written
    anew. Git's own authors, reflogs and the clones of others are yours to see to.

    \b
    Examples:
      labelstore forget item street/000412.jpg --reason "erasure request 17"
      labelstore forget item street/000412.jpg --reason "erasure request 17" --force
      labelstore forget source vendor-b --reason "contract ended" --force
      labelstore forget agent ada --force
      labelstore forget --force
    """
    if what is not None and not named:
        raise typer.BadParameter(f"name the {what}")
    with progress(quiet=quiet or not sys.stderr.isatty()) as advance:
        plan = opened(store).forget(what, named, reason=reason, force=force, by=by, sign=sign,
                                    progress=advance)  # fmt: skip
    if json:
        emit_json("forget", vars(plan))
        return
    show(plan)
    if not force:
        notice("nothing was done; --force does it")
    elif plan.name:
        notice("next: git push --force --all && git push --force --tags. In every other clone: "
               "git fetch --force --tags, git reset --hard @{upstream}, labelstore pull, "
               "labelstore forget --force")  # fmt: skip


def show(plan: Plan) -> None:
    """Print what forgetting takes, or took."""
    if plan.what == "agent":
        typer.echo(f"{counted(len(plan.people), 'pseudonym')}: {', '.join(plan.people)}")
        return
    if plan.versions:
        names = sorted({name for counts in plan.versions.values() for name in counts})
        rows = [(version, *(counts.get(n, 0) for n in names))
                for version, counts in plan.versions.items()]  # fmt: skip
        typer.echo("rows that go or are blanked, by version:")
        table(["version", *names], rows)
    if plan.remotes and not plan.done and plan.what != "objects":
        typer.echo(f"old objects would go from the cache and from: {', '.join(plan.remotes)}")
    if plan.what == "objects" and not plan.removed:
        typer.echo(f"{counted(plan.objects, 'object')} of what was forgotten would go")
    if plan.tags:
        typer.echo(f"tags made anew: {', '.join(plan.tags)}")
    if plan.unsigned:
        typer.echo(f"their signatures are gone: {', '.join(plan.unsigned)}; `git tag -s -f` "
                   "signs them again")  # fmt: skip
    for place, count in plan.removed.items():
        typer.echo(f"{place}: {counted(count, 'object')} removed")
    if plan.name:
        typer.echo(f"the map from old roots to new ones is tag {plan.name}")
    for name in plan.elsewhere:
        typer.echo(f"note: {name} has it, too (`git switch` to it here, and forget again), or its "
                   "objects are not here")  # fmt: skip
    for name in plan.tracked:
        typer.echo(f"note: {name}, which Git tracks, still names it")
