"""What several authors judged: the labels of all that are about one object, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.matching import Labels, matched
from labelstore.changes.pairing import Side, blocks, labels_of
from labelstore.errors import InvalidInput
from labelstore.geometry.agreement import WHOLE
from labelstore.geometry.agreement import agreement as shapes_agree
from labelstore.geometry.agreement import places as shape_places
from labelstore.geometry.covering import covering_boxes
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Progress = Callable[[str, int, int], None]

UNCLASSED, MISSED, UNSEEN = -1, -2, -3
"""Stand for a class: the label has none; the author labelled the item, but not this object; the
author has no label on the item, so nobody knows whether they looked at it."""
NONE = 0
"""Stands for a label that is not there."""


@dataclass(frozen=True)
class Author:
    """One author: a layer, or an agent within one; and their labels."""

    name: str
    side: Side


@dataclass(frozen=True)
class Units:
    """Objects, as u rows, and authors, as a columns.

    Attributes:
        authors: their names.
        items: shape (u,), the item of each object.
        labels: shape (u, a), annotation ids, or `NONE`.
        classes: shape (u, a), category ids, `UNCLASSED`, `MISSED` or `UNSEEN`.
        agreement: shape (u, a), of each label's shape with that of the first author who has the
            object, 0 to 1; NaN where there is none, and of labels of whole items, which have no
            shape. That author's own is 1.
        between: shape (u, p), of the two labels of each pair of authors, in the order of
            `itertools.combinations`; NaN likewise, and where not both have the object.
    """

    authors: Sequence[str]
    items: Ids
    labels: Ids
    classes: Ids
    agreement: Floats
    between: Floats

    def __len__(self) -> int:
        """Return how many objects there are."""
        return len(self.items)

    def take(self, chosen: Any) -> Units:
        """Return some objects."""
        return replace(self, items=self.items[chosen], labels=self.labels[chosen],
                       classes=self.classes[chosen], agreement=self.agreement[chosen],
                       between=self.between[chosen])  # fmt: skip

    def judgements(self) -> tuple[Ids, Ids]:
        """Return object and class of each judgement; an object that was missed is judged, too."""
        unit, author = np.nonzero(self.classes != UNSEEN)
        return unit, self.classes[unit, author]


def layers_of(manifest: Manifest, layers: Sequence[str]) -> list[Author]:
    """Return each layer as an author."""
    return [Author(name, Side.whole(manifest, manifest.layer(name))) for name in layers]


def agents_of(
    manifest: Manifest, layer: str, acting: dict[int, int], names: dict[int, str]
) -> list[Author]:
    """Return each agent who has labels in a layer as an author, by name.

    Args:
        manifest: the version.
        layer: the layer.
        acting: the agent of each activity.
        names: how to tell each agent.
    """
    columns = ["item_id", "annotation_id", "created_by", "created_in"]
    rows = manifest.table(TABLES["annotations"], columns, layer)
    activities, theirs = (pa.array(own, pa.int64()) for own in (acting.keys(), acting.values()))
    made = theirs.take(pc.index_in(rows.column("created_in"), value_set=activities))
    agents = pc.coalesce(rows.column("created_by"), made)
    found = []
    for agent in pc.unique(agents.drop_null()).to_pylist():
        keys = rows.filter(pc.equal(agents, agent)).select(columns[:2])
        found.append(Author(names.get(agent, str(agent)), Side(manifest, layer, keys)))
    return sorted(found, key=lambda a: a.name)


def units_of(
    authors: Sequence[Author], *, least: float | None = None, among: Ids | None = None,
    progress: Progress | None = None,
) -> Units:  # fmt: skip
    """Return the objects on items that at least two authors labelled.

    Labels of one class are matched first, then the rest whatever their class: that authors name an
    object otherwise is a disagreement about its class, and not two objects.

    Args:
        authors: at least one.
        least: agreement of shapes below which no two are one object; else what suits their kind.
        among: the items instead, rising, however many labelled them.
        progress: told how many labels were matched.
    """
    if least is not None and not 0 <= least <= 1:
        raise InvalidInput(
            f"an agreement of {least:g} is none from 0 to 1", code="agreement-least"
        )
    items = [np.asarray(a.side.keys.column("item_id")) for a in authors]
    known, count = np.unique(np.concatenate([np.unique(own) for own in items]), return_counts=True)
    shared = known[count > 1] if among is None else np.intersect1d(known, among)
    total, done, found = sum(map(len, items)), 0, [_empty(authors)]
    for block in blocks(shared, items):
        rows = [author.side.rows(block) for author in authors]
        found.append(_block(authors, rows, least))
        done += sum(own["annotations"].num_rows for own in rows)
        if progress:
            progress("matching", done, total)
    return _joined(found)


def _block(
    authors: Sequence[Author], rows: Sequence[dict[str, pa.Table]], least: float | None
) -> Units:
    """Return the objects of some items."""
    sides = [labels_of(own) for own in rows]
    ids = [np.asarray(own["annotations"].column("annotation_id")) for own in rows]
    objects, places, scores = _gathered(sides, least)
    count = len(objects.items)
    labels = np.full((count, len(authors)), NONE, np.int64)
    classes = np.full((count, len(authors)), UNSEEN, np.int64)
    agreement = np.full((count, len(authors)), np.nan)
    for a, (side, own, at, score) in enumerate(zip(sides, ids, places, scores, strict=True)):
        classes[np.isin(objects.items, side.items), a] = MISSED
        classes[at, a], labels[at, a], agreement[at, a] = side.classes, own, score
        agreement[at[_whole(side)], a] = np.nan
    pairs = [_between(sides, places, (labels, agreement), a, b)
             for a, b in combinations(range(len(authors)), 2)]  # fmt: skip
    between = np.stack(pairs, axis=1) if pairs else np.empty((count, 0))
    return Units([a.name for a in authors], objects.items, labels, classes, agreement, between)


def _whole(side: Labels) -> Any:
    """Return which labels are of whole items, shape (n,)."""
    return shape_places(side.kinds, side.shapes, covering_boxes(side.shapes)) == WHOLE


def _between(
    sides: Sequence[Labels], places: Sequence[Ids], known: tuple[Ids, Floats], a: int, b: int
) -> Floats:
    """Return how the shapes of two authors agree, by object; NaN where not both have one.

    Args:
        sides: labels of each author.
        places: the object of each label.
        known: labels of the objects, and their agreement with those of the first who has one.
        a: one author.
        b: the other.
    """
    labels, agreement = known
    found = np.full(len(labels), np.nan)
    both = (labels[:, [a, b]] != NONE).all(axis=1) & ~np.isnan(agreement[:, [a, b]]).any(axis=1)
    first = (labels != NONE).argmax(axis=1)
    same = (agreement[:, [a, b]] == 1).all(axis=1)  # both as the first has it
    told = both & ((first == a) | same)
    found[told] = agreement[told, b]
    rest = np.flatnonzero(both & ~told)
    if len(rest):
        rows = [np.argsort(places[author])[np.searchsorted(np.sort(places[author]), rest)]
                for author in (a, b)]  # fmt: skip
        own = [(sides[s], at) for s, at in zip((a, b), rows, strict=True)]
        kinds = own[0][0].kinds[own[0][1]], own[1][0].kinds[own[1][1]]
        shapes = tuple(_used(side.shapes.take(pa.array(at))) for side, at in own)
        found[rest] = shapes_agree(kinds, (shapes[0], shapes[1]))[0]
    return found


def _used(shapes: pa.Table) -> pa.Table:
    """Return shapes without the columns that none of them has."""
    names = shapes.schema.names
    return shapes.select([n for n in names if shapes.column(n).null_count < shapes.num_rows])


def _gathered(
    sides: Sequence[Labels], least: float | None
) -> tuple[Labels, list[Ids], list[Floats]]:
    """Return one label for each object, and of each author where their labels are among these."""
    objects = sides[0]
    places = [np.arange(len(objects.items))]
    scores = [np.ones(len(objects.items))]
    for side in sides[1:]:
        pairs = matched(objects, side, least=least)
        at, score = np.full(len(side.items), -1), np.ones(len(side.items))
        at[pairs.after], score[pairs.after] = pairs.before, pairs.agreement
        new = np.flatnonzero(at < 0)
        at[new] = len(objects.items) + np.arange(len(new))
        objects = _with(objects, side, new)
        places.append(at)
        scores.append(score)
    return objects, places, scores


def _with(objects: Labels, side: Labels, new: Ids) -> Labels:
    """Return objects and those labels of an author that nobody had before."""
    said = None
    if objects.said is not None and side.said is not None:
        said = np.concatenate([objects.said, side.said[new]])
    return Labels(
        np.concatenate([objects.items, side.items[new]]),
        np.concatenate([objects.classes, side.classes[new]]),
        np.concatenate([objects.kinds, side.kinds[new]]),
        pa.concat_tables([objects.shapes, side.shapes.take(pa.array(new))]),
        said,
    )


def _empty(authors: Sequence[Author]) -> Units:
    none = np.empty((0, len(authors)))
    ids = none.astype(np.int64)
    pairs = np.empty((0, len(authors) * (len(authors) - 1) // 2))
    return Units([a.name for a in authors], np.empty(0, np.int64), ids, ids, none, pairs)


def _joined(found: Sequence[Units]) -> Units:
    columns: Iterator[Any] = (
        np.concatenate([getattr(own, name) for own in found])
        for name in ("items", "labels", "classes", "agreement", "between")
    )
    return Units(found[0].authors, *columns)
