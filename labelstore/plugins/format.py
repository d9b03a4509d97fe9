"""A format that a converter reads and writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelstore.errors import InvalidInput
from labelstore.plugins.people import Known
from labelstore.plugins.reading import NOTHING, Beside, Reading

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Writing:
    """What a converter is given to write.

    Attributes:
        dataset: the `datasets` row.
        items: rows of `items` in the order to write, with one entry in `sources`.
        categories: rows of `categories` in the order to write, with one entry in `sources`.
        annotations: pairs of batches of `annotations` and `geometries` in the order to write; can
            be gone through more than once.
        annotation_count: how many rows these have together.
        tracks: rows of `tracks` that the source lists or the annotations use, in order.
        people: names of people for whom pseudonyms stand.
    """

    dataset: Mapping[str, Any]
    items: pa.Table
    categories: pa.Table
    annotations: Iterable[tuple[pa.RecordBatch, pa.RecordBatch]]
    annotation_count: int
    tracks: pa.Table | None = None
    people: Known = field(default_factory=Known)


@dataclass(frozen=True)
class Told:
    """How a file tells some annotations.

    Attributes:
        rows: n annotations.
        counts: shape (n,), how many labels it has for each.
        places: shape (n,), numbers by which the labels of an item are sorted in it; None where
            they stand in the order of the rows.
    """

    rows: pa.RecordBatch
    counts: Any
    places: Any = None


class Lost(Counter[str]):
    """How many labels or items lose something, by code.

    Attributes:
        largest: the largest distance of a coordinate from what reads back, in its own units.
    """

    largest = 0.0

    def begun(self, name: str) -> Lost:
        """Return the same with a format's name before each code, without what nothing loses."""
        found = Lost({f"{name}-{code}": count for code, count in self.items() if count})
        found.largest = self.largest
        return found


class Format(ABC):
    """One format."""

    name: str
    notices: Mapping[str, str]
    """What its notices and losses mean, by code: words for that which is counted."""
    lists: Mapping[str, frozenset[str]]
    """Content columns of `items` and of `categories` that it can hold."""
    unsaid: frozenset[str] = frozenset()
    """Columns of `items` that its readers fill and no file of it says: they take them from the
    images, or always say the same."""
    refers: frozenset[str] = frozenset()
    """Formats whose items and classes its sources are of, by id, since they list none."""
    has_parts: bool = False
    """Whether coordinates may be parts of the image, where nobody knows its size."""
    has_ids: bool
    """Whether labels, items and classes have ids of their own in it."""
    says: frozenset[str] = frozenset()
    """Columns of `datasets` that it can hold."""
    by_item: bool = False
    """Whether labels are given to it item by item, each item's in their order."""
    keeps_words: bool
    """Whether what its rows keep beside the columns says more than how a file was written."""
    has_tags: bool
    """Whether labels may be without a shape."""
    lists_classes: bool = True
    """Whether classes stand in it that no label has."""
    lists_tracks: bool = False
    """Whether tracks stand in it that no label is on."""
    listed: str | None = None
    """JSON path of the label at `{seq}` in a file of it, from 0, where they stand in one list."""
    line_bits: int | None = None
    """Bits of a label's `seq` that count the lines of one file, where an item has a file."""
    tasks: tuple[str, ...] = ()
    """Kinds of content of which a source has one."""
    task: str | None = None
    """The kind of content that this is for, where there are several."""

    @property
    @abstractmethod
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""

    def place(self, seq: int) -> str | None:
        """Return where a label stands in a source, by its place in the source's order, in words.

        None where that order does not say it.
        """
        if self.line_bits is not None:
            return f"line {seq % 2**self.line_bits + 1:,} of the file of its item"
        return None if self.listed is None else self.listed.format(seq=seq)

    def recognises(self, source: Path) -> bool:
        """Say whether a file or folder looks like one of this format; reads a little of it."""
        return False

    @abstractmethod
    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a source, opened and with its structure checked.

        Args:
            source: file or folder that the format's own tools take.
            beside: what is known of the media.

        Raises:
            FormatError: it breaks the format; every fault is named.
        """

    @abstractmethod
    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Write a file or folder, yielding the number of annotations written so far."""

    def of_task(self, task: str) -> Format:
        """Return the format for one kind of content.

        Raises:
            InvalidInput: it has no such.
        """
        raise InvalidInput(f"{self.name} has no tasks to choose from", code="format-task")

    def suited(self, columns: Collection[str]) -> Format:
        """Return the format for labels of another one.

        Args:
            columns: those of `geometries` that any label fills.
        """
        return self

    def of_source(self, leftovers: Mapping[str, Any]) -> Format:
        """Return the format as a source of it was that was read.

        Args:
            leftovers: of its `datasets` row.
        """
        return self

    def item_key(self, uri: str) -> str:
        """Return what two names of one item in it have in common."""
        return uri

    def uris(self, data: Writing) -> list[str]:
        """Return the URI under which each item comes back when its file is read."""
        return [uri or "" for uri in data.items.column("uri").to_pylist()]

    def records(self, data: Writing) -> Iterator[Told]:
        """Yield annotations with how a file tells them."""
        import numpy as np

        for rows, _ in data.annotations:
            yield Told(rows, np.ones(len(rows), np.int64))

    def reads(self, full: Collection[str]) -> frozenset[str] | None:
        """Return the columns of `geometries` that an export reads; None for all.

        Args:
            full: columns that all labels fill.
        """
        return None

    def with_digits(self, digits: int) -> Format:
        """Return the format with numbers rounded to so many significant digits.

        Raises:
            InvalidInput: it writes all that there are.
        """
        raise InvalidInput(f"{self.name} writes numbers whole; --digits is for text whose numbers "
                           "are parts of the image", code="format-digits")  # fmt: skip

    def losses(self, data: Writing) -> Lost:
        """Return how many labels lose something that a column holds and a file does not, by code.

        Args:
            data: what is to be written; its annotations are read through.
        """
        return Lost()
