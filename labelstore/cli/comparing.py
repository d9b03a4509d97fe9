"""The command that compares: versions, layers, or files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelstore.cli.options import HERE, Json, Quiet, Revision, StoreDir, format_names, opened
from labelstore.cli.output import emit_json, notice, progress, table
from labelstore.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from labelstore.analysis.drift.report import Drift
    from labelstore.analysis.reporting.policy import Broken, Policy
    from labelstore.changes.report import Report

SUBJECT = {"annotations", "items", "categories", "tracks", "relations", "splits"}
"""Tables that say what labels are; the others say who wrote them."""


class Match(StrEnum):
    """How labels of both sides are paired."""

    identity = "identity"
    geometry = "geometry"


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
    category: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Labels of one class alone.")
    ] = None,
    drift: Annotated[
        bool, typer.Option("--drift", help="Add how class shares, sizes, authors, … moved.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with pictures of what changed most."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the images are, for the page; else the store."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML of rules; exit with 1 where one is broken."),
    ] = None,
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
      labelstore diff v3 v4 --html diff.html
      labelstore diff main --policy labels.toml --markdown
    """
    if policy is not None and category is not None:
        raise InvalidInput("a policy judges the whole difference: leave out --class",
                           code="diff-policy")  # fmt: skip
    rules = _policy(policy)
    way = (
        _of_versions(
            store,
            before,
            after,
            match,
            min_agreement,
            shapes=not stat or html is not None,
            quiet=quiet,
        )
        if as_format is None
        else _of_files(before, after, as_format, min_agreement, quiet=quiet)
    )
    with way as whole:
        report = _of_class(whole, category)
        moved, broken = _drift(report) if drift else None, None
        if rules is not None:
            from labelstore.analysis.reporting.policy import broken_rules

            broken = broken_rules(rules, report)
        if html is not None:
            from labelstore.analysis.reporting.page import write_page

            if images is not None and not images.is_dir():
                raise InvalidInput(f"{images}: is no folder", code="images")
            write_page(report, html, images or store, drift=moved, broken=broken)
        if json:
            _emit(report, moved, broken, details=not stat)
        elif markdown:
            from labelstore.analysis.reporting.markdown import markdown as as_markdown

            typer.echo(as_markdown(report, moved, broken), nl=False)
        else:
            _show(report, moved, broken, stat=stat, items=items)
        if html is not None:
            notice(f"wrote {html}")
        tables = report.found.tables
        differs = any(tables[name].content for name in tables.keys() & SUBJECT)
    if broken or (exit_code and differs):
        raise typer.Exit(1)


def _policy(file: Path | None) -> Policy | None:
    if file is None:
        return None
    from labelstore.analysis.reporting.policy import read_policy

    return read_policy(file)


def _drift(report: Report) -> Drift | None:
    from labelstore.analysis.drift.asking import drift_between, sample

    sides = [sample(m, layer) for m, layer in zip(report.sides, report.layers, strict=True)]
    try:
        return drift_between(sides[0], sides[1], report.known)
    except NotFound:
        return None


def _of_class(report: Report, name: str | None) -> Report:
    """Return the part of a report that is about one class."""
    from labelstore.changes.report import of_class

    if name is None:
        return report
    if name not in report.names.values():
        close = get_close_matches(name, [n for n in report.names.values() if n], 1)
        hint = f"; is it {close[0]}?" if close else ""
        raise InvalidInput(f"--class {name}: neither version has it{hint}", code="class-unknown")
    return replace(report, found=of_class(report.found, report.names, name))


def _emit(
    report: Report, drift: Drift | None, broken: Sequence[Broken] | None, *, details: bool
) -> None:
    from labelstore.analysis.drift.report import as_json

    content = report.as_json(details=details)
    if drift is not None:
        content["drift"] = as_json(drift)
    if broken is not None:
        content["policy"] = [b.__dict__ for b in broken]
    emit_json("diff", content)


def _show(
    report: Report, drift: Drift | None, broken: Sequence[Broken] | None, *, stat: bool,
    items: bool,
) -> None:  # fmt: skip
    from labelstore.cli.differences import show_diff, show_drift

    typer.echo(" → ".join(report.named))
    show_diff(report, stat=stat, items=items)
    if drift is not None:
        show_drift(drift)
    if broken:
        typer.echo("\nbroken rules:")
        table(["rule", "allowed", "found"], [(b.rule, b.allowed, b.found) for b in broken])
    elif broken is not None:
        typer.echo("policy: every rule holds")


@contextmanager
def _of_versions(
    folder: Path, before: str, after: str | None, match: Match, least: float | None, *,
    shapes: bool, quiet: bool,
) -> Iterator[Report]:  # fmt: skip
    from labelstore.changes.report import Report
    from labelstore.changes.sides import revision_and_layer
    from labelstore.versions.agents import names

    store = opened(folder)
    (old, layer), (new, other) = revision_and_layer(before), revision_and_layer(after)
    sides = store.manifest(old), store.manifest(new)
    with progress(quiet=quiet) as advance:
        found = store.diff(before, after, shapes=shapes, match=match.value, least=least,
                           progress=advance)  # fmt: skip
    named = after or ("stage" if store.staged() else "HEAD")
    known = names(store.workspace)
    yield Report(found, sides, (before, named), (layer, other), known)


@contextmanager
def _of_files(
    before: str, after: str | None, format_name: str, least: float | None, *, quiet: bool
) -> Iterator[Report]:
    from labelstore.changes.report import Report
    from labelstore.exchange.comparing import LAYERS, compared

    if after is None:
        raise InvalidInput("--as compares two files: name the second", code="diff-sides")
    with ExitStack() as stack:
        with progress(quiet=quiet) as advance:
            way = compared(Path(before), Path(after), format_name, least=least, progress=advance)
            found, manifest = stack.enter_context(way)
        yield Report(found, (manifest, manifest), (before, after), LAYERS, people=False)
