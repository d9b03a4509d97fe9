"""What is to become of the classes, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class OntologyChange:
    """One thing that happened to a class.

    Attributes:
        what: added, renamed, re-parented, changed, merged, split or removed.
        category: the class's name, as it is now.
        detail: from what, or which fields.
        labels: how many labels became of this class.
    """

    what: str
    category: str
    detail: str = ""
    labels: int = 0


@dataclass
class Plan:
    """What to do.

    Attributes:
        before, after: rows of `categories` by id, as they are and as they are to be.
        merged: (id of a class that goes, id of the one that it becomes).
        taken: labels that change their class: from id, to id, condition, its place in the file.
        removed: ids of classes that go, merged ones too.
    """

    before: dict[int, Row]
    after: dict[int, Row]
    merged: dict[int, int] = field(default_factory=dict)
    taken: list[tuple[int, int, str, Steps]] = field(default_factory=list)
    removed: set[int] = field(default_factory=set)

    def name(self, number: int) -> str:
        """Return what to call a class."""
        return self.after[number].get("name") or f"class {number}"

    def written(self) -> list[Row]:
        """Return the rows that are new or differ."""
        return [r for n, r in self.after.items() if n not in self.removed and r != self.old(n)]

    def old(self, number: int) -> Row:
        """Return a class as it was; empty for a new one."""
        return self.before.get(number, {})
