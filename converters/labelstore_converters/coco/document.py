"""The text of a COCO file: mapped, split into its parts, its writing style recognised."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Mapping
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec

from labelstore.errors import FormatError
from labelstore.plugins import source_file
from labelstore_converters.coco.members import Members

BOM = b"\xef\xbb\xbf"
LISTS = ("images", "annotations", "categories")
OPENED = re.compile(rb'[{[](?P<gap>\s*)(?:\{\s*)?"(?:[^"\\]|\\.)*"(?P<colon>\s*:\s*)')
"""How a document begins, up to its first value."""
POSITION = re.compile(r"\(byte (\d+)\)|position (\d+)")
WORDS = {dict: "an object", list: "a list", str: "text", type(None): "null", bool: "a boolean"}


class _Lists(msgspec.Struct, gc=False):
    images: list[msgspec.Raw] | None = None
    annotations: list[msgspec.Raw] | None = None
    categories: list[msgspec.Raw] | None = None


class Document:
    """A COCO file whose top level has been split.

    Args:
        path: the file.
        bare: whether it is a list of annotations and nothing else.

    Attributes:
        lists: the members of `images`, `annotations` and `categories`.
        others: every other top-level value, parsed.
        keys: top-level keys in order.
    """

    def __init__(self, path: Path, *, bare: bool = False) -> None:
        self.path, self._bare = source_file(path), bare
        with open(path, "rb") as file:
            self.text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.bom = self.text[:3] == BOM
        self._digest = Future[str]()
        Thread(target=lambda: self._digest.set_result(sha256(self.text).hexdigest())).start()
        try:
            self._split(3 if self.bom else 0)
        finally:
            self._digest.result()

    def _split(self, begin: int) -> None:
        """Find the members of the three lists in one pass, and parse what is left around them."""
        whole = memoryview(self.text)
        view = whole[begin:]
        if self._bare:
            raws = {"annotations": self.parse(view, list[msgspec.Raw], "top level")}
            self.lists = {key: Members(whole, raws.get(key, [])) for key in LISTS}
            self.keys, self.others = [], {}
            return
        try:
            found = msgspec.json.decode(view, type=_Lists)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self._explain(view)
            raise
        self.lists = {key: Members(whole, getattr(found, key) or []) for key in LISTS}
        around = self._without_members(begin)
        others: dict[str, Any] = self.parse(around, dict[str, Any], "top level")
        faults = self._faults(others)
        if faults:
            raise FormatError(str(self.path), faults, code="coco-structure")
        self.keys = list(others)
        self.others = {key: value for key, value in others.items() if key not in LISTS}

    def _without_members(self, begin: int) -> bytes:
        """Return the document with its three lists empty."""
        filled = (members for members in self.lists.values() if len(members))
        spans = [(int(members.begins[0]), int(members.ends[-1])) for members in filled]
        pieces = []
        for start, end in sorted(spans):
            pieces.append(self.text[begin:start])
            begin = end
        return b"".join([*pieces, self.text[begin:]])

    def _explain(self, view: memoryview) -> None:
        """Raise an error that says what is wrong with the document, and where.

        Raises:
            FormatError: always, where the text is no JSON or its top level is no COCO.
        """
        if bytes(view[:64]).lstrip().startswith(b"["):
            said = "top level: must be an object, is a list; results are read as `coco-results`"
            raise self.fault(said, "coco-structure")
        top: dict[str, msgspec.Raw] = self.parse(view, dict[str, msgspec.Raw], "top level")
        faults = self._faults({k: [] if bytes(v)[:1] == b"[" else None for k, v in top.items()})
        if faults:
            raise FormatError(str(self.path), faults, code="coco-structure")

    def parse(self, data: Any, kind: Any, where: str) -> Any:
        """Return parsed JSON.

        Raises:
            FormatError: it is no JSON, or not of that kind; names line and column.
        """
        try:
            return msgspec.json.decode(data, type=kind)
        except RecursionError as error:
            raise self.fault(f"{where}: is nested too deeply", "json-nesting") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._explained(error, where) from error

    def fault(self, sentence: str, code: str) -> FormatError:
        """Return an error about this file."""
        return FormatError(str(self.path), [sentence], code=code)

    def _explained(self, error: Exception, where: str) -> FormatError:
        """Say where and why, in the words of the standard parser, which counts lines."""
        if isinstance(error, msgspec.ValidationError):
            said = re.sub(r" - at `\$(\[\.\.\.\])*`$", "", str(error)).lower()
            code = "not-finite" if "out of range" in said else "coco-structure"
            return self.fault(f"{where}: {said}", code)
        try:
            json.loads(self.text[:].decode(), parse_constant=_no_constant)
        except json.JSONDecodeError as exact:
            at = f"line {exact.lineno}, column {exact.colno}"
            return self.fault(f"{at}: {exact.msg.lower()}", "json-syntax")
        except _NoConstantError as exact:
            line = self._line_of(str(exact))
            return self.fault(
                f"{line}{exact} is no JSON number; NaN and infinity cannot be stored", "not-finite"
            )
        except RecursionError:
            return self.fault(f"{where}: is nested too deeply", "json-nesting")
        except UnicodeDecodeError as exact:
            return self.fault(f"byte {exact.start}: is not UTF-8", "json-encoding")
        return self.fault(f"{where}: {error}", "json-syntax")

    def _line_of(self, word: str) -> str:
        found = re.search(rb"[\[:,\s]" + re.escape(word).encode(), self.text)
        return f"line {self.text[: found.start() + 1].count(10) + 1}: " if found else ""

    def _faults(self, top: Mapping[str, Any]) -> list[str]:
        faults = [
            f"{key}: must be a list" for key in LISTS if not isinstance(top.get(key, []), list)
        ]
        if "images" not in top and "annotations" not in top:
            faults.append("top level: has neither `images` nor `annotations`; is this COCO?")
        return faults

    def source(self) -> dict[str, Any]:
        """Return the `files` entry of the data set: digest, size, line ends, style."""
        head = self.text[: 1 << 16]
        newline = "crlf" if b"\r\n" in head else "lf" if b"\n" in head else "none"
        style = self._style(head)
        return {
            "path": self.path.name,
            "sha256": self._digest.result(),
            "size": len(self.text),
            "newline": newline,
            "final_newline": self.text[-1:] == b"\n",
            "bom": self.bom,
            "json_style": json.dumps(style) if style else None,
        }

    def _style(self, head: bytes) -> dict[str, Any] | None:
        """Return indentation and separators as `json.dumps` takes them, by the beginning."""
        body = head[3:] if self.bom else head
        opened = OPENED.match(body)
        if opened is None:
            return None
        gap = opened["gap"].decode()
        comma = "," if "\n" in gap or b", " not in body[:4096] else ", "
        indent = len(gap.rsplit("\n", 1)[1]) if "\n" in gap else None
        ascii_only = not any(byte > 127 for byte in head)
        return {
            "indent": indent,
            "separators": [comma, opened["colon"].decode()],
            "ensure_ascii": ascii_only,
        }


class _NoConstantError(ValueError):
    pass


def _no_constant(word: str) -> None:
    raise _NoConstantError(word)
