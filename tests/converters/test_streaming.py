"""Formats of large data hold few labels at a time, however many there are."""

from __future__ import annotations

from labelstore.testing import StreamingConformance


class TestCoco(StreamingConformance):
    format = "coco"
    suffix = ".json"


class TestYolo(StreamingConformance):
    format = "yolo"


class TestDarknet(StreamingConformance):
    format = "darknet"


class TestKitti(StreamingConformance):
    format = "kitti"
