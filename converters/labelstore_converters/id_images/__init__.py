"""Images of ids: a PNG an image, whose value is class x factor + instance; 0 is nothing.

KITTI's `instance` (2015; classes of Cityscapes, x 256) and MOTS as PNG (`instances`, x 1000).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from labelstore.plugins import NOTHING, Beside, Format, Lost, Reading, Told, Writing
from labelstore_converters.segments import WORDS


class IdImages(Format):
    """Folders of images of ids.

    Args:
        name: of the format.
        folder: name of the folder that holds them.
        images: name of the folder beside it that holds the pictures.
        factor: what a class's number is multiplied by; 1 where values are classes alone.
    """

    has_ids = False
    lists_classes = False
    has_tags = False
    keeps_words = False
    unsaid = frozenset({"modality", "labelled_state"})
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset({"modality", "uri", "width", "height", "labelled_state"}),
        "categories": frozenset({"name"}),
    }

    def __init__(self, name: str, folder: str, images: str, factor: int) -> None:
        self.name, self.folder, self.images, self.factor = name, folder, images, factor
        self.notices = {
            **{f"{name}-{code}": said for code, said in WORDS.items()},
            f"{name}-class-unknown": "labels of classes that have no number here; left out",
            f"{name}-class": "labels whose class is a number now",
            f"{name}-hidden": "labels of which others cover every pixel; left out",
            f"{name}-too-many": "labels beyond the instances that a class can have; left out",
            f"{name}-joined": "labels whose pixels join those of their class; left out",
        }

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""
        return frozenset({"category_id", "mask", "raster", "leftovers"})

    def recognises(self, source: Path) -> bool:
        """Say whether a folder holds one of images of ids."""
        return source.is_dir() and any(source.rglob(f"{self.folder}/**/*.png"))

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a folder, opened."""
        from labelstore_converters.id_images.reading import IdReading

        return IdReading(source, self)

    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Write a folder, yielding the number of annotations written so far."""
        from labelstore_converters.id_images.writing import write

        return write(self, data, target)

    def item_key(self, uri: str) -> str:
        """Return an image's path without its suffix."""
        return uri.rpartition(".")[0] or uri

    def uris(self, data: Writing) -> list[str]:
        """Return the path of each image, as its image of ids tells it."""
        from labelstore_converters.id_images.writing import uris

        return uris(self, data)

    def records(self, data: Writing) -> Iterator[Told]:
        """Yield annotations with whether any pixel has their value, by which they are sorted."""
        from labelstore_converters.id_images.writing import records

        return records(self, data)

    def losses(self, data: Writing) -> Lost:
        """Return how many labels lose what a value cannot say."""
        from labelstore_converters.id_images.writing import losses

        return losses(self, data)


KITTI = IdImages("kitti-instance", "instance", "image_2", 256)
SEMANTIC = IdImages("kitti-semantic", "semantic", "image_2", 1)
MOTS = IdImages("mots-png", "instances", "images", 1000)
