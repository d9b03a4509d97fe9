"""What every label has, whatever its shape."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from labelstore.model.annotations import CategoryScore, Flag, Origin, ReviewState
from labelstore.model.kinds import Kind
from labelstore.model.labels.numbers import Number, Probability


class Label(BaseModel):
    """What every label has; a label of this class itself is a tag: a class and no shape.

    Attributes:
        item: URI of the item, or its id.
        category: name of the class, or its id.
        attributes: values of any JSON type by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    kind: ClassVar[Kind] = "tag"
    item: str | int
    category: str | int | None = None
    layer: str | None = None
    category_scores: list[CategoryScore] | None = None
    attributes: dict[str, Any] | None = None
    tags: list[str] | None = None
    track_id: int | None = None
    group_id: int | None = None
    parent_annotation_id: int | None = None
    is_crowd: bool | None = None
    occluded: Number | None = None
    occluded_scale: Literal["flag", "fraction", "level"] | None = None
    truncated: Number | None = None
    difficult: bool | None = None
    ignore: bool | None = None
    keyframe: bool | None = None
    outside: bool | None = None
    score: Number | None = None
    confidence: Probability | None = None
    flag: Flag | None = None
    review_state: ReviewState | None = None
    origin: Origin | None = None
    frame: str | None = None
    z_order: int | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {}

    def own(self) -> dict[str, Any]:
        """Return the fields that tags do not have."""
        return self.model_dump(exclude=set(Label.model_fields))


class Tag(Label):
    """A class of a whole item; several of one item make it multi-label."""
