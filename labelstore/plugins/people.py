"""People whom a source names: pseudonyms stand for them in a store.

A converter says where in the text of a file people are named. Before the file is parsed each name
gives way to a pseudonym, as it is spelt; when a file is written, each pseudonym to its name, where
that is known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

PSEUDONYM = re.compile("person-[0-9a-f]{16}")


@dataclass(frozen=True)
class People:
    """Where a format names people.

    Attributes:
        around: a part of a file that is about people.
        name: a name in such a part, as its first group.
    """

    around: re.Pattern[str]
    name: re.Pattern[str]

    def masked(self, text: str, pseudonym: Callable[[str], str]) -> str:
        """Return a file's text with pseudonyms for its names."""

        def one(found: re.Match[str]) -> str:
            if PSEUDONYM.fullmatch(found[1]):
                return found[0]
            begin, end = (at - found.start() for at in found.span(1))
            return found[0][:begin] + pseudonym(found[1]) + found[0][end:]

        return self.around.sub(lambda part: self.name.sub(one, part[0]), text)


@dataclass(frozen=True)
class Known:
    """Names of people by their pseudonyms.

    Attributes:
        names: those that are known here.
        unknown: pseudonyms that were asked for and are not known.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def named(self, text: str) -> str:
        """Return a file's text with names for pseudonyms; unknown ones stay, and are noted."""

        def one(found: re.Match[str]) -> str:
            if found[0] not in self.names:
                self.unknown.add(found[0])
            return self.names.get(found[0], found[0])

        return PSEUDONYM.sub(one, text)
