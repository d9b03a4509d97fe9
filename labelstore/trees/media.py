"""Media of a tree: where they go, and how they get there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from labelstore.errors import InvalidInput, NotFound, StorageFailed, counted, shown

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

    def check(self, media: Path | None) -> None:
        """Refuse where media are missing.

        Raises:
            NotFound: naming the first of them.
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

    def apply(
        self, target: Path, before: set[str], link: Link,
        progress: Callable[[str, int, int], None] | None,
    ) -> tuple[int, int]:  # fmt: skip
        """Place what is not there, remove what is no more; return how many were and were there."""
        count = 0
        for done, (place, uri) in enumerate(self.files.items()):
            assert self.source is not None  # there are no files without it
            count += _place((self.source / uri).absolute(), target / place, link)
            if progress and done % 1000 == 0:
                progress("media", done, len(self.files))
        for place in before - self.files.keys():
            (target / place).unlink(missing_ok=True)
        return count, len(self.files) - count


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
    if not uri or "://" in uri or "\\" in uri or any(p in ("", ".", "..") for p in parts):
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
