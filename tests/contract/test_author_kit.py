"""The converter of the how-to is short, works, and conforms."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/converters.md"
GOOD = "a.jpg;car;1;2;30;40\nb.jpg;bus;5;6;7;8\na.jpg;bus;0;0;9;9\n"


def test_the_converter_of_the_how_to_conforms(tmp_path: Path) -> None:
    text = PAGE.read_text()
    (module,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (suite,) = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    (entry,) = re.findall(r'^lines = "my_package:FORMAT"$', text, re.MULTILINE)
    assert len(module.splitlines()) < 100
    (tmp_path / "my_package.py").write_text(module)
    (tmp_path / "test_lines.py").write_text(suite)
    (tmp_path / "good.lines").write_text(GOOD)
    (tmp_path / "broken.lines").write_text(GOOD.replace("b.jpg;bus", "b.jpg"))
    info = tmp_path / "my_package-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        f"[labelstore.converters]\n{entry.replace(chr(34), '')}\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_lines.py"],
        cwd=tmp_path, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "9 passed" in done.stdout
