"""What authors of converters test with: see `labelstore.testing.conformance`."""

from __future__ import annotations

from labelstore.testing.conformance import Conformance, filled, texts

__all__ = ["Conformance", "filled", "texts"]
