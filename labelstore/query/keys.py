"""Which rows a query asks for by their keys, so that only parts that may hold them are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY_COLUMNS = frozenset({"item_id", "annotation_id"})
ASCII = {ord(c): c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
LONGEST_NUMBER = 20


def names_key(node: Mapping[str, Any]) -> bool:
    """Say whether a comparison is about a key column."""
    sides = [node.get("left"), node.get("right"), node.get("input"), *node.get("children", [])]
    columns = [s for s in sides if isinstance(s, dict) and s.get("class") == "COLUMN_REF"]
    return any(column_of(c) in KEY_COLUMNS for c in columns)


def column_of(node: Mapping[str, Any]) -> str:
    """Return the last name of a column, in small letters."""
    names = node.get("column_names") or node.get("qualified_name", {}).get("path") or [""]
    return folded(str(names[-1]))


def folded(name: str) -> str:
    """Return a name as DuckDB compares it: only A to Z lose their case."""
    return name.translate(ASCII)


def constant(node: Mapping[str, Any]) -> int | str | None:
    """Return the value of a constant whole number or text, None for anything else."""
    literal = node.get("literal") or {}
    if literal.get("kind") == "INTEGER" and len(literal["text"]) <= LONGEST_NUMBER:
        return int(literal["text"])
    return str(literal["text"]) if literal.get("kind") == "STRING" else None


def equalities(node: Mapping[str, Any], view: str) -> dict[str, int]:
    """Return `key = constant` conditions of a plain SELECT from one view."""
    source = node.get("from_table") or {}
    path = (source.get("qualified_name") or {}).get("path") or [""]
    renamed = source.get("column_name_alias") or (node.get("cte_map") or {}).get("map")
    if node.get("type") != "SELECT_NODE" or folded(path[0]) != view or renamed:
        return {}
    condition = node.get("where_clause") or {}
    is_and = condition.get("type") == "CONJUNCTION_AND"
    terms = condition.get("children", []) if is_and else [condition]
    found = {}
    for term in terms:
        if term.get("type") == "COMPARE_EQUAL":
            sides = {s.get("class"): s for s in (term["left"], term["right"])}
            column, value = sides.get("COLUMN_REF"), constant(sides.get("CONSTANT") or {})
            if column and isinstance(value, int) and column_of(column) in KEY_COLUMNS:
                found[column_of(column)] = value
    return found
