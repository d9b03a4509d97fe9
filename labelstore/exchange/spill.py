"""Annotations on their way in: decoded by all cores, sorted by item, kept in scratch files.

Each piece of a source becomes a pair of Arrow files whose rows are sorted by (item, place in the
source). A range of items is then a slice of each piece, so that parts can be built one by one, by
several processes, in bounded memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.exchange.numbering import Numbering, numbered, with_columns
from labelstore.exchange.scratch import Range, Scratch
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Piece, Reading
from labelstore.storage.parallel import fork_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Decoded:
    """What a worker says of a piece it has written.

    Attributes:
        keys: shape (n,), the items of its rows, sorted; a negative one is unlisted.
        seqs: shape (n,), their places in the source.
        columns: columns of `annotations` that any row fills.
    """

    piece: int
    keys: Ids
    seqs: Ids
    unlisted_items: list[str]
    unlisted_categories: list[str]
    columns: frozenset[str]
    notices: Mapping[str, int]


@dataclass
class Spill:
    """The decoded annotations of a source.

    Attributes:
        files: the rows of its pieces.
        pieces: one entry a piece.
        notices: what is unusual, by stable code.
    """

    files: Scratch
    pieces: list[Decoded] = field(default_factory=list)
    notices: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Return how many annotations there are."""
        return sum(len(p.keys) for p in self.pieces)

    @cached_property
    def keys(self) -> Ids:
        """Return the item of each row, in the order (item, seq), shape (n,).

        Asked for only when every item is known; see `resolve_unlisted`.
        """
        return self.order()[0]

    def family(self, begin: int, end: int) -> tuple[list[pa.Table], Mapping[str, int]]:
        """Return both tables' rows from one to another in the order of `keys`; see `bulk`."""
        first, last = int(self.keys[begin]), int(self.keys[end - 1])
        skipped = begin - int(np.searchsorted(self.keys, first, side="left"))
        found = (self.rows_of_items(name, first, last) for name in FAMILY)
        return [rows.slice(skipped, end - begin) for rows in found], {}

    def order(self) -> tuple[Ids, Ids]:
        """Return item and seq of each row, in the order (item, seq); each of shape (n,)."""
        if not self.pieces:
            return (np.empty(0, np.int64),) * 2
        keys = np.concatenate([p.keys for p in self.pieces])
        seqs = np.concatenate([p.seqs for p in self.pieces])
        order = np.lexsort((seqs, keys))
        return keys[order], seqs[order]

    def rows_of_items(self, table: str, first: int, last: int) -> pa.Table:
        """Return the rows of a range of items, in the order (item, seq).

        Args:
            table: `annotations` or `geometries`.
            first: first item id.
            last: last item id, included.
        """
        ranges, seqs, keys = [], [], []
        for piece in self.pieces:
            a = int(np.searchsorted(piece.keys, first, side="left"))
            b = int(np.searchsorted(piece.keys, last, side="right"))
            if b > a:
                ranges.append(Range(piece.piece, a, b))
                seqs.append(piece.seqs[a:b])
                keys.append(piece.keys[a:b])
        none: Ids = np.empty(0, np.int64)
        order = np.lexsort((np.concatenate([none, *seqs]), np.concatenate([none, *keys])))
        return self.files.rows(TABLES[table], ranges, order)

    def columns(self, piece: int, names: list[str]) -> pa.Table:
        """Return some columns of a piece's annotations, in the order of its file."""
        return self.files.whole(TABLES["annotations"], piece, names)


def spill(
    reading: Reading,
    numbering: Numbering,
    folder: Path,
    done: Callable[[int], None] | None = None,
) -> Spill:
    """Decode all pieces into scratch files.

    Args:
        reading: the source.
        numbering: ids of its items and classes.
        folder: scratch folder, there already.
        done: called with the number of rows of each piece as it is finished.
    """
    result = Spill(Scratch(folder))

    def work(piece: int) -> Decoded:
        return _write(result, piece, reading.annotations(piece), numbering)

    def finished(decoded: Decoded) -> None:
        if done:
            done(len(decoded.keys))

    result.pieces = fork_map(work, range(reading.pieces), finished)
    for decoded in result.pieces:
        result.notices.update(decoded.notices)
    return result


def _write(target: Spill, number: int, piece: Piece, numbering: Numbering) -> Decoded:
    tables, items, seqs = numbered(piece, numbering)
    order = np.lexsort((seqs, items))
    for name, rows in zip(FAMILY, tables, strict=True):
        target.files.save(name, number, rows, order)
    return Decoded(
        number,
        items[order],
        seqs[order],
        piece.unlisted_items,
        piece.unlisted_categories,
        _filled(piece.annotations),
        piece.notices,
    )


def _filled(rows: pa.Table) -> frozenset[str]:
    columns = zip(rows.column_names, rows.columns, strict=True)
    return frozenset(name for name, column in columns if column.null_count < len(column))


def resolve_unlisted(target: Spill, items: list[Ids], categories: list[Ids]) -> None:
    """Replace the numbers of unlisted items and classes by ids, in the pieces that have any.

    Args:
        target: the decoded source.
        items: for each piece the ids of its unlisted items.
        categories: for each piece the ids of its unlisted classes.
    """
    for i, decoded in enumerate(target.pieces):
        if not (len(items[i]) or len(categories[i])):
            continue
        keys = _resolved(decoded.keys, items[i])
        order = np.lexsort((decoded.seqs, keys))
        for name in FAMILY:
            schema = TABLES[name].schema
            rows = target.files.whole(TABLES[name], decoded.piece, schema.names)
            columns: dict[str, Any] = {"item_id": keys}
            if "category_id" in rows.column_names:
                numbers = rows.column("category_id").combine_chunks()
                known = _resolved(np.asarray(numbers.fill_null(0)), categories[i])
                columns["category_id"] = pa.array(known, mask=np.asarray(numbers.is_null()))
            resolved = with_columns(rows, schema, columns)
            target.files.save(name, decoded.piece, resolved, order)
        target.pieces[i] = Decoded(
            decoded.piece,
            keys[order],
            decoded.seqs[order],
            [],
            [],
            decoded.columns,
            decoded.notices,
        )


def _resolved(numbers: Ids, ids: Ids) -> Ids:
    if not len(ids):
        return numbers
    return np.where(numbers < 0, ids[np.clip(-1 - numbers, 0, len(ids) - 1)], numbers)
