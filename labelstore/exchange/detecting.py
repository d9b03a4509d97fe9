"""Which format a source is of, where nobody says it."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from labelstore.errors import InvalidInput, NotFound
from labelstore.plugins import GROUP, find_format


def detected(source: Path) -> str:
    """Return the name of the one format that takes a source for its own.

    Raises:
        NotFound: there is nothing there.
        InvalidInput: no format does, or several do; says how to choose.
    """
    if not source.exists():
        raise NotFound(f"{source}: no such file or folder", code="source-missing")
    names = sorted(entry.name for entry in entry_points(group=GROUP))
    found = [name for name in names if find_format(name).recognises(source)]
    if len(found) == 1:
        return found[0]
    if found:
        said = f"{source}: could be {' or '.join(found)}; choose one with --from"
        raise InvalidInput(said, code="format-ambiguous")
    raise InvalidInput(
        f"{source}: is of no format that is known by its looks; name it with --from. "
        f"Installed: {', '.join(names)}.",
        code="format-unrecognised",
    )
