"""Samples of a version, and what reads them: loops, PyTorch, Hugging Face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labelstore.errors import InvalidInput, MissingExtra
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
        self, *, targets: Sequence[str] | str = ("boxes", "labels"),
        columns: Sequence[str] | str = (), first_class: int = 0,
        images: Opener | str | os.PathLike[str] | None = None,
        image_options: Mapping[str, Any] | None = None,
    ) -> Batches:  # fmt: skip
        """Return what makes batches of NumPy arrays: `batches().make([0, 5, 7])`.

        Args:
            targets: boxes, labels, annotation_id, area, iscrowd, keypoints, rotated_boxes, cuboids
                or masks.
            columns: further columns of the labels.
            first_class: what `labels` says of the first class; 1 where 0 is the background, as
                with torchvision's detection models.
            images: a function from an item's row to its image, or the folder or URL that `uri`
                is below.
            image_options: of the fsspec file system, where images are below a URL.

        Raises:
            InvalidInput: there is no such target or column.
        """
        from labelstore.training.batches.batch import Batches
        from labelstore.training.batches.images import opener

        names = (targets,) if isinstance(targets, str) else tuple(targets)
        further = (columns,) if isinstance(columns, str) else tuple(columns)
        return Batches(self, names, further, opener(images, image_options or {}), first_class)

    def dataset(
        self, *, targets: Sequence[str] | str = ("boxes", "labels"),
        columns: Sequence[str] | str = (), first_class: int = 0,
        images: Opener | str | os.PathLike[str] | None = None,
        image_options: Mapping[str, Any] | None = None,
    ) -> Items:  # fmt: skip
        """Return a map-style PyTorch data set, one dict of tensors per item; see `batches`.

        Items have different numbers of labels, so a `DataLoader` over it needs a `collate_fn`,
        such as `list`.

        Raises:
            MissingExtra: PyTorch is not installed.
        """
        what = self.batches(targets=targets, columns=columns, first_class=first_class,
                            images=images, image_options=image_options)  # fmt: skip
        found: Items = _torch().Items(what)
        return found

    def loader(
        self, batch_size: int = 1, *, shuffle: bool = False, seed: int = 0,
        rank: int | None = None, ranks: int | None = None, uneven: Uneven = "pad",
        drop_last: bool = False, as_list: bool = False, workers: int = 0,
        context: str | None = None, persistent: bool = False,
        options: Mapping[str, Any] | None = None,
        targets: Sequence[str] | str = ("boxes", "labels"), columns: Sequence[str] | str = (),
        first_class: int = 0, images: Opener | str | os.PathLike[str] | None = None,
        image_options: Mapping[str, Any] | None = None,
    ) -> Loader:  # fmt: skip
        """Return a PyTorch loader of ragged batches that shards, shuffles and can go on.

        What a batch has, see `batches.batch.Batches`; the last five arguments are those of
        `batches`.

        Args:
            batch_size: items of a batch.
            shuffle: another order each epoch, by `seed`; the same on every machine.
            seed: a whole number from 0, below 2^64.
            rank: of this process; that of `torch.distributed` where it runs, else 0.
            ranks: processes that train together; goes with `rank`.
            uneven: `pad`: some samples come twice, so that every rank has as many batches; `drop`:
                some are left out; `keep`: every sample once, and some ranks may have one more.
            drop_last: leave out a last batch that is not full.
            as_list: yield lists of one dict a sample instead of batches of concatenated arrays.
            workers: processes that make batches.
            context: how they start: `fork`, `spawn` or `forkserver`.
            persistent: keep them from epoch to epoch.
            options: further arguments of PyTorch's `DataLoader`.
            targets: what a batch has of each label.
            columns: further columns of the labels.
            first_class: what `labels` says of the first class.
            images: what opens images, or where they are.
            image_options: of the fsspec file system.

        Raises:
            MissingExtra: PyTorch is not installed.
            InvalidInput: an argument has no such value.
        """
        from labelstore.training.batches.order import Order

        if (rank is None) != (ranks is None):
            raise InvalidInput("rank and ranks go together", code="order")
        what = self.batches(targets=targets, columns=columns, first_class=first_class,
                            images=images, image_options=image_options)  # fmt: skip
        door = _torch()
        order = Order(shuffle, seed, batch_size, rank or 0, 1 if ranks is None else ranks, uneven,
                      drop_last)  # fmt: skip
        given = dict(options or {})
        shared = 0 if given.get("pin_memory") else door.SHARED  # only tensors are pinned
        stream = door.Stream(what, order if ranks is not None else door.with_ranks(order),
                             shared=shared)  # fmt: skip
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
