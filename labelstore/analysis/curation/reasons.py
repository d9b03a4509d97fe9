"""Reasons to look at an item that follow from its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.analysis.agreement.asking import authors_of
from labelstore.analysis.agreement.disagreeing import disagreements
from labelstore.analysis.agreement.units import units_of
from labelstore.analysis.checks import check
from labelstore.analysis.curation.reason import Reason, labelled, several
from labelstore.changes.summary import class_names
from labelstore.errors import counted
from labelstore.model.tables import TABLES
from labelstore.query.sandbox import expressions, query
from labelstore.query.statements import statement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]

WEIGHTS = {"error": 1.0, "warning": 0.5, "info": 0.1}
"""How much a broken rule counts, by its severity."""
FAULTS = 100_000
"""Labels that break a rule which are looked at, of each rule."""


def rare(manifest: Manifest, layer: str | None) -> Reason:
    """Return how rare the rarest class on each item is: 1 where it has one label in all.

    It is 0 where it is the commonest of all that are the rarest anywhere.
    """
    rows = _asked(manifest, "rarest_classes", {"layer": layer})
    counts = np.asarray(rows.column("annotations"), np.float64)
    names = rows.column("category").to_pylist()
    most = counts.max(initial=1.0)
    score = 1 - np.log(counts) / np.log(most) if most > 1 else np.ones(len(counts))

    def tell(i: int) -> str:
        return f"{names[i]} ({counted(int(counts[i]), 'label')} in all)"

    return Reason.of("rare", np.asarray(rows.column("item_id")), score, tell)


def low_score(manifest: Manifest, layer: str | None) -> Reason:
    """Return how low the lowest score on each item is, between the highest and the lowest."""
    rows = _asked(manifest, "lowest_scores", {"layer": layer})
    lowest = np.asarray(rows.column("score"), np.float64)
    spread = np.ptp(lowest) if len(lowest) else 0.0
    score = (lowest.max(initial=-np.inf) - lowest) / spread if spread else np.zeros(len(lowest))
    return Reason.of("low-score", np.asarray(rows.column("item_id")), score,
                     lambda i: f"a score of {lowest[i]:.3g}")  # fmt: skip


def duplicates(manifest: Manifest, layer: str | None) -> Reason:
    """Return how many labels of each item are there twice."""
    rows = _asked(manifest, "doubled_labels", {"layer": layer, "least": None})
    items, counts = np.unique(np.asarray(rows.column("item_id")), return_counts=True)
    return Reason.of("duplicates", items, several(counts),
                     lambda i: f"{counted(int(counts[i]), 'label')} twice")  # fmt: skip


def rules(manifest: Manifest, layer: str | None) -> Reason:
    """Return how badly each item and its labels break rules, see `labelstore check`."""
    table = TABLES["annotations"]
    there = set(manifest.table(table, ["annotation_id"], layer).column(0).to_pylist())
    weight: dict[int, float] = {}
    codes: dict[int, dict[str, None]] = {}
    for finding in check(manifest, shown=FAULTS):
        for fault in finding.faults:
            if fault.item is not None and (fault.annotation is None or fault.annotation in there):
                weight[fault.item] = weight.get(fault.item, 0.0) + WEIGHTS[finding.severity]
                codes.setdefault(fault.item, {})[finding.code] = None
    items = np.array(list(weight), np.int64)
    return Reason.of("rules", items, several(np.array(list(weight.values()))),
                     lambda i: f"breaks {', '.join(codes[int(items[i])])}")  # fmt: skip


def disagreement(
    manifest: Manifest, layers: Sequence[str], known: Mapping[str, str], progress: Any = None
) -> Reason:
    """Return how far authors disagree on each item: layers, or the people within a single one."""
    authors = authors_of(manifest, layers, "layer" if len(layers) > 1 else "author", known)
    queue = disagreements(units_of(authors, progress=progress), class_names(manifest))
    told = queue.group_by("item_id").aggregate([("amount", "sum")])
    what: dict[int, dict[str, int]] = {}
    for row in queue.group_by(["item_id", "what"]).aggregate([([], "count_all")]).to_pylist():
        what.setdefault(row["item_id"], {})[row["what"]] = row["count_all"]
    items = np.asarray(told.column("item_id"))

    def tell(i: int) -> str:
        counts = sorted(what[int(items[i])].items())
        return f"authors disagree: {', '.join(f'{n} {name}' for name, n in counts)}"

    return Reason.of("disagreement", items, several(np.asarray(told.column("amount_sum"))), tell)


def slices(manifest: Manifest, expression: str, layer: str | None) -> Reason:
    """Return how few labelled items each item's slice has, against the largest slice.

    Args:
        manifest: the version.
        expression: SQL over columns of `items`, whose values are the slices.
        layer: in which items are labelled.
    """
    expressions([expression])
    rows = query(manifest, f"SELECT item_id, CAST(({expression}\n) AS VARCHAR) AS s FROM items")
    items = np.asarray(rows.column("item_id"), np.int64)
    coded = rows.column("s").fill_null("(none)").combine_chunks().dictionary_encode()
    at, names = np.asarray(coded.indices).astype(np.int64), coded.dictionary.to_pylist()
    counts = np.bincount(at, np.isin(items, labelled(manifest, layer)), len(names))
    most = counts.max(initial=0.0)
    score = 1 - counts[at] / most if most else np.zeros(len(at))

    def tell(i: int) -> str:
        return f"slice {names[at[i]]} ({counted(int(counts[at[i]]), 'labelled item')})"

    return Reason.of("slices", items, score, tell)


def unlabelled(manifest: Manifest, layer: str | None) -> Reason:
    """Return the items without a label."""
    rows = manifest.table(TABLES["items"], ["item_id"])
    ids = np.setdiff1d(np.asarray(rows.column(0), np.int64), labelled(manifest, layer))
    return Reason.of("unlabelled", ids, np.ones(len(ids)), lambda _: "without a label")


def _asked(manifest: Manifest, name: str, values: Mapping[str, Any]) -> pa.Table:
    return query(manifest, statement(name).sql, dict(values))
