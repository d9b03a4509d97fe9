"""Every command in the documentation runs, and prints what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY

ROOT = Path(__file__).parents[2]
PAGES = ["docs/tutorial.md", "docs/audit.md", "docs/howto.md", "docs/geometries.md"]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.M | re.S)


def normal(text: str) -> str:
    """Return text without what differs from run to run: dates, hashes, ids."""
    text = re.sub(r"\d{4}-\d\d-\d\d", "DATE", text)
    return re.sub(r"\b[0-9a-f]{12,}\b|\b\d{10,}\b", "ID", text).rstrip()


def fits(promised: list[str], said: list[str]) -> bool:
    """Say whether lines are those promised; `…` stands for anything, alone for any lines."""
    if not promised:
        return not said
    if promised[0] == "…":
        return any(fits(promised[1:], said[i:]) for i in range(len(said) + 1))
    if not said:
        return False
    pattern = ".*".join(map(re.escape, promised[0].split("…")))
    return bool(re.fullmatch(pattern, said[0])) and fits(promised[1:], said[1:])


def commands(block: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if found and "<<END" in found[-1][0] and not found[-1][0].endswith("\nEND"):
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        elif line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs_and_prints_what_it_says(page: str, tmp_path: Path) -> None:
    shutil.copy(TINY, tmp_path / "instances.json")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    here = tmp_path
    for kind, block in BLOCK.findall((ROOT / page).read_text()):
        if kind == "python":
            subprocess.run([sys.executable, "-c", block], cwd=here, env=env, check=True)
            continue
        for command, promised in commands(block):
            if command.startswith("cd "):
                here = here / command[3:]
                continue
            done = subprocess.run(
                ["bash", "-c", command], cwd=here, env=env, capture_output=True, text=True
            )
            assert done.returncode == 0, (command, done.stderr)
            said = normal(done.stdout).splitlines()
            wanted = [normal(line) for line in promised]
            assert fits(wanted, said), f"{command}\n{done.stdout}"


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    shown = re.search(r"<!-- demo -->\n```text\n(.*?)```", readme, re.S)
    assert shown is not None
    done = subprocess.run(
        [sys.executable, "-m", "labelstore.cli", "demo"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    wanted = [normal(line) for line in shown[1].splitlines()]
    said = normal(done.stdout).splitlines()
    assert fits([line.strip() for line in wanted], [normal(line).strip() for line in said])
    assert "make demo" in readme
    assert "make test" in readme
