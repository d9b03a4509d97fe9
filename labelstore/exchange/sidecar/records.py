"""What a source says of each label, as digests that do not depend on numbering or style."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.said import bare
from labelstore.model.arrow import with_column
from labelstore.model.canonical import leaves
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Format, Piece, Reading
from labelstore.storage.parquet import conform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

SIZE = 16
PLAIN = [
    c for c in TABLES["annotations"].columns("content")
    if c not in ("layer", "item_id", "annotation_id", "category_id", "kind", "track_id",
                 "leftovers", "xmin", "ymin", "xmax", "ymax")
]  # fmt: skip
"""Columns of labels whose values mean the same in a source and in a store."""
CALLED = ("category", "track", "shape")
"""What stands beside them: names of class and track, and a digest of the shapes."""
SAID = pa.struct(
    [TABLES["annotations"].schema.field(c).remove_metadata() for c in PLAIN]
    + [("category", pa.string()), ("track", pa.string()), ("shape", pa.binary())]
)
"""What a source says of one label."""
LINKED = ["category_id", "track_id"]
_NUMBERS = ("item_id", "seq", *LINKED)
_EMPTY = pa.schema(
    [*((name, pa.int64()) for name in _NUMBERS), ("digest", pa.binary()), *SAID]
).empty_table()


@dataclass(frozen=True)
class Records:
    """What the labels of a source say, in the order (item, place in the source).

    Attributes:
        items: shape (n,), item of each by its local number.
        linked: `category_id` and `track_id` of each, by local numbers.
        digests: of each.
        said: of each, as `SAID` has it.
        places: shape (n, 2), piece of the source of each, and row in it.
        before: for each piece how many unlisted items and classes earlier ones have, by column.
        unlisted_items, unlisted_categories: see `labelstore.plugins.Piece`.
    """

    items: Ids
    linked: pa.Table
    digests: pa.BinaryArray
    said: pa.Table
    places: Ids
    before: list[dict[str, int]]
    unlisted_items: list[str]
    unlisted_categories: list[str]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.items)


def records_of(reading: Reading, converter: Format) -> Records:
    """Return what the labels of a source say; one piece of it after the other is read."""
    keys = [converter.item_key(uri or "") for uri in reading.items().column("uri").to_pylist()]
    names = reading.categories().column("name").to_pylist()
    tracks = reading.tracks()
    numbers = [] if tracks is None else tracks.column("source_id").to_pylist()
    items, categories = list[str](), list[str]()
    before = list[dict[str, int]]()
    told = [_EMPTY]
    places = [np.empty((0, 2), np.int64)]
    for i in range(reading.pieces):
        piece = reading.annotations(i)
        before.append({"item_id": len(items), "category_id": len(categories)})
        notes = _moved(conform(piece.annotations, TABLES["annotations"]), before[i])
        told.append(_told(piece, notes, converter, (keys, names, numbers)))
        places.append(np.stack([np.full(len(notes), i), np.arange(len(notes))], axis=1))
        items += piece.unlisted_items
        categories += piece.unlisted_categories
    found = pa.concat_tables(told)
    columns = [np.asarray(found.column(n)) for n in ("seq", "item_id")]
    order = np.lexsort(columns)
    found = found.take(pa.array(order))
    return Records(
        np.asarray(found.column("item_id")), found.select(LINKED),
        found.column("digest").combine_chunks(), found.select(SAID.names),
        np.concatenate(places)[order], before, items, categories,
    )  # fmt: skip


def rows_at(reading: Reading, records: Records, at: Ids) -> dict[str, pa.Table]:
    """Return rows of a source, of both families.

    Args:
        reading: the source.
        records: what its labels say.
        at: shape (k,), places among these.
    """
    pieces, inside = records.places[at].T
    found = {name: [TABLES[name].schema.empty_table()] for name in FAMILY}
    for i in np.unique(pieces).tolist():
        piece, own = reading.annotations(i), pa.array(inside[pieces == i])
        for name, rows in zip(FAMILY, (piece.annotations, piece.geometries), strict=True):
            chosen = conform(rows, TABLES[name]).take(own)
            found[name].append(_moved(chosen, records.before[i]))
    back = pa.array(np.argsort(np.argsort(pieces, kind="stable"), kind="stable"))
    return {name: pa.concat_tables(parts).take(back) for name, parts in found.items()}


def _told(
    piece: Piece, notes: pa.Table, converter: Format, names: tuple[list[Any], ...]
) -> pa.Table:
    """Return what labels of a piece say, with their numbers and digests."""
    pairs = list(_digests(piece, converter, *names))
    called = list(zip(*pairs, strict=True)) if pairs else [()] * 4
    columns = [notes.column(c) for c in (*_NUMBERS, *PLAIN)]
    columns += [pa.array(values, _EMPTY.schema.field(c).type)
                for c, values in zip(("digest", *CALLED), called, strict=True)]  # fmt: skip
    named = dict(zip((*_NUMBERS, *PLAIN, "digest", *CALLED), columns, strict=True))
    return pa.table([named[n] for n in _EMPTY.column_names], schema=_EMPTY.schema)


def _moved(rows: pa.Table, before: dict[str, int]) -> pa.Table:
    """Return rows whose numbers of unlisted items and classes come after those of others."""
    for name, count in before.items():
        if count and name in rows.column_names:
            column = rows.column(name).combine_chunks()
            moved = pc.if_else(pc.less(column, 0), pc.subtract(column, count), column)
            rows = with_column(rows, name, moved)
    return rows


def _digests(
    piece: Piece, converter: Format, keys: list[str], names: list[Any], tracks: list[Any]
) -> Iterator[tuple[bytes, str, str, bytes]]:
    """Yield of each row a digest of all that is said, its class, its track, and its shapes'."""
    rows = conform(piece.annotations, TABLES["annotations"]).combine_chunks()
    items = rows.column("item_id").to_pylist()
    classes = rows.column("category_id").to_pylist()
    linked = rows.column("track_id").to_pylist()
    without = {"category_id", "track_id"} | (set() if converter.keeps_words else {"leftovers"})
    leaf = [leaves(TABLES[name], bare(getattr(piece, name), name, without)) for name in FAMILY]
    for i, (item, category, track) in enumerate(zip(items, classes, linked, strict=True)):
        called = [
            keys[item] if item >= 0 else piece.unlisted_items[-1 - item],
            "" if category is None else _class(category, names, piece.unlisted_categories),
            "" if track is None else str(tracks[track] if track < len(tracks) else track),
        ]
        data = b"".join(own[i].tobytes() for own in leaf) + "\0".join(called).encode()
        digest = blake2b(data, digest_size=SIZE).digest()
        yield digest, called[1], called[2], leaf[1][i].tobytes()[:SIZE]


def _class(number: int, names: list[Any], unlisted: list[str]) -> str:
    return str(names[number]) if number >= 0 else unlisted[-1 - number]
