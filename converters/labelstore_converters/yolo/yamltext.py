"""`data.yaml` of an export: as its source wrote it, where that still holds."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from ruamel.yaml import YAML

NAME = "data.yaml"


def yaml_text(
    categories: pa.Table, kept: Mapping[str, Any], folders: Sequence[str], task: str
) -> tuple[str, str]:
    """Return name and text of the YAML file.

    Args:
        categories: the classes, in the order of their numbers.
        kept: leftovers of the data set.
        folders: of the images.
        task: what lines are.
    """
    columns = ("name", "keypoint_names", "flip_pairs")
    categories = categories.filter(categories.column("unlisted").is_null())
    names, points, flips = (categories.column(n).to_pylist() for n in columns)
    given = kept.get("yaml")
    if given is not None:
        return given["name"], _renamed(given["text"], names)
    said: dict[str, Any] = {"path": ".", "train": _one(folders), "val": _one(folders)}
    said["names"] = dict(enumerate(name or "" for name in names))
    if task == "pose" and points and points[0]:
        said["kpt_shape"] = [len(points[0]), 3]
        said["kpt_names"] = {i: p for i, p in enumerate(points) if p}
        if flips[0]:
            said["flip_idx"] = flips[0]
    return NAME, _dumped(said)


def _one(folders: Sequence[str]) -> Any:
    return folders[0] if len(folders) == 1 else list(folders)


def _renamed(text: str, names: Sequence[str | None]) -> str:
    """Return the text with other classes; as it is, where they are the same."""
    from labelstore_converters.yolo.description import parsed_names

    if parsed_names(text) == [name or "" for name in names]:
        return text
    yaml = YAML()
    found = yaml.load(text)
    found["names"] = dict(enumerate(name or "" for name in names))
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
