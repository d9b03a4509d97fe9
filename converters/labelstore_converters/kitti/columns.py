"""What the columns of KITTI's object and tracking labels are.

`type truncated occluded alpha left top right bottom h w l x y z rotation_y [score]`, after a frame
and a track's number in tracking. The cuboid stands on its lower face, in the axes of rectified
camera 0: x right, y down, z forwards. Source: the object and tracking devkits' readmes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import corners, members
from labelstore.geometry.columns import column
from labelstore.geometry.cuboids import rotations
from labelstore.model.tables import TABLES
from labelstore_converters.lined.cells import Cells, Fields, Layout
from labelstore_converters.lined.tokens import Floats, Ints, Lines, Mask, numbers

TRUNCATED, OCCLUDED, ALPHA, BOX, SIZE, PLACE, YAW, SCORE = 1, 2, 3, 4, 8, 11, 14, 15
"""Places of the columns after the class, which is 0."""
NUMBERS = 14
"""Of a line without a score."""
UNKNOWN = {
    TRUNCATED: -1.0, OCCLUDED: -1.0, ALPHA: -10.0, YAW: -10.0,
    **dict.fromkeys(range(SIZE, PLACE), -1.0), **dict.fromkeys(range(PLACE, YAW), -1000.0),
}  # fmt: skip
"""What stands where nothing is known."""
REGION = "DontCare"
"""The class of regions that are not labelled; detections there count for nothing."""
TRACKING_REGION = (-1000.0, -1000.0, -1000.0, -10.0, -1.0, -1.0, -1.0)
"""What official tracking labels have there for regions: the fillers in another order."""
SHAPE = {name: TABLES["geometries"].schema.field(name).type for name in ("box", "cuboid3d")}
SAME_TURN = 1e-12
NUMBERED = (("frame", 0, 1_000_000), ("track", -1, 2**53))
"""Columns before the class in tracking, with the least and the greatest that they can be."""


class KittiLayout(Layout):
    """Lines of object labels, or of tracking labels.

    Args:
        tracking: whether a frame and a track's number come first.
    """

    def __init__(self, *, tracking: bool = False) -> None:
        self.lead = 2 if tracking else 0
        lead = self.lead
        self.whole = frozenset({*range(lead), lead + OCCLUDED} | ({3} if tracking else set()))
        self.fillers = {lead + at: value for at, value in UNKNOWN.items()}

    def cells(self, lines: Lines) -> tuple[Cells, Ints]:
        """Return the columns of lines, and the token that each came from."""
        values = _numbers(lines, self.lead)
        ends = lines.starts[1:]
        scored = lines.counts >= NUMBERS + 2 + self.lead
        scored[scored] = ~np.isnan(values[ends[scored] - NUMBERS - 1])
        last = self.lead + SCORE
        sources = np.full((len(lines), last + 1), -1, np.int64)
        begins = ends - NUMBERS - scored
        sources[:, self.lead + 1 : last] = begins[:, None] + np.arange(NUMBERS)
        sources[:, last] = np.where(scored, ends - 1, -1)
        sources[:, : self.lead] = lines.starts[:-1, None] + np.arange(self.lead)
        sources = np.where(sources < len(values), sources, -1)
        short = lines.counts < NUMBERS + 1 + self.lead
        sources[short] = -1
        found = np.where(sources >= 0, values[sources], np.nan)
        return Cells(found, {self.lead: self._classes(lines, begins)}), sources

    def _classes(self, lines: Lines, begins: Ints) -> pa.StringArray:
        """Return the class of each line; one of several words keeps single blanks between them."""
        first = lines.starts[:-1] + self.lead
        inside = np.minimum(first, max(len(lines.tokens) - 1, 0))
        words = lines.tokens.take(pa.array(inside))
        several = np.flatnonzero(begins - first > 1)
        if not len(several):
            return words
        listed = words.to_pylist()
        for row in several.tolist():
            own = lines.tokens.slice(int(first[row]), int(begins[row] - first[row]))
            listed[row] = " ".join(own.to_pylist())
        return pa.array(listed, pa.string())

    def faults(self, lines: Lines, cells: Cells) -> Iterator[tuple[int, str]]:
        """Yield lines that are no labels, with what is wrong."""
        short = lines.counts < NUMBERS + 1 + self.lead
        wanted = NUMBERS + 1 + self.lead
        for row in np.flatnonzero(short).tolist():
            yield row, f"has {lines.counts[row]} columns; {wanted} or {wanted + 1} make a label"
        needed = [at for at in range(self.lead + SCORE) if at != self.lead]
        bad = np.isnan(cells.values[:, needed]) & ~short[:, None]
        for row, at in np.argwhere(bad).tolist():
            place = needed[at] + 1
            yield (
                row,
                f"column {place}: {_token(lines, row, needed[at], self.lead)!r} is no number",
            )
        for at, (name, low, high) in enumerate(NUMBERED[: self.lead]):
            values = cells.values[:, at]
            for row in np.flatnonzero(
                (values % 1 > 0) | (values < low) | (values > high)
            ).tolist():
                yield row, f"column {at + 1}: {values[row]} is no {name}"

    def fields(self, cells: Cells) -> Fields:
        """Return what lines say."""
        v = cells.values[:, self.lead :]
        classes = cells.words[self.lead]
        region = np.asarray(pc.equal(classes, REGION))
        solid = ~(_all(v, range(SIZE, PLACE)) | _all(v, range(PLACE, YAW)) | _all(v, [YAW]))
        odd = (v[:, SIZE:SCORE] == TRACKING_REGION).all(axis=1)
        solid &= ~odd
        boxed = ~(v[:, BOX:SIZE] == -1).all(axis=1)
        occluded = _known(v, OCCLUDED)
        annotations: dict[str, Any] = {
            "kind": pa.array(
                np.where(solid, "cuboid3d", np.where(boxed, "box", "tag")), pa.string()
            ),
            "truncated": _known(v, TRUNCATED),
            "occluded": occluded,
            "occluded_scale": _word("level", ~np.asarray(occluded.is_null())),
            "ignore": pa.array(region, mask=~region),
            "score": pa.array(v[:, SCORE], mask=np.isnan(v[:, SCORE])),
        }
        geometries = {
            "frame": _word("camera", solid),
            "box": pa.StructArray.from_arrays(
                [pa.array(v[:, at]) for at in range(BOX, SIZE)], fields=list(SHAPE["box"]),
                mask=pa.array(~boxed),
            ),
            "box_form": _word("xyxy", boxed),
            "cuboid3d": _cuboids(v, solid),
            "yaw_stated": pa.array(v[:, YAW], mask=odd | (v[:, YAW] == UNKNOWN[YAW])),
            "alpha": _known(v, ALPHA),
        }  # fmt: skip
        if not self.lead:
            return Fields(annotations, geometries, classes)
        known = np.where(np.abs(cells.values) < 2**53, cells.values, -1)  # faults are told apart
        numbers = known[:, 1].astype(np.int64)
        tracks = pa.array(numbers, mask=numbers == -1)
        return Fields(annotations, geometries, classes, known[:, 0].astype(np.int64), tracks)

    def holds(self, annotations: pa.RecordBatch, geometries: pa.RecordBatch) -> Mask:
        """Return which labels a line can say, shape (n,): those of a class, with a shape."""
        shaped = pc.or_(
            column(geometries, "box").is_valid(), column(geometries, "cuboid3d").is_valid()
        )
        shaped = pc.or_(shaped, pc.equal(annotations.column("kind"), "tag"))
        told = pc.or_(shaped, annotations.column("leftovers").is_valid())  # a line, kept whole
        found = pc.and_(told, annotations.column("category_id").is_valid())
        return np.asarray(found)

    def lines(self, fields: Fields) -> Cells:
        """Return lines that say it."""
        rows, count = fields.annotations, len(fields.classes)
        shapes = pa.table(fields.geometries)
        found = np.full((count, self.lead + SCORE + 1), np.nan)
        v = found[:, self.lead :]
        for at, name in ((TRUNCATED, "truncated"), (OCCLUDED, "occluded")):
            v[:, at] = _floats(rows[name], UNKNOWN[at])
        v[:, ALPHA] = _floats(column(shapes, "alpha"), UNKNOWN[ALPHA])
        boxes = corners(column(shapes, "box"), column(shapes, "box_form"))
        v[:, BOX:SIZE] = np.where(np.isnan(boxes), -1.0, boxes)
        v[:, SIZE:SCORE] = _solids(column(shapes, "cuboid3d"), column(shapes, "yaw_stated"))
        v[:, SCORE] = _floats(rows["score"], np.nan)
        if self.lead and fields.frames is not None and fields.tracks is not None:
            found[:, 0] = fields.frames
            found[:, 1] = _floats(fields.tracks, -1.0)
        return Cells(found, {self.lead: fields.classes})


def _numbers(lines: Lines, lead: int) -> Floats:
    """Return tokens as numbers; the first word of a class is none."""
    words = np.zeros(len(lines.tokens), bool)
    places = lines.starts[:-1] + lead
    words[places[places < lines.starts[1:]]] = True
    found = np.full(len(lines.tokens), np.nan)
    found[~words] = numbers(lines.tokens.filter(pa.array(~words)))
    return found


def _token(lines: Lines, row: int, at: int, lead: int) -> str:
    count = int(lines.counts[row])
    scored = count > NUMBERS + 1 + lead
    place = at if at < lead else count - NUMBERS - scored + at - lead - 1
    return str(lines.tokens[int(lines.starts[row]) + place])


def _all(v: Floats, places: Any) -> Mask:
    """Return which lines know nothing of some columns, shape (n,)."""
    found: Mask = np.all([v[:, at] == UNKNOWN[at] for at in places], axis=0)
    return found


def _known(v: Floats, at: int) -> pa.Array:
    """Return a column, null where it is not known."""
    return pa.array(v[:, at], mask=v[:, at] == UNKNOWN[at])


def _word(word: str, there: Mask) -> pa.StringArray:
    """Return a word for some lines, and null for the others."""
    return pa.array([word] * len(there), pa.string(), mask=~there)


def _floats(values: Any, missing: float) -> Floats:
    return np.asarray(pc.fill_null(values, pa.scalar(missing, values.type)), np.float64)


def turns(yaw: Floats) -> Floats:
    """Return quaternions of cuboids that stand on the ground of a camera's axes, shape (n, 4).

    Args:
        yaw: shape (n,), radians about the camera's y axis, 0 facing its x axis.
    """
    half, whole = np.sqrt(0.5), yaw / 2
    w, y = np.cos(whole) * half, np.sin(whole) * half
    return np.stack([w, w, y, -y], axis=1)


def _cuboids(v: Floats, solid: Mask) -> pa.Array:
    h, w, length = (v[:, at] for at in range(SIZE, PLACE))
    columns = [*v[:, PLACE:YAW].T, length, w, h, *turns(v[:, YAW]).T]
    arrays = [pa.array(np.where(solid, values, 0.0)) for values in columns]
    return pa.StructArray.from_arrays(
        [*arrays, _word("bottom", np.ones(len(v), bool))], fields=list(SHAPE["cuboid3d"]),
        mask=pa.array(~solid),
    )  # fmt: skip


def _solids(cuboids: pa.Array, stated: pa.Array) -> Floats:
    """Return h, w, l, x, y, z and the turn of cuboids in a camera's axes, shape (n, 7)."""
    found = np.tile([UNKNOWN[at] for at in range(SIZE, SCORE)], (len(cuboids), 1))
    yaw = _floats(stated, UNKNOWN[YAW])
    solid = np.asarray(cuboids.is_valid())
    values = members(cuboids)
    x, y, z, length, w, h = values[:, :6].T
    centred = np.asarray(
        pc.fill_null(pc.equal(pc.struct_field(cuboids, "anchor"), "center"), False)
    )
    found[solid, :6] = np.stack([h, w, length, x, np.where(centred, y + h / 2, y), z], axis=1)[
        solid
    ]
    found[:, 6] = yaw
    known = np.asarray(stated.is_valid())
    same = known & (np.abs((turns(yaw) * values[:, 6:10]).sum(axis=1)) > 1 - SAME_TURN)
    derived = np.flatnonzero(solid & ~same)
    if len(derived):
        forwards = rotations(values[derived, 6:10])[:, :, 0]
        found[derived, 6] = np.arctan2(-forwards[:, 2], forwards[:, 0])
    return found
