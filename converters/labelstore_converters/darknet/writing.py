"""Writing a darknet data set: data file, names and lists of images beside the labels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from labelstore.plugins import write_text
from labelstore_converters.darknet.sources import beside_of, uri_of
from labelstore_converters.yolo.files import LabelFiles
from labelstore_converters.yolo.layout import SUFFIXES

FOLDER = "obj_train_data"
PREFIX = "data/"
"""Where darknet is started: one folder above the data set."""


class DarknetFiles(LabelFiles):
    """Where the labels of each image go, and what stands beside them."""

    keeps = "data"

    def label(self, item: Mapping[str, Any]) -> str:
        """Return the label file of an image, below the folder."""
        kept = json.loads(item["sources"][0]["leftovers"] or "{}")
        return str(kept.get("label") or beside_of(self._uri(item)))

    def _uri(self, item: Mapping[str, Any]) -> str:
        """Return the path of an image below the folder; it has a suffix."""
        uri = item["uri"] or str(item["item_id"])
        parts = [p for p in uri.replace("://", "/").split("/") if p not in ("", ".", "..")]
        if self.own:
            return "/".join(parts)
        name = "/".join(parts)
        suffix = "" if PurePosixPath(name).suffix.lower() in SUFFIXES else ".jpg"
        return f"{FOLDER}/{name}{suffix}"

    def images(self) -> list[str]:
        """Return the path of each image."""
        return [self._uri(item) for item in self.items]

    def finish(self, folder: Path, task: str) -> None:
        """Write the data file, the names, and the lists of images."""
        rows = self.categories.select(["name", "unlisted"]).to_pylist()
        listed = [r["name"] or "" for r in rows if not (self.own and r["unlisted"])]
        names = [" ".join(name.split()) for name in listed]
        for path, text in self._texts(names).items():
            write_text(folder, path, text)

    def _texts(self, names: list[str]) -> dict[str, str]:
        """Return the text of each file beside the labels, by its path."""
        listed = "".join(f"{name}\n" for name in names)
        if not self.own:
            lines = "".join(f"{PREFIX}{uri}\n" for uri in self.images())
            data = (f"classes = {len(names)}\ntrain = {PREFIX}train.txt\n"
                    f"names = {PREFIX}obj.names\nbackup = backup/\n")  # fmt: skip
            return {"obj.data": data, "obj.names": listed, "train.txt": lines}
        found: dict[str, str] = dict(self._listing())
        for path, text in self.kept["names"].items():
            same = [line.strip() for line in text.rstrip().splitlines()] == names
            found[path] = text if same else listed
        said = self.kept["data"]
        if said["name"]:
            count = rf"\g<1>{len(names)}"
            found[said["name"]] = re.sub(r"(?m)^(\s*classes\s*=\s*)\d+", count, said["text"])
        return found

    def _listing(self) -> dict[str, str]:
        """Return the lists of images, without those that are gone, and with new ones last."""
        uris = self.images()
        there, told = set(uris), set[str]()
        found: dict[str, str] = {}
        last = ""
        for path, text in self.kept["lists"].items():
            lines = text.splitlines(keepends=True)
            kept = []
            for line in lines:
                uri = _named(line, there)
                if uri is not None or not line.strip():
                    kept.append(line)
                    told |= {uri} if uri else set()
                    last = line if uri else last
            found[path] = "".join(kept)
        new = [uri for uri in uris if uri not in told]
        if found and new:
            path = next(iter(found))
            known = _named(last, there) or ""
            before = last.strip().removesuffix(known) if known else ""
            gap = "" if not found[path] or found[path].endswith("\n") else "\n"
            found[path] += gap + "".join(f"{before}{uri}\n" for uri in new)
        return found


def _named(line: str, there: set[str]) -> str | None:
    """Return the image that a line of a list names, None where it is gone."""
    name = line.strip().removeprefix("\ufeff")
    count = len(name.strip("/").split("/"))
    ends = (uri_of(name, i) for i in range(count)) if name else iter(())
    return next((end for end in ends if end in there), None)
