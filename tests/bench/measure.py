"""CPU, wall time and peak memory of a function in a fresh process."""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cost:
    """What one run cost: seconds of CPU and wall time, peak memory in MB, and its answer."""

    cpu: float
    wall: float
    memory: float
    answer: Any


def measured(function: str, *args: Any, runs: int = 1) -> Cost:
    """Run `module:function` in fresh processes and return the run of median CPU.

    The function returns a JSON value; where that has `cpu`, it is the CPU of the part that counts,
    otherwise the whole process counts.
    """
    costs = [_once(function, args) for _ in range(runs)]
    return sorted(costs, key=lambda c: c.cpu)[len(costs) // 2]


def _once(function: str, args: tuple[Any, ...]) -> Cost:
    with tempfile.NamedTemporaryFile() as answer:
        words = [sys.executable, str(HERE / "measure.py"), function, answer.name, json.dumps(args)]
        started = time.perf_counter()
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{function} failed with {child.returncode}")
        found = json.loads(Path(answer.name).read_text())
    cpu = usage.ru_utime + usage.ru_stime
    if isinstance(found, dict) and "cpu" in found:
        cpu, wall = found["cpu"], found.get("wall", wall)
    return Cost(cpu, wall, usage.ru_maxrss / 1024, found)


def command(words: list[str], *, runs: int = 1, cwd: Path | None = None) -> Cost:
    """Run a command and return its median cost, children included."""
    costs = []
    for _ in range(runs):
        started = time.perf_counter()
        child = subprocess.Popen(words, cwd=cwd, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{words} failed with {child.returncode}")
        costs.append((usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024))
    middle = [statistics.median(c[i] for c in costs) for i in range(3)]
    return Cost(middle[0], middle[1], middle[2], None)


class Watch:
    """CPU and wall time of a block."""

    def __enter__(self) -> Watch:
        """Start."""
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.cpu = time.process_time() - self._cpu
        self.wall = time.perf_counter() - self._wall


def report(name: str, what: str, ratio: float, limit: float, detail: str) -> bool:
    """Print one promise: its ratio, its limit and whether it holds."""
    holds = ratio <= limit
    verdict = "met" if holds else "NOT MET"
    print(f"{name:4} {what:52} {ratio:8.4f} (≤ {limit:.4f}) {verdict:8} {detail}", flush=True)
    return holds


if __name__ == "__main__":
    place, _, name = sys.argv[1].partition(":")
    sys.path[:0] = [str(HERE)]
    result = getattr(importlib.import_module(place), name)(*json.loads(sys.argv[3]))
    Path(sys.argv[2]).write_text(json.dumps(result))
