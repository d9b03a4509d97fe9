"""labelstore: a typed, versioned store for machine-learning labels.

Example:
    >>> import labelstore
    >>> store = labelstore.init_store("signs")                            # doctest: +SKIP
    >>> store.import_from("coco", "instances.json")                       # doctest: +SKIP
    >>> store.commit("first delivery", tag="v1")                          # doctest: +SKIP
    >>> samples = labelstore.load("signs", at="v1")                       # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelstore.store import Store, init_store, open_store
    from labelstore.training.loading import load
    from labelstore.training.samples import Samples

__all__ = ["Samples", "Store", "init_store", "load", "open_store"]

_HOMES = {
    "Samples": "labelstore.training.samples",
    "Store": "labelstore.store",
    "init_store": "labelstore.store",
    "load": "labelstore.training.loading",
    "open_store": "labelstore.store",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import labelstore` stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'labelstore' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
