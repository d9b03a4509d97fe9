"""Whatever a data set's next delivery holds, exporting it gives that delivery."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelstore.store import Store, open_store

TEMPLATE: dict[str, Path] = {}
Mode = Literal["update", "replace"]


@pytest.fixture(scope="session", autouse=True)
def _template(empty_template: Path) -> None:
    TEMPLATE["path"] = empty_template


def some(required: dict[str, Any], optional: dict[str, Any]) -> Any:
    return st.fixed_dictionaries(required, optional=optional)


small = st.integers(1, 4)
number = st.one_of(st.integers(0, 9), st.floats(0, 9).map(lambda x: round(x, 2)))
odd_id: st.SearchStrategy[Any] = st.one_of(
    small, small, small, st.sampled_from(["1", 1.5, None, 2**70])
)
box = st.lists(number, min_size=4, max_size=4)
ring = st.lists(number, min_size=6, max_size=6)
images = some(
    {"id": odd_id},
    {"file_name": st.sampled_from(["a.jpg", "b.jpg", "c.jpg"]), "width": small, "extra": small},
)
categories = some(
    {"id": odd_id},
    {"name": st.sampled_from(["cat", "dog", "fox"]), "supercategory": st.sampled_from(["x", "y"])},
)
labels = some(
    {"id": odd_id, "image_id": odd_id},
    {
        "category_id": odd_id,
        "bbox": box,
        "area": number,
        "iscrowd": st.sampled_from([0, 1]),
        "score": number,
        "segmentation": st.lists(ring, max_size=2),
        "caption": st.sampled_from(["", "ü"]),
        "extra": st.sampled_from([None, 1, 1.0, {"b": 1, "a": [2]}]),
    },
)
documents = some(
    {
        "images": st.lists(images, max_size=4),
        "annotations": st.lists(labels, max_size=6),
        "categories": st.lists(categories, max_size=3),
    },
    {"info": some({}, {"year": number}), "licenses": st.just([{"id": 1}]), "type": small},
)


def unordered(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose lists have a fixed order; numbers keep their text."""
    return {
        k: sorted(json.dumps(x, sort_keys=True) for x in v) if isinstance(v, list) else v
        for k, v in document.items()
    }


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(documents, min_size=2, max_size=3), documents, st.sampled_from(["update", "replace"])
)
def test_a_delivery_comes_back(
    deliveries: list[dict[str, Any]], other: dict[str, Any], mode: Mode
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(TEMPLATE["path"], folder / "store", symlinks=True)
        store = open_store(folder / "store")
        check_deliveries(store, folder, deliveries, other, mode)


def check_deliveries(
    store: Store, folder: Path, deliveries: list[dict[str, Any]], other: dict[str, Any], mode: Mode
) -> None:
    """Bring in two data sets over the same images, then further deliveries of the first."""

    def back(dataset: str) -> str:
        store.export_to("coco", folder / "out.json", dataset=dataset)
        return (folder / "out.json").read_text()

    source = folder / "labels.json"
    for i, document in enumerate(deliveries):
        source.write_text(json.dumps(document))
        store.import_from("coco", source, mode=mode if i else None, by="ada")
        if i == 0:
            (folder / "other.json").write_text(json.dumps(other))
            store.import_from("coco", folder / "other.json", by="bob")
        if mode == "replace" or i == 0:
            assert back("labels") == source.read_text()
        else:
            assert unordered(json.loads(back("labels"))) == unordered(document)
        assert back("other") == (folder / "other.json").read_text()
    assert not store.import_from("coco", source, mode=mode, by="ada").changed
