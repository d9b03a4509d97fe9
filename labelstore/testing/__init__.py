"""What authors of converters test with: see `labelstore.testing.conformance`."""

from __future__ import annotations

from labelstore.testing.conformance import Conformance, filled, texts
from labelstore.testing.streaming import StreamingConformance

__all__ = ["Conformance", "StreamingConformance", "filled", "texts"]
