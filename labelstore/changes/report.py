"""A difference as a report: what every output is made of, and what `--json` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.difference import Counts, Diff
from labelstore.changes.measures import MEASURES, measured
from labelstore.changes.objects import regrouped
from labelstore.changes.people import Written, by_activity, by_author
from labelstore.changes.summary import (
    ClassNames,
    by_class,
    by_item,
    class_names,
    item_names,
    moves_of,
    reclassified,
    verdict,
)

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest

LISTED = 10_000
"""Entries of a list that are told; `cut_at` says so."""


@dataclass(frozen=True)
class Report:
    """A difference with what is needed to tell it.

    Attributes:
        found: the difference.
        sides: the older and the newer version.
        named: how the user named them.
        layers: where layers were compared.
        known: names of people by pseudonym.
        people: whether to tell who wrote what differs; files do not say it.
    """

    found: Diff
    sides: tuple[Manifest, Manifest]
    named: tuple[str, str]
    layers: tuple[str | None, str | None] = (None, None)
    known: Mapping[str, str] = field(default_factory=dict)
    people: bool = True

    @cached_property
    def names(self) -> ClassNames:
        """Return the name of each class."""
        return class_names(*self.sides)

    @cached_property
    def activities(self) -> list[Written]:
        """Return what each activity wrote; nothing where that is not asked."""
        if not self.people:
            return []
        return by_activity(self.found, self.sides, self.known)

    @cached_property
    def objects(self) -> pa.Table:
        """Return the objects that were split or merged, see `objects.REGROUPED`."""
        if self.layers != (None, None):
            return regrouped(self.found.labels.slice(0, 0), *self.sides)
        return regrouped(self.found.labels, *self.sides)

    @cached_property
    def changed(self) -> pa.Table:
        """Return the labels that are there before and after, as many as are listed."""
        labels = self.found.labels
        return labels.filter(pc.equal(labels.column("change"), "changed")).slice(0, LISTED)

    @cached_property
    def measures(self) -> pa.Table:
        """Return by how much they changed, those that agree least first."""
        return measured(self.changed, self.sides, self.layers)

    def all_measures(self) -> Iterator[pa.Table]:
        """Yield by how much labels changed, of all that did, some thousands at a time."""
        labels = self.found.labels
        changed = labels.filter(pc.equal(labels.column("change"), "changed"))
        for begin in range(0, changed.num_rows, LISTED):
            yield measured(changed.slice(begin, LISTED), self.sides, self.layers)

    def uris(self, ids: pa.Array) -> dict[int, str]:
        """Return the URI of items, else their number."""
        return item_names(ids, *self.sides)

    def as_json(self, *, details: bool = True) -> dict[str, Any]:
        """Return all of it as JSON values, ids as text; see `schemas/v1/diff.schema.json`.

        Args:
            details: with labels, items and classes; else counts alone.
        """
        found = self.found
        before, after = ({"revision": name, "root": side.root}
                         for name, side in zip(self.named, self.sides, strict=True))  # fmt: skip
        content: dict[str, Any] = {
            "from": before,
            "to": after,
            "summary": {n: _counts(found.tables.get(n, Counts()))
                        for n in ("items", "annotations")},
            "verdict": verdict(found),
            "tables": {name: _counts(c) for name, c in found.tables.items()},
            "meanings": dict(found.meanings),
            "columns": dict(found.columns),
        }  # fmt: skip
        return {**content, **self._details()} if details else content

    def _details(self) -> dict[str, Any]:
        return {
            "classes": [asdict(c) for c in by_class(self.found, self.names)],
            "reclassified": [{"from": a, "to": b, "labels": n}
                             for a, b, n in reclassified(self.found, self.names)],
            "ontology": [asdict(e) for e in self.found.classes],
            "objects": self._objects(),
            "split_moves": [{"scheme": s, "from": a, "to": b, "items": n}
                            for s, a, b, n in moves_of(self.found)],
            "activities": [asdict(w) for w in self.activities],
            "authors": [asdict(w) for w in by_author(self.activities)],
            "items": self._items(),
            "labels": self._labels(),
            "measures": self._measures(),
            "cut_at": LISTED,
        }  # fmt: skip

    def _objects(self) -> list[dict[str, Any]]:
        return [
            {"layer": r["layer"], "change": r["change"], "item_id": str(r["item_id"]),
             "annotation_id": str(r["annotation_id"]), "pieces": [str(p) for p in r["pieces"]]}
            for r in self.objects.slice(0, LISTED).to_pylist()
        ]  # fmt: skip

    def _items(self) -> list[dict[str, Any]]:
        ranked = by_item(self.found).slice(0, LISTED)
        names = self.uris(ranked.column("item_id").combine_chunks())
        return [
            {**row, "item_id": str(row["item_id"]), "uri": names[row["item_id"]]}
            for row in ranked.to_pylist()
        ]

    def _measures(self) -> list[dict[str, Any]]:
        return [
            {"annotation_id": str(r["annotation_id"]),
             **{name: r[name] for name in MEASURES if r[name] is not None}}
            for r in self.measures.to_pylist()
        ]  # fmt: skip

    def _labels(self) -> list[dict[str, Any]]:
        labels, names = self.found.labels, self.names
        labels = labels.filter(pc.not_equal(labels.column("change"), "provenance"))
        return [
            {
                "layer": r["layer"],
                "item_id": str(r["item_id"]),
                "annotation_id": str(r["annotation_id"]),
                "change": r["change"],
                "meanings": r["meanings"],
                "class_before": names[r["category_before"]] if r["change"] != "added" else None,
                "class_after": names[r["category_after"]] if r["change"] != "removed" else None,
                **(
                    {"annotation_after": str(r["annotation_after"]), "agreement": r["agreement"]}
                    if r["annotation_after"] is not None
                    else {}
                ),
            }
            for r in labels.slice(0, LISTED).to_pylist()
        ]


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "added": counts.added,
        "removed": counts.removed,
        "changed": counts.changed,
        "provenance_only": counts.provenance,
    }


def of_class(found: Diff, names: ClassNames, name: str) -> Diff:
    """Return the part of a difference that is about labels of a class, before or after.

    Args:
        found: the difference.
        names: of classes.
        name: which; of several with one name all.
    """
    ids = pa.array([number for number, known in names.items() if known == name], pa.int64())
    labels = found.labels
    own = [pc.and_(pc.is_in(labels.column(f"category_{when}"), value_set=ids),
                   pc.not_equal(labels.column("change"), absent))
           for when, absent in (("before", "added"), ("after", "removed"))]  # fmt: skip
    return found.of(labels.filter(pc.or_(*own)))
