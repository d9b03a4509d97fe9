"""PNG images of ids, and PNG masks."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DATA
from PIL import Image
from pycocotools import mask as coco
from rows import column

from labelstore.errors import InvalidInput
from labelstore.geometry import masks
from labelstore.geometry.rasters import pixel_ids, segment_masks

PANOPTIC = DATA / "coco" / "panoptic_samples"


def png(pixels: Any, mode: str | None = None) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(out, "PNG")
    return out.getvalue()


def test_segments_have_the_areas_and_boxes_that_panopticapi_states() -> None:
    document = json.loads((PANOPTIC / "panoptic_examples.json").read_text())
    folder = PANOPTIC / "panoptic_examples"
    count = 0
    for annotation in document["annotations"]:
        rasters = [
            {"form": "panoptic", "uri": annotation["file_name"], "value": s["id"]}
            for s in annotation["segments_info"]
        ]
        read: list[str] = []

        def reader(uri: str, read: list[str] = read) -> bytes:
            read.append(uri)
            return (folder / uri).read_bytes()

        found = segment_masks(column("raster", rasters), reader).to_pylist()
        assert read == [annotation["file_name"]]
        for mask, segment in zip(found, annotation["segments_info"], strict=True):
            runs = {"size": [mask["h"], mask["w"]], "counts": mask["counts"]}
            assert coco.area(runs) == segment["area"]
            assert coco.toBbox(runs).tolist() == segment["bbox"]
            count += 1
    assert count > 20


def test_values_of_each_kind_of_image() -> None:
    grey = np.array([[0, 1], [2, 255]], np.uint8)
    assert pixel_ids(png(grey), "semantic").tolist() == grey.tolist()
    deep = np.array([[0, 1000], [26_001, 65_535]], np.uint16)
    assert pixel_ids(png(deep), "instance").tolist() == deep.tolist()
    assert pixel_ids(png(grey > 1), "semantic").tolist() == (grey > 1).tolist()
    palette = Image.fromarray(grey).convert("P")
    palette.putdata([0, 1, 2, 21])
    palette.putpalette([200, 100, 50] * 256)
    out = io.BytesIO()
    palette.save(out, "PNG")
    assert pixel_ids(out.getvalue(), "semantic").tolist() == [[0, 1], [2, 21]]
    colour = np.array([[[1, 2, 3], [0, 0, 0]]], np.uint8)
    assert pixel_ids(png(colour), "panoptic").tolist() == [[1 + 2 * 256 + 3 * 65_536, 0]]


@pytest.mark.parametrize(
    ("data", "form", "said"),
    [
        (b"", "semantic", "is no PNG"),
        (b"GIF89a", "semantic", "is no PNG"),
        (png(np.zeros((30, 40), np.uint8))[:48], "semantic", "is no PNG"),
        (
            png(np.zeros((3, 4, 3), np.uint8)),
            "semantic",
            "has pixels of the mode RGB, which hold no semantic ids",
        ),
    ],
)
def test_what_is_no_image_of_ids_is_refused(data: bytes, form: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        pixel_ids(data, form)
    rasters = column("raster", [{"form": form, "uri": "x/a.png", "value": 1}])
    with pytest.raises(InvalidInput, match=r"x/a\.png: " + said):
        segment_masks(rasters, lambda uri: data)


def test_an_image_that_says_it_is_huge_is_not_decoded() -> None:
    data = bytearray(png(np.zeros((1, 1), np.uint8)))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(InvalidInput, match="is no PNG that can be read: Image size"):
        pixel_ids(bytes(data), "semantic")


def test_no_raster_gives_no_mask_and_no_pixel_an_empty_one() -> None:
    data = png(np.ones((2, 3), np.uint8))
    rasters = column("raster", [None, {"form": "semantic", "uri": "a", "value": 9}])
    nothing, empty = segment_masks(rasters, lambda uri: data).to_pylist()
    assert nothing is None
    assert coco.area({"size": [2, 3], "counts": empty["counts"]}) == 0


def test_png_masks_are_masks() -> None:
    pixels = np.zeros((6, 8), np.uint8)
    pixels[2:4, 3:7] = 255
    mask = {"encoding": "png", "h": 6, "w": 8, "x0": 10, "y0": 20, "counts": png(pixels)}
    assert masks.is_whole(mask)
    decoded = masks.decode(mask)
    assert decoded is not None
    assert decoded.tolist() == (pixels > 0).astype(int).tolist()
    assert masks.boxes(column("mask", [mask])).tolist() == [[13.0, 22.0, 17.0, 24.0]]
    listed = {**mask, "encoding": "coco_rle_list",
              "counts": np.array([20, 2, 4, 2, 4, 2, 4, 2, 8], "<u4").tobytes()}  # fmt: skip
    assert masks.iou(column("mask", [mask]), column("mask", [listed])).tolist() == [1.0]
    assert not masks.is_whole({**mask, "h": 7})
    assert not masks.is_whole({**mask, "counts": b"nothing"})


def test_the_png_of_labelme_is_read(tmp_path: Path) -> None:
    """LabelMe writes masks of one bit."""
    bits = np.array([[True, False], [False, True]])
    mask = {"encoding": "png", "h": 2, "w": 2, "counts": png(bits)}
    decoded = masks.decode(mask)
    assert decoded is not None
    assert decoded.tolist() == [[1, 0], [0, 1]]
