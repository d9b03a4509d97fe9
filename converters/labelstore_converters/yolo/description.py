"""What `data.yaml` says, by the rules of its official reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from labelstore.errors import FormatError

SUBSETS = ("train", "val", "validation", "test", "minival")
TASKS = ("detect", "segment", "pose", "obb")


MOST_CLASSES = 1_000_000
"""More are a mistake, and would be names without end."""


@dataclass(frozen=True)
class Description:
    """A `data.yaml`.

    Attributes:
        name: of the file.
        text: all of it.
        path: the folder that the others are below, as it is written.
        subsets: folders and lists of images, by subset.
        names: of the classes, by their number.
        keypoints: points of an object and numbers of each, of a pose data set.
        keypoint_names: of each class; None where it names none.
        flip: for each keypoint the one it becomes in a mirrored image.
        task: what lines are, where it says so.
    """

    name: str
    text: str
    path: str | None
    subsets: Mapping[str, list[str]]
    names: list[str]
    keypoints: tuple[int, int] | None
    keypoint_names: list[list[str] | None]
    flip: list[int] | None
    task: str | None


def described(path: Path) -> Description:
    """Return what a YAML file says of its data set; `download` and other keys are only kept.

    Raises:
        FormatError: with every fault.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(str(path), [f"byte {error.start}: is no UTF-8"]) from error
    found = _parsed(path, text)
    faults = list(_faults(found))
    if faults:
        raise FormatError(str(path), faults, code="yolo-yaml")
    shape, names = found.get("kpt_shape"), _names(found)
    return Description(
        name=path.name,
        text=text,
        path=found.get("path"),
        subsets={name: _listed(found[name]) for name in found if name in SUBSETS and found[name]},
        names=names,
        keypoints=tuple(shape) if shape else None,
        keypoint_names=_point_names(found.get("kpt_names"), len(names)),
        flip=found.get("flip_idx"),
        task=found.get("task"),
    )


def _parsed(path: Path, text: str) -> dict[str, Any]:
    """Return the file's keys, by the rules of YAML 1.1, as its official reader has them."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    try:
        found = yaml.load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        said = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise FormatError(str(path), [line + said], code="yaml") from error
    if not isinstance(found, dict):
        raise FormatError(str(path), ["the file: must be keys and values"], code="yolo-yaml")
    return found


def _faults(found: Mapping[str, Any]) -> Iterator[str]:
    names, count, shape = (found.get(key) for key in ("names", "nc", "kpt_shape"))
    if names is None and count is None:
        yield "names: missing, and so is `nc`"
    if count is not None and (type(count) is not int or not 0 <= count <= MOST_CLASSES):
        yield f"nc: must be a whole number up to {MOST_CLASSES:,}, is {count!r}"
    elif isinstance(names, list | dict) and count is not None and len(names) != count:
        yield f"names: {len(names)} of them, and `nc` is {count}"
    if isinstance(names, dict):
        yield from _numbered(names)
    elif names is not None and not isinstance(names, list):
        yield "names: must be a list, or names by number"
    for key in (k for k in SUBSETS if found.get(k)):
        entries = found[key]
        if not isinstance(entries, str | list) or not all(isinstance(e, str) for e in entries):
            yield f"{key}: must be a path, or a list of paths"
    if found.get("path") is not None and not isinstance(found["path"], str):
        yield "path: must be a path"
    if shape is not None and not _is_shape(shape):
        yield f"kpt_shape: must be [points, 2 or 3], is {shape!r}"
    flip, points = found.get("flip_idx"), found.get("kpt_names")
    if flip is not None and not (isinstance(flip, list) and all(type(n) is int for n in flip)):
        yield "flip_idx: must be a list of whole numbers"
    lists = list(points.values()) if isinstance(points, dict) else [points]
    if not all(own is None or isinstance(own, list) for own in lists):
        yield "kpt_names: must be lists of names"
    if found.get("task") not in (None, *TASKS):
        yield f"task: must be one of {', '.join(TASKS)}, is {found['task']!r}"


def _point_names(said: Any, count: int) -> list[list[str] | None]:
    """Return the names of each class's keypoints: a list for all, or lists by class."""
    lists = said if isinstance(said, dict) else dict.fromkeys(range(count), said)
    own = {int(key): points for key, points in lists.items() if str(key).isdigit()}
    return [[str(p) for p in own[i]] if own.get(i) else None for i in range(count)]


def _numbered(names: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what is wrong with names by number: these are 0 to n - 1."""
    try:
        numbers = sorted(int(key) for key in names)
    except (TypeError, ValueError):
        yield "names: its keys must be whole numbers"
        return
    if numbers != list(range(len(numbers))):
        yield f"names: its keys must be 0 to {len(numbers) - 1}, without a gap"


def _is_shape(shape: Any) -> bool:
    whole = isinstance(shape, list) and len(shape) == 2 and all(type(n) is int for n in shape)
    return whole and shape[0] > 0 and shape[1] in (2, 3)


def _listed(entry: Any) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry)


def _names(found: Mapping[str, Any]) -> list[str]:
    """Return the names of classes as text, `class_0` … where only their number is known."""
    names = found.get("names")
    if names is None:
        return [f"class_{i}" for i in range(found["nc"])]
    if isinstance(names, dict):
        names = [name for _, name in sorted((int(k), v) for k, v in names.items())]
    return [str(name) for name in names]


def parsed_names(text: str) -> list[str]:
    """Return the names of classes that a YAML text gives."""
    return _names(_parsed(Path("data.yaml"), text))
