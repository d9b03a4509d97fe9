"""The one door to PyTorch: data sets and a loader over the samples of a version."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from labelstore.errors import Conflict, InvalidInput
from labelstore.training.batches.batch import Batch, Batches, split
from labelstore.training.batches.order import Order

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE_FORMAT = 1
SHARED = 1 << 18
"""Measured with two workers: sending five small tensors takes eight times what NumPy arrays do."""


class Items(Dataset):
    """A map-style data set: one dict of tensors per item, for samplers of one's own.

    Args:
        batches: what a sample has.
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.batches.samples)

    def __getitem__(self, index: int) -> Batch:
        """Return one sample."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.__getitems__([index % len(self)])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Batch]:
        """Return several samples, read at once; PyTorch's loader asks so."""
        return split(tensors(self.batches.make(indices)))


class Stream(IterableDataset):
    """An iterable data set that yields whole batches, dealt out over ranks and workers.

    Batch n of a rank is made by worker n modulo workers, in which order PyTorch's loader asks
    them: how many workers there are changes nothing.

    Args:
        batches: what a batch has.
        order: which samples come when.
        shared: bytes from which an array goes to the trainer as a tensor in shared memory, which
            costs a file each; smaller ones are sent as they are.
    """

    def __init__(self, batches: Batches, order: Order, *, shared: int = SHARED) -> None:
        self.batches = batches
        self.order = order
        self.shared = shared
        self.place = torch.zeros(2, dtype=torch.int64).share_memory_()
        """Epoch, and samples of it that all ranks have had; seen by workers that live on."""

    def __iter__(self) -> Iterator[Any]:
        """Yield this worker's batches of the epoch."""
        worker = get_worker_info()
        index, count = (worker.id, worker.num_workers) if worker else (0, 1)
        epoch, done = self.place.tolist()
        listed = self.order.batches(self.batches.samples.item_ids, epoch, done)
        for indices in listed[index::count]:
            yield tensors(self.batches.make(indices), self.shared)


@dataclass
class Progress:
    """How far training is: an epoch, and the samples of it that all ranks have had."""

    epoch: int = 0
    done: int = 0


class Loader:
    """Batches of a version, epoch after epoch; it knows where it is and can go on there.

    Each `for` is one epoch, which `epoch` counts. A `for` that is left early, or begun again,
    begins its epoch anew; only after `load_state_dict` the first one goes on in mid-epoch.

    Args:
        stream: what to load.
        as_list: yield lists of samples instead of batches.
        workers: processes that make batches; 0 makes them in this one.
        context: how workers start: `fork`, `spawn` or `forkserver`.
        persistent: keep workers from epoch to epoch.
        options: further arguments of PyTorch's `DataLoader`.
    """

    def __init__(
        self, stream: Stream, *, as_list: bool = False, workers: int = 0,
        context: str | None = None, persistent: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        self.stream = stream
        self.as_list = as_list
        self.at = Progress()
        self._start = 0
        self._turn = 0
        own = {
            "num_workers": workers,
            "multiprocessing_context": context if workers else None,
            "persistent_workers": persistent and workers > 0,
            "collate_fn": _as_it_is,
            "worker_init_fn": _begun,
        }
        self._loader = DataLoader(stream, batch_size=None, **{**own, **options})

    @property
    def epoch(self) -> int:
        """Return the epoch that the next `for` is, or the one that is going on."""
        return self.at.epoch

    def set_epoch(self, epoch: int) -> None:
        """Begin that epoch with the next `for`."""
        self.at, self._start, self._turn = Progress(epoch), 0, self._turn + 1

    def __len__(self) -> int:
        """Return how many batches the next `for` yields on this rank."""
        return self.stream.order.count(len(self.stream.batches.samples), self._start)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of an epoch."""
        self._turn += 1
        turn = self._turn
        order, total = self.stream.order, len(self.stream.batches.samples)
        self.at.done, self._start = self._start, 0
        self.stream.batches.prepare()
        self.stream.place.copy_(torch.tensor([self.at.epoch, self.at.done]))
        for batch in self._loader:
            if turn != self._turn:  # something else was begun meanwhile
                return
            self.at.done = min(self.at.done + order.batch * order.ranks, total)
            made = tensors(batch)
            yield split(made) if self.as_list else made
        if turn == self._turn:
            self.at = Progress(self.at.epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """Return where training is; the same on every rank after the same number of steps."""
        order = self.stream.order
        return {
            "format": STATE_FORMAT,
            "samples": fingerprint(self.stream.batches),
            "shuffle": order.shuffle,
            "seed": order.seed,
            "epoch": self.at.epoch,
            "done": self.at.done,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken; ranks, batch size and workers may be others.

        Raises:
            InvalidInput: it is no state.
            Conflict: the state is of other samples, or of another order.
        """
        if not isinstance(state, Mapping):
            raise InvalidInput(f"{type(state).__name__}: give what state_dict() returned",
                               code="loader-state")  # fmt: skip
        here = self.state_dict()
        fixed = ("format", "samples", "shuffle", "seed")
        other = [name for name in fixed if state.get(name) != here[name]]
        if other:
            raise Conflict(
                f"the state has another {', '.join(other)} than this loader: it was taken of "
                "other samples, or with other arguments",
                code="loader-state",
            )
        epoch, done = (state.get(name) for name in ("epoch", "done"))
        if not all(isinstance(n, int) and n >= 0 for n in (epoch, done)):
            raise InvalidInput(f"epoch {epoch}, done {done}: give what state_dict() returned",
                               code="loader-state")  # fmt: skip
        self.set_epoch(int(str(epoch)))
        self.at.done = self._start = int(str(done))


def fingerprint(batches: Batches) -> str:
    """Return a hash of which items and labels a loader reads, of which version."""
    rows = batches.samples
    found = hashlib.sha256(f"{rows.manifest.root} {rows.layer} {rows.selection.digest}".encode())
    found.update(np.ascontiguousarray(rows.item_ids, "<i8").tobytes())
    return found.hexdigest()[:32]


def tensors(batch: Batch, least: int = 0) -> Batch:
    """Return the batch with tensors for arrays of numbers; no bytes are copied.

    Args:
        batch: arrays, and lists of arrays.
        least: bytes that an array has at least, to become one.
    """
    return {name: _tensor(value, least) for name, value in batch.items()}


def _tensor(value: Any, least: int) -> Any:
    if isinstance(value, list):
        return [_tensor(one, least) for one in value]
    if isinstance(value, np.ndarray) and value.nbytes >= least:
        return torch.from_numpy(value if value.flags.writeable else value.copy())
    return value


def _begun(_: int) -> None:
    """Leave what a worker was forked with out of its garbage collection, which would copy it."""
    gc.freeze()


def _as_it_is(batch: Batch) -> Batch:
    return batch


def with_ranks(order: Order) -> Order:
    """Return an order for this process's rank, where PyTorch trains distributed."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return replace(order, rank=torch.distributed.get_rank(),
                       ranks=torch.distributed.get_world_size())  # fmt: skip
    return order
