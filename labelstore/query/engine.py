"""The one door to DuckDB: a version's parts as views."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.index import Part
from labelstore.versions.manifest import Manifest

VIEWS = (*TABLES, "labels")
KEYS = ("layer", "item_id", "annotation_id")
QUIET = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}


def quoted(text: str) -> str:
    """Return a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def connect(**settings: Any) -> duckdb.DuckDBPyConnection:
    """Return a connection in memory that fetches no extensions."""
    return duckdb.connect(":memory:", config={**QUIET, **settings})


def view_paths(manifest: Manifest, chosen: Mapping[str, Sequence[Part]] | None = None) -> Any:
    """Return what `create_views` needs: for each table its files and whether some are older.

    Args:
        manifest: the version.
        chosen: parts to use instead of all, by table.
    """
    plan: dict[str, dict[str, Any]] = {}
    for name, table in TABLES.items():
        parts = (chosen or {}).get(name, manifest.parts_of(name))
        plan[name] = {
            "paths": [str(manifest.path(p)) for p in parts],
            "older": any(p.columns < len(table.schema) for p in parts),
            "rows": [p.rows for p in parts],
        }
    return plan


def create_views(
    con: duckdb.DuckDBPyConnection,
    plan: Mapping[str, Mapping[str, Any]],
    *,
    keyed: bool = False,
    named: bool = False,
) -> None:
    """Create a view per table, and `labels`: annotations with their geometries.

    Args:
        con: the connection.
        plan: what `view_paths` returned.
        keyed: join the two families by key. That suits a few rows picked by id; by position it is
            as fast as one wide table for scans, but reads everything whatever is asked for.
        named: give `labels` the class's name as `category` and the item's `uri`; two joins more.
    """
    for name, table in TABLES.items():
        con.register(f"no_{name}", table.schema.empty_table())
        con.execute(f'CREATE VIEW "{name}" AS {_table_sql(name, plan[name])}')
    annotations, geometries = (plan[name]["rows"] for name in FAMILY)
    by_position = not keyed and annotations == geometries and annotations
    keys = ", ".join(KEYS)
    join = "POSITIONAL JOIN geometries g" if by_position else f"JOIN geometries g USING ({keys})"
    source = f"SELECT a.*, g.* EXCLUDE ({keys}) FROM annotations a {join}"
    if named:
        source = (
            f"SELECT l.*, c.name AS category, i.uri AS uri FROM ({source}) l "
            "LEFT JOIN categories c USING (category_id) LEFT JOIN items i USING (item_id)"
        )
    con.execute(f"CREATE VIEW labels AS {source}")


def _table_sql(name: str, plan: Mapping[str, Any]) -> str:
    if not plan["paths"]:
        return f"SELECT * FROM no_{name}"
    listed = ", ".join(quoted(p) for p in plan["paths"])
    if not plan["older"]:
        return f"SELECT * FROM read_parquet([{listed}])"
    by_name = f"SELECT * FROM read_parquet([{listed}], union_by_name = true)"
    return f"SELECT * FROM no_{name} UNION ALL BY NAME {by_name}"


def statement(name: str) -> str:
    """Return one of our own statements, from `query/sql/NAME.sql`."""
    return files("labelstore.query").joinpath("sql", f"{name}.sql").read_text()


def run(manifest: Manifest, name: str, **parameters: Any) -> pa.Table:
    """Return the result of one of our own statements on a version.

    Args:
        manifest: the version.
        name: of the statement.
        parameters: values of its `$name` parameters.
    """
    with connect() as con:
        create_views(con, view_paths(manifest))
        return execute(con, statement(name), parameters)


def execute(
    con: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None = None
) -> pa.Table:
    """Return the result of a statement as an Arrow table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = con.sql(sql, params=dict(parameters) if parameters else None)
        return _distinct(result.to_arrow_table())


def _distinct(rows: pa.Table) -> pa.Table:
    """Return the table with repeated column names numbered, `n` and `n_1`, as DuckDB does."""
    names: list[str] = []
    for name in rows.column_names:
        fresh, count = name, 0
        while fresh in names:
            count += 1
            fresh = f"{name}_{count}"
        names.append(fresh)
    return rows.rename_columns(names)
