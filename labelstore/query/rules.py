"""Rules across tables: a statement each, whose rows are the faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pyarrow as pa

from labelstore.model.kinds import SHAPES
from labelstore.query.engine import connect, execute
from labelstore.query.views import Plan, create_views, table_files
from labelstore.versions.manifest import Manifest


@dataclass(frozen=True)
class SqlRule:
    """One rule; its file is `query/sql/rules/CODE.sql`.

    Attributes:
        code: stable.
        severity: error, warning or info.
        field: the column that it is about.
        words: what a row that breaks it is.
        sql: gives id (of the row), item_id, annotation_id (null where there is none) and value.
    """

    code: str
    severity: str
    field: str
    words: str
    sql: str


@cache
def sql_rules() -> tuple[SqlRule, ...]:
    """Return all rules across tables, by code."""
    folder = files("labelstore.query").joinpath("sql", "rules")
    found = []
    for file in folder.iterdir():
        text = file.read_text()
        words, about = (line.removeprefix("-- ") for line in text.splitlines()[:2])
        severity, field = about.split(": ")
        found.append(SqlRule(file.name.removesuffix(".sql"), severity, field, words, text))
    return tuple(sorted(found, key=lambda rule: rule.code))


def broken_rules(manifest: Manifest, shown: int) -> Iterator[tuple[SqlRule, int, int, pa.Table]]:
    """Yield each rule that a version breaks, how often, the least id, and the first faults.

    Args:
        manifest: the version.
        shown: how many faults of each rule to give.
    """
    with connect() as con:
        create_views(con, Plan(table_files(manifest)))
        con.execute(f"CREATE VIEW shaped AS {shaped()}")
        for rule in sql_rules():
            sql = f"SELECT COUNT(*) AS count, MIN(f.id) AS example FROM ({rule.sql}) AS f"
            (found,) = execute(con, sql).to_pylist()
            if found["count"]:
                first = f"SELECT * FROM ({rule.sql}) AS f ORDER BY f.id LIMIT {shown:d}"
                yield rule, found["count"], found["example"], execute(con, first)


def shaped() -> str:
    """Return SQL for each label's kind, and `kinds`: those that its shapes could be."""
    kinds = []
    for kind, columns in SHAPES.items():
        there = " OR ".join(f'"{column}" IS NOT NULL' for column in columns)
        kinds.append(f"CASE WHEN {there} THEN '{kind}' END")
    return f"SELECT item_id, annotation_id, kind, [{', '.join(kinds)}] AS kinds FROM labels"
