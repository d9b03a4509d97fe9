"""What KITTI's lines do not say of labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import is_equal, members
from labelstore.geometry.columns import column
from labelstore.geometry.cuboids import UPRIGHT, rotations
from labelstore.plugins import Lost, Writing
from labelstore_converters.kitti.calibration import held
from labelstore_converters.kitti.columns import REGION, KittiLayout
from labelstore_converters.kitti.frames import in_camera
from labelstore_converters.lined.losses import misread
from labelstore_converters.lined.writing import Target, class_names


def losses(data: Writing, layout: KittiLayout, to: Target) -> Lost:
    """Return how many labels, items and classes lose something, by code.

    Args:
        data: what is to be written.
        layout: of object or of tracking labels.
        to: which classes, items and tracks there are.
    """
    found = Lost()
    for labels, geometries in data.annotations:
        shapes, moved, lost = in_camera(geometries, to)
        found["moved"] += moved
        found["other-frame"] += lost
        classed = np.asarray(pc.not_equal(pc.fill_null(class_names(labels, to), ""), ""))
        placed = to.placed(labels)
        found["no-frame"] += int((~placed).sum())
        held_ = to.usable(labels, shapes, layout)
        found["without-class"] += int((~classed).sum())
        found["shapes-left-out"] += int((classed & placed & ~held_).sum())
        rows, own = (b.filter(pa.array(held_)) for b in (labels, shapes))
        found["misread"] += misread(rows, own, layout, to)
        found["tilted"] += _tilted(own)
        found["occluded-anew"] += _unlike_levels(rows)
        found["ignored"] += _ignored(rows, to)
        ids = rows.column("category_id").to_pylist()
        found["class"] += sum(to.classes[i] != to.written[i] for i in ids)
    found["sensors-left-out"] = sum(not held(item["sensors"]) for item in to.items)
    found["drops-items.modality"] = sum(
        up is not None and item["modality"] != "frame"
        for item, up in zip(to.items, to.parents, strict=True)
    )
    return found


def _tilted(shapes: pa.RecordBatch) -> int:
    """Return how many cuboids are not upright in a camera's axes."""
    cuboids = column(shapes, "cuboid3d").drop_null()
    if not len(cuboids):
        return 0
    upwards = rotations(members(cuboids)[:, 6:10])[:, :, 2]
    return int((-upwards[:, 1] < UPRIGHT).sum())


def _unlike_levels(rows: pa.RecordBatch) -> int:
    said = np.asarray(rows.column("occluded").is_valid())
    return int((said & ~is_equal(rows.column("occluded_scale"), "level")).sum())


def _ignored(rows: pa.RecordBatch, to: Target) -> int:
    """Return how many labels are to be ignored, or not, and their class says the opposite."""
    ignored = np.asarray(pc.fill_null(rows.column("ignore"), False))
    return int((ignored != is_equal(class_names(rows, to), REGION)).sum())
