"""A format of pages: a function that reads a file's text, and one that writes it."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from labelstore.plugins.files import beginning
from labelstore.plugins.format import Format, Lost, Told, Writing
from labelstore.plugins.people import People
from labelstore.plugins.reading import NOTHING, Beside, Reading

if TYPE_CHECKING:
    from labelstore.plugins.pages.page import Page

REASONS = {
    "left-out": "labels that it cannot hold; left out",
    "rewritten": "files whose labels changed, laid out anew: what is unknown in them goes",
    "class": "labels whose class reads as another",
    "track": "labels whose track is lost",
}
"""Why labels are not as they were, by the end of a code."""


def told(converter: type[PageFormat]) -> dict[str, str]:
    """Return words for each code that a converter may tell."""
    name = getattr(converter, "name", "")
    own = dict(converter.__dict__.get("notices", {}))
    changes = {
        f"changes-{c}": f"labels whose `{c}` reads as another"
        for c in sorted(getattr(converter, "columns", ()))
    }
    shared = {**REASONS, **changes}
    return {f"{name}-{code}": said for code, said in shared.items()} | own


class PageFormat(Format):
    """A format whose files are read and written one by one.

    A converter states what is below, and defines `parse` and `render`; where labels of other
    formats go in other files than those beside their images, also `path_of`.
    """

    pattern: str
    """Of the files in a folder, such as `*.xml`; a source may also be one such file."""
    sign: str
    """What the beginning of each of its files holds, as a regular expression."""
    one_file: bool = False
    """Whether all items stand in one file; then the target of an export is a file."""
    of_sequences: bool = False
    """Whether a file is of a sequence, whose frames share it; other items have no place then."""
    by_track: bool = False
    """Whether labels of a track stand together in a file."""
    companions: tuple[str, ...] = ()
    """Paths of further files, from the folder of a page's own, that `parse` is to be given."""
    people: People | None = None
    """Where its files name people."""
    columns: frozenset[str]
    """Content columns of `annotations` and `geometries` that it can hold."""
    lists_classes = False
    """Whether its files name classes that no label has, see `Page.classes`."""
    has_ids = False
    has_tags = False
    keeps_words = False
    unsaid = frozenset({"modality", "labelled_state"})
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset({"modality", "uri", "width", "height", "labelled_state"}),
        "categories": frozenset({"name"}),
    }

    def __init_subclass__(cls, **options: Any) -> None:
        """Give the converter words for what any of its kind may tell."""
        super().__init_subclass__(**options)
        cls.notices = told(cls)

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""
        return self.columns | {"category_id", "leftovers"}

    def files(self, source: Path) -> dict[str, Path]:
        """Return the files of a source, by their paths below it."""
        if source.is_file():
            return {source.name: source}
        found = (p for p in sorted(source.rglob(self.pattern)) if p.is_file())
        return {p.relative_to(source).as_posix(): p for p in found}

    def recognises(self, source: Path) -> bool:
        """Say whether the first file has the sign of this format."""
        first = next(iter(self.files(source).values()), None)
        return first is not None and re.search(self.sign, beginning(first)) is not None

    @abstractmethod
    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return what a file says.

        Args:
            text: all of it.
            path: below the source.
            beside: what is known of the media, and the companions that are there.

        Raises:
            ValueError: with every fault as an argument, each with its line and field.
        """

    @abstractmethod
    def render(self, page: Page) -> str:
        """Return the text of a file."""

    def cut(self, head: Any, places: Collection[int]) -> Any:
        """Return the head of a page without all that it says of some of its items.

        None, unless a converter can tell: then the head goes whole.

        Args:
            head: of the page.
            places: of the items among those of the page.
        """
        return None

    def companions_of(self, page: Page) -> Mapping[str, str]:
        """Return the text of further files, by their paths from the folder of a page's own."""
        return {}

    def path_of(self, item: Mapping[str, Any]) -> str:
        """Return the file of an item that came from another format, below the target.

        Its own path, with the suffix of this format's files, where nothing else is said.
        """
        path = PurePosixPath(item["uri"] or str(item["item_id"]))
        return str(path.with_suffix(PurePosixPath(self.pattern).suffix))

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a file can hold a label of an item, both as a page has them."""
        return True

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a source, opened and read once."""
        from labelstore.plugins.pages.reading import PageReading

        return PageReading(self, source, beside)

    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Write a file or folder, yielding the number of annotations written so far."""
        from labelstore.plugins.pages.writing import write

        return write(self, data, target)

    def uris(self, data: Writing) -> list[str]:
        """Return the URI under which each item comes back, found by reading what is written."""
        from labelstore.plugins.pages.losses import uris

        return uris(self, data)

    def records(self, data: Writing) -> Iterator[Told]:
        """Yield annotations with whether a file has them, and in which order."""
        from labelstore.plugins.pages.losses import records

        return records(self, data)

    def losses(self, data: Writing) -> Lost:
        """Return what differs when what is written is read again, by code."""
        from labelstore.plugins.pages.losses import losses

        return losses(self, data)
