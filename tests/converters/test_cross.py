"""One ground truth in four encodings: the same boxes, and each file from the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelstore.store import Store, init_store

VOC100 = Path(__file__).parents[1] / "data/cross/voc100"
COCO = VOC100 / "instances_default.json"
SOURCES: dict[str, Path] = {
    "coco": COCO,
    "darknet": VOC100 / "yolo_format",
    "voc": VOC100 / "pascalvoc_format",
    "open-images": next((VOC100 / "openimages_format").glob("*.csv")),
}
OFF = {"coco": 1e-9, "voc": 1e-9, "darknet": 0.005, "open-images": 1e-5}
"""Pixels by which boxes differ at most: as many digits as each file prints."""


def boxes(store: Store) -> list[dict[str, Any]]:
    """Return image, class and edges of all labels, in one order."""
    found: list[dict[str, Any]] = store.query(
        "SELECT regexp_extract(i.uri, '[^/]*$') AS image, c.name, xmin, ymin, xmax, ymax "
        "FROM annotations a JOIN items i USING (item_id) JOIN categories c USING (category_id) "
        "ORDER BY 1, 2, round(xmin), round(ymin), round(xmax), round(ymax)"
    ).to_pylist()
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_all_four_say_the_same(tmp_path: Path, name: str) -> None:
    stores = [init_store(tmp_path / n) for n in ("own", "coco")]
    stores[0].import_from(name, SOURCES[name], sizes=COCO, message="in", commit=True)
    stores[1].import_from("coco", COCO, message="in", commit=True)
    ours, theirs = map(boxes, stores)
    assert len(ours) == 273
    for key in ("image", "name"):
        assert [row[key] for row in ours] == [row[key] for row in theirs]
    for key in ("xmin", "ymin", "xmax", "ymax"):
        own, other = (np.array([row[key] for row in rows]) for rows in (ours, theirs))
        np.testing.assert_allclose(own, other, atol=OFF[name], rtol=0)


@pytest.mark.parametrize("through", [n for n in SOURCES if n != "voc"])
def test_voc_files_come_from_the_others(tmp_path: Path, through: str) -> None:
    """By way of each other format and its sidecar, byte for byte."""
    first, second = (init_store(tmp_path / n) for n in ("first", "second"))
    first.import_from("voc", SOURCES["voc"], message="in", commit=True)
    target = tmp_path / "mid"
    first.export_to(through, target, allow_loss=["all"])
    second.import_from(through, target, message="in", commit=True)
    second.export_to("voc", tmp_path / "out")
    for path in SOURCES["voc"].glob("*.xml"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
