"""A source that a converter reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from posixpath import splitext
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Value = TypeVar("Value")
SKIPPED = ("lines-skipped", "labels-skipped", "files-skipped")
"""Codes of notices that count what was faulty and is left out."""


@dataclass(frozen=True)
class Beside:
    """What is known of a source's media and does not stand in it.

    Attributes:
        images: folder in which the media are looked for; else beside the labels.
        sizes: width and height of images, as stored, by their URI.
        files: text of companions of the file at hand, by their names.
        pseudonym: gives what stands for the name of a person; None where names may stand.
        skip: whether faulty labels are left out and counted (`SKIPPED`), instead of refused.
    """

    images: Path | None = None
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    skip: bool = False
    pseudonym: Callable[[str], str] | None = None

    def size(self, uri: str) -> tuple[int, int] | None:
        """Return the size of an image by its URI or the end of it, with or without suffix."""
        if not self.sizes:
            return None
        return _ending(uri, self.sizes) or _ending(_bare(uri), self._bare_sizes)

    def image(self, uri: str) -> Path | None:
        """Return the image of a URI or the end of it, with or without suffix."""
        if self.images is None:
            return None
        return _ending(uri, self._images) or _ending(_bare(uri), self._bare_images)

    @cached_property
    def _bare_sizes(self) -> dict[str, tuple[int, int]]:
        return {_bare(uri): size for uri, size in self.sizes.items()}

    @cached_property
    def _images(self) -> dict[str, Path]:
        if self.images is None:
            return {}
        found = (p for p in sorted(self.images.rglob("*")) if p.suffix and p.is_file())
        return {p.relative_to(self.images).as_posix(): p for p in found}

    @cached_property
    def _bare_images(self) -> dict[str, Path]:
        return {_bare(uri): path for uri, path in self._images.items()}


def _bare(uri: str) -> str:
    """Return a path without its suffix."""
    return splitext(uri)[0]


def _ending(uri: str, known: Mapping[str, Value]) -> Value | None:
    """Return the value of a path or else of the longest end of it that is known."""
    if not known:
        return None
    parts = uri.split("/")
    ends = ("/".join(parts[i:]) for i in range(len(parts)))
    return next((known[end] for end in ends if end in known), None)


NOTHING = Beside()


@dataclass(frozen=True)
class Piece:
    """Some annotations of a source, in any order; `seq` says their place in it.

    Columns that no row fills may be left out.

    Attributes:
        annotations: rows of `annotations` with local numbers; an item or class that the source
            does not list has the number -1 - i, where i is its place in the lists below.
        geometries: the same rows' shapes, in the same order.
        unlisted_items: JSON text of the ids of items that are not listed.
        unlisted_categories: JSON text of the ids of classes that are not listed.
        notices: counts of what is unusual, by stable code.
    """

    annotations: pa.Table
    geometries: pa.Table
    unlisted_items: list[str] = field(default_factory=list)
    unlisted_categories: list[str] = field(default_factory=list)
    notices: Mapping[str, int] = field(default_factory=dict)


class Reading(ABC):
    """A source, opened. Pieces may be read in any order and in several processes.

    Attributes:
        pieces: how many pieces of annotations there are.
        notices: counts of what is unusual about items and classes, by stable code.
    """

    pieces: int
    notices: Mapping[str, int]

    @property
    @abstractmethod
    def dataset(self) -> Mapping[str, Any]:
        """Return fields of the `datasets` row: info, licenses, leftovers, files."""

    @property
    def agents(self) -> Sequence[str]:
        """Return who acted, as `--by` takes them; `created_by` and `reviewed_by` count from 0."""
        return ()

    @property
    def said(self) -> Mapping[str, Any]:
        """Return what the source says of its work, such as the job, as JSON values."""
        return {}

    def follow(self, leftovers: Mapping[str, Any], *, keep_order: bool) -> Reading:
        """Return the source, telling rows as an earlier delivery told them.

        So what is the same reads the same. Called before items, classes and annotations are read,
        if at all.

        Args:
            leftovers: of the earlier delivery's `datasets` row.
            keep_order: the order of keys may differ from this source's own.
        """
        return self

    @abstractmethod
    def items(self) -> pa.Table:
        """Return rows of `items`, `item_id` counting from 0, one entry in `sources`.

        `parent_id` is the local number of another item.
        """

    @abstractmethod
    def categories(self) -> pa.Table:
        """Return the rows of `categories`, `category_id` counting from 0."""

    def tracks(self) -> pa.Table | None:
        """Return rows of `tracks`, `track_id` counting from 0, items and classes by number."""
        return None

    @abstractmethod
    def annotations(self, piece: int) -> Piece:
        """Return one piece of the annotations."""

    def owners(self) -> NDArray[np.int64] | None:
        """Return the local number of the item of each annotation, shape (n,).

        Place i is that of the annotation with `seq` i, and n is how many there are. None where an
        item or class is not listed, a label may be faulty, or only decoding tells. A source that
        says so is decoded by `chosen`, in whatever order suits.
        """
        return None

    def chosen(self, places: NDArray[np.int64]) -> Piece:
        """Return some of the annotations, of a source that knows its `owners`.

        Args:
            places: shape (n,), the `seq` of each.
        """
        raise NotImplementedError
