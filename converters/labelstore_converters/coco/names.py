"""What a COCO file calls items, classes and tracks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from labelstore.plugins import Writing
from labelstore_converters.coco.video import FRAME_KEYS, TRACK_KEYS, VIDEO

WORDS = {"frame": FRAME_KEYS[0], "track": TRACK_KEYS[0]}


@dataclass(frozen=True)
class Names:
    """The source's ids.

    Attributes:
        items, classes, tracks: id in the file of each row, by the store's.
        videos: which items are videos.
        words: keys that say the place of an image, and the track of a label.
    """

    items: Mapping[int, Any] = field(default_factory=dict)
    classes: Mapping[int, Any] = field(default_factory=dict)
    tracks: Mapping[int, Any] = field(default_factory=dict)
    videos: Sequence[int] = ()
    words: Mapping[str, str] = field(default_factory=lambda: WORDS)

    @classmethod
    def of(cls, data: Writing, described: Mapping[str, Any]) -> Names:
        """Return the names that a file has.

        Args:
            data: what is to be written.
            described: `leftovers` of its data set.
        """
        return cls(
            _keys(data.items, "item_id"), _keys(data.categories, "category_id"),
            _track_keys(data.tracks), videos_of(data.items), described.get("video", WORDS),
        )  # fmt: skip

    def as_json(self, *, ascii_only: bool) -> list[dict[int, str]]:
        """Return ids of items, classes and tracks as JSON text."""
        return [
            {i: json.dumps(key, ensure_ascii=ascii_only)
             for i, key in keys.items() if key is not None}
            for keys in (self.items, self.classes, self.tracks)
        ]  # fmt: skip


def source_key(row: dict[str, Any]) -> Any:
    """Return the id that the row's one source gives it."""
    (source,) = row["sources"]
    return entry_key(source)


def entry_key(source: Mapping[str, Any]) -> Any:
    """Return the id that a source gives; a video's without the mark that says so."""
    key = source["source_key"]
    if key is None:
        return source["source_id"]
    found = json.loads(key)
    return found[VIDEO] if isinstance(found, dict) and VIDEO in found else found


def videos_of(items: pa.Table) -> list[int]:
    """Return the ids of the items that are videos."""
    pairs = zip(*(items.column(n).to_pylist() for n in ("item_id", "modality")), strict=True)
    return [i for i, modality in pairs if modality == "video"]


def _keys(rows: pa.Table, column: str) -> dict[int, Any]:
    return {row[column]: source_key(row) for row in rows.select([column, "sources"]).to_pylist()}


def _track_keys(tracks: pa.Table | None) -> dict[int, Any]:
    """Return the id of each track; those without one come after the highest."""
    if tracks is None:
        return {}
    rows = tracks.select(["track_id", "source_id", "source_key"]).to_pylist()
    found = {row["track_id"]: entry_key(row) for row in rows}
    last = max((key for key in found.values() if type(key) is int), default=0)
    for track, key in found.items():
        if key is None:
            last = max(last, 0) + 1
            found[track] = last
    return found
