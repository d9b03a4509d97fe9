"""The tables of format version 1: name, model, key, and how each is cut into parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from labelstore.errors import NotFound
from labelstore.model.annotations import Annotation
from labelstore.model.arrow import arrow_schema
from labelstore.model.categories import Category
from labelstore.model.columns import Role, Row
from labelstore.model.geometries import Geometry
from labelstore.model.items import Item
from labelstore.model.links import Relation, Split, Track
from labelstore.model.provenance import Activity, Agent, Dataset
from labelstore.model.shape import shapes

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Table:
    """One table.

    Args:
        name: of the table, the folder and the SQL view.
        model: the pydantic row; the only definition of the columns.
        key: one or two int64 columns that order the rows; parts are cut along the first.
        partition: text column that parts never cross (`layer`, `scheme`), or empty.
        hash_column: the 64-bit hash of a row's other columns.
    """

    name: str
    model: type[Row]
    key: tuple[str, ...]
    partition: str = ""
    hash_column: str = "row_hash"

    @cached_property
    def schema(self) -> pa.Schema:
        """Return the Arrow schema, with field ids."""
        return arrow_schema(self.model)

    @property
    def id_column(self) -> str:
        """Return the column that names a row within its partition."""
        return self.key[-1]

    @cached_property
    def id_columns(self) -> tuple[str, ...]:
        """Return the columns that hold ids, which mostly count upwards."""
        ending = ("_id", "_in", "seq", "_us", "_at")
        return tuple(f.name for f in self.schema if f.name.endswith(ending) and _is_counter(f))

    def columns(self, *roles: Role) -> list[str]:
        """Return the names of the columns with one of these roles."""
        named = shapes(self.model).items()
        return [name for name, shape in named if shape.column and shape.column.role in roles]


def _is_counter(field: pa.Field) -> bool:
    return bool(pa.types.is_int64(field.type) or pa.types.is_timestamp(field.type))


TABLES = {
    table.name: table
    for table in (
        Table("items", Item, ("item_id",)),
        Table("annotations", Annotation, ("item_id", "annotation_id"), "layer"),
        Table("geometries", Geometry, ("item_id", "annotation_id"), "layer", "geometry_hash"),
        Table("categories", Category, ("category_id",)),
        Table("relations", Relation, ("relation_id",)),
        Table("tracks", Track, ("track_id",)),
        Table("splits", Split, ("item_id",), "scheme"),
        Table("activities", Activity, ("activity_id",)),
        Table("agents", Agent, ("agent_id",)),
        Table("datasets", Dataset, ("dataset_id",)),
    )
}

FAMILY = ("annotations", "geometries")
"""Two tables with a row each per annotation; the second has the part boundaries of the first."""


def table(name: str) -> Table:
    """Return the table of that name.

    Raises:
        NotFound: there is no such table.
    """
    if name not in TABLES:
        known = ", ".join(TABLES)
        raise NotFound(f"there is no table {name!r}; the tables are {known}", code="table-unknown")
    return TABLES[name]
