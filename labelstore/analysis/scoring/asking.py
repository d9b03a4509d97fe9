"""Scores of layers, or of the authors within a layer, against a gold set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from labelstore.analysis.agreement.asking import By, authored_layers
from labelstore.analysis.agreement.units import Author, agents_of, layers_of, units_of
from labelstore.analysis.scoring.coco import average_precision
from labelstore.analysis.scoring.counting import (
    class_scores,
    confusions,
    judged,
    shapes_of,
    whole,
)
from labelstore.analysis.scoring.ignoring import ignored
from labelstore.analysis.scoring.report import Score
from labelstore.analysis.scoring.texts import texts_of
from labelstore.changes.summary import class_names, class_order, distinct
from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES
from labelstore.query.sandbox import expressions, query
from labelstore.versions.agents import acting, agent_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]

GOLD = "gold"


@dataclass(frozen=True)
class Question:
    """Who is scored, against what.

    Attributes:
        layers: who; where none is named, all but the gold set and what a consensus made. By
            author, the one layer.
        gold: layer that is the truth.
        by: each layer is scored, or each agent within one layer.
        items: SQL condition on columns of `items`: which the gold set covers; else those on which
            it has a label.
        least: agreement of shapes below which no two labels are one object; else what suits them.
        min_score: labels of a lower score count for average precision alone.
        precision: whether to ask for average precision.
    """

    layers: Sequence[str]
    gold: str = GOLD
    by: By = "layer"
    items: str | None = None
    least: float | None = None
    min_score: float | None = None
    precision: bool = True


def scores(
    manifest: Manifest, question: Question, known: Mapping[str, str],
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Score]:  # fmt: skip
    """Return how each layer or author does.

    A layer is taken to have looked at all items that the gold set covers, an author within a layer
    only at those with a label of theirs.

    Args:
        manifest: the version.
        question: who is scored.
        known: names of people by pseudonym.
        progress: told how many labels were matched.

    Raises:
        NotFound: there is no such layer.
        InvalidInput: nobody is scored, or the condition is wrong.
    """
    least = question.min_score
    if least is not None and not np.isfinite(least):
        raise InvalidInput(f"--min-score {least}: is no number", code="score-least")
    (gold,) = layers_of(manifest, [question.gold])
    items = _covered(manifest, gold, question.items)
    return [_score(gold, other, _looked(other, items, question), question, progress)
            for other in _scored(manifest, question, known)]  # fmt: skip


def _scored(manifest: Manifest, question: Question, known: Mapping[str, str]) -> list[Author]:
    there = authored_layers(manifest)
    layers = list(dict.fromkeys(question.layers or [n for n in there if n != question.gold]))
    if question.by == "author" and len(layers) == 1:
        agents = agent_names(manifest, known)
        return agents_of(manifest, manifest.layer(layers[0]), acting(manifest), agents)
    if question.by == "author" or not layers:
        raise InvalidInput(
            f"name the layer whose {'authors are' if layers else 'labels are'} scored (there is "
            f"{', '.join(there)})", code="score-layer",
        )  # fmt: skip
    if question.gold in layers:
        raise InvalidInput(f"layer {question.gold!r} is the gold set itself", code="score-layer")
    return layers_of(manifest, layers)


def _covered(manifest: Manifest, gold: Author, items: str | None) -> Ids:
    """Return the items that the gold set covers, rising."""
    if items is None:
        return np.unique(np.asarray(gold.side.keys.column("item_id")))
    expressions([items])
    rows = query(manifest, f"SELECT item_id FROM items WHERE ({items}\n) ORDER BY item_id")
    return np.asarray(rows.column("item_id"), np.int64)


def _looked(other: Author, items: Ids, question: Question) -> Ids:
    if question.by == "layer":
        return items
    return np.intersect1d(items, np.asarray(other.side.keys.column("item_id")))


def _score(
    gold: Author, other: Author, items: Ids, question: Question,
    progress: Callable[[str, int, int], None] | None,
) -> Score:  # fmt: skip
    manifest = gold.side.manifest
    order = [number for number, _ in class_order(manifest)]
    names = distinct(class_names(manifest))
    sure = _sure(other, question.min_score)
    units = units_of([gold, sure], least=question.least, among=items, progress=progress)
    out = ignored(units, gold, sure)
    units = units.take(~out)
    truth, said = judged(units)
    precision = average_precision(gold, other, items, names) if question.precision else ()
    return Score(
        other.name, len(items), whole(truth, said), int(out.sum()),
        list(class_scores(truth, said, names, order)), confusions(truth, said, names),
        shapes_of(units), list(precision), texts_of(units, gold, sure),
    )  # fmt: skip


def _sure(author: Author, least: float | None) -> Author:
    """Return an author's labels without those of a lower score; what has none stays."""
    if least is None:
        return author
    side = author.side
    rows = side.manifest.table(TABLES["annotations"], ["annotation_id", "score"], side.layer)
    kept = rows.filter(pc.fill_null(pc.greater_equal(rows.column("score"), least), True))
    return replace(author, side=side.only(np.asarray(kept.column("annotation_id"))))
