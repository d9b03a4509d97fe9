"""What a COCO file calls items, classes and tracks."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    videos: frozenset[int] = frozenset()
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
            _track_keys(data, alone=tracks_stand_alone(described)),
            videos_of(data.items), described.get("video", WORDS),
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


def videos_of(items: pa.Table) -> frozenset[int]:
    """Return the ids of the items that are videos."""
    pairs = zip(*(items.column(n).to_pylist() for n in ("item_id", "modality")), strict=True)
    return frozenset(i for i, modality in pairs if modality == "video")


def _keys(rows: pa.Table, column: str) -> dict[int, Any]:
    return {row[column]: source_key(row) for row in rows.select([column, "sources"]).to_pylist()}


def tracks_stand_alone(described: Mapping[str, Any]) -> bool:
    """Say whether tracks stand in labels alone, where each video may have numbers of its own."""
    return "video" in described and "tracks" not in described.get("top", ())


def _track_keys(data: Writing, *, alone: bool) -> dict[int, Any]:
    """Return the id of each track; those without one of their own get one after the highest."""
    if data.tracks is None:
        return {}
    own = data.dataset.get("dataset_id", 0)
    names = ["track_id", "dataset_id", "source_id", "source_key"]
    rows = sorted(data.tracks.select(names).to_pylist(), key=lambda row: row["dataset_id"] != own)
    found: dict[int, Any] = {}
    taken = set()
    for row in rows:
        key = entry_key(row)
        found[row["track_id"]] = key if alone or key not in taken else None
        taken.add(key)
    last = max((key for key in found.values() if type(key) is int), default=0)
    for track, key in found.items():
        if key is None:
            last = max(last, 0) + 1
            found[track] = last
    return found
