"""What a user's SQL may be: exactly one SELECT over known views, with harmless functions.

DuckDB can be told to open no other files, but a COPY to an allowed file was carried out when
tried, and a statement that is "a SELECT" may hold an INSERT. So the text is parsed first, by
DuckDB itself, and every node of the tree must be of a kind listed here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from labelstore.query.keys import column_of, constant, equalities, folded, names_key
from labelstore.query.parsing import parsed, refused

KINDS = frozenset(
    [
        "SELECT_NODE",
        "SET_OPERATION_NODE",
        "RECURSIVE_CTE_NODE",
        "BASE_TABLE",
        "JOIN",
        "SUBQUERY",
        "EMPTY",
        "EXPRESSION_LIST",
        "TABLE_FUNCTION",
        "PIVOT",
        "SHOW_REF",
        "ORDER_MODIFIER",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "DISTINCT_MODIFIER",
        "ORDER_DEFAULT",
        "ASCENDING",
        "DESCENDING",
    ]
)
CLASSES = frozenset(
    [
        "COLUMN_REF",
        "CONSTANT",
        "COMPARISON",
        "CONJUNCTION",
        "FUNCTION",
        "WINDOW",
        "OPERATOR",
        "CAST",
        "CASE",
        "BETWEEN",
        "SUBQUERY",
        "STAR",
        "LAMBDA",
        "LAMBDA_REF",
        "PARAMETER",
        "COLLATE",
        "TYPE",
        "POSITIONAL_REFERENCE",
    ]
)
TABLE_FUNCTIONS = frozenset(
    ["range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"]
)
DENIED = (
    r"__.*|pg_.*|has_.*_privilege|inet_.*|format_(pg_)?type|get_block_size|map_to_pg_oid"
    r"|current_(setting|query|query_id|connection_id|transaction_id|schemas)|getvariable|getenv"
    r"|txid_current|in_search_path|json_serialize_(plan|sql)|json_deserialize_sql|json_copy_.*"
    r"|write_log|parse_duckdb_log_message|sleep_ms|nextval|currval|setval|setseed|stats"
    r"|vector_type|index_key|create_sort_key|finalize|combine(_aggr)?|to_aggregate_state"
    r"|variant_(bytes_to_variant|to_parquet_variant|comparator)|invoke|version"
    r"|(col|obj|shobj)_description|hive_partition_component|.*_byte_comparable"
    r"|can_cast_implicitly|replace_type|remap_struct|constant_or_null"
)
SPANNING = "versions"
"""`versions('A', 'B')` in a query makes it one about all versions from A to B."""
NAMES = frozenset({"category", "uri"})


@dataclass
class Checked:
    """What a query refers to.

    Attributes:
        views: names of views, each as often as it stands in the text.
        keys: constants that a key column must equal, where the whole query is one plain SELECT
            from one view; then only parts that may hold them need be read.
        keyed: whether a key column is compared with a constant anywhere.
    """

    views: list[str] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    keyed: bool = False
    named: bool = False
    """Whether the names of classes or items may be asked of `labels`."""
    columns: set[str] = field(default_factory=set)
    """Last names of all columns, in small letters; `*` where all may be meant."""
    span: tuple[str, str] | None = None
    """The versions that the query is about, where it asks for several."""


def check(con: duckdb.DuckDBPyConnection, sql: str, views: Collection[str]) -> Checked:
    """Return what a query refers to, if it may run.

    Args:
        con: any connection; only its parser is used.
        sql: the user's text.
        views: names that it may refer to.

    Raises:
        InvalidInput: it may not run; says why.
    """
    tree = parsed(con, sql)
    walk = _Walk(frozenset(views), con)
    try:
        walk.visit(tree)
    except RecursionError:
        raise refused("it is nested too deeply") from None
    if len(walk.found.views) == 1:
        walk.found.keys = equalities(tree.get("node", {}), walk.found.views[0])
    return walk.found


SYMBOLS = re.compile(r"[-+*/%|&^<>=~!@]{1,4}")
"""Functions that are operators, such as `-`: none of them does harm."""
KNOWN: dict[str, frozenset[str]] = {}
"""Harmless functions by version of DuckDB; to list them takes longer than to check a query."""


def _functions(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the harmless functions of this DuckDB, which has the same in every connection."""
    if duckdb.__version__ not in KNOWN:
        KNOWN[duckdb.__version__] = _listed_functions(con)
    return KNOWN[duckdb.__version__]


def _listed_functions(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    rows = con.execute(
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
        "WHERE function_type IN ('scalar', 'aggregate', 'window', 'macro')"
    ).fetchall()
    denied = re.compile(DENIED)
    harmless = {name for (name,) in rows if not denied.fullmatch(name)}
    return frozenset(harmless | {"unnest", "grouping", "grouping_id", "coalesce"})


class _Walk:
    """One pass over a parse tree."""

    def __init__(self, views: frozenset[str], con: duckdb.DuckDBPyConnection) -> None:
        self._views, self._con = views, con
        self.found = Checked()

    def visit(self, node: Any, named: frozenset[str] = frozenset()) -> None:
        """Check a node and all below it; `named` are the WITH names it may see."""
        if isinstance(node, list):
            for entry in node:
                self.visit(entry, named)
        if not isinstance(node, dict):
            return
        node = dict(node)
        named = self._with(node, named)
        if node.get("class") is not None:
            self._expression(node)
        elif isinstance(node.get("type"), str):
            self._relation(node, named)
        for value in node.values():
            self.visit(value, named)

    def _with(self, node: dict[str, Any], named: frozenset[str]) -> frozenset[str]:
        for entry in (node.pop("cte_map", None) or {"map": []})["map"]:
            own = named | {folded(entry["key"])}
            query = entry["value"]["query_node"]
            if query["type"] == "RECURSIVE_CTE_NODE":  # its name means itself on the right alone
                self.visit({k: v for k, v in query.items() if k != "right"}, named)
                self.visit(query["right"], own)
            else:
                self.visit(entry["value"], named)
            named = own
        return named

    def _expression(self, node: dict[str, Any]) -> None:
        if node["class"] not in CLASSES:
            raise refused(f"{node['class'].lower()} is not allowed")
        if node["class"] in ("STAR", "COLUMN_REF", "POSITIONAL_REFERENCE"):
            self._column(node)
        if node["class"] in ("FUNCTION", "WINDOW"):
            name = node["qualified_name"]["path"][-1].lower()
            if not SYMBOLS.fullmatch(name) and name not in _functions(self._con):
                raise refused(f"function {name} is not allowed")
        if node["class"] in ("COMPARISON", "BETWEEN", "OPERATOR") and names_key(node):
            self.found.keyed = True

    def _column(self, node: dict[str, Any]) -> None:
        names = [folded(str(n)) for n in node.get("column_names") or []]
        if len(names) > 1 and names[0] == "labels":
            del names[0]
        self.found.columns |= set(names) or {"*"}
        if node["class"] == "STAR" or column_of(node) in NAMES:
            self.found.named = True

    def _relation(self, node: dict[str, Any], named: frozenset[str]) -> None:
        kind = node["type"]
        if kind not in KINDS:
            raise refused(f"{kind.lower()} is not allowed")
        using = {folded(str(name)) for name in node.get("using_columns") or []}
        if using & NAMES or node.get("ref_type") == "NATURAL":
            self.found.named = True
        if kind == "BASE_TABLE":
            self._table(node, named)
        elif kind == "TABLE_FUNCTION":
            path = node["function"]["qualified_name"]["path"]
            if path[-1].lower() == SPANNING and len(path) == 1:
                self._span(node["function"])
            elif len(path) != 1 or path[0].lower() not in TABLE_FUNCTIONS:
                raise refused(f"table function {'.'.join(path)} is not allowed")
            self.visit(list(node.pop("function").values()), named)
        elif kind == "SHOW_REF" and not (
            node["query"] and node["show_type"] in ("DESCRIBE", "SUMMARY")
        ):
            raise refused("only DESCRIBE and SUMMARIZE of a query are allowed")

    def _span(self, call: Mapping[str, Any]) -> None:
        """Take `versions('A', 'B')`: the whole query is about these versions."""
        values = [constant(given["expression"]) for given in call["arguments"]]
        texts = [v for v in values if isinstance(v, str) and v]
        if len(values) != 2 or len(texts) != 2:
            raise refused("write versions('A', 'B'), each a version as text")
        if self.found.span not in (None, (texts[0], texts[1])):
            raise refused("it is about two ranges of versions; ask for one")
        self.found.span = texts[0], texts[1]

    def _table(self, node: dict[str, Any], named: frozenset[str]) -> None:
        path = node["qualified_name"]["path"]
        name = folded(path[0])
        if len(path) != 1 or node.get("at_clause"):
            raise refused(f"{'.'.join(path)}: qualified names and AT are not allowed")
        if name in named:
            return
        if name not in self._views:
            raise refused(f"there is no view {path[0]!r}")
        self.found.views.append(name)
