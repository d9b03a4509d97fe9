"""What is told of agreement: as a whole, by author, in pairs, by class and by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labelstore.analysis.agreement.coefficients import Metric


@dataclass(frozen=True)
class AuthorAgreement:
    """One author against the others.

    Attributes:
        labels: of theirs, on items that others labelled, too.
        missed: objects of others that they did not label, though they labelled the item.
        alone: objects that nobody else labelled, though others labelled the item.
        alpha: of this author and the rest, two at a time, on average weighted by objects.
    """

    name: str
    labels: int
    missed: int
    alone: int
    alpha: float | None


@dataclass(frozen=True)
class PairAgreement:
    """Two authors: objects that either has on items of both, kappa, agreement of shapes.

    Attributes:
        kappa: Cohen's, of the class; that one missed an object counts as a class.
        shapes: mean agreement (such as IoU) of the two labels of each object that both have; None
            where none has a shape.
        correlation: Pearson's r of their values, where values were asked for.
    """

    first: str
    second: str
    objects: int
    kappa: float | None
    shapes: float | None
    correlation: float | None = None


@dataclass(frozen=True)
class Group:
    """Alpha of some objects: of one class (against all others), or of one month."""

    name: str
    objects: int
    alpha: float | None


@dataclass(frozen=True)
class Agreement:
    """How far authors agree.

    Attributes:
        items: that at least two authors labelled.
        objects: on these items.
        alpha: Krippendorff's, nominal, of the class; that an author missed an object counts as a
            class, and authors without a label on the item are missing.
        low, high: of alpha in 95 of 100 samples of items.
        fleiss: Fleiss' kappa, where all authors labelled all these items.
        shapes: mean agreement of shapes, of objects that several have.
        sweep: of two authors, alpha where shapes must agree by at least so much to be one object;
            nothing changes below what was asked for.
        value: alpha of the values that were asked for, with their metric.
    """

    items: int
    objects: int
    alpha: float | None
    low: float | None
    high: float | None
    fleiss: float | None
    shapes: float | None
    authors: Sequence[AuthorAgreement]
    pairs: Sequence[PairAgreement]
    classes: Sequence[Group]
    months: Sequence[Group]
    sweep: Sequence[tuple[float, float | None]]
    value: float | None = None
    metric: Metric | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)
