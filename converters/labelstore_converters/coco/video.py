"""What COCO files of videos say besides: videos, the frames of each, and tracks.

Sources: TAO's description of its annotations; MMTracking's CocoVID, which lists no tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from labelstore.model.tables import TABLES
from labelstore_converters.coco.leftovers import leftovers
from labelstore_converters.coco.listed import image_rows
from labelstore_converters.coco.lookup import UNHASHABLE, Lookup
from labelstore_converters.coco.members import Members
from labelstore_converters.coco.numbers import is_int
from labelstore_converters.columns import batch, json_text

FRAME_KEYS = ("frame_index", "frame_id")
"""What says the place of an image in its video, from 0."""
TRACK_KEYS = ("track_id", "instance_id")
"""What says the track of a label."""
VIDEO = "video"
"""Marks the ids of videos among those of items: `{"video": 3}` is no image's."""


class Videos:
    """The videos and tracks of a COCO file; none where it has no list of videos.

    Args:
        others: what stands beside images, annotations and classes.
        images: those of the file.
        raws: its annotations.

    Attributes:
        keys: names of the lists that rows hold.
        words: keys that say the place of an image, and the track of a label.
    """

    def __init__(
        self, others: dict[str, Any], images: Sequence[dict[str, Any]], raws: Members
    ) -> None:
        self._images = images
        self._videos = _objects(others.get("videos"))
        self._tracks = _objects(others.get("tracks")) if self._videos is not None else None
        there = (("videos", self._videos), ("tracks", self._tracks))
        self.keys = frozenset(key for key, found in there if found is not None)
        self._numbers = Lookup([v["id"] for v in self._videos or ()])
        seen = {key for image in images if self for key in FRAME_KEYS if key in image}
        self.words = {
            "frame": next((k for k in FRAME_KEYS if k in seen), FRAME_KEYS[0]),
            "track": TRACK_KEYS[0],
        }
        self._of_label: dict[tuple[int | None, str], int] = {}
        if self._videos and self._tracks is None:
            self._find_tracks(raws)
        self._listed = Lookup([t["id"] for t in self._tracks or ()])

    def __bool__(self) -> bool:
        """Say whether the file is one of videos."""
        return self._videos is not None

    @property
    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the objects of the lists that rows hold."""
        found = (("videos", self._videos), ("tracks", self._tracks))
        return {key: objects for key, objects in found if objects is not None}

    def place(self, image: dict[str, Any]) -> dict[str, Any]:
        """Return number of the video and place in it, by the key that says so; or nothing."""
        video = image.get("video_id")
        number = -1 if isinstance(video, UNHASHABLE) or video is None else self._numbers.one(video)
        if number < 0:
            return {}
        key = self.words["frame"]
        at = image.get(key)
        fits = is_int(at) and at is not None and at >= 0
        return {"video_id": len(self._images) + number, **({key: at} if fits else {})}

    @property
    def strays(self) -> int:
        """Return how many images are of a video that is not listed."""
        named = (i for i in self._images if self and i.get("video_id") is not None)
        return sum(not self.place(image) for image in named)

    def is_of_track(self, found: dict[str, Any]) -> bool:
        """Say whether a label names a track, in a file that lists them."""
        return self._tracks is not None and found.get(self.words["track"]) is not None

    def rows(self, order: Sequence[str]) -> pa.Table:
        """Return rows of `items`, numbered after the images."""
        marked = [{**video, "id": {VIDEO: video["id"]}} for video in self._videos or ()]
        return image_rows(marked, order, first=len(self._images), name="name", modality="video")

    def track_rows(self, classes: Lookup, order: Sequence[str]) -> pa.Table | None:
        """Return rows of `tracks`; those that nothing lists are of the labels' video and id."""
        if self._tracks is None:
            known = [{"item_id": item, **_called(key)} for item, key in self._of_label]
            return _table(known) if known else None
        return _table([self._track(track, classes, order) for track in self._tracks])

    def _track(
        self, track: dict[str, Any], classes: Lookup, order: Sequence[str]
    ) -> dict[str, Any]:
        row = _called(json_text(track["id"]))
        carried = {"id"}
        for key, column, numbers, first in (
            ("category_id", "category_id", classes, 0),
            ("video_id", "item_id", self._numbers, len(self._images)),
        ):
            value = track.get(key)
            known = -1 if isinstance(value, UNHASHABLE) or value is None else numbers.one(value)
            if known >= 0:
                row[column] = first + known
                carried.add(key)
        kept = leftovers(track, carried, order)
        return {**row, "leftovers": json_text(kept) if kept else None}

    def track(self, found: dict[str, Any], item: int) -> int | None:
        """Return the number of the track of a label, None where it has none that is known.

        Args:
            found: the label.
            item: number of its image.
        """
        value = found.get(self.words["track"])
        if value is None or isinstance(value, UNHASHABLE):
            return None
        if self._tracks is None:
            return self._of_label.get((self._video_of(item), json_text(value)))
        known = self._listed.one(value)
        return known if known >= 0 else None

    def _video_of(self, item: int) -> int | None:
        return self.place(self._images[item]).get("video_id") if item >= 0 else None

    def _find_tracks(self, raws: Members) -> None:
        """Number the tracks that labels name, by video; one key says so in a whole file."""
        images = Lookup([image.get("id") for image in self._images])
        for key in TRACK_KEYS:
            kind = msgspec.defstruct("Label", [("image_id", Any, None), (key, Any, None)])
            for raw in raws:
                try:
                    label = msgspec.json.decode(raw, type=kind)
                except msgspec.DecodeError:
                    continue  # no object: whoever reads the label says so
                image, value = (getattr(label, name) for name in ("image_id", key))
                if value is None or isinstance(value, UNHASHABLE) or isinstance(image, UNHASHABLE):
                    continue
                video = self._video_of(images.one(image))
                self._of_label.setdefault((video, json_text(value)), len(self._of_label))
            if self._of_label:
                self.words["track"] = key
                return


def _objects(found: Any) -> list[dict[str, Any]] | None:
    """Return objects with ids of their own; None where anything else is listed."""
    if not isinstance(found, list) or not all(isinstance(o, dict) for o in found):
        return None
    ids = [o.get("id") for o in found]
    if any(i is None or isinstance(i, UNHASHABLE) for i in ids):
        return None
    return found if len(set(map(json_text, ids))) == len(ids) else None


def _called(key: str) -> dict[str, Any]:
    """Return what columns say of an id, given as JSON text."""
    value = msgspec.json.decode(key)
    return {"source_id": value} if is_int(value) else {"source_key": key}


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    names = ("item_id", "category_id", "source_id", "source_key", "leftovers")
    columns: dict[str, Any] = {n: [row.get(n) for row in rows] for n in names}
    columns["track_id"] = columns["seq"] = range(len(rows))
    return pa.Table.from_batches([batch(TABLES["tracks"], columns)])
