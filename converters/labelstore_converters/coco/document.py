"""The text of a COCO file: mapped, split into its parts, its writing style recognised."""

from __future__ import annotations

import hashlib
import json
import mmap
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from labelstore.errors import FormatError
from labelstore.plugins import source_file

BOM = b"\xef\xbb\xbf"
LISTS = ("images", "annotations", "categories")
POSITION = re.compile(r"\(byte (\d+)\)|position (\d+)")
WORDS = {dict: "an object", list: "a list", str: "text", type(None): "null", bool: "a boolean"}


class Document:
    """A COCO file whose top level has been split.

    Args:
        path: the file.

    Attributes:
        lists: the raw members of `images`, `annotations` and `categories`.
        others: every other top-level value, parsed.
        keys: top-level keys in order.
    """

    def __init__(self, path: Path) -> None:
        self.path = source_file(path)
        with open(path, "rb") as file:
            self.text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.bom = self.text[:3] == BOM
        view = memoryview(self.text)[3:] if self.bom else memoryview(self.text)
        top: dict[str, msgspec.Raw] = self.parse(view, dict[str, msgspec.Raw], "top level")
        self.keys = list(top)
        faults = self._faults(top)
        if faults:
            raise FormatError(str(path), faults, code="coco-structure")
        self.lists: dict[str, list[msgspec.Raw]] = {
            key: self.parse(top[key], list[msgspec.Raw], key) if key in top else []
            for key in LISTS
        }
        self.others: dict[str, Any] = {
            key: self.parse(top[key], Any, key) for key in top if key not in LISTS
        }

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
            return self.fault(f"{where}: {str(error).rstrip('.').lower()}", "coco-structure")
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

    def _faults(self, top: Mapping[str, msgspec.Raw]) -> list[str]:
        faults = []
        for key in LISTS:
            if key in top and bytes(memoryview(top[key])[:1]) != b"[":
                faults.append(f"{key}: must be a list")
        if "images" not in top and "annotations" not in top:
            faults.append("top level: has neither `images` nor `annotations`; is this COCO?")
        return faults

    def source(self) -> dict[str, Any]:
        """Return the `files` entry of the data set: digest, size, line ends, style."""
        digest = hashlib.sha256(self.text).hexdigest()
        head = self.text[: 1 << 16]
        newline = "crlf" if b"\r\n" in head else "lf" if b"\n" in head else "none"
        style = self._style(head)
        return {
            "path": self.path.name,
            "sha256": digest,
            "size": len(self.text),
            "newline": newline,
            "final_newline": self.text[-1:] == b"\n",
            "bom": self.bom,
            "json_style": json.dumps(style) if style else None,
        }

    def _style(self, head: bytes) -> dict[str, Any] | None:
        """Return indentation and separators as `json.dumps` takes them, judged by the beginning."""
        body = head[3:] if self.bom else head
        opened = re.match(rb"\{(?P<gap>\s*)\"(?:[^\"\\]|\\.)*\"(?P<colon>\s*:\s*)", body)
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
