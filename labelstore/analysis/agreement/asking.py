"""Agreement of a version's layers, or of the authors within a layer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.agreement.disagreeing import ALIKE, disagreements
from labelstore.analysis.agreement.measuring import Told, agreement
from labelstore.analysis.agreement.units import Author, agents_of, layers_of, units_of
from labelstore.changes.summary import class_names
from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES
from labelstore.query.sandbox import expressions, query
from labelstore.versions.agents import acting, agent_names

if TYPE_CHECKING:
    from labelstore.analysis.agreement.coefficients import Metric
    from labelstore.analysis.agreement.report import Agreement
    from labelstore.versions.manifest import Manifest

By = Literal["layer", "author"]


@dataclass(frozen=True)
class Question:
    """Whose agreement is asked for, about what.

    Attributes:
        layers: whose labels are compared; where none is named, all but those that a consensus
            made. By author, the one layer in which they are.
        by: each layer is an author, or each agent within a layer is one.
        least: agreement of shapes below which no two labels are one object; else what suits them.
        value: SQL expression over columns of `labels` whose numbers are compared, too.
        metric: of these.
        alike: agreement from which shapes need no review.
    """

    layers: Sequence[str]
    by: By = "layer"
    least: float | None = None
    value: str | None = None
    metric: Metric = "interval"
    alike: float = ALIKE


def asked(
    manifest: Manifest, question: Question, known: Mapping[str, str],
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Agreement, pa.Table]:  # fmt: skip
    """Return how far authors agree, and where they do not; see `disagreeing.QUEUE`.

    Args:
        manifest: the version.
        question: whose agreement.
        known: names of people by pseudonym.
        progress: told how many labels were matched.

    Raises:
        NotFound: there is no such layer.
        InvalidInput: there are fewer than two authors, or the expression is wrong.
    """
    layers = question.layers or authored_layers(manifest)
    authors = authors_of(manifest, layers, question.by, known)
    layers = sorted({a.side.layer for a in authors})
    values = _values(manifest, question.value, layers) if question.value else None
    units = units_of(authors, least=question.least, progress=progress)
    names = class_names(manifest)
    months = _months(manifest, layers)
    report = agreement(units, names, months=months, values=values, metric=question.metric)
    return report, disagreements(units, names, question.alike)


def authored_layers(manifest: Manifest) -> list[str]:
    """Return the layers whose labels somebody made: all but those that a consensus made."""
    rows = manifest.table(TABLES["activities"], ["kind", "parameters"])
    told = rows.filter(pc.equal(rows.column("kind"), "consensus")).column("parameters")
    made = {json.loads(text).get("into") for text in told.to_pylist() if text}
    return [name for name in manifest.partitions("annotations") if name not in made]


def authors_of(
    manifest: Manifest, layers: Sequence[str], by: By, known: Mapping[str, str]
) -> list[Author]:
    """Return each layer as an author, or each agent who has labels in the one layer.

    Args:
        manifest: the version.
        layers: whose labels.
        by: which of the two.
        known: names of people by pseudonym.

    Raises:
        NotFound: there is no such layer.
        InvalidInput: there are fewer than two authors.
    """
    if by == "layer":
        found = layers_of(manifest, list(dict.fromkeys(layers)))
    elif len(layers) == 1:
        agents = agent_names(manifest, known)
        found = agents_of(manifest, manifest.layer(layers[0]), acting(manifest), agents)
    else:
        raise InvalidInput("authors are compared within one layer: name it (there is "
                           f"{', '.join(layers) or 'none'})", code="agreement-layer")  # fmt: skip
    if len(found) < 2:
        who = found[0].name if found else "nobody"
        raise InvalidInput(
            f"this takes two authors or more: there is {who}. Name layers, or let the authors "
            "within one layer be compared.",
            code="agreement-authors",
        )
    return found


def _values(manifest: Manifest, value: str, layers: Sequence[str]) -> Told:
    expressions([value])
    own = f"CASE WHEN list_contains($layers, layer) THEN CAST(({value}\n) AS DOUBLE) END"
    sql = f"SELECT annotation_id, {own} AS value FROM labels ORDER BY annotation_id"
    rows = query(manifest, sql, {"layers": list(layers)})
    rows = rows.filter(rows.column("value").is_valid())
    return Told(np.asarray(rows.column("annotation_id")), np.asarray(rows.column("value")))


def _months(manifest: Manifest, layers: Sequence[str]) -> Told:
    """Return the month in which each label was made."""
    columns = ["annotation_id", "created_at", "created_in"]
    parts = [manifest.table(TABLES["annotations"], columns, n) for n in layers]
    rows = pa.concat_tables(parts).sort_by("annotation_id").combine_chunks()
    made = manifest.table(TABLES["activities"], ["activity_id", "ended_at"])
    at = pc.index_in(rows.column("created_in"), value_set=made.column(0).combine_chunks())
    times = pc.coalesce(rows.column("created_at"), made.column(1).take(at))
    months = pc.strftime(times, "%Y-%m").fill_null("")
    return Told(np.asarray(rows.column("annotation_id")), np.array(months.to_pylist(), "U7"))
