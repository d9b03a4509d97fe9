"""Where JSON of Label Studio and XML of CVAT name people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, unescape

from labelstore.plugins.people import People, Span

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]')
ABOUT = frozenset(
    {"completed_by", "created_by", "updated_by", "last_created_by", "approved_by", "user",
     "created_username", "updated_username", "comment_authors", "annotators", "reviewers",
     "assignee"}
)  # fmt: skip
"""Members whose texts, at any depth, are about people."""
MEDIA = frozenset({"data", "meta", "value", "result"})
"""Members that hold what is labelled, and labels, whatever their members are called."""
PART = re.compile(r"<(owner|assignee|updated_by)(?:\s[^<>]*)?>(.*?)</\1>", re.DOTALL)
TEXT = re.compile(r"<!\[CDATA\[(.+?)\]\]>|>\s*([^<\s](?:[^<]*[^<\s])?)\s*(?=<)", re.DOTALL)
CDATA = "<![CDATA["
ENTITIES = {"&quot;": '"', "&apos;": "'"}


class JsonPeople(People):
    """People in JSON: texts below members that tell them."""

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where people are named."""
        open_: list[str | None] = []  # the member at hand of each object that is open; "" of lists
        for token in TOKEN.finditer(text):
            word = token[0]
            if word in "{[":
                open_.append(None if word == "{" else "")
            elif word in "}]":
                open_ and open_.pop()
            elif word == ",":
                if open_ and open_[-1] != "":
                    open_[-1] = None
            elif open_ and open_[-1] is None:
                open_[-1] = word[1:-1]
            elif len(word) > 2 and not MEDIA.intersection(open_) and ABOUT.intersection(open_):
                yield token.start() + 1, token.end() - 1

    def decode(self, text: str, span: Span) -> str:
        """Return a name as it is said."""
        try:
            return str(json.loads(f'"{text[slice(*span)]}"'))
        except ValueError:  # the file is none, and is told so when it is parsed
            return text[slice(*span)]

    def encode(self, name: str, text: str, at: int) -> str:
        """Return a name as the rest of the file spells letters."""
        return json.dumps(name, ensure_ascii=text.isascii())[1:-1]


class XmlPeople(People):
    """People in XML: all text of elements that tell them."""

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where people are named; numbers alone are no names."""
        for part in PART.finditer(text):
            begin, end = part.start(2) - 1, part.end(2) + 1
            for found in TEXT.finditer(text, begin, end):
                span = found.span(1 if found[1] else 2)
                if not text[slice(*span)].isdigit():
                    yield span

    def decode(self, text: str, span: Span) -> str:
        """Return a name as it is said."""
        said = text[slice(*span)]
        return said if text.endswith(CDATA, 0, span[0]) else unescape(said, ENTITIES)

    def encode(self, name: str, text: str, at: int) -> str:
        """Return a name with what is markup escaped."""
        return name if text.endswith(CDATA, 0, at) else escape(name)
