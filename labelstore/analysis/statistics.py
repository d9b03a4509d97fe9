"""What a version holds, in numbers: balance, sizes, labels per item, and each by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from labelstore.analysis.balance import BETA, Balance, balance, described
from labelstore.changes.summary import class_names, class_order
from labelstore.errors import InvalidInput
from labelstore.query.engine import run
from labelstore.versions.agents import agent_names
from labelstore.versions.manifest import Manifest

GROUPS = ("split", "layer", "author", "source", "kind", "month")
"""What labels may be grouped by; each has a statement `classes_by_NAME`."""
SIDES = (0, 8, 16, 32, 64, 128, 256, 512)
NONE = "(none)"


@dataclass(frozen=True)
class BoxSizes:
    """Sizes of what covering boxes of one class enclose, in pixels.

    Attributes:
        small, medium, large: COCO's: below 32 x 32, below 96 x 96, and the rest.
        mean_width, mean_height: pixels.
        least_area, largest_area: square pixels.
        sides: labels whose area is that of a square of so many pixels, up to twice as many.
    """

    category: str
    boxes: int
    small: int
    medium: int
    large: int
    mean_width: float
    mean_height: float
    least_area: float
    largest_area: float
    sides: Mapping[int, int]


@dataclass(frozen=True)
class Density:
    """Labels per item.

    Attributes:
        items: how many there are.
        empty: of these without a label.
        mean, median, most: labels of an item, empty ones counted.
        counts: items by number of labels.
    """

    items: int
    empty: int
    mean: float
    median: float
    most: int
    counts: Mapping[int, int]


@dataclass(frozen=True)
class Stats(Balance):
    """A version in numbers.

    Attributes:
        sizes: by class, where labels were scanned.
        density: labels per item, where labels were scanned.
        groups: balance by what was asked for, and value.
    """

    sizes: Sequence[BoxSizes] = ()
    density: Density | None = None
    groups: Mapping[str, Mapping[str, Balance]] = field(default_factory=dict)


def stats(
    manifest: Manifest, layer: str | None = None, *, items: bool = False,
    by: Sequence[str] = (), where: str | None = None, beta: float = BETA,
    known: Mapping[str, str] | None = None,
) -> Stats:  # fmt: skip
    """Return a version in numbers; without `items`, `by` and `where` from the part index alone.

    Args:
        manifest: the version.
        layer: count only this layer.
        items: count items too, and measure sizes and labels per item.
        by: some of `GROUPS`.
        where: count only labels that meet this condition on columns of `labels`.
        beta: of the effective number of samples, see `balance`.
        known: names of people by pseudonym.

    Raises:
        InvalidInput: labels cannot be grouped so, the condition may not run, or beta is none.
    """
    unknown = [name for name in by if name not in GROUPS]
    if unknown:
        raise InvalidInput(f"labels are not grouped by {unknown[0]!r}; there is "
                           f"{', '.join(GROUPS)}", code="stats-group")  # fmt: skip
    if not 0 <= beta < 1:
        raise InvalidInput(f"beta {beta:g}: it is at least 0 and below 1", code="stats-beta")
    whole = balance(manifest, layer, items=items, where=where, beta=beta)
    return Stats(
        **vars(whole),
        sizes=_sizes(manifest, layer, where) if items else (),
        density=_density(manifest, layer, where) if items else None,
        groups={name: _grouped(manifest, layer, name, where, beta, known or {}) for name in by},
    )


def class_weights(found: Balance, manifest: Manifest) -> dict[str, Any]:
    """Return weights for a loss function, in the order of the classes; 0 of those without labels.

    Example:
        `torch.tensor([c["weight"] for c in json.load(file)["classes"]])`
    """
    known = {c.category_id: c for c in found.classes}
    classes = []
    for index, (number, name) in enumerate(class_order(manifest)):
        own = known.get(number)
        classes.append({
            "index": index, "category_id": str(number), "name": name,
            "labels": own.annotations if own else 0, "weight": own.weight if own else 0.0,
        })  # fmt: skip
    return {"root": manifest.root, "method": "effective number of samples", "classes": classes}


def as_json(found: Stats) -> dict[str, Any]:
    """Return it as JSON values; ids as text."""
    content = asdict(found)
    listed = [content, *(own for group in content["groups"].values() for own in group.values())]
    for own in listed:
        own["classes"] = [
            {**c, "category_id": None if c["category_id"] is None else str(c["category_id"])}
            for c in own["classes"]
        ]
    return content


def _sizes(manifest: Manifest, layer: str | None, where: str | None) -> list[BoxSizes]:
    names = class_names(manifest)
    found = []
    for row in run(manifest, "box_sizes", where=where, layer=layer).to_pylist():
        sides = {side: row.pop(f"side_{side}") for side in SIDES}
        category = names[row.pop("category_id")]
        found.append(BoxSizes(**{**row, "category": category}, sides=sides))
    return found


def _density(manifest: Manifest, layer: str | None, where: str | None) -> Density:
    rows = run(manifest, "labels_per_item", where=where, layer=layer).to_pylist()
    counts = {r["labels"]: r["items"] for r in rows}
    items = sum(counts.values())
    total = sum(n * of for n, of in counts.items())
    middle = [_nth(counts, (items - 1) // 2), _nth(counts, items // 2)]
    return Density(items, counts.get(0, 0), total / items if items else 0.0, sum(middle) / 2,
                   max(counts, default=0), counts)  # fmt: skip


def _nth(counts: Mapping[int, int], place: int) -> int:
    """Return the labels of the item that stands there, when items are in order of labels."""
    for labels, items in sorted(counts.items()):
        place -= items
        if place < 0:
            return labels
    return 0


def _grouped(
    manifest: Manifest, layer: str | None, name: str, where: str | None, beta: float,
    known: Mapping[str, str],
) -> dict[str, Balance]:  # fmt: skip
    names = class_names(manifest)
    rows = run(manifest, f"classes_by_{name}", where=where, layer=layer).to_pylist()
    told = _authors(manifest, known) if name == "author" else {}
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        value = row["value"]
        groups.setdefault(NONE if value is None else told.get(value, value), []).append(row)
    return {value: described(own, names, beta) for value, own in groups.items()}


def _authors(manifest: Manifest, known: Mapping[str, str]) -> dict[str, str]:
    """Return how to tell authors, by their ids as text; those of one name with their ids."""
    names = agent_names(manifest, known)
    counts = Counter(names.values())
    return {str(i): n if counts[n] == 1 else f"{n} ({i})" for i, n in names.items()}
