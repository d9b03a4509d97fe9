"""Tracks between their keyframes: what a label says of the frames that nobody drew.

Boxes, rotated boxes and cuboids go in a straight line from one keyframe to the next, angles the
shorter way round, quaternions along the arc (slerp). A keyframe that is `outside` ends what can be
seen: nothing is given from there to the next keyframe. After the last keyframe nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput
from labelstore.geometry.boxes import corners, members

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Rows: TypeAlias = "pa.Table | pa.RecordBatch"
SHAPES = ("box", "rotated_box", "cuboid3d")


def interpolated(keyframes: pa.Table) -> pa.Table:
    """Return a row for each frame from a track's first keyframe to its last.

    Args:
        keyframes: n rows of `labels`, in any order, with `track_id`, `frame_index` (of the item),
            `outside` where there is any, and shapes among `SHAPES` (`box` with `box_form`).

    Returns:
        `track_id`, `frame_index`, `keyframe` and the shapes, by track and frame; keyframes have
        the numbers they had, bit for bit, and a shape that only one of two neighbours has stays
        as it is until the next.

    Raises:
        InvalidInput: a track has two keyframes at one frame, or a row has no track or frame.

    Example:
        >>> sql = "SELECT track_id, frame_index, outside, box, box_form FROM labels JOIN items "
        >>> sql += "USING (item_id) WHERE track_id IS NOT NULL"
        >>> interpolated(store.query(sql))  # doctest: +SKIP
    """
    rows = keyframes.combine_chunks().sort_by(
        [("track_id", "ascending"), ("frame_index", "ascending")]
    )
    tracks, frames = _numbers(rows, "track_id"), _numbers(rows, "frame_index")
    follows = np.append((tracks[1:] == tracks[:-1]), False)[: len(tracks)]
    _refuse_repeated(tracks, frames, follows)
    begins, ends, step = _steps(rows, frames, follows)
    share = np.divide(step, frames[ends] - frames[begins], where=ends > begins,
                      out=np.zeros(len(step)))  # fmt: skip
    columns = {
        "track_id": pa.array(tracks[begins]),
        "frame_index": pa.array(frames[begins] + step),
        "keyframe": pa.array(step == 0),
    }
    first, second = (rows.take(pa.array(at)).combine_chunks() for at in (begins, ends))
    for name in (n for n in SHAPES if n in rows.column_names):
        columns |= _between(name, first, second, share)
    return pa.table(columns)


def _numbers(rows: pa.Table, name: str) -> Ints:
    column = rows.column(name)
    if column.null_count:
        raise InvalidInput(
            f"{column.null_count} keyframes have no `{name}`", code="track-keyframe"
        )
    return np.asarray(column.combine_chunks(), np.int64)


def _refuse_repeated(tracks: Ints, frames: Ints, follows: NDArray[np.bool_]) -> None:
    again = np.flatnonzero(follows[:-1] & (np.diff(frames) == 0))
    if len(again):
        said = f"track {tracks[again[0]]} has two keyframes at frame {frames[again[0]]}"
        raise InvalidInput(said, code="track-keyframe")


def _steps(rows: pa.Table, frames: Ints, follows: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Return for each frame to give: keyframe before it, keyframe after it, frames from the one.

    The keyframe after is the same as the one before at the end of a track.
    """
    seen = np.ones(len(frames), bool)
    if "outside" in rows.column_names:
        seen = ~np.asarray(pc.fill_null(rows.column("outside"), False).combine_chunks(), bool)
    counts = np.where(follows, np.append(np.diff(frames), 1), 1) * seen
    begins = np.repeat(np.arange(len(frames)), counts)
    step = np.arange(len(begins)) - np.repeat(np.cumsum(counts) - counts, counts)
    return begins, begins + follows[begins], step


def _between(name: str, first: Rows, second: Rows, share: Floats) -> dict[str, pa.Array]:
    """Return a shape on the way from one keyframe to the next."""
    a, b = (_values(name, r) for r in (first, second))
    straight = a + (b - a) * share[:, None]
    if name == "rotated_box":
        turn = np.remainder(b[:, 4] - a[:, 4] + np.pi, 2 * np.pi) - np.pi
        straight[:, 4] = a[:, 4] + turn * share
    if name == "cuboid3d":
        straight[:, 6:10] = slerp(a[:, 6:10], b[:, 6:10], share)
    stays = (share == 0) | np.isnan(b).any(axis=1) | _differ(name, first, second)
    kept = first.column(name).combine_chunks() if isinstance(first, pa.Table) else first[name]
    moved = _struct(name, straight, kept)
    found = {name: pc.if_else(pa.array(stays) if len(stays) else pa.array([], pa.bool_()),
                              kept, moved)}  # fmt: skip
    if name == "box":
        forms = _forms(first)
        found["box_form"] = pc.if_else(pa.array(stays, pa.bool_()), forms,
                                       pc.if_else(kept.is_valid(), "xywh", forms))  # fmt: skip
    return found


def _values(name: str, rows: Rows) -> Floats:
    """Return the numbers of a shape, shape (n, members); of boxes x, y, width, height."""
    if name != "box":
        return members(_plain(rows, name))
    ends = corners(_plain(rows, "box"), _forms(rows))
    return np.concatenate([ends[:, :2], ends[:, 2:] - ends[:, :2]], axis=1)


def _differ(name: str, first: Rows, second: Rows) -> NDArray[np.bool_]:
    """Return where cuboids are anchored differently, so that no line joins their centres."""
    if name != "cuboid3d":
        return np.zeros(len(first), bool)
    anchors = (pc.struct_field(_plain(r, name), "anchor") for r in (first, second))
    return np.asarray(pc.fill_null(pc.not_equal(*anchors), True))


def _struct(name: str, numbers: Floats, like: pa.Array) -> pa.Array:
    """Return a struct column with these numbers, and the other members of `like`."""
    fields = list(like.type)
    values = iter(numbers.T)
    children = [
        pa.array(np.nan_to_num(next(values))) if pa.types.is_floating(f.type)
        else pc.struct_field(like, f.name)
        for f in fields
    ]  # fmt: skip
    return pa.StructArray.from_arrays(children, fields=fields, mask=like.is_null())


def _forms(rows: Rows) -> pa.Array:
    if "box_form" in rows.schema.names:
        return _plain(rows, "box_form")
    return pa.nulls(len(rows), pa.string())


def _plain(rows: Rows, name: str) -> pa.Array:
    column = rows.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def slerp(a: Floats, b: Floats, share: Floats) -> Floats:
    """Return unit quaternions on the shorter arc between two.

    Args:
        a: shape (n, 4), of length one.
        b: shape (n, 4), of length one.
        share: shape (n,), 0 at `a` to 1 at `b`.
    """
    cosine = (a * b).sum(axis=1)
    b = np.where(cosine[:, None] < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(cosine), 0, 1))
    sine = np.sin(angle)
    apart = sine > NEAR
    weight = np.divide(np.sin(angle * share), sine, out=share.astype(np.float64), where=apart)
    other = np.divide(np.sin(angle * (1 - share)), sine, out=1.0 - share, where=apart)
    found = a * other[:, None] + b * weight[:, None]
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(np.divide(found, lengths, out=found.copy(), where=lengths > 0))


NEAR = 1e-6
"""Sine of the angle below which an arc is a straight line."""
