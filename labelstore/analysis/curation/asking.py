"""Which items to look at next: reasons asked for, weighed, and the strongest chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.analysis.curation import reasons
from labelstore.analysis.curation.embeddings import distance
from labelstore.changes.summary import item_names
from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.analysis.curation.reason import Reason
    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

REASONS = ("rare", "low-score", "duplicates", "rules", "disagreement", "slices", "distance",
           "unlabelled")  # fmt: skip
USUAL = ("rare", "low-score", "duplicates", "rules")
MOST = 1e9
"""Weight above which nothing else counts."""
TOLD = 3
"""Reasons that are told of an item."""


@dataclass(frozen=True)
class Question:
    """What is looked for.

    Attributes:
        count: how many items at most.
        by: weight of each reason; the usual ones where there is none, and those that `compare`,
            `slices` and `embeddings` are for.
        layer: whose labels; all where there is none.
        compare: layers that are compared for disagreement; one: the people within it.
        slices: SQL expression over columns of `items` whose values are the slices.
        seed: among items of equal score another seed chooses others.
    """

    count: int
    by: Mapping[str, float]
    layer: str | None = None
    compare: Sequence[str] = ()
    slices: str | None = None
    seed: int = 0

    def weights(self, *, embeddings: bool) -> dict[str, float]:
        """Return the weight of each reason that is asked for.

        Raises:
            InvalidInput: there is no such reason, it lacks what it is about, or weighs nothing.
        """
        given = {"disagreement": bool(self.compare), "slices": self.slices is not None,
                 "distance": embeddings}  # fmt: skip
        asked = dict(self.by) or dict.fromkeys(USUAL, 1.0)
        asked |= {name: asked.get(name, 1.0) for name, there in given.items() if there}
        for name, weight in asked.items():
            if name not in REASONS:
                raise InvalidInput(f"there is no reason {name!r} (there is: {', '.join(REASONS)})",
                                   code="curate-reason")  # fmt: skip
            if not 0 < weight < MOST:
                raise InvalidInput(f"{name}: a weight is above 0 and below {MOST:g}",
                                   code="curate-weight")  # fmt: skip
            if not given.get(name, True):
                raise InvalidInput(f"{name} needs {NEEDS[name]}", code="curate-reason")
        return asked


NEEDS = {"disagreement": "layers to compare (--compare)", "slices": "an expression (--slice)",
         "distance": "a table of embeddings (--embeddings)"}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """The items that were chosen, the first to look at first.

    Attributes:
        table: `item_id`, `item` (its URI), `score` (0 to 1), `because` (in words), and a column
            for each reason.
        considered: how many items there were to choose from.
        asked: what was asked for, with the version's root: the same gives the same again.
    """

    table: pa.Table
    considered: int
    asked: Mapping[str, Any]

    @property
    def items(self) -> Ids:
        """Return the ids of the items, shape (n,)."""
        return np.asarray(self.table.column("item_id"), np.int64)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"asked": dict(self.asked), "considered": self.considered,
                "items": self.table.to_pylist()}  # fmt: skip


def chosen(
    manifest: Manifest, question: Question, known: Mapping[str, str], *,
    items: Ids | None = None, embeddings: pa.Table | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Choice:  # fmt: skip
    """Return the items with the strongest reasons; without any reason none is chosen.

    Args:
        manifest: the version.
        question: what is looked for.
        known: names of people by pseudonym.
        items: the only ones to choose from, rising.
        embeddings: see `distance`.
        progress: told how many labels were matched.

    Raises:
        NotFound: there is no such layer.
        InvalidInput: the question is wrong.
    """
    if question.count < 1:
        raise InvalidInput("choose one item or more", code="curate-count")
    weights = question.weights(embeddings=embeddings is not None)
    pool = _pool(manifest, items)
    ask = _Asking(manifest, question, known, pool, embeddings, progress)
    found = [ask.reason(name) for name in weights]
    scores = np.stack([reason.scores(pool) for reason in found], axis=1)
    share = np.array(list(weights.values()))
    total = scores @ share / share.sum()
    order = np.lexsort((_drawn(pool, question.seed), -total))
    taken = order[total[order] > 0][: question.count]
    table = _told(manifest, pool[taken], total[taken], found, scores[taken] * share)
    for at, reason in enumerate(found):
        table = table.append_column(reason.name, pa.array(scores[taken, at]))
    asked = {**asdict(question), "by": weights, "root": manifest.root}
    return Choice(table, len(pool), asked)


@dataclass(frozen=True)
class _Asking:
    manifest: Manifest
    question: Question
    known: Mapping[str, str]
    pool: Ids
    embeddings: pa.Table | None
    progress: Callable[[str, int, int], None] | None

    def reason(self, name: str) -> Reason:
        """Return a reason, of all items."""
        ask, manifest, layer = self.question, self.manifest, self.question.layer
        if name == "disagreement":
            return reasons.disagreement(manifest, ask.compare, self.known, self.progress)
        if name == "slices":
            return reasons.slices(manifest, ask.slices or "", layer)
        if name == "distance":
            table = self.embeddings
            assert table is not None
            return distance(manifest, table, layer, self.pool, ask.count)
        own: Mapping[str, Callable[[Manifest, str | None], Reason]] = {
            "rare": reasons.rare, "low-score": reasons.low_score,
            "duplicates": reasons.duplicates, "rules": reasons.rules,
            "unlabelled": reasons.unlabelled,
        }  # fmt: skip
        return own[name](manifest, layer)


def _pool(manifest: Manifest, items: Ids | None) -> Ids:
    """Return the items to choose from, rising; a video whose frames are items is none."""
    rows = manifest.table(TABLES["items"], ["item_id", "parent_id"])
    ids = np.asarray(rows.column("item_id"), np.int64)
    there = np.setdiff1d(ids, np.asarray(rows.column("parent_id").drop_null(), np.int64))
    return there if items is None else np.intersect1d(there, items)


def _drawn(items: Ids, seed: int) -> NDArray[np.uint64]:
    """Return a number for each item that looks drawn, and is the same for the same seed."""
    with np.errstate(over="ignore"):
        mixed = items.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return mixed ^ (mixed >> np.uint64(31))


def _told(
    manifest: Manifest, items: Ids, total: Floats, found: Sequence[Reason], parts: Floats
) -> pa.Table:
    names = item_names(pa.array(items), manifest)
    because = []
    for item, own in zip(items.tolist(), parts, strict=True):
        strongest = [found[i] for i in np.argsort(-own, kind="stable") if own[i] > 0]
        because.append("; ".join(r.words(item) or r.name for r in strongest[:TOLD]))
    return pa.table({
        "item_id": pa.array(items), "item": pa.array([names[i] for i in items.tolist()],
                                                     pa.string()),
        "score": pa.array(total), "because": pa.array(because, pa.string()),
    })  # fmt: skip
