"""A version in numbers as one page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labelstore.analysis.reporting.bars import count_bars
from labelstore.analysis.reporting.html import document, table
from labelstore.errors import counted

if TYPE_CHECKING:
    from labelstore.analysis.balance import Balance
    from labelstore.analysis.statistics import Stats


def numbers_page(found: Stats, title: str) -> str:
    """Return the page.

    Args:
        found: the numbers.
        title: how the version was named.
    """
    return document(f"labelstore stats {title}", title, _body(found))


def _body(found: Stats) -> Iterator[str]:
    yield f'<p class="verdict">{summary(found)}</p>'
    yield "<h2>Labels per class</h2>"
    yield count_bars([(c.category, c.annotations) for c in found.classes])
    yield table(
        ["class", "labels", "share", "items", "band", "effective number", "weight"],
        [(c.category, c.annotations, c.share, c.items, c.band, c.effective, c.weight)
         for c in found.classes],
    )  # fmt: skip
    if found.sizes:
        yield "<h2>Sizes in pixels</h2>"
        whole = {side: sum(s.sides[side] for s in found.sizes) for side in found.sizes[0].sides}
        yield count_bars([(f"from {side} px", n) for side, n in whole.items()])
        yield table(
            ["class", "boxes", "small", "medium", "large", "mean width", "mean height"],
            [(s.category, s.boxes, s.small, s.medium, s.large, s.mean_width, s.mean_height)
             for s in found.sizes],
        )  # fmt: skip
    if found.density is not None:
        yield "<h2>Labels per item</h2>"
        yield count_bars([(str(n), items) for n, items in found.density.counts.items()])
    for name, group in found.groups.items():
        yield f"<h2>By {name}</h2>"
        yield table(["value", "labels", "classes", "imbalance", "entropy"],
                    [(value, own.annotations, len(own.classes), own.imbalance, own.entropy)
                     for value, own in group.items()])  # fmt: skip


def summary(found: Balance) -> str:
    """Return the whole in one line."""
    classes = counted(len(found.classes), "class", "classes")
    said = f"{counted(found.annotations, 'label')}, {classes}"
    if found.imbalance is not None:
        said += f", imbalance {found.imbalance:.1f}"
    if found.entropy is not None:
        said += f", entropy {found.entropy:.3f}"
    absent = counted(len(found.absent), "class", "classes")
    return said + (f", {absent} without a label" if found.absent else "")
