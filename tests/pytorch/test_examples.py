"""The examples run, and learn."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import labelstore
from labelstore.store import Store

HOWTO = Path(__file__).parents[2] / "docs" / "howto.md"
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_head_learns_from_a_pin(v1: Store, tmp_path: Path) -> None:
    v1.pin("v1", tmp_path / "train.lock")
    done = subprocess.run(
        [sys.executable, EXAMPLES / "train_torch.py", v1.workspace.folder,
         tmp_path / "train.lock", "--steps", "30"], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, last = (float(x) for x in re.findall(r"loss ([0-9.]+)", done.stdout))
    assert last < 0.8 * first
    assert "'epoch': 4" in done.stdout  # 7 batches an epoch


def test_what_the_guide_says_of_pytorch_runs(v1: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(v1.workspace.folder)
    v1.pin("v1", "train.lock")
    blocks = re.findall(r"^```py\n(.*?)^```$", HOWTO.read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        names: dict[str, Any] = {"labelstore": labelstore}
        exec(block, names)  # what the guide says, as it stands there
        assert names["state"]["epoch"] == 2
