"""What each format holds, from what its converter declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from labelstore.exchange.notices import meanings
from labelstore.model.kinds import SHAPES
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import GROUP, Format, find_format

BESIDE = ("is_crowd", "score", "area", "attributes", "category_scores", "track_id", "occluded",
          "truncated", "difficult", "tags")  # fmt: skip
"""Columns of labels, beside their shapes, that people ask for first."""


@dataclass(frozen=True)
class Capability:
    """What one format, of one task, holds.

    Attributes:
        format, task: which; no task where the format has none.
        kinds: kinds of labels whose shape it writes.
        columns: columns of labels that it writes.
        lists: columns of `items` and of `categories` that it writes.
        ids: whether labels, items and classes have ids in it.
        notices: what an import or export may tell, by code.
    """

    format: str
    task: str | None
    kinds: list[str]
    columns: list[str]
    lists: Mapping[str, list[str]]
    ids: bool
    notices: Mapping[str, str]

    @property
    def name(self) -> str:
        """Return format and task."""
        return self.format if self.task is None else f"{self.format} {self.task}"


def capabilities() -> list[Capability]:
    """Return what each installed format holds, by name and task."""
    found = []
    for name in sorted(entry.name for entry in entry_points(group=GROUP)):
        plain = find_format(name)
        found += [_capability(plain.of_task(task), task) for task in plain.tasks]
        if not plain.tasks:
            found.append(_capability(plain, None))
    return found


def _capability(converter: Format, task: str | None) -> Capability:
    carried = converter.carries
    tags = ["tag"] if converter.has_tags else []
    content = [c for name in FAMILY for c in TABLES[name].columns("content")]
    return Capability(
        format=converter.name,
        task=task,
        kinds=[*tags, *(kind for kind, columns in SHAPES.items() if columns[0] in carried)],
        columns=[c for c in content if c in carried],
        lists={
            table: sorted(columns - converter.unsaid)
            for table, columns in converter.lists.items()
            if columns
        },
        ids=converter.has_ids,
        notices=meanings(converter),
    )


def matrix(found: list[Capability]) -> list[tuple[str, list[bool]]]:
    """Return rows of kinds and columns, and whether each format holds them.

    Args:
        found: formats, as `capabilities` gives them.
    """
    kinds = dict.fromkeys(kind for c in found for kind in c.kinds)
    rows = [(kind, [kind in c.kinds for c in found]) for kind in kinds]
    rows += [(column, [column in c.columns for c in found]) for column in BESIDE]
    return [*rows, ("ids", [c.ids for c in found])]
