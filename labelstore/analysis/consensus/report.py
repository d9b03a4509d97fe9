"""What is told of a consensus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class AuthorShare:
    """One author against the consensus, on objects that are decided and that they looked at.

    Attributes:
        objects: how many these are.
        agreed: of which they say what the consensus says, also that there is none.
        missed: that they do not have.
        other: that they have as another class.
        extra: labels of theirs that are no object.
        accuracy: how often they are right, as Dawid and Skene's method estimates it.
    """

    name: str
    objects: int
    agreed: int
    missed: int
    other: int
    extra: int
    accuracy: float | None


@dataclass(frozen=True)
class Consensus:
    """What came of the labels of several authors.

    Attributes:
        layer: that has it.
        method: how it was decided.
        items: that at least two authors labelled.
        objects: on these items.
        kept: objects that are labels of the layer now.
        left_out: that too few have.
        open: that nobody can say, and that the layer does not have.
        added, changed, removed: labels of the layer, against what it had.
        by_hand: labels of the layer that somebody changed or added since, which stay.
        unlinked: labels kept whose track, group or parent is another author's, and is left out.
    """

    layer: str
    method: str
    items: int
    objects: int
    kept: int
    left_out: int
    open: int
    added: int
    changed: int
    removed: int
    by_hand: int
    unlinked: int
    authors: Sequence[AuthorShare]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)
