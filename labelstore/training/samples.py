"""A version as training reads it: Arrow tables, and one sample per item."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.summary import class_order
from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES
from labelstore.storage.location import Remote
from labelstore.storage.objects import object_path, read_checked, user_cache
from labelstore.training.pin import Pin, followed, parse_split, read_pin, verify
from labelstore.versions.dvc.pointer import read_directory_object
from labelstore.versions.exchange import remote_of
from labelstore.versions.manifest import PARTS, SCHEMA, Manifest
from labelstore.versions.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEEDED = ("items", "annotations", "geometries", "categories", "splits")


@dataclass(frozen=True)
class Samples:
    """The labels of one layer and subset of a version; samples are items in id order.

    Args:
        manifest: the version.
        layer: which labels.
        split: `SCHEME/SUBSET`, or None for all items.
    """

    manifest: Manifest
    layer: str
    split: str | None = None

    @cached_property
    def classes(self) -> list[tuple[int, str]]:
        """Return (id, name) of the classes in the order of the ontology."""
        return class_order(self.manifest)

    @cached_property
    def items(self) -> pa.Table:
        """Return the items, by id."""
        rows = self.manifest.table(TABLES["items"])
        if self.split is None:
            return rows
        scheme, subset = parse_split(self.manifest, self.split)
        splits = self.manifest.table(TABLES["splits"], partition=scheme)
        chosen = splits.filter(pc.equal(splits.column("subset"), subset)).column("item_id")
        return rows.filter(pc.is_in(rows.column("item_id"), value_set=chosen))

    @cached_property
    def annotations(self) -> pa.Table:
        """Return annotations and their geometries in one table, by item."""
        parts = {name: self._own(name) for name in ("annotations", "geometries")}
        keys = TABLES["geometries"].key
        rows = parts["annotations"]
        for name in parts["geometries"].column_names:
            if name not in (*keys, "layer"):
                rows = rows.append_column(
                    parts["geometries"].schema.field(name), parts["geometries"].column(name)
                )
        return rows.combine_chunks()

    def _own(self, name: str) -> pa.Table:
        rows = self.manifest.table(TABLES[name], partition=self.layer)
        if self.split is None:
            return rows
        ids = self.items.column("item_id")
        return rows.filter(pc.is_in(rows.column("item_id"), value_set=ids))

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ids = np.asarray(self.items.column("item_id").combine_chunks())
        owners = np.asarray(self.annotations.column("item_id").combine_chunks())
        begins = np.searchsorted(owners, ids, side="left")
        return begins, np.searchsorted(owners, ids, side="right")

    def __len__(self) -> int:
        """Return how many items there are."""
        return int(self.items.num_rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one item: its row under `item`, its labels under `annotations` (Arrow)."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        begin, end = (int(b[index]) for b in self._bounds)
        (item,) = self.items.slice(index, 1).to_pylist(maps_as_pydicts="strict")
        return {"item": item, "annotations": self.annotations.slice(begin, end - begin)}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield every sample."""
        return (self[i] for i in range(len(self)))


def load(
    where: str | os.PathLike[str],
    *,
    pin: str | os.PathLike[str] | None = None,
    at: str | None = None,
    layer: str | None = None,
    split: str | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Samples:
    """Open a version for training.

    Args:
        where: a store's folder, or with a pin a DVC remote: a URL such as `s3://bucket/path`, or
            its folder.
        pin: pin file; what is read is verified against it before the first sample.
        at: tag, branch or commit, for a store's folder.
        layer: which labels; the pin's, else the store's default.
        split: `SCHEME/SUBSET`; the pin's, else all items.
        cache: folder for objects fetched from a remote; `~/.cache/labelstore` by default.

    Raises:
        UserWarning: what was pinned has been rewritten since, to forget an item or a source; then
            the version that took its place is read.
        InvalidInput: neither pin nor `at` is given, or both, or `at` with a bare URL.
        NotFound: no such store, version or object.
        Corrupt: what was found is not what was pinned.
    """
    if (pin is None) == (at is None):
        raise InvalidInput("give exactly one of pin= and at=", code="load-arguments")
    place = os.fspath(where)
    folder = Path(cache) if cache else user_cache()
    if "://" in place or (pin is not None and (Path(place) / "files" / "md5").is_dir()):
        if pin is None:
            raise InvalidInput(
                f"{place}: a remote holds no version names, so at= has no meaning there. "
                "Pass pin=FILE, made by `labelstore pin`.",
                code="load-arguments",
            )
        pinned = read_pin(Path(pin))
        manifest = _fetched(pinned, Remote(place), folder)
    else:
        workspace = Workspace.find(Path(place))
        if pin is None:
            manifest = workspace.manifest(str(at))
            return _checked(Samples(manifest, layer or workspace.default_layer, split))
        pinned, note = followed(workspace, read_pin(Path(pin)))
        if note is not None:
            warnings.warn(f"{os.fspath(pin)}: {note}", UserWarning, stacklevel=2)
        manifest = _local_or_fetched(workspace, pinned, folder)
    verify(pinned, manifest, os.fspath(pin))
    for part in manifest.parts:
        if part.table in NEEDED:
            manifest.verify(part)
    return _checked(Samples(manifest, layer or pinned.layer, split or pinned.split))


def _checked(samples: Samples) -> Samples:
    """Refuse a layer or split that the version does not have."""
    samples.manifest.layer(samples.layer)
    if samples.split is not None:
        parse_split(samples.manifest, samples.split)
    return samples


def _local_or_fetched(workspace: Workspace, pin: Pin, cache: Path) -> Manifest:
    """Return the pinned version from the store's cache, else from the pin's remote."""
    if object_path(workspace.layout.cache, pin.directory).exists():
        manifest = workspace.manifest_of(pin.directory)
        folder = workspace.layout.cache
        if all(object_path(folder, md5).exists() for md5 in manifest.files.values()):
            return manifest
    return _fetched(pin, remote_of(workspace, pin.remote)[1], cache)


def _fetched(pin: Pin, remote: Remote, cache: Path) -> Manifest:
    """Return the pinned version with the objects that training needs in the local cache."""
    remote.fetch([pin.directory], cache)
    path = object_path(cache, pin.directory)
    files = read_directory_object(read_checked(path, pin.directory), str(path))
    manifest = Manifest(files, (cache,))
    remote.fetch([files[PARTS], files[SCHEMA]], cache)
    remote.fetch([manifest.md5(p.path) for p in manifest.parts if p.table in NEEDED], cache)
    return manifest
