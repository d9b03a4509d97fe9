"""The command `score`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from labelstore.cli.options import HERE, At, Json, MinAgreement, Quiet, StoreDir, opened
from labelstore.cli.output import emit_json, notice, progress, table
from labelstore.errors import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labelstore.analysis.scoring.report import AveragePrecision, Score, Shapes

SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("score")(score)


def score(
    layers: Annotated[
        list[str] | None,
        typer.Argument(help="Layers to score; if none is named, all others but a consensus."),
    ] = None,
    gold: Annotated[str, typer.Option(metavar="LAYER", help="Layer that is the truth.")] = "gold",
    by: Annotated[
        Literal["layer", "author"],
        typer.Option(help="Score each layer, or each agent within one layer."),
    ] = "layer",
    items: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Which items the gold set covers, of columns of items; "
                     "else those on which it has a label."),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(help="Labels of a lower score count for average precision alone."),
    ] = None,
    min_agreement: MinAgreement = None,
    average_precision: Annotated[
        bool, typer.Option("--ap/--no-ap", help="COCO's average precision, by pycocotools.")
    ] = True,
    confusion: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what was taken for what as a CSV matrix."),
    ] = None,
    at: At = None,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Compare labels of vendors, people or models with a gold set.

    Labels are matched by geometry, within a class first, then whatever it is. A label is correct
    on an object of its class. Crowds, and what is to be ignored or is too difficult, do not count.

    \b
    Examples:
      labelstore score vendor-a vendor-b --gold gold
      labelstore score model-x --gold ground_truth --min-score 0.3 --at v3
      labelstore score ground_truth --by author --gold gold --no-ap
      labelstore score model-x --items "uri LIKE 'val/%'" --confusion confusion.csv
    """
    with progress(quiet=quiet) as advance:
        found = opened(store).score(
            layers or (), gold=gold, at=at, by=by, items=items, least=min_agreement,
            min_score=min_score, precision=average_precision, progress=advance,
        )  # fmt: skip
    if confusion is not None:
        from labelstore.cli.tables import write_confusion

        write_confusion(found, confusion)
        notice(f"wrote {confusion}")
    if json:
        emit_json("score", {"gold": gold, "by": by, "scores": [s.as_json() for s in found]})
    else:
        _show(found)


def _show(found: Sequence[Score]) -> None:
    columns = ["", "items", "gold", "labels", "correct", "precision", "recall", "F1", "macro F1"]
    rows = [(s.name, s.items, s.whole.gold, s.whole.labels, s.whole.correct, s.whole.precision,
             s.whole.recall, s.whole.f1, s.macro_f1) for s in found]  # fmt: skip
    table(columns, rows, title="against the gold set")
    for own in found:
        _show_one(own)


def _show_one(own: Score) -> None:
    typer.echo(f"\n{own.name}")
    if own.ignored:
        typer.echo(
            f"  {counted(own.ignored, 'object')} left out: crowds, to be ignored or difficult"
        )
    worst = sorted(own.classes, key=lambda c: (c.f1 is None, c.f1, c.name))
    rows = [(c.name, c.gold, c.labels, c.correct, c.precision, c.recall, c.f1)
            for c in worst[:SHOWN]]  # fmt: skip
    if rows:
        table(["class", "gold", "labels", "correct", "precision", "recall", "F1"], rows,
              title="classes, the worst first")  # fmt: skip
    _more(len(worst))
    if own.confusion:
        table(["gold", "labelled", "objects"],
              [(c.gold, c.said, c.count) for c in own.confusion[:SHOWN]],
              title="what was taken for what")  # fmt: skip
        _more(len(own.confusion))
    if own.shapes:
        _show_shapes(own.shapes)
    for precision in own.precision:
        _show_precision(precision)
    if own.texts:
        told = [own.texts.word_error_rate, own.texts.character_error_rate]
        table(["texts", "words", "word error rate", "character error rate"],
              [(own.texts.count, own.texts.words, *told)], title="texts")  # fmt: skip


def _more(count: int) -> None:
    if count > SHOWN:
        typer.echo(f"  … {count - SHOWN:,} more")


def _show_shapes(shapes: Shapes) -> None:
    least = next((i for i, n in enumerate(shapes.bins) if n), 0)
    rows: list[tuple[Any, ...]] = [
        (f"{i / 10:.1f} to {(i + 1) / 10:.1f}", n, f"{n / shapes.count:.1%}")
        for i, n in enumerate(shapes.bins) if i >= least
    ]  # fmt: skip
    table(["agreement", "objects", "share"], rows,
          title=f"shapes of what was found agree by {shapes.mean:.3f} on average")  # fmt: skip


def _show_precision(own: AveragePrecision) -> None:
    columns = ["AP", "AP50", "AP75", "small", "medium", "large", "recall"]
    row = [own.ap, own.ap50, own.ap75, own.small, own.medium, own.large, own.recall]
    table(columns, [row], title=f"COCO's average precision, {own.by}")
