"""Questions to official readers, which have an environment of their own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv-oracles/bin/python"


def asked(script: str, *words: object, env: Mapping[str, str] | None = None) -> Any:
    """Return what a script prints as its last line, which is JSON.

    Args:
        script: beside this module.
        words: its arguments.
        env: its environment.
    """
    if not PYTHON.is_file():
        raise AssertionError("there is no environment of official readers; run `make oracles`")
    command = [str(PYTHON), str(HERE / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])
