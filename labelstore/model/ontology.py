"""The ontology as a file that people edit: classes, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from labelstore.model.categories import AttributeKind
from labelstore.model.kinds import Kind

Index = Annotated[int, Field(ge=0, le=2**31 - 1)]
Reference = Annotated[str, Field(min_length=1)]
"""A class by its name, or by its id where several have that name."""


def _id_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


class TypedAttribute(_Part):
    """An attribute that labels of a class may carry."""

    name: Annotated[str, Field(min_length=1)]
    type: AttributeKind
    values: list[str] | None = None
    """All that it may be; of a list, all that may be in it."""
    default: JsonValue = None
    mutable: bool | None = None
    """Whether it may change along a track."""
    required: bool | None = None


class TakenFrom(_Part):
    """Labels of another class that become this one."""

    model_config = ConfigDict(populate_by_name=True)

    source: Annotated[Reference, Field(alias="from")]
    where: Annotated[str, Field(min_length=1)]
    """SQL condition over the columns of `labels`."""


class OntologyClass(_Part):
    """One class: a field that is left out stays as it is, null clears it."""

    id: Annotated[str, BeforeValidator(_id_text), Field(pattern=r"^[0-9]{1,19}$")] | None = None
    """Which class this is; without, the one of that name, or a new one."""
    was: Reference | None = None
    """Which class this is, where it gets another name and its id is not at hand."""
    name: Annotated[str, Field(min_length=1)] | None = None
    parent: Reference | None = None
    supercategory: str | None = None
    """Flat parent name, as COCO has it."""
    position: Index | None = None
    """Order of the classes; a class's rank is its output channel in a model."""
    keypoint_names: list[str] | None = None
    skeleton: list[Annotated[list[Index], Field(min_length=2, max_length=2)]] | None = None
    """Pairs of keypoints that are joined, 0-based."""
    flip_pairs: list[Index] | None = None
    """For each keypoint the one it becomes in a mirrored image."""
    is_thing: bool | None = None
    color: (
        Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=3, max_length=3)]
        | None
    ) = None
    attribute_types: list[TypedAttribute] | None = None
    synonyms: list[str] | None = None
    kinds: list[Kind] | None = None
    """Kinds of labels that the class allows; null allows all."""
    merge: list[Reference] | None = None
    """Classes that become this one, with all their labels."""
    take: list[TakenFrom] | None = None
    """Parts of other classes that become this one."""
    remove: bool | None = None
    """Whether the class goes; only one that nothing uses can."""


class Ontology(_Part):
    """The file that `ontology show` prints and `ontology apply` reads."""

    classes: list[OntologyClass]


PLAIN = ("name", "supercategory", "position", "keypoint_names", "flip_pairs", "is_thing", "color",
         "synonyms", "kinds")  # fmt: skip
"""Fields that are columns of `categories` as they stand."""


def from_row(row: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    """Return the fields of a class that say something.

    Args:
        row: of `categories`.
        names: how to refer to each class, by id.
    """
    edges, types, parent = row["skeleton"], row["attribute_types"], row["parent_id"]
    found = {
        "id": str(row["category_id"]),
        "name": row["name"],
        "parent": None if parent is None else names.get(parent, str(parent)),
        **{name: row[name] for name in PLAIN[1:]},
        "skeleton": edges and [[e["a"], e["b"]] for e in edges],
        "attribute_types": types and [_attribute(t) for t in types],
    }
    return {name: value for name, value in found.items() if value is not None}


def _attribute(stored: Mapping[str, Any]) -> dict[str, Any]:
    default = stored.get("default")
    found = {**stored, "default": None if default is None else json.loads(default)}
    return {name: value for name, value in found.items() if value is not None}


def to_columns(entry: OntologyClass) -> dict[str, Any]:
    """Return the columns of `categories` that an entry sets, but for its parent."""
    given = entry.model_fields_set
    found = {name: getattr(entry, name) for name in PLAIN if name in given}
    if "skeleton" in given:
        edges = entry.skeleton
        found["skeleton"] = None if edges is None else [{"a": a, "b": b} for a, b in edges]
    if "attribute_types" in given:
        types = entry.attribute_types
        found["attribute_types"] = None if types is None else [_stored(t) for t in types]
    return found


def _stored(attribute: TypedAttribute) -> dict[str, Any]:
    default = None if attribute.default is None else json.dumps(attribute.default)
    return {**attribute.model_dump(), "default": default}


def same_types(old: Sequence[Mapping[str, Any]] | None, new: Sequence[Any] | None) -> bool:
    """Say whether stored attribute types are the same, however their defaults are written."""
    if old is None or new is None:
        return old is new
    return [_attribute(t) for t in old] == [_attribute(t) for t in new]
