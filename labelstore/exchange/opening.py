"""A source, opened: by its own format, and with the sidecar that an export may have left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelstore.errors import InvalidInput
from labelstore.exchange.sidecar.file import Sidecar, sidecar_path
from labelstore.exchange.sidecar.restoring import Restored
from labelstore.plugins import Beside, Format, Reading, find_format


@dataclass(frozen=True)
class Opened:
    """A source, opened.

    Attributes:
        reading: what is read.
        converter: what reads it.
        format: name of the format that the data set first came in.
        name: of the data set.
        files: what was read.
        selection: whether it is of some items, and says nothing of others.
    """

    reading: Reading
    converter: Format
    format: str
    name: str
    files: Sequence[Mapping[str, Any]]
    selection: bool = False


def opened(
    source: Path, format_name: str, task: str | None, beside: Beside, *, sidecar: bool
) -> Opened:
    """Return a source, opened.

    Args:
        source: file or folder that the format's own tools take.
        format_name: name of a converter.
        task: kind of content, where the format has several.
        beside: what is known of the media.
        sidecar: whether to restore what an export left out, where it left a sidecar.

    Raises:
        FormatError: the source breaks its format.
    """
    converter = find_format(format_name, task)
    path = sidecar_path(source)
    known = Sidecar(path) if sidecar and path.is_file() else None
    if known is not None and known.written_as == format_name:
        converter = known.converter()
        reading = converter.open(source, known.beside(converter, beside))
        restored = Restored(reading, known, converter)
        if restored.is_of_another:
            way = "--no-sidecar --only-listed" if known.selection else "--no-sidecar"
            raise InvalidInput(
                f"{path}: is not of {source}: no label is as it was, and few are near. Remove it, "
                f"or pass {way} to read without it.",
                code="sidecar-of-another",
            )
        name = known.dataset["name"]
        kept = known.dataset["format"] or format_name
        files = reading.dataset["files"]
        return Opened(restored, converter, kept, name, files, known.selection)
    reading = converter.open(source, beside)
    name = source.stem or source.name
    return Opened(reading, converter, format_name, name, reading.dataset["files"])
