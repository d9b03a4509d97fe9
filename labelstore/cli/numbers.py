"""How a version in numbers looks as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from labelstore.analysis.reporting.numbers import summary
from labelstore.cli.output import table

if TYPE_CHECKING:
    from labelstore.analysis.statistics import Stats


def show_stats(found: Stats) -> None:
    """Print a version in numbers."""
    items = found.density is not None
    columns = ["class", "labels", "share", "weight", "band"] + (["items"] if items else [])
    table(columns, [(c.category, c.annotations, c.share, c.weight, c.band,
                     *([c.items] if items else [])) for c in found.classes])  # fmt: skip
    typer.echo(summary(found))
    if found.sizes:
        columns = ["class", "boxes", "small", "medium", "large", "mean width", "mean height"]
        rows = [(s.category, s.boxes, s.small, s.medium, s.large, s.mean_width, s.mean_height)
                for s in found.sizes]  # fmt: skip
        table(columns, rows, title="\nsizes in pixels")
    if found.density is not None:
        own = found.density
        typer.echo(
            f"\nlabels per item: mean {own.mean:.2f}, median {own.median:g}, most {own.most:,}; "
            f"{own.empty:,} of {own.items:,} items have none"
        )
    for name, group in found.groups.items():
        balances = [(value, own.annotations, len(own.classes), own.imbalance, own.entropy)
                    for value, own in group.items()]  # fmt: skip
        table([name, "labels", "classes", "imbalance", "entropy"], balances, title=f"\nby {name}")
