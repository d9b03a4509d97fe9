"""Work on several cores by forking: what was read stays shared, results come back by pipe."""

from __future__ import annotations

import os
import pickle
import selectors
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any, TypeVar

import pyarrow as pa

from labelstore.errors import StorageFailed

Task = TypeVar("Task")
Result = TypeVar("Result")


def workers() -> int:
    """Return how many processes to use: the cores this process may run on."""
    if not hasattr(os, "fork") or sys.platform == "darwin":
        return 1
    return len(os.sched_getaffinity(0))


def fork_map(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    done: Callable[[Result], None] | None = None,
    *,
    processes: int | None = None,
) -> list[Result]:
    """Return the results of all tasks, in order.

    Args:
        work: runs in a forked child; what it changes there stays there.
        tasks: dealt out to the children in turn.
        done: called here with each result as it arrives.
        processes: how many; the cores by default. One means no fork at all.

    Raises:
        Exception: whatever `work` raised first.
        StorageFailed: a child died.
    """
    count = min(processes or workers(), len(tasks))
    results: dict[int, Result] = {}
    if count <= 1:
        for i, task in enumerate(tasks):
            results[i] = work(task)
            if done:
                done(results[i])
        return [results[i] for i in range(len(tasks))]
    children = [_start(work, tasks, child, count) for child in range(count)]
    failure = _collect(children, results, done)
    if failure is not None:
        raise failure
    return [results[i] for i in range(len(tasks))]


def _start(
    work: Callable[[Task], Result], tasks: Sequence[Task], child: int, count: int
) -> tuple[int, IO[bytes]]:
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, os.fdopen(reading, "rb", buffering=0)
    os.close(reading)
    pa.set_memory_pool(pa.system_memory_pool())  # its pages stay for the next task; decision 024
    status = 1
    try:
        with os.fdopen(writing, "wb") as out:
            try:
                for i in range(child, len(tasks), count):
                    _send(out, (i, work(tasks[i])))
            except BaseException as error:
                _send(out, (None, _portable(error)))
        status = 0
    finally:
        os._exit(status)


def _send(out: IO[bytes], message: object) -> None:
    data = pickle.dumps(message, protocol=5)
    out.write(len(data).to_bytes(8, "little") + data)
    out.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """Return the next message, or None where the child has closed the pipe."""
    head = _exactly(pipe, 8)
    if len(head) < 8:
        return None
    data = _exactly(pipe, int.from_bytes(head, "little"))
    return pickle.loads(data)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    pieces = []
    while size > 0:
        piece = pipe.read(size)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _portable(error: BaseException) -> BaseException:
    """Return the error, or one that says the same where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return StorageFailed(f"{type(error).__name__}: {error}", code="worker-failed")
    return error


def _collect(
    children: Sequence[tuple[int, IO[bytes]]],
    results: dict[int, Any],
    done: Callable[[Any], None] | None,
) -> BaseException | None:
    """Read results in turn until every child is finished; return the first failure."""
    failure: BaseException | None = None
    with selectors.DefaultSelector() as waiting:
        for _, pipe in children:
            waiting.register(pipe, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select():
                ready: Any = key.fileobj
                message = _receive(ready)
                if message is None:
                    waiting.unregister(ready)
                    continue
                at, value = message
                if at is None:
                    failure = failure or value
                else:
                    results[at] = value
                    if done:
                        done(value)
    for pid, pipe in children:
        pipe.close()
        _, status = os.waitpid(pid, 0)
        if status and failure is None:
            failure = StorageFailed(
                "a worker process died, perhaps for lack of memory; nothing was changed",
                code="worker-died",
            )
    return failure
