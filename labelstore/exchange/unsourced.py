"""Labels that came from no file: which ids they get in one.

An export gives them ids after the highest of their data set, in the order in which they were made;
an update reads them by the same rule, so that a file that went out and came back changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import TABLES
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray


def is_alone(manifest: Manifest, layer: str) -> bool:
    """Say whether a layer has one data set, to which labels without a source then belong."""
    layers = manifest.table(TABLES["datasets"], ["layer"]).column(0).to_pylist()
    return bool(layers.count(layer) == 1)


def given_ids(rows: pa.Table) -> NDArray[np.int64]:
    """Return the source ids of the rows that have no data set, shape (how many of them,).

    Args:
        rows: `dataset_id`, `source_id` and `annotation_id` of a data set's labels and of those
            without one.
    """
    bare = rows.filter(rows.column("dataset_id").is_null())
    order = np.argsort(np.asarray(bare.column("annotation_id").combine_chunks()))
    highest = max(pc.max(rows.column("source_id")).as_py() or 0, 0)
    ids = np.empty(len(order), np.int64)
    if len(order):  # the highest of int64 has none after it
        ids[order] = 1 + highest + np.arange(len(order))
    return ids
