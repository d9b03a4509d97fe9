"""Statements that are asked on Spark mean the same there, or are refused."""

from __future__ import annotations

import pytest
from conftest import Run

from labelstore.errors import InvalidInput
from labelstore.query.engine import connect
from labelstore.query.guard import check
from labelstore.query.portable import faults, for_spark
from labelstore.query.rules import SqlRule, sql_rules
from labelstore.query.statements import statements
from labelstore.query.views import VIEWS
from labelstore.store import Store


@pytest.mark.parametrize("name", statements())
def test_our_statements_are_portable(name: str) -> None:
    assert faults(statements()[name].sql) == []


@pytest.mark.parametrize("rule", sql_rules(), ids=lambda rule: rule.code)
def test_our_rules_are_portable(rule: SqlRule) -> None:
    assert faults(rule.sql) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT i.item_id FROM items i LEFT JOIN UNNEST(i.tags) AS t(x) ON TRUE", "UNNEST"),
        ("SELECT item_id FROM items QUALIFY ROW_NUMBER() OVER () = 1 LIMIT 5", "QUALIFY"),
        ("SELECT PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY score) FROM annotations", "PERCENT"),
        ("SELECT QUANTILE_CONT(score, 0.9) FROM annotations", "PERCENTILE|QUANTILE"),
        ("SELECT MEDIAN(score) FROM annotations", "MEDIAN"),
        ("SELECT HASH(uri) FROM items", "HASH"),
        ("SELECT CAST(2.5 AS INTEGER)", "rounds"),
        ("SELECT CAST(score AS BIGINT) FROM annotations", "rounds"),
        ("SELECT UPPER(name) FROM categories", "UPPER"),
        ("SELECT uri FROM items WHERE NOT LIST_CONTAINS(tags, 'a')", "COALESCE"),
        ("SELECT RANDOM()", "RANDOM"),
        ("SELECT LOG(score) FROM annotations", "LN or LOG10"),
        ("SELECT uri FROM items WHERE uri ILIKE 'a%'", "ILIKE"),
        ("SELECT uri FROM items WHERE uri LIKE 'a\\_b%'", "backslash"),
        ("SELECT SUBSTR(uri, 0, 3) FROM items", "count from 1"),
        ("SELECT LEFT(uri, -1) FROM items", "count from 1"),
        ("SELECT APPROX_COUNT_DISTINCT(uri) FROM items", "APPROX"),
        ("SELECT uri FROM items USING SAMPLE 10%", "SAMPLE"),
        ("SELECT * FROM versions('v1', 'v2')", "--since"),
        ("DELETE FROM items", "not one SELECT"),
        ("SELECT 1; SELECT 2", "not one SELECT"),
        ("SELECT FROM WHERE", "cannot run"),
    ],
)
def test_what_changes_its_meaning_is_refused(sql: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        for_spark(sql, {})


def test_values_stand_in_the_text() -> None:
    sql = "SELECT * FROM items WHERE uri = $uri AND width > $least AND $none IS NULL"
    text = for_spark(sql, {"uri": "it's \\ here", "least": 5, "none": None})
    assert "NULL IS NULL" in text
    assert "width > 5" in text
    with pytest.raises(InvalidInput, match="rounds"):
        for_spark("SELECT CAST($n AS BIGINT)", {"n": 3.5})
    with pytest.raises(InvalidInput, match="no text of SQL"):
        for_spark("SELECT $n", {"n": float("nan")})
    with pytest.raises(InvalidInput, match=r"\$uri has no value"):
        for_spark(sql, {})


def test_engine_and_cluster_go_together(v1: Store, cli: Run) -> None:
    for words in (["--engine", "spark"], ["--master", "local[1]"]):
        done = cli("query", "SELECT 1", *words, cwd=v1.workspace.folder)
        assert done.returncode == 2
        assert "go together" in done.stderr


@pytest.mark.parametrize("name", statements())
def test_a_statement_names_the_views_that_it_needs(name: str) -> None:
    """Only these are made for it; the guard reads them from its tree."""
    own = statements()[name]
    with connect() as con:
        asked = check(con, own.sql, VIEWS)
    assert own.views == set(asked.views)
