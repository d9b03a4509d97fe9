"""A batch: arrays of all its labels one after another, and where those of each item are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from labelstore.errors import InvalidInput
from labelstore.geometry.rings import lengths
from labelstore.model.tables import TABLES
from labelstore.training.batches.images import Opener
from labelstore.training.batches.masks import COLUMNS as MASK_COLUMNS
from labelstore.training.batches.masks import masks
from labelstore.training.batches.targets import KINDS, TARGETS, Labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.training.reading.rows import Rows

Batch = dict[str, Any]
MASKS = "masks"
DEFAULT = ("boxes", "labels")
OF_ITEMS = ("item_id", "size", "uri", "images")
"""What a batch has once an item; the rest is once a label."""
KEYS = (*OF_ITEMS, "offsets", MASKS, "mask_offsets")
NAMED = ("item_id", "uri", "width", "height")
"""Columns of items that every batch needs."""


@dataclass(frozen=True)
class Batches:
    """Makes batches of samples; it can be pickled.

    A batch of k items with m labels is a dict of

    - `item_id` (k,), `size` (k, 2) height and width [px], -1 where unknown, `uri` (a list of k);
    - `offsets` (k + 1,): the labels of item i are rows `offsets[i]` to `offsets[i + 1]`;
    - each target, see `TARGETS`: an array whose first axis is m;
    - `masks`: all pixels of all labels, one after another, and `mask_offsets` (m + 1,): those of
      label j are `masks[mask_offsets[j] : mask_offsets[j + 1]].reshape(height, width)`;
    - each further column: an array (m,) of numbers, yes and no as 1 and 0, with NaN or -1 for
      null; else a list of m;
    - `images`, a list of k, where images are opened; below a folder or URL they are RGB bytes,
      (height, width, 3).

    Args:
        samples: what they are of.
        targets: names in `TARGETS`, or `masks`.
        columns: further columns of the labels.
        images: returns the image of an item.
        first_class: number of the first class in `labels`; one less stands for no class.
    """

    samples: Rows
    targets: Sequence[str] = DEFAULT
    columns: Sequence[str] = ()
    images: Opener | None = None
    first_class: int = 0
    needed: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse targets and columns that nothing has."""
        unknown = sorted(set(self.targets) - {*TARGETS, MASKS})
        if unknown:
            raise InvalidInput(f"no target {', '.join(unknown)}; there are: "
                               f"{', '.join((*TARGETS, MASKS))}", code="targets")  # fmt: skip
        twice = sorted({*self.columns} & {*self.targets, *KEYS})
        if twice:
            raise InvalidInput(f"{', '.join(twice)}: a batch has that already", code="columns")
        strange = sorted(set(self.columns) - KINDS.keys())
        if strange:
            raise InvalidInput(f"labels have no column {', '.join(strange)}", code="columns")
        own = [c for name in self.targets for c in
               (MASK_COLUMNS if name == MASKS else TARGETS[name].columns)]  # fmt: skip
        object.__setattr__(self, "needed", tuple(dict.fromkeys([*own, *self.columns])))

    def prepare(self) -> None:
        """Find out what all batches need, once, before processes are forked that would each."""
        rows = self.samples
        _ = rows.bounds, self._classes, self._points
        rows.families(self.needed)
        rows.item_rows([], None if self.images else NAMED)

    def make(self, indices: Sequence[int] | NDArray[np.int64]) -> Batch:
        """Return the batch of some samples, by their places."""
        if not np.issubdtype(np.asarray(indices).dtype, np.integer) and len(indices):
            raise InvalidInput(f"{indices!r}: give whole numbers, the places of samples",
                               code="sample-index")  # fmt: skip
        items = self.samples.item_rows(indices, None if self.images else NAMED)
        labels = self._labels(indices, items)
        found: Batch = {
            "item_id": np.asarray(items.column("item_id"), np.int64),
            "size": labels.sizes,
            "uri": list(labels.names),
            "offsets": labels.offsets,
        }
        for name in self.targets:
            if name == MASKS:
                found[MASKS], found["mask_offsets"] = masks(labels)
            else:
                found[name] = TARGETS[name].make(labels)
        if "labels" in found:
            found["labels"] += self.first_class
        found |= {name: _plain(labels.column(name)) for name in self.columns}
        if self.images is not None:
            rows = items.to_pylist(maps_as_pydicts="strict")
            found["images"] = [self.images(row) for row in rows]
        return found

    def _labels(self, indices: Any, items: pa.RecordBatch) -> Labels:
        rows, offsets = self.samples.rows(indices, self.needed)
        sizes = np.stack([_whole(items, n) for n in ("height", "width")], axis=1)
        uris = _column(items, "uri").to_pylist()
        ids = items.column("item_id").to_pylist()
        names = [uri if uri is not None else str(i) for uri, i in zip(uris, ids, strict=True)]
        return Labels(rows, offsets, sizes, names, self._classes, self._points)

    @cached_property
    def _classes(self) -> NDArray[np.int64]:
        return np.array([number for number, _ in self.samples.classes], np.int64)

    @cached_property
    def _points(self) -> int:
        listed = self.samples.manifest.table(TABLES["categories"], ["keypoint_names"]).column(0)
        most = max((len(names) for names in listed.to_pylist() if names), default=0)
        if "keypoints" not in self.targets:
            return most
        manifest = self.samples.manifest
        for part in manifest.parts_of("geometries", self.samples.layer):
            own = lengths(manifest.read(part, ["keypoints"]).column(0).combine_chunks())
            most = max(most, int(own.max(initial=0)) // 2)
        return most


def split(batch: Mapping[str, Any]) -> list[Batch]:
    """Return the samples of a batch, one dict each, as torchvision's detection models take them.

    Arrays are views of the batch's; `masks` are (labels, height, width).
    """
    offsets = [int(n) for n in batch["offsets"]]
    return [_one(batch, i, slice(*offsets[i : i + 2])) for i in range(len(offsets) - 1)]


def _one(batch: Mapping[str, Any], index: int, own: slice) -> Batch:
    found = {}
    for name, values in batch.items():
        if name in OF_ITEMS:
            found[name.removesuffix("s") if name == "images" else name] = values[index]
        elif name == MASKS:
            begin, end = (int(batch["mask_offsets"][i]) for i in (own.start, own.stop))
            shape = (own.stop - own.start, *(max(int(n), 0) for n in batch["size"][index]))
            found[name] = values[begin:end].reshape(shape)
        elif name not in ("offsets", "mask_offsets"):
            found[name] = values[own]
    return found


def _plain(values: pa.Array) -> Any:
    """Return a column as an array of numbers where it has numbers, else as a list."""
    kind = values.type
    if pat.is_boolean(kind):
        return np.asarray(values.cast(pa.int8()).fill_null(-1))
    if pat.is_unsigned_integer(kind):
        return np.asarray(values.fill_null(0))
    if pat.is_integer(kind):
        return np.asarray(values.fill_null(-1), np.int64)
    if pat.is_floating(kind):
        return np.asarray(values.fill_null(np.nan), np.float64)
    return values.to_pylist(maps_as_pydicts="strict")


def _column(items: pa.RecordBatch, name: str) -> pa.Array:
    if name in items.schema.names:
        return items.column(name)
    return pa.nulls(items.num_rows, TABLES["items"].schema.field(name).type)


def _whole(items: pa.RecordBatch, name: str) -> NDArray[np.int64]:
    return np.asarray(_column(items, name).fill_null(-1), np.int64)
