"""What is told of labels that were compared with a gold set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ClassScore:
    """Labels of one class.

    Attributes:
        gold: objects of the class in the gold set.
        labels: of the class, of the one who is scored.
        correct: labels on an object of the gold set, of its class.
    """

    name: str
    gold: int
    labels: int
    correct: int

    @property
    def precision(self) -> float | None:
        """Return the share of labels that are correct, None without any."""
        return self.correct / self.labels if self.labels else None

    @property
    def recall(self) -> float | None:
        """Return the share of objects that were found, None without any."""
        return self.correct / self.gold if self.gold else None

    @property
    def f1(self) -> float | None:
        """Return the harmonic mean of both, None where there is nothing."""
        count = self.gold + self.labels
        return 2 * self.correct / count if count else None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True)
class Confusion:
    """Objects of one class that were labelled as another, or not at all.

    Attributes:
        gold: the object's class, or `(background)` where the gold set has none.
        said: the label's class, or `(background)` where there is none.
    """

    gold: str
    said: str
    count: int


@dataclass(frozen=True)
class Shapes:
    """How shapes agree with those of the gold set, of objects that were found.

    Attributes:
        count: how many have a shape.
        mean: of their agreement (such as IoU), 0 to 1.
        quantiles: share of the objects to the agreement that it stays below.
        bins: how many agree from 0 to 0.1, from 0.1 to 0.2, … and from 0.9 to 1.
    """

    count: int
    mean: float
    quantiles: Mapping[str, float]
    bins: Sequence[int]


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's average precision, by pycocotools; None where it has nothing to say.

    Attributes:
        by: `bbox`, `segm` or `keypoints`.
        gold, labels: how many of either were taken.
        classes: `ap` of each class.
        ap: mean over classes and over thresholds from 0.5 to 0.95.
        ap50, ap75: at one threshold.
        small, medium, large: of objects of up to 32² and 96² pixels, and beyond.
        recall: average recall with up to 100 labels an image (keypoints: 20).
    """

    by: str
    gold: int
    labels: int
    classes: Mapping[str, float | None]
    ap: float | None
    ap50: float | None
    ap75: float | None
    small: float | None
    medium: float | None
    large: float | None
    recall: float | None


@dataclass(frozen=True)
class Texts:
    """Transcripts against those of the gold set.

    Attributes:
        count: texts of the gold set.
        words, letters: that these have.
        word_edits, letter_edits: words, or letters, to put in, take out or replace.
    """

    count: int
    words: int
    word_edits: int
    letters: int
    letter_edits: int

    @property
    def word_error_rate(self) -> float | None:
        """Return edits by words of the gold set; above 1 where far more is told."""
        return self.word_edits / self.words if self.words else None

    @property
    def character_error_rate(self) -> float | None:
        """Return edits by letters of the gold set."""
        return self.letter_edits / self.letters if self.letters else None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        rates = {"word_error_rate": self.word_error_rate,
                 "character_error_rate": self.character_error_rate}  # fmt: skip
        return {**asdict(self), **rates}


@dataclass(frozen=True)
class Score:
    """One layer or author against the gold set.

    Attributes:
        name: the layer or author.
        items: that were compared.
        whole: of all classes together.
        ignored: objects of the gold set that do not count, as crowds.
        classes: each class that either has, in the order of the ontology.
        confusion: what is not correct, the most frequent first.
        shapes: None where no object that was found has one.
        precision: COCO's, of each kind of shape that both have and that was asked for.
        texts: None where neither has any.
    """

    name: str
    items: int
    whole: ClassScore
    ignored: int
    classes: Sequence[ClassScore]
    confusion: Sequence[Confusion]
    shapes: Shapes | None
    precision: Sequence[AveragePrecision]
    texts: Texts | None

    @property
    def macro_f1(self) -> float | None:
        """Return the mean over classes of their F1, None without any."""
        known = [c.f1 for c in self.classes if c.f1 is not None]
        return sum(known) / len(known) if known else None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            **asdict(self), "macro_f1": self.macro_f1, "whole": self.whole.as_json(),
            "classes": [c.as_json() for c in self.classes],
            "texts": self.texts.as_json() if self.texts else None,
        }  # fmt: skip
