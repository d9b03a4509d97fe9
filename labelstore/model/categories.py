"""Categories: the classes of the ontology."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from labelstore.model.columns import Column, Row
from labelstore.model.kinds import Kind
from labelstore.model.units import Id, JsonObject, JsonText

Point = Annotated[int, Field(ge=0, le=2**31 - 1), Column(0, pa.int32())]


class Edge(Row):
    """Two keypoints that are joined, 0-based."""

    a: Point
    b: Point


AttributeKind = Literal["bool", "int", "float", "string", "enum", "list"]


class AttributeType(Row):
    """A typed attribute that annotations of this class may carry."""

    name: str
    type: AttributeKind
    values: list[str] | None = None
    default: JsonText | None = None
    mutable: bool | None = None
    required: bool | None = None


class CategorySource(Row):
    """How one source lists this class."""

    dataset_id: Id
    seq: Annotated[int, Field(ge=0)]
    source_id: int | None = None
    source_key: JsonText | None = None
    stated: JsonObject | None = None
    """Columns in which this source differs from the row, as JSON; null where it is silent."""
    leftovers: JsonObject | None = None


class Category(Row):
    """One class of the ontology."""

    category_id: Annotated[Id, Column(1)]
    name: Annotated[str, Field(min_length=1), Column(2)] | None = None
    parent_id: Annotated[Id, Column(3)] | None = None
    supercategory: Annotated[str, Column(4)] | None = None
    """Flat parent name, as COCO has it."""
    position: Annotated[int, Field(ge=0, le=2**31 - 1), Column(5, pa.int32())]
    """Order of the classes, gaps allowed: a class's rank is its output channel in a model."""
    keypoint_names: Annotated[list[str], Column(6)] | None = None
    skeleton: Annotated[list[Edge], Column(7)] | None = None
    flip_pairs: Annotated[list[Point], Column(8)] | None = None
    """For each keypoint the one it becomes in a mirrored image."""
    is_thing: Annotated[bool, Column(9)] | None = None
    color: (
        Annotated[
            list[Annotated[int, Field(ge=0, le=255), Column(0, pa.int16())]],
            Field(min_length=3, max_length=3),
            Column(10),
        ]
        | None
    ) = None
    attribute_types: Annotated[list[AttributeType], Column(11)] | None = None
    synonyms: Annotated[list[str], Column(12)] | None = None
    unlisted: Annotated[bool, Column(13)] | None = None
    """True for a class that annotations use and their source does not list."""
    sources: Annotated[list[CategorySource], Column(14, role="origin")]
    changed_in: Annotated[Id, Column(15, role="provenance")] | None = None
    kinds: Annotated[list[Kind], Column(17)] | None = None
    """Kinds of labels that the class allows; null allows all."""
    row_hash: Annotated[int, Field(ge=0), Column(16, pa.uint64(), role="hash")]
