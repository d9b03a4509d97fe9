"""Converters: what one is, and how they are found.

A converter streams rows of the model's tables and knows nothing of storage. Rows refer to each
other by *local numbers*: `item_id` is the item's place in the source's list, `category_id` the
class's, `track_id` the track's, `annotation_id` the annotation's own. The importer gives real ids.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from labelstore.errors import InvalidInput, NotFound
from labelstore.plugins.files import (
    beginning,
    shared,
    source_file,
    target_file,
    whole_file,
    whole_folder,
    write_text,
)
from labelstore.plugins.format import Format, Lost, Told, Writing
from labelstore.plugins.reading import NOTHING, SKIPPED, Beside, Piece, Reading

__all__ = [
    "GROUP",
    "NOTHING",
    "SKIPPED",
    "Beside",
    "Format",
    "Lost",
    "Piece",
    "Reading",
    "Told",
    "Writing",
    "beginning",
    "find_format",
    "shared",
    "source_file",
    "target_file",
    "whole_file",
    "whole_folder",
    "write_text",
]

GROUP = "labelstore.converters"


def find_format(name: str, task: str | None = None) -> Format:
    """Return the converter of that name.

    Args:
        name: of the format.
        task: kind of content, where the format has several.

    Raises:
        NotFound: no installed package offers it.
        InvalidInput: it has no such task.
    """
    found = {e.name: e for e in entry_points(group=GROUP)}
    if name not in found:
        raise NotFound(
            f"no format {name!r}. Installed: {', '.join(sorted(found)) or 'none'}.",
            code="format-unknown",
        )
    loaded: Format = found[name].load()
    if task is None:
        return loaded
    if task not in loaded.tasks:
        said = ", ".join(loaded.tasks) or "none"
        raise InvalidInput(f"{name} has no task {task!r}. It has: {said}.", code="format-task")
    return loaded.of_task(task)
