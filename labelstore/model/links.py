"""Relations between annotations, tracks through time, and splits of items."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from labelstore.model.columns import Column, Row
from labelstore.model.units import Id, JsonObject, JsonText

RowHash = Annotated[int, Field(ge=0)]
ENDS = ("from_id", "to_id")
"""Columns of the labels that a relation joins."""


class Relation(Row):
    """A link between two annotations."""

    relation_id: Annotated[Id, Column(1)]
    from_id: Annotated[Id, Column(2)]
    to_id: Annotated[Id, Column(3)]
    label: Annotated[str, Column(4)] | None = None
    direction: Annotated[Literal["right", "left", "both", "none"], Column(5)] | None = None
    score: Annotated[float, Column(6)] | None = None
    attributes: Annotated[dict[str, JsonText], Column(7)] | None = None
    dataset_id: Annotated[Id, Column(8, role="origin")] | None = None
    seq: Annotated[int, Field(ge=0), Column(9, role="origin")] | None = None
    source_id: Annotated[int, Column(10, role="origin")] | None = None
    source_key: Annotated[JsonText, Column(11, role="origin")] | None = None
    leftovers: Annotated[JsonObject, Column(12)] | None = None
    created_in: Annotated[Id, Column(13, role="provenance")] | None = None
    changed_in: Annotated[Id, Column(14, role="provenance")] | None = None
    row_hash: Annotated[RowHash, Column(15, pa.uint64(), role="hash")]


class Track(Row):
    """One object through time; its keyframes are annotations."""

    track_id: Annotated[Id, Column(1)]
    category_id: Annotated[Id, Column(2)] | None = None
    item_id: Annotated[Id, Column(3)] | None = None
    """The video or sequence it lives in."""
    attributes: Annotated[dict[str, JsonText], Column(4)] | None = None
    dataset_id: Annotated[Id, Column(5, role="origin")] | None = None
    seq: Annotated[int, Field(ge=0), Column(6, role="origin")] | None = None
    source_id: Annotated[int, Column(7, role="origin")] | None = None
    source_key: Annotated[JsonText, Column(8, role="origin")] | None = None
    leftovers: Annotated[JsonObject, Column(9)] | None = None
    changed_in: Annotated[Id, Column(10, role="provenance")] | None = None
    row_hash: Annotated[RowHash, Column(11, pa.uint64(), role="hash")]


class Split(Row):
    """An item's place in one split scheme."""

    scheme: Annotated[str, Field(min_length=1), Column(1)]
    item_id: Annotated[Id, Column(2)]
    subset: Annotated[str, Field(min_length=1), Column(3)]
    group: Annotated[str, Column(4)] | None = None
    """What was kept together when the item was assigned."""
    frozen_since: Annotated[Id, Column(5)] | None = None
    """Activity that froze the assignment."""
    changed_in: Annotated[Id, Column(6, role="provenance")] | None = None
    row_hash: Annotated[RowHash, Column(7, pa.uint64(), role="hash")]
