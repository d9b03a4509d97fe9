"""XML as plain values and back, its layout included."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

HEAD = re.compile(r"^(\ufeff?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!DOCTYPE[^>\[]*>\s*)?)", re.DOTALL)
GAP = re.compile(r">(\r?\n)([ \t]+)<")


@dataclass
class Node:
    """An element.

    Attributes:
        tag: its name.
        attributes: in their order.
        text: before its first child; nothing where it is blank and there are children.
        children: elements in it.
        line: where it begins, from 1.
    """

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Node] = field(default_factory=list)
    line: int = 0

    def find(self, tag: str) -> Node | None:
        """Return the first child of that name."""
        return next((child for child in self.children if child.tag == tag), None)

    def all(self, tag: str) -> list[Node]:
        """Return the children of that name."""
        return [child for child in self.children if child.tag == tag]

    def value(self, tag: str, default: str = "") -> str:
        """Return the text of the first child of that name."""
        child = self.find(tag)
        return default if child is None else child.text

    def put(self, tag: str, text: str) -> None:
        """Set the text of the first child of that name, which may be new."""
        child = self.find(tag)
        if child is None:
            child = Node(tag)
            self.children.append(child)
        child.text = text


def parsed(text: str) -> Node:
    """Return the root of a document.

    Raises:
        ValueError: it is no XML, with its line; or it declares entities.
    """
    if "<!ENTITY" in text:
        raise ValueError("declares entities, which are not read")
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top = Node("")
    open_ = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, attributes, line=parser.CurrentLineNumber)
        open_[-1].children.append(node)
        open_.append(node)

    def data(text: str) -> None:
        if not open_[-1].children:
            open_[-1].text += text

    def end(tag: str) -> None:
        node = open_.pop()
        if node.children and not node.text.strip():
            node.text = ""

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = data
    try:
        parser.Parse(text.removeprefix("\ufeff"), True)
    except expat.ExpatError as error:
        said = expat.ErrorString(error.code)
        raise ValueError(f"line {error.lineno}, column {error.offset + 1}: {said}") from error
    return top.children[0]


def style_of(text: str) -> dict[str, Any]:
    """Return how a document is laid out, as plain values."""
    gap = GAP.search(text)
    found = HEAD.match(text)
    return {
        "head": found[1] if found else "",
        "newline": gap[1] if gap else "",
        "indent": gap[2] if gap else "",
        "end": text[len(text.rstrip()) :],
        "empty": "/>" if "/>" in text else "</",
        "space": " />" in text,
    }


USUAL: dict[str, Any] = {
    "head": "", "newline": "\n", "indent": "\t", "end": "\n", "empty": "</", "space": False,
}  # fmt: skip


def text_of(node: Node, style: dict[str, Any] | None = None) -> str:
    """Return a document.

    Args:
        node: its root.
        style: see `style_of`.
    """
    said = style or USUAL
    out: list[str] = [said["head"]]
    _write(node, said, 0, out)
    return "".join([*out, said["end"]])


def _write(node: Node, style: dict[str, Any], depth: int, out: list[str]) -> None:
    own = "".join(f" {k}={quoteattr(v)}" for k, v in node.attributes.items())
    gap = style["newline"] + style["indent"] * depth if style["newline"] else ""
    if not node.children:
        if node.text or style["empty"] == "</":
            out.append(f"<{node.tag}{own}>{escape(node.text)}</{node.tag}>")
        else:
            out.append(f"<{node.tag}{own}{' ' if style['space'] else ''}/>")
        return
    out.append(f"<{node.tag}{own}>{escape(node.text)}")
    for child in node.children:
        out.append(gap + style["indent"] if style["newline"] else "")
        _write(child, style, depth + 1, out)
    out.append(f"{gap}</{node.tag}>")


def plain(node: Node) -> list[Any]:
    """Return an element as JSON values: tag, attributes, text, children."""
    return [node.tag, node.attributes, node.text, [plain(child) for child in node.children]]


def node_of(values: list[Any]) -> Node:
    """Return the element of `plain`."""
    tag, attributes, text, children = values
    return Node(tag, dict(attributes), text, [node_of(child) for child in children])
