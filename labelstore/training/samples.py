"""Samples of a version, and what reads them: loops, PyTorch, Hugging Face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labelstore.errors import MissingExtra
from labelstore.training.reading.rows import Rows

if TYPE_CHECKING:
    import os
    from types import ModuleType

    from labelstore.training.batches.batch import Batches
    from labelstore.training.batches.images import Opener
    from labelstore.training.batches.order import Uneven
    from labelstore.training.torch import Items, Loader


class Samples(Rows):
    """The labels of one layer of a version; samples are items in the order of their ids.

    It has a length and can be asked by index, and it can be pickled: whatever reads such a source
    (PyTorch, Grain, a loop) reads this. Workers map the same files into memory.
    """

    def batches(
        self, *, targets: Sequence[str] = ("boxes", "labels"), columns: Sequence[str] = (),
        images: Opener | str | os.PathLike[str] | None = None,
        image_options: Mapping[str, Any] | None = None,
    ) -> Batches:  # fmt: skip
        """Return what makes batches of NumPy arrays: `batches().make([0, 5, 7])`.

        Args:
            targets: boxes, labels, annotation_id, area, iscrowd, keypoints, rotated_boxes, cuboids
                or masks.
            columns: further columns of the labels.
            images: a function from an item's row to its image, or the folder or URL that `uri`
                is below.
            image_options: of the fsspec file system, where images are below a URL.
        """
        from labelstore.training.batches.batch import Batches
        from labelstore.training.batches.images import opener

        return Batches(self, targets, columns, opener(images, image_options or {}))

    def dataset(self, **what: Any) -> Items:
        """Return a map-style PyTorch data set, one dict of tensors per item; see `batches`.

        Raises:
            MissingExtra: PyTorch is not installed.
        """
        found: Items = _torch().Items(self.batches(**what))
        return found

    def loader(
        self, batch_size: int = 1, *, shuffle: bool = False, seed: int = 0,
        rank: int | None = None, ranks: int | None = None, uneven: Uneven = "pad",
        drop_last: bool = False, as_list: bool = False, workers: int = 0,
        context: str | None = None, persistent: bool = False,
        options: Mapping[str, Any] | None = None, **what: Any,
    ) -> Loader:  # fmt: skip
        """Return a PyTorch loader of ragged batches that shards, shuffles and can go on.

        Args:
            batch_size: items of a batch.
            shuffle: another order each epoch, by `seed`; the same on every machine.
            seed: below 2^64.
            rank: of this process; that of `torch.distributed` where it runs, else 0.
            ranks: processes that train together.
            uneven: `pad`: some samples come twice, so that every rank has as many batches; `drop`:
                some are left out; `keep`: every sample once, and some ranks may have one more.
            drop_last: leave out a last batch that is not full.
            as_list: yield lists of samples as torchvision's models take them, instead of batches
                of concatenated arrays, which are much cheaper to send between processes.
            workers: processes that make batches.
            context: how they start: `fork`, `spawn` or `forkserver`.
            persistent: keep them from epoch to epoch.
            options: further arguments of PyTorch's `DataLoader`.
            what: as for `batches`.

        Raises:
            MissingExtra: PyTorch is not installed.
            InvalidInput: an argument has no such value.
        """
        from labelstore.training.batches.order import Order

        door = _torch()
        order = Order(shuffle, seed, batch_size, 0, 1, uneven, drop_last)
        order = door.with_ranks(order) if rank is None and ranks is None else replace(
            order, rank=rank or 0, ranks=ranks or 1)  # fmt: skip
        given = dict(options or {})
        shared = 0 if given.get("pin_memory") else door.SHARED  # only tensors are pinned
        stream = door.Stream(self.batches(**what), order, shared=shared)
        found: Loader = door.Loader(
            stream, as_list=as_list, workers=workers, context=context, persistent=persistent,
            **given,
        )  # fmt: skip
        return found

    def hugging_face(self) -> Any:
        """Return a Hugging Face `datasets.Dataset`: one row per item, its labels in a list.

        Raises:
            MissingExtra: Hugging Face's library is not installed.
        """
        try:
            from labelstore.training.hugging_face import dataset
        except ModuleNotFoundError as error:
            raise MissingExtra("Hugging Face data sets need: pip install 'labelstore[hf]'",
                               code="hf") from error  # fmt: skip
        return dataset(self)


def _torch() -> ModuleType:
    try:
        from labelstore.training import torch
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "PyTorch loaders need: pip install 'labelstore[torch]'", code="torch"
        ) from error
    return torch
