"""Rows that differ between two manifests: manifests first, then keys and hashes, then columns.

Parts with equal digests are never opened. Of the others only the key, the hash and what a summary
needs are read, one key range at a time; columns are compared for changed rows alone.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labelstore.model.tables import Table
from labelstore.storage.compare import differing
from labelstore.storage.index import Part
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Positions = NDArray[np.int64]


DERIVED = frozenset({"xmin", "ymin", "xmax", "ymax"})
"""Columns that follow from the shapes; they do not count on their own."""


@dataclass(frozen=True)
class Range:
    """One key range in which two versions differ.

    Attributes:
        before, after: the parts on each side.
        old, new: key, hash and summary columns of all rows of these parts.
        removed: positions in `old` of rows that are gone.
        added: positions in `new` of rows that came.
        changed: pairs of positions, shape (n, 2), of rows whose hashes differ.
    """

    table: Table
    sides: tuple[Manifest, Manifest]
    before: Sequence[Part]
    after: Sequence[Part]
    old: pa.Table
    new: pa.Table
    removed: Positions
    added: Positions
    changed: Positions

    @property
    def count(self) -> int:
        """Return how many rows changed."""
        return len(self.changed)

    @cached_property
    def changed_columns(self) -> dict[str, NDArray[np.bool_]]:
        """Return for each content column that differs which of the changed rows it differs in.

        Columns that follow from others (covering boxes) and those that say who wrote a row, or
        where it stood in its source, are not looked at.
        """
        if not len(self.changed):
            return {}
        old, new = self._pair
        return differing(old, new, old.column_names)

    def values(self, names: Sequence[str], chosen: NDArray[np.bool_]) -> tuple[pa.Table, pa.Table]:
        """Return columns of changed rows on both sides.

        Args:
            names: the columns.
            chosen: shape (n,), which of the changed rows.
        """
        found = []
        for side, table in enumerate(self._pair):
            rows = table.select([n for n in names if n in table.column_names])
            missing = [n for n in names if n not in table.column_names]
            for name, values in self._unchanged(side, missing).items():
                rows = rows.append_column(name, values)
            found.append(rows.filter(pa.array(chosen)))
        return found[0], found[1]

    def _unchanged(self, side: int, names: Sequence[str]) -> dict[str, pa.Array]:
        """Return columns of the changed rows that were not compared, for they do not differ."""
        if not names:
            return {}
        rows = self._rows(side, names, self.changed[:, side])
        return {name: rows.column(name) for name in names}

    @cached_property
    def _pair(self) -> tuple[pa.Table, pa.Table]:
        """Return the changed rows on both sides, with the columns that may differ."""
        content = set(self.table.columns("content")) - DERIVED
        names = [n for n in self._varying() if n in content]
        old, new = (self._rows(side, names, self.changed[:, side]) for side in (0, 1))
        return old, new

    def rows(self, side: int, positions: Positions) -> pa.Table:
        """Return whole rows of one side (0 before, 1 after)."""
        return self._rows(side, self.table.schema.names, positions)

    def _rows(self, side: int, names: Sequence[str], positions: Positions) -> pa.Table:
        parts = (self.before, self.after)[side]
        starts = np.cumsum([0, *(p.rows for p in parts)])
        taken = [self.table.schema.empty_table().select(list(names))]
        for i, part in enumerate(parts):
            inside = (positions >= starts[i]) & (positions < starts[i + 1])
            if inside.any():
                rows = self.sides[side].read(part, names)
                taken.append(rows.take(pa.array(positions[inside] - starts[i])))
        return pa.concat_tables(taken).combine_chunks()

    def _varying(self) -> list[str]:
        """Return the columns that may differ, judged without decoding any."""
        aligned = len(self.before) == len(self.after) == 1
        if aligned and not len(self.added) and not len(self.removed):
            same = same_bytes(
                self.sides[0].path(self.before[0]), self.sides[1].path(self.after[0])
            )
            return [n for n in self.table.schema.names if n not in same]
        constants = [
            _constants(str(manifest.path(part)))
            for manifest, parts in zip(self.sides, (self.before, self.after), strict=True)
            for part in parts
        ]
        first = constants[0]
        same = {
            name
            for name, value in first.items()
            if all(name in c and c[name] == value for c in constants[1:])
        }
        return [n for n in self.table.schema.names if n not in same and n not in self.table.key]


def differences(
    table: Table,
    before: Manifest,
    after: Manifest,
    partition: str,
    columns: Sequence[str] = (),
) -> Iterator[Range]:
    """Yield the key ranges of one partition in which two versions differ.

    Args:
        table: the table.
        before: the older version.
        after: the newer version.
        partition: the layer or scheme, or empty.
        columns: further columns to have in `old` and `new`.
    """
    parts = [m.parts_of(table.name, partition) for m in (before, after)]
    digests = [{p.digest for p in own} for own in parts]
    old = [p for p in parts[0] if p.digest not in digests[1]]
    new = [p for p in parts[1] if p.digest not in digests[0]]
    wanted = list(dict.fromkeys([*table.key, table.hash_column, *columns]))
    for group in _overlapping(old, new):
        yield _compare(table, (before, after), group, wanted)


def _compare(
    table: Table,
    sides: tuple[Manifest, Manifest],
    group: tuple[list[Part], list[Part]],
    columns: Sequence[str],
) -> Range:
    old, new = (
        pa.concat_tables(
            [table.schema.empty_table().select(list(columns)), *(m.read(p, columns) for p in own)]
        ).combine_chunks()
        for m, own in zip(sides, group, strict=True)
    )
    ids = [np.asarray(t.column(table.id_column).combine_chunks()) for t in (old, new)]
    hashes = [np.asarray(t.column(table.hash_column).combine_chunks()) for t in (old, new)]
    at_old, at_new = _matching(ids[0], ids[1])
    differ = hashes[0][at_old] != hashes[1][at_new]
    return Range(
        table,
        sides,
        group[0],
        group[1],
        old,
        new,
        removed=_others(len(ids[0]), at_old),
        added=_others(len(ids[1]), at_new),
        changed=np.stack([at_old[differ], at_new[differ]], axis=1),
    )


def _matching(old: Positions, new: Positions) -> tuple[Positions, Positions]:
    """Return the positions, on both sides, of ids that both have; each id stands once a side."""
    if not len(old):
        nothing = np.empty(0, np.int64)
        return nothing, nothing
    order = np.argsort(old, kind="stable")
    at = np.minimum(np.searchsorted(old[order], new), len(old) - 1)
    candidates = order[at]
    both = np.flatnonzero(old[candidates] == new)
    return candidates[both], both


def _others(count: int, chosen: Positions) -> Positions:
    """Return the positions that are not chosen."""
    left = np.ones(count, bool)
    left[chosen] = False
    return np.flatnonzero(left)


def _overlapping(
    old: Sequence[Part], new: Sequence[Part]
) -> Iterator[tuple[list[Part], list[Part]]]:
    """Yield groups of parts of both sides whose key ranges overlap, in key order."""
    listed = [(p.first_key, p.last_key, 0, p) for p in old]
    listed += [(p.first_key, p.last_key, 1, p) for p in new]
    group: tuple[list[Part], list[Part]] = ([], [])
    end = None
    for first, last, side, part in sorted(listed, key=lambda e: e[:3]):
        if end is not None and first > end:
            yield group
            group = ([], [])
            end = None
        group[side].append(part)
        end = last if end is None else max(end, last)
    if group[0] or group[1]:
        yield group


def same_bytes(before: Path, after: Path) -> set[str]:
    """Return the columns whose bytes are the same in two files of the same rows."""
    different: set[str] = set()
    every: set[str] = set()
    with _mapped(before) as old, _mapped(after) as new:
        spans = zip(_chunks(before), _chunks(after), strict=False)
        for (name, a, b), (other, c, d) in spans:
            every |= {name, other}
            if name != other or b - a != d - c or old[a:b] != new[c:d]:
                different |= {name, other}
    return every - different


def _chunks(path: Path) -> list[tuple[str, int, int]]:
    """Return top-level column, begin and end of each column chunk of a part, in file order."""
    group = pq.read_metadata(path).row_group(0)
    found = []
    for i in range(group.num_columns):
        chunk = group.column(i)
        begin = chunk.dictionary_page_offset or chunk.data_page_offset
        name = chunk.path_in_schema.partition(".")[0]
        found.append((name, begin, begin + chunk.total_compressed_size))
    return found


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _constants(path: str) -> dict[str, object]:
    """Return the flat columns of a part that hold one value throughout, by its statistics."""
    metadata = pq.read_metadata(path)
    found: dict[str, object] = {}
    nested = set()
    for i in range(metadata.num_columns):
        column = metadata.row_group(0).column(i)
        name, _, below = column.path_in_schema.partition(".")
        statistics = column.statistics
        if statistics is None or not statistics.has_null_count:
            nested.add(name)
        elif statistics.null_count == column.num_values:
            found.setdefault(name, None)
        elif (
            not below
            and statistics.null_count == 0
            and statistics.has_min_max
            and statistics.min == statistics.max
            and statistics.physical_type in ("INT32", "INT64", "BOOLEAN")
        ):
            found[name] = statistics.min
        else:
            nested.add(name)
    return {name: value for name, value in found.items() if name not in nested}
