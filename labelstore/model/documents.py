"""What `--json` prints: models that describe it, from which JSON Schemas are made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

IdText = Annotated[str, Field(pattern="^-?[0-9]+$")]
"""An id, as text: JSON has no integers of 64 bits."""


class Document(BaseModel):
    """Base: closed, and described by its docstrings."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Revision(Document):
    """One side: as the user named it, and its root."""

    revision: str
    root: str


class Tally(Document):
    """How many rows came, went, changed, or changed in who wrote them or in order only."""

    added: int
    removed: int
    changed: int
    provenance_only: int


class ClassTally(Document):
    """Labels of one class; `came` and `went` changed class."""

    category: str
    added: int
    removed: int
    came: int
    went: int
    changed: int


class ClassMove(Document):
    """Labels that went from one class to another."""

    model_config = ConfigDict(populate_by_name=True)
    source: str = Field(alias="from")
    to: str
    labels: int


class OntologyEdit(Document):
    """What happened to one class."""

    what: Literal["added", "removed", "renamed", "re-parented", "merged", "changed"]
    category: str
    detail: str
    labels: int


class Regrouped(Document):
    """An object that was split into pieces, or merged from them."""

    layer: str
    change: Literal["split", "merged"]
    item_id: IdText
    annotation_id: IdText
    pieces: list[IdText]


class SplitMove(Document):
    """Items that went from one subset to another; null is none."""

    scheme: str
    source: str | None = Field(alias="from")
    to: str | None
    items: int


class Authorship(Document):
    """What one activity, or one author, wrote of what differs."""

    by: str
    what: str
    added: int
    removed: int
    changed: int


class ItemTally(Document):
    """Labels of one item, the most concerned first."""

    item_id: IdText
    uri: str
    added: int
    removed: int
    changed: int
    total: int


class LabelChange(Document):
    """One label that differs."""

    layer: str
    item_id: IdText
    annotation_id: IdText
    change: Literal["added", "removed", "changed"]
    meanings: list[str]
    """What changed, such as moved, resized, reclassified."""
    class_before: str | None
    class_after: str | None
    annotation_after: IdText | None = None
    """Its number now, where it was paired by geometry."""
    agreement: float | None = None


class LabelMeasure(Document):
    """By how much one label changed, the least agreement first."""

    annotation_id: IdText
    agreement: float | None = None
    """IoU and its like, 0 to 1."""
    distance: float | None = None
    """How far its middle went, in `unit`."""
    unit: str | None = None
    turn: float | None = None
    """Degrees."""
    character_error_rate: float | None = None
    word_error_rate: float | None = None


class ClassShare(Document):
    """Share of one class before and after."""

    category: str
    before: float
    after: float
    counts: list[int]
    """Labels before and after."""
    low: float | None
    """The change of the share lies between `low` and `high`, at 95 %."""
    high: float | None
    chance: float | None
    """How often chance alone would do it, corrected for the number of questions."""


class Shift(Document):
    """How far labels moved in one respect, the largest effect first."""

    what: str
    effect: float
    """0 to 1: Kolmogorov-Smirnov's of numbers, Cramér's V of groups."""
    psi: float
    distance: float
    """Wasserstein's of numbers, in `unit`; Jensen-Shannon's of groups."""
    unit: str
    before: float | str
    """Median, or the most frequent group."""
    after: float | str
    counts: list[int]
    low: float
    """The effect lies between `low` and `high`, at 95 %."""
    high: float
    chance: float
    """How often chance alone would do it, corrected for the number of questions."""


class ClassDrift(Document):
    """How far class shares, and labels as a whole, moved."""

    jensen_shannon: float
    psi: float
    classes: list[ClassShare]
    measures: list[Shift]
    skipped: list[str]
    """What too few labels say anything about."""
    drivers: list[Driver]


class Driver(Document):
    """An activity, or an author (`what` is empty), without whom class shares had moved less."""

    by: str
    what: str
    labels: int
    share: float
    """Of the whole change."""


class BrokenRule(Document):
    """A rule of a policy that is broken."""

    rule: str
    allowed: str
    found: str


class DiffDocument(Document):
    """What `diff --json` prints; lists are cut at `cut_at` entries, and `--stat` has none."""

    schema_: Literal["labelstore/diff/1"] = Field(alias="schema")
    source: Revision = Field(alias="from")
    to: Revision
    summary: dict[Literal["items", "annotations"], Tally]
    verdict: str
    tables: dict[str, Tally]
    meanings: dict[str, int]
    """How many labels changed in what way."""
    columns: dict[str, int]
    """How many labels differ in each column."""
    classes: list[ClassTally] | None = None
    reclassified: list[ClassMove] | None = None
    ontology: list[OntologyEdit] | None = None
    objects: list[Regrouped] | None = None
    split_moves: list[SplitMove] | None = None
    activities: list[Authorship] | None = None
    authors: list[Authorship] | None = None
    items: list[ItemTally] | None = None
    labels: list[LabelChange] | None = None
    measures: list[LabelMeasure] | None = None
    cut_at: int | None = None
    drift: ClassDrift | None = None
    policy: list[BrokenRule] | None = None
