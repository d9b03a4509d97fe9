"""Reading a darknet data set."""

from __future__ import annotations

from typing import Any

from labelstore_converters.darknet.sources import beside_of
from labelstore_converters.yolo.reading import YoloReading


class DarknetReading(YoloReading):
    """A data set, opened; see `labelstore.plugins.Reading`."""

    def _kept(self) -> dict[str, Any]:
        said = self._layout.description
        names = said.subsets["names"]
        text = {name: (self._layout.folder / name).read_text("utf-8") for name in names}
        return {
            "data": {"name": said.name, "text": said.text},
            "names": text,
            "lists": self._layout.lists,
        }

    def _file(self, image: int) -> tuple[str, dict[str, Any]]:
        state, kept = super()._file(image)
        listed = self._layout.images[image]
        if listed.label != beside_of(listed.uri):
            kept["label"] = listed.label
        return state, kept
