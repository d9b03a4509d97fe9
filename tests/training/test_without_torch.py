"""Without PyTorch and Hugging Face's library everything else works, and errors name the extra."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DATA

from labelstore.store import Store

HIDDEN = """
import sys
for name in ("torch", "datasets"):
    sys.modules[name] = None
import labelstore
samples = labelstore.load(sys.argv[1], at="v1")
assert len(samples.batches().make([0, 1])["offsets"]) == 3
for call in (lambda: samples.loader(4), samples.dataset, samples.hugging_face):
    try:
        call()
    except labelstore.errors.MissingExtra as error:
        print(error.code, error)
"""
NOTEBOOK = Path(__file__).parents[2] / "examples" / "pinned_training.ipynb"


def test_the_error_names_the_extra(v1: Store) -> None:
    done = subprocess.run([sys.executable, "-c", HIDDEN, v1.workspace.folder], check=True,
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.splitlines() == [
        "torch PyTorch loaders need: pip install 'labelstore[torch]'",
        "torch PyTorch loaders need: pip install 'labelstore[torch]'",
        "hf Hugging Face data sets need: pip install 'labelstore[hf]'",
    ]


def test_loading_imports_no_trainer(v1: Store) -> None:
    code = ("import sys, labelstore; labelstore.load(sys.argv[1], at='v1')[0]; "
            "print(sorted({'torch', 'datasets', 'tensorflow'} & set(sys.modules)))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, v1.workspace.folder], check=True,
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout == "[]\n"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "instances.json").write_bytes(
        (DATA / "coco" / "tiny_coco" / "instances_val2017.json").read_bytes())  # fmt: skip
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(NOTEBOOK.read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert len(cells) > 4
    done = subprocess.run([sys.executable, "-"], input="\n\n".join(cells), text=True,
                          capture_output=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = "".join(text for c in notebook["cells"] for o in c.get("outputs", ())
                    for text in o["text"])  # fmt: skip
    assert done.stdout == shown
