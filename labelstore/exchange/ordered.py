"""A data set's labels in its own order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.completing import completed, edit_activities
from labelstore.exchange.foreign import EXAMPLES
from labelstore.exchange.unsourced import given_ids
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

CHUNK = 16_000
WIDTH = 40
"""Of a value that is shown."""
_NONE = (
    TABLES["annotations"].schema.empty_table().select(["dataset_id", "source_id", "annotation_id"])
)
ALWAYS = frozenset(
    ("layer", "item_id", "annotation_id", "kind", "xmin", "ymin", "xmax", "ymax", "frame")
)
"""Keys, and what follows from the shapes."""


class OrderedRows:
    """A data set's annotations in its own order; rows without a source come last, with new ids.

    Args:
        manifest: the version.
        layer: the layer.
        dataset_id: the data set.
        with_unsourced: take rows that belong to no data set too.
        complete: give boxes, areas and crowd flags to all rows, not only to edited ones; None
            gives them to none.
        held: columns that the format has.

    Attributes:
        count: how many rows.
        items, categories: ids that they use, sorted.
        unsourced: how many of them have no source.
        completed: how many were given a box, area or crowd flag that follows from their shape.
        edited: whether any was changed by hand.
    """

    def __init__(
        self,
        manifest: Manifest,
        layer: str,
        dataset_id: int,
        *,
        with_unsourced: bool,
        complete: bool | None,
        held: Collection[str],
    ) -> None:
        self._tables: dict[str, list[pa.Table]] = {name: [] for name in FAMILY}
        pairs = (manifest.parts_of(name, layer) for name in FAMILY)
        edits = edit_activities(manifest, every=bool(complete))
        self.completed = 0
        self.edited = False
        for parts in zip(*pairs, strict=True):
            both = [manifest.read(part) for part in parts]
            own = _own(both[0], dataset_id, with_unsourced)
            if not pc.all(own, min_count=0).as_py():
                both = [rows.filter(own) for rows in both]
            both = [rows.combine_chunks() for rows in both]
            by_hand = pc.is_in(both[0].column("changed_in"), value_set=edits)
            self.edited |= bool(pc.any(by_hand, min_count=0).as_py())
            if complete is not None:
                *both, count = completed(both[0], both[1], edits, held)
                self.completed += count
            for name, rows in zip(FAMILY, both, strict=True):
                self._tables[name].append(rows)
        self._number()
        self._order()

    def _number(self) -> None:
        """Give rows without a source ids after the highest there is."""
        tables = self._tables["annotations"]
        columns = ["dataset_id", "source_id", "annotation_id"]
        ids = given_ids(pa.concat_tables([_NONE, *(t.select(columns) for t in tables)]))
        self.unsourced = len(ids)
        begin = 0
        for i, rows in enumerate(tables):
            bare = np.asarray(rows.column("dataset_id").is_null().combine_chunks())
            end = begin + int(bare.sum())
            if end > begin:
                numbers = np.zeros(len(bare), np.int64)
                numbers[bare] = ids[begin:end]
                known = rows.column("source_id").combine_chunks()
                filled = pc.if_else(pa.array(bare), pa.array(numbers), known)
                tables[i] = with_column(rows, "source_id", filled)
            begin = end

    def _order(self) -> None:
        tables = self._tables["annotations"]
        self.count = sum(t.num_rows for t in tables)
        late = np.iinfo(np.int64).max
        columns = {
            name: np.concatenate(
                [
                    np.empty(0, np.int64),
                    *(np.asarray(t.column(name).fill_null(late).combine_chunks()) for t in tables),
                ]
            )
            for name in ("seq", "annotation_id", "item_id", "category_id")
        }
        self.items = np.unique(columns["item_id"])
        classes = np.unique(columns["category_id"])
        self.categories = classes[classes != late]
        self._rows = np.lexsort((columns["annotation_id"], columns["seq"]))
        self._starts = np.cumsum([0, *(t.num_rows for t in tables)])

    @property
    def tables(self) -> list[pa.Table]:
        """Return the annotations, part by part."""
        return self._tables["annotations"]

    @property
    def filled(self) -> set[str]:
        """Return the columns of `geometries` that any row fills."""
        shapes = self._tables["geometries"]
        names = TABLES["geometries"].columns("content")
        return {n for n in names if any(_is_filled(t.column(n)) for t in shapes)}

    def losses(self, carried: Collection[str]) -> dict[str, int]:
        """Return how many labels say something in a column that a format does not carry."""
        found = {}
        for name, tables in self._tables.items():
            for column in TABLES[name].columns("content"):
                if column in carried or column in ALWAYS:
                    continue
                count = sum(pc.sum(_saying(column, t)).as_py() or 0 for t in tables)
                if count:
                    found[column] = count
        return found

    def examples(self, column: str, items: pa.Table) -> list[str]:
        """Return the first labels that say something in a column: id, image and value.

        Args:
            column: of `annotations` or `geometries`.
            items: rows of `items`.
        """
        uris = dict(zip(*(items.column(n).to_pylist() for n in ("item_id", "uri")), strict=True))
        found: list[str] = []
        for notes, shapes in zip(*(self._tables[name] for name in FAMILY), strict=True):
            rows = notes if column in notes.column_names else shapes
            saying = _saying(column, rows)
            there = notes.filter(saying).slice(0, EXAMPLES - len(found))
            said = rows.column(column).filter(saying).slice(0, there.num_rows).to_pylist()
            names = ("item_id", "source_id", "annotation_id")
            columns = (there.column(name).to_pylist() for name in names)
            for item, theirs, ours, value in zip(*columns, said, strict=True):
                label = ours if theirs is None else theirs
                found.append(f"label {label} on {uris.get(item)}: {_short(value)}")
            if len(found) == EXAMPLES:
                break
        return found

    @property
    def in_parts(self) -> int:
        """Return how many labels are in parts of their image."""
        frames = (t.column("frame") for t in self._tables["geometries"])
        return sum(pc.sum(pc.equal(f, "unit")).as_py() or 0 for f in frames)

    @property
    def full(self) -> set[str]:
        """Return the columns of `geometries` that all rows fill."""
        shapes = self._tables["geometries"]
        names = TABLES["geometries"].columns("content")
        return {n for n in names if not any(t.column(n).null_count for t in shapes)}

    def batches(
        self, shapes: Collection[str] | None = None
    ) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """Yield annotations and geometries in order.

        Args:
            shapes: columns of `geometries` that are read; the others are null. None reads all.
        """
        unread = {"annotations": set[str](), "geometries": set[str]()}
        if shapes is not None:
            unread["geometries"] = set(TABLES["geometries"].columns("content"))
            unread["geometries"] -= {*shapes, *ALWAYS}
        for begin in range(0, self.count, CHUNK):
            rows = self._rows[begin : begin + CHUNK]
            part = np.searchsorted(self._starts, rows, side="right") - 1
            by_part = np.argsort(part, kind="stable")
            back = np.argsort(by_part, kind="stable")
            yield tuple(
                self._gather(n, (rows[by_part], part[by_part], back), unread[n]) for n in FAMILY
            )

    def _gather(
        self, name: str, places: tuple[Ids, Ids, Ids], unread: Collection[str]
    ) -> pa.RecordBatch:
        """Return rows of one table in order; columns that are not read are null.

        Args:
            name: of the table.
            places: rows by part, their parts, and the way back into their order.
            unread: columns.
        """
        table, (rows, part, back) = TABLES[name], places
        names = [field.name for field in table.schema if field.name not in unread]
        taken = []
        for at in np.unique(part).tolist():
            inside = pa.array(rows[part == at] - self._starts[at])
            own = self._tables[name][at].select(names).take(inside)
            taken += own.combine_chunks().to_batches()
        found = pa.concat_batches(taken).take(pa.array(back))
        columns = [pa.nulls(len(rows), field.type) if field.name in unread
                   else found.column(field.name) for field in table.schema]  # fmt: skip
        return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _short(value: Any) -> str:
    """Return a value as text, not more than a few words of it."""
    text = str(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _saying(name: str, rows: pa.Table) -> pa.ChunkedArray:
    """Return which rows say something in a column.

    That a label is no crowd says nothing, and where its pixels are also says nothing beside them.
    """
    values = rows.column(name)
    if name == "is_crowd":
        return pc.fill_null(values, False)
    if name == "raster":
        return pc.and_(values.is_valid(), rows.column("mask").is_null())
    return values.is_valid()


def _is_filled(values: pa.ChunkedArray) -> bool:
    """Say whether any value is there; an empty list is none."""
    if pa.types.is_list(values.type):
        return bool(pc.max(pc.list_value_length(values)).as_py())
    return bool(values.null_count < len(values))


def _own(rows: pa.Table, dataset_id: int, with_unsourced: bool) -> pa.ChunkedArray:
    """Return which rows belong to a data set, and to none where that is asked for."""
    return pc.equal(rows.column("dataset_id"), dataset_id).fill_null(with_unsourced)
