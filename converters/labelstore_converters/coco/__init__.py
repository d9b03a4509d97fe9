"""COCO instances, keypoints and captions: one JSON file, read and written exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from labelstore.plugins import NOTHING, Beside, Format, Lost, Reading, Told, Writing, beginning

ITEMS = {
    "no-images": "items that are neither images nor videos, listed as images",
    "no-video": "items that are frames of no video, or parts of another item; listed as images",
    "on-videos": "labels of whole videos; left out",
}
NOTICES = {
    "coco-duplicate-image-id": "images with an id that another image has",
    "coco-duplicate-category-id": "classes with an id that another class has",
    "coco-video-unlisted": "images of a video that the file does not list; of none",
    "coco-track-unlisted": "labels of a track that the file does not list; on none",
    "coco-annotation-without-id": "labels without an id",
    "coco-keypoints-flat": "labels whose keypoints have three coordinates, of which two are left",
    "coco-keypoint-scores-left-out": "labels with scores of keypoints that have a visibility, "
    "too; the scores go",
    "coco-visibility-unknown": "labels whose keypoints have no visibility; written as visible, "
    "or with the scores that they have",
    "coco-without-class": "labels of no class; pycocotools cannot use them",
    "coco-without-shape": "labels without a box, of which no shape is left",
    **{f"coco-{code}": said for code, said in ITEMS.items()},
    "coco-masks-left-out": "masks of other tools' encodings, which go",
    **{
        f"coco-{key}-kept-verbatim": f"labels whose `{key}` has no usual form; kept as it is"
        for key in ("area", "score", "bbox", "segmentation", "keypoints")
    },
}


CARRIES = frozenset(
    {
        "category_id", "is_crowd", "score", "attributes", "leftovers", "box", "box_form",
        "polygons", "mask", "keypoints", "keypoint_dims", "visibility", "keypoint_scores", "text",
        "area", "num_keypoints", "track_id",
    }
)  # fmt: skip


TOP = re.compile(r'"(images|annotations|categories|info|licenses)"\s*:')


def json_lists(source: Path) -> bool:
    """Say whether a file is a JSON object with keys that COCO has at its top."""
    head = beginning(source, 1 << 20) if source.is_file() else ""
    return head.lstrip().startswith("{") and len(set(TOP.findall(head))) > 1


class Coco(Format):
    """COCO annotation files."""

    name = "coco"
    notices: Mapping[str, str] = NOTICES
    has_ids = True
    listed = "$.annotations[{seq}]"
    has_tags = True
    keeps_words = True
    scored = False
    """Whether the third number of a keypoint may be a score."""
    lists_tracks = True
    says = frozenset({"info", "licenses"})

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""
        return CARRIES

    unsaid = frozenset({"labelled_state"})
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset(
            {"modality", "uri", "width", "height", "parent_id", "frame_index", "labelled_state"}
        ),
        "categories": frozenset(
            {"name", "supercategory", "keypoint_names", "skeleton", "is_thing", "color",
             "unlisted"}
        ),
    }  # fmt: skip

    def recognises(self, source: Path) -> bool:
        """Say whether a file is a JSON object that lists images, and no segments of them."""
        return json_lists(source) and '"segments_info"' not in beginning(source, 1 << 20)

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a COCO file, opened; its text is mapped, not loaded."""
        from labelstore_converters.coco.reading import CocoReading

        return CocoReading(source, skip=beside.skip)

    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Write a COCO file, yielding the number of annotations written so far."""
        from labelstore_converters.coco.writing import write

        return write(data, target)

    def records(self, data: Writing) -> Iterator[Told]:
        """Yield annotations, and whether each is written: those of whole videos are not."""
        import numpy as np

        from labelstore_converters.coco.names import videos_of

        videos = sorted(videos_of(data.items))
        for rows, _ in data.annotations:
            yield Told(rows, (~np.isin(rows.column("item_id"), videos)).astype(np.int64))

    def losses(self, data: Writing) -> Lost:
        """Return how many items and labels have what COCO cannot say."""
        from labelstore_converters.coco.foreign import (
            classes_of_tracks,
            foreign_items,
            foreign_shapes,
            labels_of_videos,
        )

        found = Lost(foreign_items(data.items))
        found["on-videos"] = labels_of_videos(data)
        found["drops-tracks.category_id"] = classes_of_tracks(data)
        for labels, geometries in data.annotations:
            found.update(foreign_shapes(labels, geometries, scored=self.scored))
        return found.begun(self.name)


FORMAT = Coco()
