"""Annotations: judgements about items."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from labelstore.model.columns import Column, Row
from labelstore.model.kinds import Kind
from labelstore.model.units import Id, JsonObject, JsonText, Pixels, Share

Origin = Literal["human", "model", "synthetic", "derived"]
ReviewState = Literal["draft", "submitted", "accepted", "rejected", "gold"]
Flag = Literal["uncertain", "ambiguous", "out_of_scope"]


class CategoryScore(Row):
    """One further class of an annotation."""

    category_id: Id
    score: float | None = None


class Annotation(Row):
    """One judgement about one object by one author; its shapes are in `geometries`."""

    layer: Annotated[str, Field(min_length=1), Column(1)]
    item_id: Annotated[Id, Column(2)]
    annotation_id: Annotated[Id, Column(3)]
    category_id: Annotated[Id, Column(4)] | None = None
    category_scores: Annotated[list[CategoryScore], Column(5)] | None = None
    """Further classes with their scores."""
    kind: Annotated[Kind, Column(6)]
    """What the annotator drew; other geometry columns may be filled too."""
    xmin: Annotated[Pixels, Column(7)] | None = None
    """Covering box of the shapes, in the units of their frame."""
    ymin: Annotated[Pixels, Column(8)] | None = None
    xmax: Annotated[Pixels, Column(9)] | None = None
    ymax: Annotated[Pixels, Column(10)] | None = None
    track_id: Annotated[Id, Column(11)] | None = None
    group_id: Annotated[Id, Column(12)] | None = None
    parent_annotation_id: Annotated[Id, Column(13)] | None = None
    is_crowd: Annotated[bool, Column(14)] | None = None
    occluded: Annotated[float, Column(15)] | None = None
    """As stated: 0 or 1 as a flag, a fraction, or a level such as KITTI's 0 to 3."""
    occluded_scale: Annotated[Literal["flag", "fraction", "level"], Column(16)] | None = None
    truncated: Annotated[float, Column(17)] | None = None
    """Share outside the image, or 0 and 1 as a flag."""
    difficult: Annotated[bool, Column(18)] | None = None
    ignore: Annotated[bool, Column(19)] | None = None
    keyframe: Annotated[bool, Column(20)] | None = None
    outside: Annotated[bool, Column(21)] | None = None
    score: Annotated[float, Column(22)] | None = None
    """A model's score, on the model's own scale."""
    confidence: Annotated[Share, Column(23)] | None = None
    """The annotator's own confidence."""
    flag: Annotated[Flag, Column(24)] | None = None
    attributes: Annotated[dict[str, JsonText], Column(25)] | None = None
    tags: Annotated[list[str], Column(26)] | None = None
    review_state: Annotated[ReviewState, Column(27)] | None = None
    origin: Annotated[Origin, Column(28, role="provenance")] | None = None
    created_by: Annotated[Id, Column(29, role="provenance")] | None = None
    """Agent who made the judgement; null where the source does not say."""
    created_at: Annotated[datetime, Column(30, role="provenance")] | None = None
    created_in: Annotated[Id, Column(31, role="provenance")] | None = None
    """Activity that brought the row into the store."""
    changed_in: Annotated[Id, Column(32, role="provenance")] | None = None
    """Activity that last wrote the row or its shapes."""
    reviewed_by: Annotated[Id, Column(33, role="provenance")] | None = None
    reviewed_at: Annotated[datetime, Column(34, role="provenance")] | None = None
    dataset_id: Annotated[Id, Column(35, role="origin")] | None = None
    seq: Annotated[int, Field(ge=0), Column(36, role="origin")] | None = None
    """Place in the source's list, from 0."""
    source_id: Annotated[int, Column(37, role="origin")] | None = None
    """The source's own id, where it is a 64-bit integer."""
    source_key: Annotated[JsonText, Column(38, role="origin")] | None = None
    """The source's own id as JSON text, where it is anything else."""
    number_style: Annotated[str, Column(39, role="origin")] | None = None
    """Runs of `i` (integer text) and `f` over the row's numbers, null where all are `f`."""
    leftovers: Annotated[JsonObject, Column(40)] | None = None
    """What the source says and no column holds."""
    row_hash: Annotated[int, Field(ge=0), Column(41, pa.uint64(), role="hash")]
