"""Labels of text and of time, in code points, seconds and hertz."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from labelstore.model.labels.label import Label
from labelstore.model.labels.numbers import Number

Offset = Annotated[int, Field(ge=0)]


class Span(Label):
    """Stretches of the item's text: code points from a start to before an end."""

    kind = "span"
    spans: Annotated[list[tuple[Offset, Offset]], Field(min_length=1)]
    surface: str | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        spans = [{"start": start, "end": end} for start, end in self.spans]
        return {"spans": spans, "surface": self.surface}


class Interval(Label):
    """A stretch of time, with channel and frequency band where there are any."""

    kind = "interval"
    start: Number
    end: Number
    channel: int | None = None
    low_hz: Number | None = None
    high_hz: Number | None = None
    first_frame: int | None = None
    last_frame: int | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        return {"interval": self.own()}


class Text(Label):
    """A caption, a transcript, or what a sign says; of a stretch of time where it has one."""

    kind = "text"
    text: str
    interval: tuple[Number, Number] | None = None

    def shape(self) -> dict[str, Any]:
        """Return the columns of `geometries` that it fills."""
        if self.interval is None:
            return {"text": self.text}
        return {"text": self.text, "interval": dict(zip(("start", "end"), self.interval,
                                                        strict=True))}  # fmt: skip
