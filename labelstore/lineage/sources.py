"""Where a label stands in the file that it was read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from labelstore.errors import LabelstoreError
from labelstore.plugins import find_format

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """The file that a label was read from.

    Attributes:
        path: as the user named it.
        sha256: of its bytes.
        place: within it, as a JSON path or in words, where it is known.
        source_id: the file's own id of the label, as JSON text, where it has one.
        others: how many further files were read with it, where nothing says which of them it was.
    """

    path: str
    sha256: str
    place: str | None = None
    source_id: str | None = None
    others: int = 0


def source_of(activity: Row | None, label: Row, dataset: Row | None, item: str) -> Source | None:
    """Return where a label was read; None where the activity that wrote it read no file.

    Args:
        activity: that wrote it.
        label: its row of `annotations`.
        dataset: its row of `datasets`.
        item: URI of its item.
    """
    inputs: Sequence[Row] = (activity or {}).get("inputs") or []
    if not inputs:
        return None
    own = inputs if len(inputs) == 1 else _named_as(inputs, item)
    file = own[0] if len(own) == 1 else inputs[0]
    others = 0 if len(own) == 1 else len(inputs) - 1
    source_id = label["source_key"] if label["source_id"] is None else str(label["source_id"])
    place = None if others else _place(label, dataset, whole=len(inputs) == 1)
    return Source(file["path"], file["sha256"], place, source_id, others)


def _named_as(inputs: Sequence[Row], item: str) -> list[Row]:
    """Return the files that are called as an item is, but for their endings."""
    stem = PurePosixPath(item).stem
    return [file for file in inputs if PurePosixPath(file["path"]).stem == stem]


def _place(label: Row, dataset: Row | None, *, whole: bool) -> str | None:
    """Return the place in a file, if it is the only one; a later delivery has an order of its own.

    Args:
        label: the label.
        dataset: its data set.
        whole: whether all labels of the source stand in this file.
    """
    first = label["created_in"] == label["changed_in"]
    if label["seq"] is None or dataset is None or not whole or not first:
        return None
    try:
        return find_format(dataset["format"]).place(label["seq"])
    except LabelstoreError:  # a converter that is not installed here
        return None
