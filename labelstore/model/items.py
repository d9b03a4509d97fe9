"""Items: what can be labelled."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from labelstore.model.columns import Column, Row
from labelstore.model.units import Count, Id, JsonObject, JsonText, Seconds

Modality = Literal["image", "video", "frame", "point_cloud", "text", "audio", "group"]
LabelledState = Literal["unlisted", "listed_no_file", "empty_file", "reviewed_empty", "labelled"]


class Sensor(Row):
    """One sensor of an item, with its calibration where known."""

    channel: str
    modality: str | None = None
    uri: str | None = None
    intrinsics: list[float] | None = None
    """3 x 3, row by row."""
    distortion: list[float] | None = None
    to_ego: list[float] | None = None
    """4 x 4, row by row: sensor to ego frame."""
    projection: list[float] | None = None
    """3 x 4, row by row."""


class ItemSource(Row):
    """How one source lists this item; an item may stand in many sources."""

    dataset_id: Id
    seq: Annotated[int, Field(ge=0)]
    """Place in the source's list, from 0."""
    source_id: int | None = None
    """The source's own id, where it is a 64-bit integer."""
    source_key: JsonText | None = None
    """The source's own id as JSON text, where it is anything else."""
    stated: JsonObject | None = None
    """Columns in which this source differs from the row, as JSON; null where it is silent."""
    leftovers: JsonObject | None = None
    """What the source says and no column holds."""


class Item(Row):
    """One thing that can be labelled: image, video, frame, point cloud, text, audio or group."""

    item_id: Annotated[Id, Column(1)]
    parent_id: Annotated[Id, Column(2)] | None = None
    """The video of a frame, the group of a sensor reading."""
    modality: Annotated[Modality, Column(3)]
    uri: Annotated[str, Column(4)] | None = None
    """Where the medium is, normalised: forward slashes, no leading `./`."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$"), Column(5)] | None = None
    width: Annotated[Count, Column(6, pa.int32())] | None = None
    """Stored width in pixels, before any EXIF rotation."""
    height: Annotated[Count, Column(7, pa.int32())] | None = None
    exif_orientation: Annotated[int, Field(ge=1, le=8), Column(8, pa.int8())] | None = None
    frame_index: Annotated[int, Field(ge=0), Column(9)] | None = None
    """0-based place in the parent."""
    timestamp_us: Annotated[int, Column(10)] | None = None
    duration_s: Annotated[Seconds, Field(ge=0), Column(11)] | None = None
    text: Annotated[str, Column(12)] | None = None
    """The text itself; offsets of spans count its Unicode code points."""
    sensors: Annotated[list[Sensor], Column(13)] | None = None
    group: Annotated[str, Column(14)] | None = None
    """Scene, patient or sequence: what a split must not cut through."""
    labelled_state: Annotated[LabelledState, Column(15)] | None = None
    tags: Annotated[list[str], Column(16)] | None = None
    attributes: Annotated[dict[str, JsonText], Column(17)] | None = None
    sources: Annotated[list[ItemSource], Column(18, role="origin")]
    changed_in: Annotated[Id, Column(19, role="provenance")] | None = None
    """Activity that last wrote the row."""
    row_hash: Annotated[int, Field(ge=0), Column(20, pa.uint64(), role="hash")]
