"""Every converter keeps what converters have to keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from told import ALSO

from labelstore.testing import Conformance

DATA = Path(__file__).parents[1] / "data"
OTHER = DATA / "other"


class TestCoco(Conformance):
    format = "coco"
    sources = (
        DATA / "coco/tiny_coco/instances_val2017.json",
        DATA / "cross/voc100/instances_default.json",
    )


class TestYolo(Conformance):
    format = "yolo"
    sources = (DATA / "yolo/labelformat_segment", DATA / "yolo/datumaro_roboflow")
    also: ClassVar[Mapping[str, Collection[str]]] = ALSO["yolo"]


class TestDarknet(Conformance):
    format = "darknet"
    sources = (
        *(DATA / "yolo/datumaro_darknet" / name for name in ("strict", "annotations")),
        DATA / "yolo/door_darknet/tutorial",
    )


class TestKitti(Conformance):
    format = "kitti"
    sources = (DATA / "kitti/lgsvl_object", DATA / "kitti/datumaro_3d")


class TestPages(Conformance):
    """Converters on the kit; each writes what it refuses."""

    @pytest.fixture(autouse=True)
    def _broken(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("broken")
        found: dict[Path, str] = {}
        for name, (text, told) in self.wrong.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            found[folder if len(Path(name).parts) > 1 else path] = told
        type(self).broken = found

    __test__ = False
    wrong: ClassVar[Mapping[str, tuple[str, str]]] = {}


class TestVoc(TestPages):
    __test__ = True
    format = "voc"
    sources = (
        DATA / "cross/voc100/pascalvoc_format",
        OTHER / "voc_datumaro/voc_dataset1",
        OTHER / "voc_datumaro/voc_dataset2",
    )
    wrong: ClassVar[Mapping[str, tuple[str, str]]] = {
        "a.xml": ("<annotation>\n<object>\n<name>a</name></object></annotation>",
                  "line 2, object: has no bndbox"),
        "b.xml": ("<annotation>", "line 1"),
        "c.xml": ("<annotation><object><bndbox><xmin>x</xmin></bndbox></object></annotation>",
                  "xmin: 'x' is no finite number"),
        "d.xml": ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "declares entities"),
    }  # fmt: skip


class TestDota(TestPages):
    __test__ = True
    format = "dota"
    sources = (OTHER / "dota_datumaro",)
    wrong: ClassVar[Mapping[str, tuple[str, str]]] = {
        "a.txt": ("1 2 3 4 5 6 7 8 car 0\n1 2 3\n1 2 3 4 5 6 7 x car 1\n",
                  "line 2: has 3 columns"),
    }  # fmt: skip


class TestMot(TestPages):
    __test__ = True
    format = "mot"
    images = False
    sources = (OTHER / "mot_datumaro/mot_seq", OTHER / "mot_datumaro/mot_seq_with_seqinfo")
    wrong: ClassVar[Mapping[str, tuple[str, str]]] = {
        "gt.txt": ("1,1,2,3,4,5\n0,1,2,3,4,5,1\n", "line 1: has 6 columns"),
    }


class TestOpenImages(TestPages):
    __test__ = True
    format = "open-images"
    sources = (
        next((DATA / "cross/voc100/openimages_format").glob("*.csv")),
        OTHER / "open_images_datumaro/v6/annotations/oidv6-train-annotations-bbox.csv",
    )
    wrong: ClassVar[Mapping[str, tuple[str, str]]] = {
        "a.csv": ("ImageID,XMin\n", "lacks the columns LabelName"),
        "b.csv": ("ImageID,LabelName,XMin,XMax,YMin,YMax\na,b,1,2,3\n", "line 2: has 5 columns"),
    }


class TestCvat(TestPages):
    __test__ = True
    format = "cvat"
    sources = tuple(sorted((OTHER / "cvat_datumaro").rglob("*.xml")))
    wrong: ClassVar[Mapping[str, tuple[str, str]]] = {
        "a.xml": ('<annotations>\n<image id="0" name="a">\n<box label="b" xtl="1"/></image>'
                  "</annotations>", "line 3, ytl: '' is no finite number"),
        "b.xml": ("<boxes/>", "is <boxes>, not <annotations>"),
    }  # fmt: skip


class TestLabelStudio(TestPages):
    __test__ = True
    format = "label-studio"
    sources = (
        *sorted((OTHER / "label_studio/test_export_yolo").glob("*.json")),
        OTHER / "label_studio/test_export_json_min/data.json",
    )
    wrong: ClassVar[Mapping[str, tuple[str, str]]] = {
        "a.json": ("{}", "must be a list of tasks"),
        "b.json": ("[1]", "is no task"),
    }


class TestTracklets(TestPages):
    __test__ = True
    format = "kitti-tracklets"
    images = False
    sources = (DATA / "kitti/datumaro_raw/tracklet_labels.xml",)
    wrong: ClassVar[Mapping[str, tuple[str, str]]] = {
        "tracklet_labels.xml": ("<boost_serialization/>", "has no <tracklets>"),
    }
