"""A short history with all that lineage tells of."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import TINY

from labelstore.store import Store, open_store
from labelstore.versions.means import Means

ABOUT = """
[about]
name = "street scenes"
description = "Boxes | and outlines"
license = "https://creativecommons.org/licenses/by/4.0/"
url = "https://example.org/street"
creators = ["Example Lab"]
cite_as = "@misc{street}"
limitations = "no snow <b>at all</b>"
"""


def told_history(store: Store, folder: Path) -> Store:
    """Return an empty store filled: an import, a model's results, a review, a split; v1 to v3."""
    rules = folder / "rules.md"
    rules.write_text("tight boxes\n")
    with (store.workspace.folder / "labelstore.toml").open("a") as file:
        file.write(ABOUT)
    store = open_store(store.workspace.folder)  # which reads the settings anew
    store.import_from("coco", TINY, by="ada", means=Means(tool="cvat@2.5", guideline=str(rules)))
    store.commit("first delivery", tag="v1")
    said = json.loads(TINY.read_text())
    results = [
        {"image_id": a["image_id"], "category_id": a["category_id"], "bbox": a["bbox"],
         "score": 0.5} for a in said["annotations"][:200]
    ]  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results))
    weights = Means(weights="sha256:" + "c" * 64)
    store.import_from("coco-results", folder / "results.json", layer="detector",
                      by="model:detector@3", means=weights)  # fmt: skip
    store.commit("a model's boxes", tag="v2")
    store.review("accepted", where="xmin < 100 AND layer = 'ground_truth'", by="grace")
    store.split("default", ratios="train=0.8,val=0.2", by="ada")
    store.commit("reviewed, split", tag="v3")
    return store
