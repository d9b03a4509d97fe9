"""Media of a tree: where they go, and how they get there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from labelstore.errors import Conflict, InvalidInput, NotFound, StorageFailed, counted, shown

if TYPE_CHECKING:
    from labelstore.training.samples import Samples

Link = Literal["hard", "symlink", "copy"]


@dataclass(frozen=True)
class Media:
    """Where the media of items go.

    Attributes:
        places: of each item, by its id, below the tree.
        files: what is placed: place to the path below the folder of media; empty without one.
    """

    places: Mapping[int, str]
    files: Mapping[str, str]
    source: Path | None = None

    def only(self, before: Mapping[str, str]) -> Media:
        """Return the same with those files only that were placed before."""
        return Media(self.places, {p: "" for p in self.places.values() if p in before}, None)

    def check(self, media: Path | None, target: Path) -> None:
        """Refuse where media are missing, or lie in the tree.

        Raises:
            NotFound: naming the first that are missing.
            InvalidInput: a medium lies below the target, and would be its own copy.
        """
        if media is None:
            return
        missing = [uri for uri in self.files.values() if not (media / uri).is_file()]
        if missing:
            raise NotFound(
                f"{media}: {counted(len(missing), 'medium is', 'media are')} not below it: "
                f"{shown(missing)}",
                code="media-missing",
            )
        top = target.resolve()
        inside = [u for u in self.files.values() if (media / u).resolve().is_relative_to(top)]
        if inside:
            raise InvalidInput(f"{media}: lies in the tree that is to be written: {shown(inside)}",
                               code="media-inside")  # fmt: skip

    def refuse_foreign(self, target: Path, before: Mapping[str, str]) -> None:
        """Refuse where a file that was not placed here is in the way.

        Raises:
            Conflict: naming the first of them.
        """
        foreign = [p for p in self.files if p not in before and os.path.lexists(target / p)]
        if foreign:
            raise Conflict(f"{target}: has media of these names that were not placed here: "
                           f"{shown(foreign)}. Name another folder.", code="tree-foreign"
                           )  # fmt: skip

    def apply(
        self, target: Path, before: Mapping[str, str], link: Link,
        progress: Callable[[str, int, int], None] | None,
    ) -> tuple[tuple[int, int], dict[str, str]]:  # fmt: skip
        """Place what is not there, and remove what was placed here and is no more.

        Returns:
            How many were placed and how many were there, and which file is in which place.
        """
        count = 0
        for done, (place, uri) in enumerate(self.files.items()):
            if self.source is not None:
                count += _place((self.source / uri).absolute(), target / place, link)
            if progress and done % 1000 == 0:
                progress("media", done, len(self.files))
        for place in before.keys() - self.files.keys():
            if before[place] and before[place] == _which(target / place):
                (target / place).unlink()
                remove_empty((target / place).parent, target)
        listed = {place: before.get(place, "") if self.source is None else _which(target / place)
                  for place in self.files}  # fmt: skip
        return (count, len(self.files) - count), listed


def _which(path: Path) -> str:
    """Return which file a path names: device and inode; of a link its own."""
    try:
        stat = path.lstat()
    except FileNotFoundError:
        return ""
    return f"{stat.st_dev}:{stat.st_ino}"


def remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder below another, and those above it, as far as they are empty."""
    while folder != top and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def place_media(samples: Samples, media: Path | None, kind: str) -> Media:
    """Return where the media of samples go.

    Raises:
        InvalidInput: a `uri` is none below a folder, or two items have one.
    """
    rows = samples.item_rows(np.arange(len(samples)), ("item_id", "uri"))
    uris = rows.column("uri").to_pylist() if "uri" in rows.schema.names else [None] * len(samples)
    listed = zip(rows.column("item_id").to_pylist(), uris, strict=True)
    places = {number: _below_images(number, uri, kind) for number, uri in listed}
    if len(set(places.values())) < len(places):
        raise InvalidInput("several items have one uri, so their images would be one file",
                           code="tree-uri")  # fmt: skip
    files = {} if media is None else dict(zip(places.values(), uris, strict=True))
    return Media(places, files, media)


def _below_images(number: int, uri: str | None, kind: str) -> str:
    """Return where an item's medium goes; of YOLO, labels lie where the last `images` is."""
    parts = (uri or "").split("/")
    strange = any(p in ("", ".", "..") for p in parts) or not (uri or "").isprintable()
    if not uri or "://" in uri or "\\" in uri or strange:
        raise InvalidInput(f"item {number}: {uri!r} is no path below a folder", code="tree-uri")
    inside = kind == "yolo" and "images" in parts[:-1]
    return "/".join(parts if inside else ["images", *parts])


def _place(source: Path, target: Path, link: Link) -> bool:
    """Place one medium; False where it is there already."""
    if _is_same(source, target, link):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    aside.unlink(missing_ok=True)
    try:
        if link == "symlink":
            aside.symlink_to(source)
        elif link == "hard":
            os.link(source.resolve(), aside)
        else:
            shutil.copy2(source, aside)
        os.replace(aside, target)
    except OSError as error:
        raise StorageFailed(
            f"{target}: cannot be placed ({error.strerror}). A hard link needs one file system: "
            "use --link symlink or copy",
            code="media-link",
        ) from error
    finally:
        aside.unlink(missing_ok=True)
    return True


def _is_same(source: Path, target: Path, link: Link) -> bool:
    if not target.exists() or target.is_symlink() != (link == "symlink"):
        return False
    if link == "copy":
        a, b = source.stat(), target.stat()
        one = os.path.samestat(a, b)
        return not one and (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns)
    return os.path.samefile(source, target)
