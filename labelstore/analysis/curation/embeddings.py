"""Embeddings of items: which are farthest from what is labelled, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.curation.reason import Reason, labelled
from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ids = NDArray[np.int64]

COLUMN = "embedding"
LARGEST = 1e100
"""Of the numbers: squares must be finite."""
ROWS = 1024
"""Vectors that are compared with all labelled ones at once."""


def distance(
    manifest: Manifest, table: pa.Table, layer: str | None, candidates: Ids, count: int
) -> Reason:
    """Return how far each item is from all that is labelled, and from those chosen before it.

    Args:
        manifest: the version.
        table: column `embedding` (lists of numbers, of one length), and `item_id` or `uri`.
        layer: in which items are labelled; where all are, they are told from each other.
        candidates: items that may be chosen, rising.
        count: how many will be.

    Raises:
        InvalidInput: the table is none of embeddings.
    """
    items, vectors = _read(manifest, table)
    there, wanted = np.isin(items, labelled(manifest, layer)), np.isin(items, candidates)
    known = there if (wanted & ~there).any() else np.zeros(len(items), bool)
    found = farthest(vectors, known, wanted, count)
    most = found.max(initial=0.0)
    return Reason.of("distance", items, found / most if most else found,
                     lambda i: f"{found[i]:.3g} from what is known")  # fmt: skip


def farthest(vectors: Floats, known: Flags, wanted: Flags, count: int) -> Floats:
    """Return the distance at which each vector was chosen, one after the other.

    The next one is always that which is farthest from all known and chosen ones (k-centre
    greedy; Sener and Savarese, Active Learning for Convolutional Neural Networks, 2018).

    Args:
        vectors: shape (n, d).
        known: shape (n,), those that are there already; where there are none, the middle of all.
        wanted: shape (n,), those that may be chosen.
        count: how many are.

    Returns:
        Shape (n,), Euclidean; of those that were not chosen, the distance that is left; 0 of those
        that may not be.
    """
    start = vectors[known] if known.any() else vectors.mean(axis=0, keepdims=True)
    left = np.concatenate([np.empty(0), *(_nearest(vectors[i : i + ROWS], start)
                                          for i in range(0, len(vectors), ROWS))])  # fmt: skip
    found = np.zeros(len(vectors))
    open_ = wanted & ~known
    for _ in range(min(count, int(open_.sum()))):
        at = int(np.where(open_, left, -1.0).argmax())
        found[at], open_[at] = left[at], False
        left = np.minimum(left, np.linalg.norm(vectors - vectors[at], axis=1))
    return np.where(open_, left, found)


def _nearest(vectors: Floats, others: Floats) -> Floats:
    """Return the distance of each vector to the nearest of others, shape (n,)."""
    squares = (vectors**2).sum(axis=1)[:, None] - 2 * vectors @ others.T
    nearest: Floats = np.sqrt(np.maximum((squares + (others**2).sum(axis=1)).min(axis=1), 0.0))
    return nearest


def _read(manifest: Manifest, table: pa.Table) -> tuple[Ids, Floats]:
    """Return items and their vectors, shape (n, d)."""
    names = set(table.column_names)
    if COLUMN not in names or not names & {"item_id", "uri"}:
        raise _wrong(f"has columns {', '.join(table.column_names)}; it needs `{COLUMN}`, and "
                     "`item_id` or `uri`")  # fmt: skip
    if len(names) < len(table.column_names):
        raise _wrong("has two columns of one name")
    rows = manifest.table(TABLES["items"], ["item_id", "uri"])
    key = "item_id" if "item_id" in names else "uri"
    try:
        own = table.column(key).combine_chunks().cast(rows.schema.field(key).type)
    except pa.ArrowException as error:
        raise _wrong(f"has a column `{key}` of {table.schema.field(key).type}") from error
    at = pc.index_in(own, value_set=rows.column(key).combine_chunks())
    if at.null_count:
        first = own.filter(at.is_null())[0].as_py()
        raise _wrong(f"has {at.null_count:,} items that the version has not, such as {first!r}")
    items = np.asarray(rows.column("item_id").take(at), np.int64)
    if len(np.unique(items)) < len(items):
        raise _wrong("has an item more than once")
    return items, _vectors(table.column(COLUMN).combine_chunks())


def _vectors(column: pa.Array) -> Floats:
    kind = column.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or (
        pa.types.is_fixed_size_list(kind))  # fmt: skip
    if not lists or not (pa.types.is_floating(kind.value_type)
                         or pa.types.is_integer(kind.value_type)):  # fmt: skip
        raise _wrong(f"has embeddings of {kind}, not lists of numbers")
    lengths = pc.unique(pc.list_value_length(column)).to_pylist() if len(column) else [0]
    if len(lengths) != 1 or lengths[0] is None:
        raise _wrong("has embeddings of several lengths, or none for an item")
    flat = np.asarray(column.flatten().cast(pa.float64()).fill_null(np.nan))
    if not (np.abs(flat) < LARGEST).all():
        raise _wrong(f"has numbers that are not finite, or not below {LARGEST:g}")
    vectors: Floats = flat.reshape(len(column), lengths[0])
    middle: Floats = vectors.mean(axis=0)
    return vectors - middle  # far from 0 differences would lose their digits


def _wrong(why: str) -> InvalidInput:
    return InvalidInput(f"the table of embeddings {why}", code="curate-embeddings")
