"""By how much labels changed: agreement, distance, turn, and error rates of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.pairing import Side
from labelstore.geometry.agreement import agreement
from labelstore.geometry.boxes import corners, iou
from labelstore.geometry.columns import column
from labelstore.geometry.displacement import distances, turns
from labelstore.geometry.texts import error_rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Floats = NDArray[np.float64]

MEASURES = ("agreement", "distance", "unit", "turn", "character_error_rate", "word_error_rate")
"""What is measured: 0 to 1, as `similarity` has it (of a shape and a box that is stated beside it
the lower); how far the middle went, and in what; degrees; edits over the older text's length."""
SAME = 1 - 1e-9
STILL = {"distance": 1e-9, "turn": 1e-6}
"""Least of what counts as a change; less is rounding."""


def measured(
    labels: pa.Table,
    sides: tuple[Manifest, Manifest],
    layers: tuple[str | None, str | None] = (None, None),
) -> pa.Table:
    """Return the labels of a difference that are there before and after, with `MEASURES`.

    Args:
        labels: rows of `Diff.labels`; a few thousand at most, since their shapes are read.
        sides: the versions.
        layers: those that were compared, where two were.

    Returns:
        Their rows, those that agree least first; null where there is nothing to measure.
    """
    both = labels.filter(pc.equal(labels.column("change"), "changed"))
    found = [_of_layer(both.filter(pc.equal(both.column("layer"), layer)), sides, layer, layers)
             for layer in pc.unique(both.column("layer")).to_pylist()]  # fmt: skip
    if not found:
        return both
    return pa.concat_tables(found).sort_by([("agreement", "ascending")])


def _of_layer(
    labels: pa.Table, sides: tuple[Manifest, Manifest], layer: str,
    layers: tuple[str | None, str | None],
) -> pa.Table:  # fmt: skip
    after = pc.coalesce(labels.column("annotation_after"), labels.column("annotation_id"))
    ids = labels.column("annotation_id"), after
    rows = [_rows(side, own or layer, labels.column("item_id"), number)
            for side, own, number in zip(sides, layers, ids, strict=True)]  # fmt: skip
    kinds, shapes = zip(*rows, strict=True)
    a, b = shapes
    boxes = [corners(column(r, "box"), column(r, "box_form")) for r in shapes]
    own = np.fmin(agreement(kinds, shapes, asked=0)[0], iou(boxes[0], boxes[1]))
    values: dict[str, Any] = {"agreement": np.where(own > SAME, 1.0, own)}
    values["distance"], values["unit"] = distances(a, b)
    values["turn"] = turns(a, b)
    values["character_error_rate"], values["word_error_rate"] = error_rates(
        column(a, "text"), column(b, "text")
    )
    for name, least in STILL.items():
        values[name] = np.where(values[name] < least, 0.0, values[name])
    labels = labels.drop_columns(["agreement"])
    for name in MEASURES:
        kind = pa.string() if name == "unit" else pa.float64()
        labels = labels.append_column(name, pa.array(values[name], kind, from_pandas=True))
    return labels


def _rows(manifest: Manifest, layer: str, items: Any, ids: Any) -> tuple[Any, pa.Table]:
    """Return kinds and shapes of labels by their ids, in their order."""
    keys = pa.table({"item_id": items, "annotation_id": ids})
    rows = Side(manifest, layer, keys).rows(np.unique(np.asarray(items)))
    at = pc.index_in(ids, value_set=rows["annotations"].column("annotation_id").combine_chunks())
    kinds = np.array(rows["annotations"].column("kind").take(at).to_pylist(), object)
    return kinds, rows["geometries"].take(at)
