"""KITTI: object labels, an image a file; tracking labels, a sequence a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from labelstore.plugins import NOTHING, Beside, Format, Lost, Reading, Told, Writing

if TYPE_CHECKING:
    from labelstore_converters.kitti.columns import KittiLayout
    from labelstore_converters.lined.writing import Target

NOTICES = {
    "kitti-image-missing": "images that are not there: their sizes are unknown",
    "kitti-image-shadowed": "images whose name another has with another suffix; left out",
    "kitti-calibration-unread": "calibration files that are not as usual; kept as they are",
    "kitti-without-class": "labels of no class; left out",
    "kitti-class": "labels whose class has blanks, which are underscores now",
    "kitti-shapes-left-out": "labels without a box and without a cuboid; left out",
    "kitti-misread": "labels whose class or numbers a line cannot say; they would read otherwise",
    "kitti-other-frame": "cuboids whose frame has no known way to the camera's, which go",
    "kitti-tilted": "cuboids that do not stand upright; their tilt is left out",
    "kitti-moved": "cuboids in another frame, now in the camera's",
    "kitti-occluded-anew": "labels whose occlusion is no level of 0 to 3; written as it is",
    "kitti-ignored": "labels to be ignored that are no `DontCare`; read as labels like others",
    "kitti-sensors-left-out": "items with sensors that a calibration file cannot hold",
    "kitti-no-frame": "labels on items that have no place in a file; left out",
}
CARRIES = frozenset(
    {"category_id", "truncated", "occluded", "occluded_scale", "ignore", "score", "leftovers",
     "frame", "box", "box_form", "cuboid3d", "yaw_stated", "alpha"}
)  # fmt: skip
CLASSES = frozenset({"name"})


class Kitti(Format):
    """Folders with `label_2`, or folders of such label files."""

    name = "kitti"
    lists_classes = False
    line_bits = 24
    notices: Mapping[str, str] = NOTICES
    unsaid = frozenset({"width", "height", "modality"})
    has_ids = False
    has_tags = False
    keeps_words = False
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset({"modality", "uri", "width", "height", "sensors", "labelled_state"}),
        "categories": CLASSES,
    }

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""
        return CARRIES

    def reads(self, full: Collection[str]) -> frozenset[str] | None:
        """Return the columns of lines; all, where boxes have to be made of other shapes."""
        return CARRIES if "box" in full else None

    def recognises(self, source: Path) -> bool:
        """Say whether a folder holds one of object labels."""
        return source.is_dir() and any(source.rglob("label_2"))

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a folder, opened and read once."""
        from labelstore_converters.kitti.objects import LABELS, label_folders, object_documents
        from labelstore_converters.lined.reading import LinedReading

        documents, notices = object_documents(source, beside)
        kept = {"labels": label_folders(source, LABELS)}
        return LinedReading(source, documents, self._layout(), kept, notices, skip=beside.skip)

    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Write a folder, yielding the number of annotations written so far."""
        from labelstore_converters.lined.writing import write

        return write(data, target, self._layout(), self._target(data))

    def item_key(self, uri: str) -> str:
        """Return an image's path without its suffix, by which it and its labels are one."""
        return str(PurePosixPath(uri).with_suffix("")) if uri else uri

    def uris(self, data: Writing) -> list[str]:
        """Return the paths of images, as their label files tell them."""
        return self._target(data).uris()

    def records(self, data: Writing) -> Iterator[Told]:
        """Yield annotations, and how many lines each row has, shape (n,)."""
        to = self._target(data)
        for labels, geometries in data.annotations:
            held = to.usable(labels, to.prepared(geometries), self._layout())
            yield Told(labels, held.astype(int))

    def losses(self, data: Writing) -> Lost:
        """Return how many labels lose what a line cannot say."""
        from labelstore_converters.kitti.losses import losses

        return losses(data, self._layout(), self._target(data)).begun(self.name)

    def _layout(self) -> KittiLayout:
        from labelstore_converters.kitti.columns import KittiLayout

        return KittiLayout()

    def _target(self, data: Writing) -> Target:
        from labelstore_converters.kitti.objects import ObjectTarget

        return ObjectTarget(data)


class KittiTracking(Kitti):
    """Folders with `label_02`, or folders of such label files."""

    name = "kitti-tracking"
    notices: Mapping[str, str] = {
        code.replace("kitti", "kitti-tracking"): said for code, said in NOTICES.items()
    }
    unsaid = frozenset({"width", "height"})
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset(
            {"modality", "uri", "width", "height", "parent_id", "frame_index", "labelled_state"}
        ),
        "categories": CLASSES,
    }

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""
        return CARRIES | {"track_id"}

    def recognises(self, source: Path) -> bool:
        """Say whether a folder holds one of tracking labels."""
        return source.is_dir() and any(source.rglob("label_02"))

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a folder, opened and read once."""
        from labelstore_converters.kitti.sequences import sequence_documents
        from labelstore_converters.lined.reading import LinedReading

        documents, kept, notices = sequence_documents(source, beside)
        return LinedReading(source, documents, self._layout(), kept, notices, skip=beside.skip)

    def _layout(self) -> KittiLayout:
        from labelstore_converters.kitti.columns import KittiLayout

        return KittiLayout(tracking=True)

    def _target(self, data: Writing) -> Target:
        from labelstore_converters.kitti.sequences import SequenceTarget

        return SequenceTarget(data)


FORMAT = Kitti()
TRACKING = KittiTracking()
