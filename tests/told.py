"""Sources of every format, and what the codes of losses mean for columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

DATA = Path(__file__).parent / "data"
PIXELS = {"outlines-as-pixels": ("mask",), "overlaps": ("mask",)}
LEVELS = {"occluded-anew": ("occluded_scale",), "class": ("class",), "misread": ("class",)}
LISTED = {
    "visibility-unknown": ("visibility",),
    "no-images": ("items.modality",),
    "no-video": ("items.modality", "items.frame_index"),
}
ALSO: Mapping[str, Mapping[str, Collection[str]]] = {
    "coco": LISTED,
    "coco-panoptic": {**PIXELS, **LISTED},
    "kitti": LEVELS,
    "kitti-tracking": LEVELS,
    "kitti-instance": PIXELS,
    "kitti-semantic": {**PIXELS, "joined": ("mask",)},
    "mots-png": PIXELS,
    "yolo": {
        "boxes-follow": ("box",),
        "boxes-as-outlines": ("box", "polygons"),
        "rotated-as-corners": ("corners", "rotated_box"),
    },
}
"""Columns of a label that read otherwise, by format and code of the loss that says so."""


def _below(folder: str, pattern: str) -> list[str]:
    """Return the files of a folder, below `DATA`."""
    return sorted(p.relative_to(DATA).as_posix() for p in (DATA / folder).rglob(pattern))


SOURCES = {
    "coco": [
        "coco/tiny_coco/instances_val2017.json",
        "coco/tiny_coco/person_keypoints_val2017.json",
        "coco/tiny_coco/captions_val2017.json",
        "coco/labelformat_masks/instances.json",
        "coco/labelformat_masks/instances_with_binary_mask.json",
        "coco/keras_retinanet/instances_val2017.json",
        "cross/voc100/instances_default.json",
        *(f"coco/datumaro_assets/{name}_{part}.json" for part in ("train", "val")
          for name in ("captions", "instances", "labels", "person_keypoints", "stuff",
                       "image_info")),
    ],
    "coco-panoptic": [
        "coco/panoptic_samples/panoptic_examples.json",
        "coco/datumaro_assets/panoptic_train.json",
    ],
    "yolo": ["yolo/labelformat_segment", "yolo/datumaro_roboflow"],
    "darknet": [
        *(f"yolo/datumaro_darknet/{name}" for name in ("strict", "labels", "annotations")),
        "yolo/door_darknet/tutorial",
    ],
    "kitti": ["kitti/lgsvl_object", "kitti/datumaro_3d"],
    "kitti-tracklets": ["kitti/datumaro_raw/tracklet_labels.xml"],
    "kitti-instance": ["kitti/datumaro_segmentation"],
    "mots-png": ["other/mots_datumaro"],
    "mot": ["other/mot_datumaro/mot_seq", "other/mot_datumaro/mot_seq_with_seqinfo"],
    "voc": [
        "cross/voc100/pascalvoc_format",
        "other/voc_datumaro/voc_dataset1",
        "other/voc_datumaro/voc_dataset2",
    ],
    "dota": ["other/dota_datumaro"],
    "open-images": [
        "cross/voc100/openimages_format/all_bounding_boxes.csv",
        "other/open_images_datumaro/v6/annotations/oidv6-train-annotations-bbox.csv",
    ],
    "cvat": _below("other/cvat_datumaro", "*.xml"),
    "label-studio": _below("other/label_studio", "*.json"),
}  # fmt: skip
"""Files and folders below `DATA`, by the format that they are in."""
