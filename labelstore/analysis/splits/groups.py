"""What a split must not cut through, and what it is to balance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.summary import class_names
from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES
from labelstore.query.engine import run
from labelstore.query.sandbox import expressions, query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """The items of a version, in groups.

    Attributes:
        items: shape (n,), rising.
        group: shape (n,), the group of each, 0 to g - 1.
        names: shape (g,), in order.
        draws: shape (g,), eight hex digits that the seed and the name give.
    """

    items: Ids
    group: Ids
    names: pa.Array
    draws: NDArray[np.str_]

    def sizes(self) -> Ids:
        """Return how many items each group has, shape (g,)."""
        return np.bincount(self.group, minlength=len(self.names))


@dataclass(frozen=True)
class Strata:
    """How much of each stratum, such as a class, each group has; sparse.

    Attributes:
        names: shape (k,).
        group, stratum, count: shape (m,), one entry for each pair that occurs, groups rising.
    """

    names: list[str]
    group: Ids
    stratum: Ids
    count: Ids


def groups_of(manifest: Manifest, by: str | None, seed: str) -> Groups:
    """Return the items of a version in groups.

    Args:
        manifest: the version.
        by: SQL expression over columns of `items` whose values must not be cut; else their
            `group`, the video or moment that they are part of, the URI, or the id.
        seed: another seed gives other draws.

    Raises:
        InvalidInput: the expression may not run, is wrong, or null for an item.
    """
    if by is None or by == "group":
        rows = run(manifest, "split_items", seed=seed)
    else:
        rows = _grouped(manifest, by, seed)
    coded = rows.column("group_key").combine_chunks().dictionary_encode()
    order = np.asarray(pc.array_sort_indices(coded.dictionary))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    group = rank[np.asarray(coded.indices)] if len(coded) else np.empty(0, np.int64)
    names = coded.dictionary.take(pa.array(order))
    _, first = np.unique(group, return_index=True)
    draws = np.array(rows.column("draw").take(pa.array(first)).to_pylist(), dtype="U8")
    return Groups(np.asarray(rows.column("item_id")), group, names, draws)


def _grouped(manifest: Manifest, by: str, seed: str) -> pa.Table:
    expressions([by])
    text = f"CAST(({by}\n) AS VARCHAR)"
    draw = f"SUBSTR(MD5($seed || {text}), 1, 8)"
    sql = f"SELECT item_id, {text} AS group_key, {draw} AS draw FROM items ORDER BY item_id"
    try:
        found = query(manifest, sql, {"seed": seed})
    except InvalidInput as error:
        columns = ", ".join(TABLES["items"].schema.names)
        raise InvalidInput(f"--group {by}: {error} Items have {columns}.",
                           code="split-group") from error  # fmt: skip
    if found.column("group_key").null_count:
        raise InvalidInput(f"some items have no {by!r}; group by another column, or give them one "
                           f"by COALESCE({by}, uri)", code="split-group")  # fmt: skip
    return found


def strata_of(
    manifest: Manifest, groups: Groups, layer: str | None, by: str | None, by_item: str | None
) -> Strata:
    """Return what is to be balanced.

    Args:
        manifest: the version.
        groups: of its items.
        layer: of the labels; all where there is none.
        by: SQL expression over columns of `labels`; else the class.
        by_item: SQL expression over columns of `items`, besides; or instead, where `by` is empty.

    Raises:
        InvalidInput: an expression may not run, or is wrong.
    """
    blocks = []
    if by is None:
        found = run(manifest, "item_classes", layer=layer)
        blocks.append(_named(found, class_names(manifest)))
    elif by:
        blocks.append(_asked(manifest, "labels", by, layer))
    if by_item:
        blocks.append(_asked(manifest, "items", by_item, None))
    return _sparse(pa.concat_tables(blocks), groups) if blocks else _sparse(_NOTHING, groups)


_NOTHING = pa.schema(
    [("item_id", pa.int64()), ("stratum", pa.string()), ("labels", pa.int64())]
).empty_table()


def _named(rows: pa.Table, names: Mapping[int | None, str]) -> pa.Table:
    """Return rows with names of classes; where two have one, with their ids."""
    coded = rows.column("stratum").combine_chunks().dictionary_encode(null_encoding="encode")
    ids = [None if value is None else int(value) for value in coded.dictionary.to_pylist()]
    told = [names[number] for number in ids]
    unique = [n if told.count(n) == 1 else f"{n} ({i})" for n, i in zip(told, ids, strict=True)]
    column = pa.array(unique, pa.string()).take(coded.indices)
    return rows.set_column(1, "stratum", column).cast(_NOTHING.schema)


def _asked(manifest: Manifest, view: str, by: str, layer: str | None) -> pa.Table:
    expressions([by])
    within = "WHERE layer = $layer" if layer is not None and view == "labels" else ""
    sql = (f"SELECT item_id, CAST(({by}\n) AS VARCHAR) AS stratum, COUNT(*) AS labels "
           f"FROM {view} {within} GROUP BY ALL")  # fmt: skip
    found = query(manifest, sql, {"layer": layer} if within else {}).cast(_NOTHING.schema)
    said = pc.binary_join_element_wise(f"{by} = ", found.column("stratum").fill_null("null"), "")
    return found.set_column(1, "stratum", said)


def _sparse(rows: pa.Table, groups: Groups) -> Strata:
    items = np.asarray(rows.column("item_id"))
    at = np.minimum(np.searchsorted(groups.items, items), max(len(groups.items) - 1, 0))
    there = groups.items[at] == items if len(groups.items) else np.zeros(len(items), bool)
    kept = rows.filter(pa.array(there))
    coded = kept.column("stratum").combine_chunks().dictionary_encode()
    table = pa.table({"group": groups.group[at[there]], "stratum": coded.indices,
                      "count": kept.column("labels")})  # fmt: skip
    summed = table.group_by(["group", "stratum"]).aggregate([("count", "sum")])
    summed = summed.sort_by([("group", "ascending"), ("stratum", "ascending")])
    columns = (np.asarray(summed.column(n)) for n in ("group", "stratum", "count_sum"))
    group, stratum, count = (column.astype(np.int64) for column in columns)
    return Strata(coded.dictionary.to_pylist(), group, stratum, count)
