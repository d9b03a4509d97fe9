"""Writing files of pages."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from labelstore.errors import InvalidInput
from labelstore.plugins.files import shared, whole_file, whole_folder, write_text
from labelstore.plugins.format import Writing
from labelstore.plugins.pages.page import Page, PageRules, label_of
from labelstore.plugins.reading import Beside


@dataclass
class Filed:
    """A page, the file that it goes to, and what that file was.

    Attributes:
        page: what it is to say.
        path: of the file.
        text: of the file that it came from, where its own text would be another; else None.
        items: ids of its items.
        rows: for each label its place among all that are written.
    """

    page: Page
    path: str = ""
    text: str | None = None
    items: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


NOWHERE = Filed(Page())
"""Where items go that have no place in a format."""


def pages_of(converter: PageRules, data: Writing) -> dict[str, Filed]:
    """Return the pages to write, by their paths; labels that the format cannot hold are left out.

    Raises:
        InvalidInput: images would share a file.
    """
    kept = json.loads(data.dataset["leftovers"] or "{}")
    native = bool(kept.get("pages"))
    names = _names(data.categories)
    classes = list(names.values())
    found = {said["path"]: Filed(Page(head=said["head"], classes=classes), said["path"],
                                 said["text"]) for said in kept.get("bare", [])}  # fmt: skip
    if converter.one_file and not native:
        found[""] = Filed(Page(classes=classes))
    places = _file_items(converter, data.items, found, classes, native=native)
    _number_parents(places, data.items)
    tracks = {} if data.tracks is None else _tracks(data.tracks)
    for count, (row, shape) in enumerate(_rows(data)):
        filed, at = places.get(row["item_id"], (NOWHERE, 0))
        label = label_of(row, shape)
        label |= {"item": at, "category": names.get(row["category_id"])}
        label |= {"track": tracks[row["track_id"]]} if row["track_id"] is not None else {}
        if filed.items and _has_place(converter, filed.page.items[at], label, native=native):
            filed.page.labels.append(label)
            filed.rows.append(count)
    return found


def _rows(data: Writing) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each label and its shapes."""
    for rows, shapes in data.annotations:
        yield from zip(rows.to_pylist(), shapes.to_pylist(), strict=True)


def _file_items(
    converter: PageRules, items: pa.Table, found: dict[str, Filed], classes: list[str], *,
    native: bool,
) -> dict[int, tuple[Filed, int]]:  # fmt: skip
    """Put items into pages, and return the page and the place there of each that has one."""
    places: dict[int, tuple[Filed, int]] = {}
    listed = items.to_pylist(maps_as_pydicts="strict")
    of_sequences = converter.of_sequences and not native
    videos = {item["item_id"]: item for item in listed if of_sequences and _is_video(item)}
    for item in listed:
        if of_sequences and not (_is_video(item) or item["frame_index"] is not None):
            continue
        path, said = _page(converter, videos.get(item["parent_id"], item), native=native)
        if path in found and not native and not (converter.one_file or converter.of_sequences):
            raise shared(path, item["uri"], converter.name)
        filed = found.setdefault(path, Filed(Page(classes=classes), path))
        if said:
            filed.page.head, filed.text = said["head"], said["text"]
        places[item["item_id"]] = filed, len(filed.items)
        filed.items.append(item["item_id"])
        filed.page.items.append({k: v for k, v in item.items() if v is not None and k in ITEM})
    return places


def _is_video(item: Mapping[str, Any]) -> bool:
    return bool(item["modality"] == "video")


def _has_place(
    converter: PageRules, item: Mapping[str, Any], label: Mapping[str, Any], *, native: bool
) -> bool:
    """Say whether a file can hold a label of an item; labels of sequences are of their frames."""
    if converter.of_sequences and not native and item.get("frame_index") is None:
        return False
    return converter.holds(label, item) or (native and bool(label.get("leftovers")))


ITEM = frozenset(
    {"modality", "uri", "width", "height", "exif_orientation", "frame_index", "timestamp_us",
     "duration_s", "text", "labelled_state", "tags", "attributes", "group", "sha256"}
)  # fmt: skip


def _page(
    converter: PageRules, item: Mapping[str, Any], *, native: bool
) -> tuple[str, dict[str, Any] | None]:
    """Return the file of an item, and what is kept of it with its first item."""
    kept = json.loads(item["sources"][0]["leftovers"] or "{}").get("page") if native else None
    if isinstance(kept, dict):
        return str(kept["path"]), kept
    if kept is not None:
        return str(kept), None
    return ("" if converter.one_file else inside(converter.path_of(item), converter)), None


def inside(path: str, converter: PageRules) -> str:
    """Return a path that stays below its folder.

    Raises:
        InvalidInput: nothing of it is left.
    """
    parts = [p for p in path.replace("\\", "/").split("/") if p not in ("", ".", "..")]
    if not parts or not PurePosixPath(parts[-1]).stem:
        raise InvalidInput(f"{path!r} is no path of a file", code=f"{converter.name}-path")
    return "/".join(parts)


def _number_parents(places: Mapping[int, tuple[Filed, int]], items: pa.Table) -> None:
    """Give items the place of their parent, where it stands in the same file."""
    names = ("item_id", "parent_id")
    for item, parent in zip(*(items.column(n).to_pylist() for n in names), strict=True):
        filed, at = places.get(item, (None, 0))
        if filed and parent in places and places[parent][0] is filed:
            filed.page.items[at]["parent_id"] = places[parent][1]


def _names(categories: pa.Table) -> dict[int, str]:
    columns = (categories.column(n).to_pylist() for n in ("category_id", "name"))
    return {i: name for i, name in zip(*columns, strict=True) if name is not None}


def _tracks(tracks: pa.Table) -> dict[int, Any]:
    """Return what each track is called: as its source did, else by a number."""
    found: dict[int, Any] = {}
    rows = tracks.select(["track_id", "source_id", "source_key"]).to_pylist()
    for i, row in enumerate(rows):
        key, number = row["source_key"], row["source_id"]
        found[row["track_id"]] = json.loads(key) if key else i if number is None else number
    return found


def text_of(converter: PageRules, filed: Filed) -> tuple[str, bool]:
    """Return the text of a page, and whether its source's own text had to go.

    The source's text stays where it says what the page says.
    """
    text = converter.render(filed.page)
    if filed.text is None:
        return text, False
    try:
        before = converter.render(
            converter.parse(
                filed.text.removeprefix("\ufeff"), filed.path, _beside(converter, filed)
            )
        )
    except ValueError:
        return text, True
    return (filed.text, False) if before == text else (text, True)


def write(converter: PageRules, data: Writing, target: Path) -> Iterator[int]:
    """Write pages, yielding the number of annotations written so far.

    The file or folder appears whole or not at all.
    """
    pages = pages_of(converter, data)
    if converter.one_file and len(pages) == 1:
        (filed,) = pages.values()
        with whole_file(target) as aside:
            write_text(
                aside.parent,
                aside.name,
                data.people.named(text_of(converter, filed)[0], converter.people),
            )
            yield len(filed.page.labels)
        return
    count = 0
    with whole_folder(target, converter.pattern) as folder:
        for path, filed in pages.items():
            write_text(
                folder, path, data.people.named(text_of(converter, filed)[0], converter.people)
            )
            for name, text in converter.companions_of(filed.page).items():
                near = os.path.normpath(os.path.join(os.path.dirname(path), name))
                if os.path.isabs(near) or near.split(os.sep)[0] == os.pardir:
                    raise InvalidInput(f"{name} of {path} would stand outside the target",
                                       code=f"{converter.name}-path")  # fmt: skip
                write_text(folder, near, text)
            count += len(filed.page.labels)
            yield count


def _told(converter: PageRules, filed: Filed, data: Writing) -> str:
    """Return the text of a page with the names of people, where they are known."""
    return data.people.named(text_of(converter, filed)[0], converter.people)


def read_back(converter: PageRules, filed: Filed) -> Page:
    """Return a page as it is read again."""
    return converter.parse(converter.render(filed.page), filed.path, _beside(converter, filed))


def _beside(converter: PageRules, filed: Filed) -> Beside:
    """Return what is known beside a file: sizes of images, if it says none itself."""
    sizes = {i["uri"]: (i["width"], i["height"]) for i in filed.page.items
             if i.get("uri") and i.get("width") and i.get("height")}  # fmt: skip
    known = sizes if "width" in converter.unsaid else {}
    return Beside(files=converter.companions_of(filed.page), sizes=known)
