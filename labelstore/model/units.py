"""Numbers with their unit, as types."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from labelstore.model.columns import Json, Unit

PIXEL_FRAME = "image, continuous, origin top left, x right, y down; 0-based"

Pixels = Annotated[float, Unit("px", PIXEL_FRAME)]
Metres = Annotated[float, Unit("m")]
Radians = Annotated[float, Unit("rad")]
Seconds = Annotated[float, Unit("s")]
Hertz = Annotated[float, Unit("Hz")]
SquarePixels = Annotated[float, Unit("px²", PIXEL_FRAME)]
Share = Annotated[float, Field(ge=0, le=1)]

Id = Annotated[int, Field(ge=0, le=2**63 - 1)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
JsonText = Annotated[str, Unit("json"), Json()]
JsonObject = Annotated[str, Unit("json"), Json(of=dict)]
