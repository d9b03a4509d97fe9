"""What changed for a training set from one pin to another."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from labelstore.training.pins.making import followed, selected, verify
from labelstore.training.pins.pin import Pin
from labelstore.training.reading.rows import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.storage.cache import Cache
    from labelstore.versions.workspace import Workspace

    Ints = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

HASHES = ("row_hash", "geometry_hash")


@dataclass(frozen=True)
class Counts:
    """How many items or labels a training set had and has."""

    before: int
    after: int
    added: int
    removed: int
    changed: int


@dataclass(frozen=True)
class ClassPlace:
    """A class of either pin: its output channel, and how many labels it has."""

    name: str
    place_before: int | None
    place_after: int | None
    before: int
    after: int


@dataclass(frozen=True)
class PinDiff:
    """What changed for a training set.

    Attributes:
        fields: what the pins say otherwise: name to (old, new).
        items: of the training sets; changed are those whose own row changed.
        labels: of these items; changed are those whose row or shapes did.
        classes: those that moved, came, went, or have another number of labels.
        reordered: whether a class that both have got another place: a model trained with one
            cannot go on with the other.
    """

    fields: dict[str, tuple[str | None, str | None]]
    items: Counts
    labels: Counts
    classes: list[ClassPlace]
    reordered: bool

    @property
    def same(self) -> bool:
        """Say whether both pins give the same samples."""
        counts = (self.items, self.labels)
        return not self.classes and not any(c.added + c.removed + c.changed for c in counts)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**asdict(self), "same": self.same}


def compare(workspace: Workspace, a: Pin, b: Pin, cache: Cache) -> PinDiff:
    """Return what changed from pin `a` to pin `b`, in a store that has both versions.

    Raises:
        NotFound: the objects of a version are not here.
        Corrupt: a version is not the one that was pinned.
    """
    old, new = (_rows(workspace, pin, cache) for pin in (a, b))
    differing = {
        f.name: (getattr(a, f.name), getattr(b, f.name)) for f in fields(Pin)
        if f.name != "classes" and getattr(a, f.name) != getattr(b, f.name)
    }  # fmt: skip
    classes = _classes(old, new)
    moved = any(None not in (c.place_before, c.place_after) and c.place_before != c.place_after
                for c in classes)  # fmt: skip
    return PinDiff(differing, _counts(*map(_items, (old, new))),
                   _counts(*map(_labels, (old, new))), classes, moved)  # fmt: skip


def _rows(workspace: Workspace, pin: Pin, cache: Cache) -> Rows:
    now, _ = followed(workspace, pin)
    manifest = workspace.manifest_of(now.directory)
    verify(now, manifest, pin.revision)
    needed = [p for p in manifest.parts if p.table in ("items", "annotations", "geometries")]
    cache.use([manifest.md5(part.path) for part in needed])
    for part in needed:
        cache.verify(manifest.path(part), manifest.md5(part.path))
    return Rows(manifest, now.layer, now.split, selected(now, manifest, pin.revision), None, cache)


def _items(rows: Rows) -> tuple[Ints, Hashes]:
    own = rows.items
    return rows.item_ids, np.asarray(own.column("row_hash"), np.uint64)


def _labels(rows: Rows) -> tuple[Ints, Hashes]:
    """Return ids of labels, and a hash of each with its shapes."""
    own, _ = rows.rows(np.arange(len(rows)), HASHES)
    ids = np.asarray(own.column("annotation_id"), np.int64)
    row, shapes = (np.asarray(own.column(name), np.uint64) for name in HASHES)
    return ids, row ^ (shapes * np.uint64(0x9E3779B97F4A7C15))


def _counts(old: tuple[Ints, Hashes], new: tuple[Ints, Hashes]) -> Counts:
    _, a, b = np.intersect1d(old[0], new[0], return_indices=True)
    changed = int((old[1][a] != new[1][b]).sum())
    before, after = len(old[0]), len(new[0])
    return Counts(before, after, after - len(b), before - len(a), changed)


def _classes(old: Rows, new: Rows) -> list[ClassPlace]:
    """Return the classes that are not as they were, in the order of the newer pin."""
    before, after = (_places(rows) for rows in (old, new))
    found = []
    for number in dict.fromkeys([*after, *before]):
        was, now = before.get(number), after.get(number)
        if was != now:
            name = (now or was or ("", 0, 0))[0]
            found.append(ClassPlace(name, was and was[1], now and now[1],
                                    was[2] if was else 0, now[2] if now else 0))  # fmt: skip
    return found


def _places(rows: Rows) -> dict[int, tuple[str, int, int]]:
    """Return name, place and number of labels of each class, by id."""
    own, _ = rows.rows(np.arange(len(rows)), ["category_id"])
    counts: dict[int, int] = {}
    if "category_id" in own.schema.names:
        for row in pc.value_counts(own.column("category_id")).to_pylist():
            counts[row["values"]] = row["counts"]
    return {number: (name, place, counts.get(number, 0))
            for place, (number, name) in enumerate(rows.classes)}  # fmt: skip
