"""Converters: what one is, and how they are found.

A converter streams rows of the model's tables and knows nothing of storage. Rows refer to each
other by *local numbers*: `item_id` is the item's place in the source's list, `category_id` the
class's, `annotation_id` the annotation's own. The importer gives real ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from labelstore.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = "labelstore.converters"


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


@runtime_checkable
class Reading(Protocol):
    """A source, opened. Pieces may be read in any order and in several processes."""

    @property
    def dataset(self) -> Mapping[str, Any]:
        """Return fields of the `datasets` row: info, licenses, leftovers, files."""

    @property
    def pieces(self) -> int:
        """Return how many pieces of annotations there are."""

    @property
    def notices(self) -> Mapping[str, int]:
        """Return counts of what is unusual about items and classes, by stable code."""

    def follow(self, leftovers: Mapping[str, Any], *, keep_order: bool) -> None:
        """Tell rows as an earlier delivery told them, so that what is the same reads the same.

        Called before items, classes and annotations are read, if at all.

        Args:
            leftovers: of the earlier delivery's `datasets` row.
            keep_order: the order of keys may differ from this source's own.
        """

    def items(self) -> pa.Table:
        """Return rows of `items`, `item_id` counting from 0, one entry in `sources`."""

    def categories(self) -> pa.Table:
        """Return the rows of `categories`, `category_id` counting from 0."""

    def annotations(self, piece: int) -> Piece:
        """Return one piece of the annotations."""


@dataclass(frozen=True)
class Writing:
    """What a converter is given to write.

    Attributes:
        dataset: the `datasets` row.
        items: rows of `items` in the order to write, with one entry in `sources`.
        categories: rows of `categories` in the order to write, with one entry in `sources`.
        annotations: pairs of batches of `annotations` and `geometries` in the order to write.
        annotation_count: how many rows these have together.
    """

    dataset: Mapping[str, Any]
    items: pa.Table
    categories: pa.Table
    annotations: Iterable[tuple[pa.RecordBatch, pa.RecordBatch]]
    annotation_count: int


class Format(ABC):
    """One format."""

    name: str
    notices: Mapping[str, str]
    """What its notices and losses mean, by code: words for that which is counted."""
    lists: Mapping[str, frozenset[str]]
    """Content columns of `items` and of `categories` that it can hold."""
    has_ids: bool
    """Whether labels, items and classes have ids of their own in it."""
    keeps_words: bool
    """Whether what its rows keep beside the columns says more than how a file was written."""
    has_tags: bool
    """Whether labels may be without a shape."""
    tasks: tuple[str, ...] = ()
    """Kinds of content of which a source has one."""

    @property
    @abstractmethod
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""

    @abstractmethod
    def open(self, source: Path) -> Reading:
        """Return a source, opened and with its structure checked.

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

    def losses(
        self, annotations: pa.RecordBatch, geometries: pa.RecordBatch, items: pa.Table
    ) -> Mapping[str, int]:
        """Return how many labels lose something that a column holds and a file does not, by code.

        Args:
            annotations: n rows.
            geometries: the same rows' shapes.
            items: rows of all items.
        """
        return {}


def find_format(name: str, task: str | None = None) -> Format:
    """Return the converter of that name.

    Args:
        name: of the format.
        task: kind of content, where the format has several.

    Raises:
        NotFound: no installed package offers it.
        InvalidInput: it has no such task.
    """
    found = {e.name: e for e in entry_points(group=GROUP)}
    if name not in found:
        raise NotFound(
            f"no format {name!r}. Installed: {', '.join(sorted(found)) or 'none'}.",
            code="format-unknown",
        )
    loaded: Format = found[name].load()
    if task is None:
        return loaded
    if task not in loaded.tasks:
        said = ", ".join(loaded.tasks) or "none"
        raise InvalidInput(f"{name} has no task {task!r}. It has: {said}.", code="format-task")
    return loaded.of_task(task)


def source_file(path: Path) -> Path:
    """Return a path that is a readable, non-empty file.

    Raises:
        NotFound: there is nothing there.
        InvalidInput: it is a folder, or empty.
    """
    if not path.exists():
        raise NotFound(f"{path}: no such file", code="source-missing")
    if path.is_dir():
        raise InvalidInput(f"{path}: is a folder; name the file", code="source-folder")
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path}: the file is empty (0 bytes)", code="source-empty")
    return path


def target_file(path: Path) -> Path:
    """Return where a file may be written: a new name, or a file; links are followed.

    Raises:
        NotFound: its folder is not there.
        InvalidInput: something else is there: a folder, a device, a pipe.
    """
    target = path.resolve() if path.is_symlink() else path.absolute()
    if not target.parent.is_dir():
        raise NotFound(f"{path}: there is no folder {target.parent}", code="target-folder")
    if target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "no regular file"
        raise InvalidInput(f"{path}: is {what}; name a file to write", code="target-kind")
    return target


def target_folder(path: Path) -> Path:
    """Return where a folder may be written: a new name, or an empty folder.

    Raises:
        NotFound: the folder around it is not there.
        InvalidInput: something else is there.
    """
    target = path.absolute()
    if not target.parent.is_dir():
        raise NotFound(f"{path}: there is no folder {target.parent}", code="target-folder")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "is a folder with files in it" if target.is_dir() else "is no folder"
        raise InvalidInput(f"{path}: {what}; name a new folder", code="target-kind")
    return target
