"""The one door to DuckDB: statements over the views of a version."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa

from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES
from labelstore.query.conditions import check_condition
from labelstore.query.statements import statement
from labelstore.query.views import Plan, choose, create_views, lock, table_files
from labelstore.versions.manifest import Manifest

ANNOTATION_COLUMNS = frozenset(TABLES["annotations"].schema.names)
"""What a condition may name without shapes having to be read."""
QUIET = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}


def connect(**settings: Any) -> duckdb.DuckDBPyConnection:
    """Return a connection in memory that fetches no extensions."""
    con = duckdb.connect(":memory:", config={**QUIET, **settings})
    con.execute("SET TimeZone = 'UTC'")
    return con


def run(manifest: Manifest, name: str, *, where: str | None = None, **parameters: Any) -> pa.Table:
    """Return the result of one of our own statements.

    Args:
        manifest: the version.
        name: of the statement.
        where: count only labels that meet this condition on columns of `labels`.
        parameters: values of its `$name` parameters.

    Raises:
        InvalidInput: the condition may not run, or is wrong.
    """
    own = statement(name)
    with connect() as con:
        plan = Plan({}, views=[*own.views])
        if where is not None:
            asked = check_condition(con, where, TABLES.keys() | {"labels"})
            narrow = asked.columns <= ANNOTATION_COLUMNS and len(asked.views) == 1
            views = own.views | (frozenset() if narrow else frozenset(asked.views))
            plan = Plan({}, named=asked.named, where=where, narrow=narrow, views=[*views])
        plan = replace(plan, tables=table_files(manifest, names=plan.read))
        try:
            lock(con, plan)
            create_views(con, plan)
            choose(con, plan)
            return execute(con, own.sql, parameters)
        except duckdb.Error as error:
            if where is None:
                raise
            raise InvalidInput(str(error).strip(), code="query-wrong") from error


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
