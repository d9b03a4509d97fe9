"""People whom a source names: pseudonyms stand for them in a store.

A converter says where in the text of a file people are named. Before the file is parsed each name
gives way to a pseudonym; when a file is written, each pseudonym to its name, where that is known
here.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

PSEUDONYM = re.compile("person-[0-9a-f]{16}")
Span = tuple[int, int]
"""Where a name begins and ends in a text."""


class People(ABC):
    """Where a format names people, and how it spells them."""

    @abstractmethod
    def spans(self, text: str) -> Iterator[Span]:
        """Yield where people are named in a file's text, in order."""

    @abstractmethod
    def decode(self, text: str, span: Span) -> str:
        """Return a name in a file's text as it is said."""

    @abstractmethod
    def encode(self, name: str, text: str, at: int) -> str:
        """Return a name as it is spelt at a place of a file's text."""

    def masked(self, text: str, pseudonym: Callable[[str], str]) -> str:
        """Return a file's text with pseudonyms for its names."""
        pieces, end = [], 0
        for span in self.spans(text):
            if not PSEUDONYM.fullmatch(text, *span):
                pieces += [text[end : span[0]], pseudonym(self.decode(text, span))]
                end = span[1]
        return "".join([*pieces, text[end:]])


@dataclass(frozen=True)
class Known:
    """Names of people by their pseudonyms.

    Attributes:
        names: those that are known here.
        unknown: pseudonyms that were asked for and are not known.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def named(self, text: str, people: People | None) -> str:
        """Return a file's text with names for pseudonyms; unknown ones stay, and are noted."""
        if people is None:
            return text

        def one(found: re.Match[str]) -> str:
            if found[0] not in self.names:
                self.unknown.add(found[0])
                return found[0]
            return people.encode(self.names[found[0]], text, found.start())

        return PSEUDONYM.sub(one, text)
