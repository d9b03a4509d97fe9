"""`data.yaml` of an export: as its source wrote it, where that still holds."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

import pyarrow as pa
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from labelstore.errors import InvalidInput
from labelstore_converters.yolo.description import parsed_names

NAME = "data.yaml"
PLAIN = re.compile(r"[A-Za-z][A-Za-z_ -]{2,}")
WORDS = frozenset(("yes", "true", "false", "off", "null", "none"))
"""Which YAML 1.1, as the official reader has it, takes for something else."""


class Files(Protocol):
    """What an export found out while it wrote label files."""

    folders: list[str]
    points: set[tuple[int, int]]


def yaml_text(
    categories: pa.Table, kept: Mapping[str, Any], files: Files, task: str
) -> tuple[str, str]:
    """Return name and text of the YAML file.

    Args:
        categories: the classes, in the order of their numbers.
        kept: leftovers of the data set.
        files: folders of the images, and how many points lines have.
        task: what lines are.

    Raises:
        InvalidInput: objects have different numbers of keypoints.
    """
    given = kept.get("yaml")
    if given is not None:
        listed = categories.filter(categories.column("unlisted").is_null())
        names = [name or "" for name in listed.column("name").to_pylist()]
        return given["name"], _renamed(given["text"], names)
    names = [n or f"class_{i}" for i, n in enumerate(categories.column("name").to_pylist())]
    said: dict[str, Any] = {"train": _one(files.folders), "val": _one(files.folders)}
    said["names"] = _named(names)
    if task == "pose":
        said |= _keypoints(categories, files.points)
    return NAME, _dumped(said)


def _keypoints(categories: pa.Table, shapes: set[tuple[int, int]]) -> dict[str, Any]:
    if len(shapes) > 1:
        counts = ", ".join(f"{count} x {size}" for count, size in sorted(shapes))
        raise InvalidInput(
            f"objects have {counts} numbers of keypoints, and a YOLO data set has one shape: "
            "export classes apart, or with another --task",
            code="yolo-keypoints-differ",
        )
    count, size = max(shapes, default=(0, 3))
    found: dict[str, Any] = {"kpt_shape": [count, size]}
    flips = [f for f in categories.column("flip_pairs").to_pylist() if f and len(f) == count]
    if flips:
        found["flip_idx"] = flips[0]
    points = categories.column("keypoint_names").to_pylist()
    named = {i: [_text(p) for p in own] for i, own in enumerate(points) if own}
    return {**found, "kpt_names": named} if named else found


def _topmost(folders: Sequence[str]) -> list[str]:
    """Return folders that are in no other of them; readers look into those below by themselves."""
    there = {PurePosixPath(folder) for folder in folders}
    return [f for f in folders if there.isdisjoint(PurePosixPath(f).parents)]


def _one(folders: Sequence[str]) -> Any:
    folders = _topmost(folders)
    return folders[0] if len(folders) == 1 else list(folders)


def _named(names: Sequence[str]) -> dict[int, str]:
    return {i: _text(name) for i, name in enumerate(names)}


def _text(name: str) -> str:
    """Return a name that reads back as itself: quoted, where it may mean something else."""
    plain = PLAIN.fullmatch(name) and name.lower() not in WORDS and not name.endswith(" ")
    return name if plain else DoubleQuotedScalarString(name)


def _renamed(text: str, names: Sequence[str]) -> str:
    """Return the text with other classes; as it is, where they are the same."""
    if parsed_names(text) == list(names):
        return text
    yaml = YAML()
    found = yaml.load(text)
    found["names"] = _named(names)
    if "nc" in found:
        found["nc"] = len(names)
    out = io.StringIO()
    yaml.dump(found, out)
    return out.getvalue()


def _dumped(said: Mapping[str, Any]) -> str:
    yaml = YAML()
    yaml.default_flow_style = None
    out = io.StringIO()
    yaml.dump(dict(said), out)
    return out.getvalue()
