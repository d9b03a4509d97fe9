"""What stands between the members of JSON lists and objects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gaps:
    """Blanks, commas and line ends of one style.

    Attributes:
        indent: blanks of each level; None for one line.
        comma, colon: separators, as `json.dumps` takes them.
    """

    indent: int | None
    comma: str
    colon: str

    @property
    def are_usual(self) -> bool:
        """Say whether fast writers have this style too."""
        found = (self.comma, self.colon)
        if self.indent is None:
            return found in ((", ", ": "), (",", ":"))
        return bool(self.indent) and found == (",", ": ")

    def edge(self, depth: int) -> str:
        """Return what stands before the first member, or the closing bracket, at a depth."""
        return "" if self.indent is None else "\n" + " " * (self.indent * depth)

    def between(self, depth: int) -> str:
        """Return what stands between two members at a depth."""
        return self.comma if self.indent is None else self.comma.rstrip() + self.edge(depth)
