"""Errors, named by what a handler would do about them.

LabelstoreError                exit
├── InvalidInput (ValueError)     2   an argument or a file is not what it should be
│   └── FormatError               2   a source file breaks its format: path, line, field
├── CheckFailed                   1   rows break rules, or a policy said no
├── LossRefused                   1   an export would lose something nobody allowed
├── NotFound (LookupError)        3   no such store, revision, object or format
├── AlreadyExists                 3   a store or tag of that name is there
├── Conflict                      4   somebody else moved the branch, or the tree is dirty
├── StorageFailed (OSError)       5   a disk, Git, DVC or a remote failed; a retry may help
├── Corrupt                       6   bytes differ from their digest; never repaired silently
└── MissingExtra (ImportError)    2   names the extra to install

Example:
    >>> try:
    ...     raise NotFound("no tag v9", code="revision-unknown")
    ... except LabelstoreError as error:
    ...     error.code, error.exit_code
    ('revision-unknown', 3)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN_FAULTS = 20
"""How many faults are told one by one, where nobody says how many."""


class LabelstoreError(Exception):
    """Root of all errors that labelstore raises on purpose.

    Attributes:
        code: stable kebab-case name, for programs; never reused for another meaning.
        exit_code: what the command line exits with.
    """

    code = "labelstore"
    exit_code = 1

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        """Return the message alone, also where a base such as OSError would decorate it."""
        return self.message


def counted(number: int, noun: str, many: str | None = None) -> str:
    """Return a number with its noun, in the plural where it is not 1.

    Example:
        >>> counted(1, "label"), counted(2_000, "class", "classes")
        ('1 label', '2,000 classes')
    """
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def shown(values: Sequence[object], most: int = SHOWN_FAULTS) -> str:
    """Return values as a list in words, cut where it is long.

    Example:
        >>> shown([4, 7, 9], 2)
        '4, 7 and 1 more'
    """
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return ", ".join(str(v) for v in values[:most]) + more


class InvalidInput(LabelstoreError, ValueError):
    """An argument or a file is not what it should be."""

    code = "invalid-input"
    exit_code = 2


class FormatError(InvalidInput):
    """A source file breaks its format; the message tells the first faults, and how many more.

    Attributes:
        faults: every fault found, each a sentence that starts with its place in the file.
    """

    code = "format"

    def __init__(self, path: str, faults: Sequence[str], *, code: str | None = None) -> None:
        self.path = path
        self.faults = list(faults)
        more = len(self.faults) - SHOWN_FAULTS
        told = [f"and {more:,} more faults like these"] if more > 0 else []
        lines = [f"{path}, {fault}" for fault in [*self.faults[:SHOWN_FAULTS], *told]]
        super().__init__("\n".join(lines), code=code)

    def __reduce__(self) -> tuple[type[FormatError], tuple[str, list[str]], dict[str, str]]:
        """Survive the way back from a worker process."""
        return type(self), (self.path, self.faults), {"code": self.code}


class CheckFailed(LabelstoreError):
    """Rows break rules, or a policy said no."""

    code = "check-failed"
    exit_code = 1


class LossRefused(LabelstoreError):
    """An export would lose something that nobody allowed.

    Attributes:
        losses: code, count, words and examples of each loss.
    """

    code = "loss-refused"
    exit_code = 1

    def __init__(self, message: str, *, losses: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.losses = losses


class NotFound(LabelstoreError, LookupError):
    """There is no such store, revision, object or format."""

    code = "not-found"
    exit_code = 3


class AlreadyExists(LabelstoreError):
    """A store, tag or file of that name is there already."""

    code = "already-exists"
    exit_code = 3


class Conflict(LabelstoreError):
    """Somebody else was first, or the working tree is not in a state to publish from."""

    code = "conflict"
    exit_code = 4


class StorageFailed(LabelstoreError, OSError):
    """A disk, Git, DVC or a remote failed; trying again may help."""

    code = "storage-failed"
    exit_code = 5


class Corrupt(LabelstoreError):
    """Bytes differ from their digest. Never repaired silently."""

    code = "corrupt"
    exit_code = 6


class MissingExtra(LabelstoreError, ImportError):
    """An optional part is not installed; the message names the extra."""

    code = "missing-extra"
    exit_code = 2
