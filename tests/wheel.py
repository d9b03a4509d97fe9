"""The wheel alone, from an empty folder, without the source tree: install, demo, round trip.

python tests/wheel.py dist/NAME.whl
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECK = """
import importlib.util, labelstore, labelstore_converters, sys
for module in (labelstore, labelstore_converters):
    assert "site-packages" in module.__file__, module.__file__
assert importlib.util.find_spec("converters") is None
store = labelstore.init_store("store")
store.import_from("coco", sys.argv[1])
store.commit("in", tag="v1")
store.export_to("coco", "out.json", at="v1")
assert open("out.json", "rb").read() == open(sys.argv[1], "rb").read()
print("wheel: round trip is byte-equal")
"""


def main() -> None:
    """Install the wheel into an environment of its own and use it."""
    wheel = Path(sys.argv[1]).resolve()
    source = ROOT / "tests" / "data" / "coco" / "tiny_coco" / "instances_val2017.json"
    uv = Path(sys.executable).parent / "uv"
    with tempfile.TemporaryDirectory() as scratch:
        env = {**os.environ, "VIRTUAL_ENV": f"{scratch}/venv", "DVC_NO_ANALYTICS": "1",
               "HOME": scratch, "LABELSTORE_KEY_FILE": f"{scratch}/key",
               "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
               "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}  # fmt: skip
        cache = os.environ.get("UV_CACHE_DIR") or f"{Path.home()}/.cache/uv"
        env["UV_CACHE_DIR"] = cache
        locked = str(ROOT / "requirements" / "runtime.txt")
        _run(uv, "venv", "-q", "--python", sys.executable, f"{scratch}/venv", env=env)
        _run(uv, "pip", "install", "-q", "--require-hashes", "-r", locked, env=env)
        _run(uv, "pip", "install", "-q", "--no-deps", wheel, env=env)
        empty = Path(scratch, "empty")
        empty.mkdir()
        python = Path(scratch, "venv", "bin", "python")
        _run(python, "-c", CHECK, source, env=env, cwd=empty)
        _run(python.parent / "labelstore", "demo", env=env, cwd=empty)


def _run(*words: str | Path, env: dict[str, str], cwd: Path | None = None) -> None:
    subprocess.run(list(map(str, words)), env=env, cwd=cwd, check=True)


if __name__ == "__main__":
    main()
