"""COCO panoptic: a JSON file of segments, and a PNG of their ids for each image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from labelstore.plugins import NOTHING, Beside, Format, Lost, Reading, Told, Writing, beginning
from labelstore_converters.coco import ITEMS, Coco, json_lists
from labelstore_converters.segments import WORDS

NOTICES = {
    "coco-panoptic-png-missing": "images whose PNG is not there; their segments have no pixels",
    "coco-panoptic-id-unlisted": "ids in a PNG that the JSON does not list; kept, of no class",
    "coco-panoptic-id-unused": "segments whose id no pixel of the PNG has",
    **{f"coco-panoptic-{code}": said for code, said in {**WORDS, **ITEMS}.items()},
}


class CocoPanoptic(Format):
    """Panoptic annotation files of COCO, with the folder of PNGs of the same name beside them."""

    name = "coco-panoptic"
    notices = NOTICES
    has_ids = True
    has_tags = False
    keeps_words = True
    says = frozenset({"info", "licenses"})
    unsaid = Coco.unsaid
    lists: Mapping[str, frozenset[str]] = Coco.lists

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""
        return (Coco().carries - {"polygons", "track_id"}) | {"raster"}

    def recognises(self, source: Path) -> bool:
        """Say whether a file is a JSON object that lists images with their segments."""
        return json_lists(source) and '"segments_info"' in beginning(source, 1 << 20)

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a file, opened, with its PNGs."""
        from labelstore_converters.coco.panoptic.reading import PanopticReading

        return PanopticReading(source)

    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Write a file and its PNGs, yielding the number of annotations written so far."""
        from labelstore_converters.coco.panoptic.writing import write

        return write(data, target)

    def records(self, data: Writing) -> Iterator[Told]:
        """Yield annotations, and whether each has a segment."""
        from labelstore_converters.painting import sizes_of, with_pixels

        sizes = sizes_of(data.items)
        for (rows, shapes), told in zip(data.annotations, Coco().records(data), strict=True):
            masks = with_pixels(rows, shapes, sizes)
            yield Told(rows, masks.is_valid().to_numpy(False).astype(int) * told.counts)

    def losses(self, data: Writing) -> Lost:
        """Return how many labels lose what a segment cannot say."""
        from labelstore_converters.coco.foreign import foreign_items, labels_of_videos
        from labelstore_converters.painting import losses

        found = losses(data)
        found.update(foreign_items(data.items))
        found["on-videos"] = labels_of_videos(data)
        return found.begun(self.name)


FORMAT = CocoPanoptic()
