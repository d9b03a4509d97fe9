"""What a source says of each label, as digests that do not depend on numbering or style."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


@dataclass(frozen=True)
class Records:
    """The labels of a source, in the order (item, place in the source).

    Attributes:
        items: shape (n,), item of each by its local number.
        digests: of each.
        said: of each, as `SAID` has it.
        rows: of both families, in this order.
        unlisted_items, unlisted_categories: see `labelstore.plugins.Piece`.
    """

    items: Ids
    digests: list[bytes]
    said: pa.Table
    rows: dict[str, pa.Table]
    unlisted_items: list[str]
    unlisted_categories: list[str]


def records_of(reading: Reading, converter: Format) -> Records:
    """Return the labels of a source."""
    keys = [converter.item_key(uri or "") for uri in reading.items().column("uri").to_pylist()]
    names = reading.categories().column("name").to_pylist()
    tracks = reading.tracks()
    numbers = [] if tracks is None else tracks.column("source_id").to_pylist()
    pieces = [reading.annotations(i) for i in range(reading.pieces)]
    pairs = [p for piece in pieces for p in _digests(piece, converter, keys, names, numbers)]
    items, categories = list[str](), list[str]()
    tables: dict[str, list[pa.Table]] = {n: [TABLES[n].schema.empty_table()] for n in FAMILY}
    for piece in pieces:
        for name in FAMILY:
            own = conform(getattr(piece, name), TABLES[name])
            own = _moved(own, {"item_id": len(items), "category_id": len(categories)})
            tables[name].append(own)
        items += piece.unlisted_items
        categories += piece.unlisted_categories
    rows = {name: pa.concat_tables(parts) for name, parts in tables.items()}
    columns = [np.asarray(rows["annotations"].column(n)) for n in ("seq", "item_id")]
    order = np.lexsort(columns)
    taken = {name: table.take(pa.array(order)) for name, table in rows.items()}
    ordered = [pairs[i] for i in order.tolist()]
    columns_ = [taken["annotations"].column(c) for c in PLAIN]
    called = zip(*(names for _, *names in ordered), strict=True) if ordered else [()] * 3
    named = [
        pa.array(values, SAID.field(c).type) for c, values in zip(CALLED, called, strict=True)
    ]
    said = pa.table([*columns_, *named], schema=pa.schema(list(SAID)))
    digests = [digest for digest, *_ in ordered]
    return Records(columns[1][order], digests, said, taken, items, categories)


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
    leaf = [
        leaves(TABLES[name], batch)
        for name in FAMILY
        for batch in [_bare(getattr(piece, name), name, keep=converter.keeps_words)]
    ]
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


def _bare(rows: pa.Table, name: str, *, keep: bool) -> pa.RecordBatch:
    """Return rows with their content alone; of `leftovers` only where it is more than style."""
    table = TABLES[name]
    rows = conform(rows, table)
    content = set(table.columns("content")) - {"item_id", "annotation_id", "category_id"}
    content -= {"track_id"} if keep else {"track_id", "leftovers"}
    for field in table.schema:
        if field.name not in content:
            kind = field.type
            empty: Any = pa.nulls(rows.num_rows, kind)
            if not field.nullable:
                value = "" if pa.types.is_string(kind) else 0
                empty = pa.repeat(pa.scalar(value, kind), rows.num_rows)
            rows = with_column(rows, field.name, empty)
    batches = rows.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], rows.schema)
