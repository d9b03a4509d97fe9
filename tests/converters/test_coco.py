"""COCO: every real file comes back; what pycocotools takes is taken; what is broken is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from again import ordered, there_and_back
from conftest import DATA, TINY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from labelstore.errors import FormatError, InvalidInput, NotFound
from labelstore.store import Store
from labelstore_converters.coco import FORMAT, fast

REAL = sorted(
    p.relative_to(DATA)
    for p in DATA.rglob("*.json")
    if p.is_relative_to(DATA / "coco") or p.is_relative_to(DATA / "cross")
    if '"segments_info"' not in p.read_text() and p.parent.name != "results"
)
NOT_PLAIN_JSON = "datumaro_assets"
"""These files were written by hand, not by a JSON library; their text cannot come back."""


@pytest.mark.parametrize("name", REAL, ids=str)
def test_a_real_file_comes_back_through_a_store(name: Path, store: Store, tmp_path: Path) -> None:
    source = (DATA / name).read_bytes()
    store.import_from("coco", DATA / name)
    store.commit("in", tag="v1")
    store.export_to("coco", tmp_path / "out.json", at="v1")
    written = (tmp_path / "out.json").read_bytes()
    assert json.dumps(json.loads(written)) == json.dumps(json.loads(source))
    if NOT_PLAIN_JSON not in str(name):
        assert written == source


def test_several_data_sets_over_the_same_images_each_come_back(
    store: Store, tmp_path: Path
) -> None:
    folder = DATA / "coco" / "tiny_coco"
    names = ["instances_val2017", "person_keypoints_val2017", "captions_val2017"]
    for name in names:
        store.import_from("coco", folder / f"{name}.json")
    assert store.query("SELECT count(*) AS n FROM items").to_pylist() == [{"n": 50}]
    assert store.query("SELECT count(*) AS n FROM categories").to_pylist() == [{"n": 80}]
    for name in names:
        store.export_to("coco", tmp_path / "out.json", dataset=name)
        assert (tmp_path / "out.json").read_bytes() == (folder / f"{name}.json").read_bytes()


def test_masks_and_areas_are_those_of_pycocotools(v1: Store, tmp_path: Path) -> None:
    v1.export_to("coco", tmp_path / "out.json", at="v1")
    before, after = COCO(str(TINY)), COCO(str(tmp_path / "out.json"))
    assert before.anns.keys() == after.anns.keys()
    for key, annotation in before.anns.items():
        assert before.annToRLE(annotation) == after.annToRLE(after.anns[key])


def write(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


STRANGE: dict[str, Any] = {
    "images": [
        {"id": 0, "file_name": "a/b c.jpg", "width": 4, "height": 3},
        {"id": 0, "file_name": "twice.jpg", "width": 4.0, "height": None, "extra": [1, {"a": 2}]},
        {"file_name": "./x\\y.jpg", "id": "text id"},
        {"id": 9007199254740993, "coco_url": "http://x/z.jpg"},
        {"id": -3, "file_name": "a/b c.jpg"},
    ],
    "annotations": [
        {"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 2.0, 3, 4.5], "area": 5,
         "iscrowd": 0, "segmentation": [[1, 2, 3.5, 4, 5, 6]]},
        {"id": 1, "image_id": 77, "category_id": 88, "bbox": "none", "iscrowd": None},
        {"image_id": "text id", "id": 2.5, "segmentation": [], "score": 1},
        {"id": None, "image_id": -3, "segmentation": [[]], "bbox": [1, 2, 3], "iscrowd": True},
        {"id": 2**70, "image_id": 0, "segmentation": [1.0, 2.0, 3.0], "area": 2**60},
        {"image_id": 0, "id": 3, "segmentation": {"size": [3, 4], "counts": "04\\00"}},
        {"image_id": 0, "id": 4, "iscrowd": 1,
         "segmentation": {"counts": [2, 10], "size": [3, 4]}},
        {"image_id": 0, "id": 5, "segmentation": {"counts": [-1], "size": [3, 4], "x": 1}},
        {"image_id": 0, "id": 6, "keypoints": [1, 2, 2, 0, 0, 0], "num_keypoints": 1},
        {"image_id": 0, "id": 7, "keypoints": [1.5, 2, 0.3], "caption": " ünï\ncode \u2028 "},
        {"image_id": 0, "id": 8, "attributes": {"b": True, "a": [1, {"c": None}]}, "order": 1},
        {"caption": "", "id": 9, "image_id": 0, "category_id": None,
         "bbox": [-0.0, 1e-7, 1e22, 5]},
    ],
    "categories": [
        {"id": 1, "name": "a", "supercategory": "s", "keypoints": ["n"], "skeleton": [[1, 1]]},
        {"id": 3, "name": "a", "supercategory": "s"},
        {"id": "k", "name": "", "isthing": 1, "color": [1, 2, 300], "skeleton": [[0, 1]]},
    ],
    "licences": [],
    "info": {},
    "extra": {"deep": [[{"x": 1.25}]]},
}  # fmt: skip


def test_whatever_pycocotools_takes_comes_back(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "strange.json", STRANGE)
    COCO(
        str(
            write(
                tmp_path / "no_none.json", {**STRANGE, "annotations": STRANGE["annotations"][:1]}
            )
        )
    )
    report = store.import_from("coco", source)
    assert report.notices["coco-duplicate-image-id"] == 1
    assert report.notices["unlisted-items"] == 1
    assert report.notices["unlisted-categories"] == 1
    store.commit("in", tag="v1")
    store.export_to("coco", tmp_path / "out.json", at="v1")
    assert (tmp_path / "out.json").read_text() == source.read_text()
    codes = {f.code for f in store.check(at="v1")}
    assert codes >= {
        "annotation-item-unlisted",
        "annotation-category-unlisted",
        "annotation-source-id-repeated",
        "item-source-id-repeated",
        "leftovers-kept",
    }


def test_the_highest_id_comes_back(store: Store, tmp_path: Path) -> None:
    labels = [{"image_id": 7, "id": 2**63 - 1}]
    source = write(tmp_path / "in.json", {"images": [{"id": 7}], "annotations": labels})
    store.import_from("coco", source)
    store.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == source.read_text()


numbers = st.integers(-5, 700) | st.floats(-5, 700).map(lambda v: round(v, 2)) | st.floats(0, 1e-5)
rings = st.lists(st.lists(numbers, min_size=6, max_size=10), max_size=3)
runs = st.fixed_dictionaries(
    {"counts": st.lists(st.integers(0, 99), max_size=5), "size": st.just([4, 5])}
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=4)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
ids = st.integers(0, 6) | st.sampled_from(["x", "1", 2**40, -1])
annotation = st.fixed_dictionaries(
    {"id": ids, "image_id": ids},
    optional={
        "category_id": st.integers(0, 4),
        "bbox": st.lists(numbers, min_size=4, max_size=4) | plain,
        "area": numbers | plain,
        "iscrowd": st.sampled_from([0, 1, None, True, 2]),
        "segmentation": rings | runs | plain,
        "keypoints": st.lists(st.sampled_from([0, 1, 2, 1.5]), max_size=6),
        "num_keypoints": st.integers(-1, 4),
        "caption": st.text(max_size=5),
        "score": numbers,
        "attributes": st.dictionaries(st.text(max_size=3), plain, max_size=2),
        "other": plain,
    },
)
image = st.fixed_dictionaries(
    {"id": ids},
    optional={
        "file_name": st.sampled_from(["a.jpg", "b.jpg", "./c.jpg", ""]),
        "width": st.integers(0, 9) | plain,
        "license": plain,
    },
)
category = st.fixed_dictionaries(
    {"id": st.integers(0, 4)},
    optional={"name": st.sampled_from(["a", "b", ""]), "supercategory": plain, "keypoints": plain},
)
documents = st.fixed_dictionaries(
    {
        "images": st.lists(image, max_size=5),
        "annotations": st.lists(annotation, max_size=8),
    },
    optional={"categories": st.lists(category, max_size=4), "info": plain, "zzz": plain},
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=documents, indent=st.sampled_from([None, 1, 4]), escaped=st.booleans())
def test_any_document_comes_back(
    document: Any, indent: int | None, escaped: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("doc")
    text = json.dumps(document, indent=indent, ensure_ascii=escaped)
    try:
        (folder / "in.json").write_text(text, encoding="utf-8")
        reading = FORMAT.open(folder / "in.json")
    except UnicodeEncodeError:
        return
    if any(reading.annotations(i).unlisted_items or reading.annotations(i).unlisted_categories
           for i in range(reading.pieces)):  # fmt: skip
        return
    there_and_back(folder / "in.json", folder / "out.json")
    assert json.dumps(json.loads((folder / "out.json").read_bytes())) == json.dumps(document)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "segmentation": rings | runs,
                "area": numbers,
                "iscrowd": st.integers(0, 1),
                "image_id": st.integers(1, 4),
                "bbox": st.lists(numbers, min_size=4, max_size=4),
                "category_id": st.integers(1, 4),
                "id": st.integers(-9, 2**40),
            }
        ),
        min_size=1,
        max_size=9,
    )
)
def test_the_fast_way_gives_the_rows_of_the_careful_way(
    rows: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fast")
    document = {
        "images": [{"id": i} for i in range(1, 5)],
        "annotations": rows,
        "categories": [{"id": i} for i in range(1, 5)],
    }
    path = write(folder / "in.json", document)
    quick = ordered(FORMAT.open(path).annotations(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "decode", lambda raws, order: [])
        careful = ordered(FORMAT.open(path).annotations(0))
    assert quick[0].to_pylist() == careful[0].to_pylist()
    assert quick[1].to_pylist() == careful[1].to_pylist()


NUMBER_TEXTS = [
    "0.0", "-0.0", "1.5", "-12.25", "123456.7", "1234567.8", "0.12345678901234567", "99999999.5",
    "702.1057499999998", "1.0E5", "1e-7", "3", "-3", "0", "1.50", "4503599627370497.5",
]  # fmt: skip
ID_TEXTS = [
    "1",
    "2",
    "0",
    "-1",
    "1.0",
    "9999999999999999",
    "10000000000000000",
    "1e2",
    "null",
    '"1"',
]
SHAPE_TEXTS = [
    "[]", "[[]]", "[[N,N]]", "[[N,N,N,N],[N,N]]", "[N,N]", "[[[N]]]", "[[N],N]", "{}", "null",
    '{"counts":[1,2],"size":[1,3]}', "[[N,N],[]]", "[[],[N]]", '["a"]', "[[N],[[N]]]",
]  # fmt: skip
SEPARATORS = [(",", ":"), (", ", ": "), (",\t", ":\t"), ("\r,", "\r:"), (" ,\n\t", " :  ")]
BOX_TEXTS = ["[N,N,N,N]"] * 4 + ["[N,N,N]", "[[N,N,N,N]]", "null", "[N,N,N,null]"]
KEY_TEXTS = {"id": ["id"] * 9 + ["i d", "id1"], "area": ["area"] * 9 + ["a.rea"]}


@st.composite
def annotation_texts(draw: st.DrawFn) -> str:
    """Return an annotation's text, mostly regular, with whatever JSON allows here and there."""
    order = ["segmentation", "area", "iscrowd", "image_id", "bbox", "category_id", "id"]
    usual = draw(st.booleans())
    if not usual and draw(st.booleans()):
        order = draw(st.permutations(order))
    values = {
        "segmentation": draw(st.sampled_from(SHAPE_TEXTS[1:4] if usual else SHAPE_TEXTS)),
        "area": "N",
        "iscrowd": draw(st.sampled_from(["0", "1"] if usual else ["0", "1", "2", "1.0", "true"])),
        "image_id": draw(st.sampled_from(ID_TEXTS[:2] if usual else ID_TEXTS)),
        "bbox": draw(st.sampled_from(BOX_TEXTS[:1] if usual else BOX_TEXTS)),
        "category_id": draw(st.sampled_from(ID_TEXTS[:2] if usual else ID_TEXTS)),
        "id": draw(st.sampled_from(ID_TEXTS)),
    }
    comma, colon = draw(st.sampled_from(SEPARATORS))
    parts = []
    for key in order:
        text = values[key].replace(",", comma)
        while "N" in text:
            text = text.replace("N", draw(st.sampled_from(NUMBER_TEXTS)), 1)
        name = draw(st.sampled_from(KEY_TEXTS.get(key, [key])))
        parts.append(f'"{name}"{colon}{text}')
    return "{" + comma.join(parts) + "}"


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(annotation_texts(), min_size=1, max_size=40))
def test_any_text_gives_the_rows_of_the_careful_way(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    listed = ", ".join(f'{{"id": {i}}}' for i in (1, 2))
    path = write(
        tmp_path_factory.mktemp("fast") / "in.json",
        f'{{"images": [{listed}], "categories": [{listed}], "annotations": [{",".join(texts)}]}}',
    )

    def rows() -> Any:
        try:
            piece = FORMAT.open(path).annotations(0)
        except FormatError as error:
            return str(error)
        unlisted = {"item_id": piece.unlisted_items, "category_id": piece.unlisted_categories}
        found = [p.to_pylist() for p in ordered(piece)]
        for row in [row for family in found for row in family]:
            for name, keys in unlisted.items():  # numbered as they come, so compared by key
                if (row.get(name) or 0) < 0:
                    row[name] = keys[-1 - row[name]]
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "SMALLEST", 1)
        quick = rows()
        patch.setattr(fast, "decode", lambda raws, order: [])
        careful = rows()
    assert quick == careful


def test_usual_texts_go_the_fast_way() -> None:
    piece: Any = FORMAT.open(TINY)
    raws = list(piece._document.lists["annotations"])
    found = fast.decode(raws, list(json.loads(bytes(raws[0]))))
    assert sum(len(f.at) for f in found) == 377  # of 382; five are crowds


BROKEN: dict[str, tuple[str | bytes, type[Exception], str, str]] = {
    "empty": ("", InvalidInput, "source-empty", "0 bytes"),
    "truncated": ('{"images": [\n{"id": 1}', FormatError, "json-syntax", "line 2, column"),
    "no json": ("hello", FormatError, "json-syntax", "line 1, column 1"),
    "a list": ("[]", FormatError, "coco-structure", "object"),
    "no coco": ('{"a": 1}', FormatError, "coco-structure", "neither `images` nor"),
    "images no list": ('{"images": {}}', FormatError, "coco-structure", "images: must be a list"),
    "nan": ('{"images": [],\n"annotations": [{"id": 1, "image_id": 1, "area": NaN}]}', FormatError,
            "not-finite", "line 2"),
    "infinite": ('{"images": [], "annotations": [{"id": 1, "image_id": 1, "area": 1e999}]}',
                 FormatError, "not-finite", "annotations[0]"),
    "nested": ('{"images": ' + "[" * 100_000, FormatError, "json-nesting", "nested too deeply"),
    "no utf-8": (b'{"images": [{"id": "\xff"}]}', FormatError, "json-encoding", "UTF-8"),
    "image without id": ('{"images": [{}, 5]}', FormatError, "coco-images", "images[1]"),
    "annotation without image": ('{"images": [], "annotations": [{"id": 1}, 7]}', FormatError,
                                 "coco-annotation", "annotations[1]"),
    "id is a list": ('{"images": [], "annotations": [{"id": [], "image_id": 1}]}', FormatError,
                     "coco-annotation", "annotations[0], id"),
    "panoptic": ('{"images": [], "annotations": [{"segments_info": []}]}', FormatError,
                 "coco-annotation", "panoptic"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_and_changes_nothing(name: str, v1: Store, tmp_path: Path) -> None:
    content, error, code, words = BROKEN[name]
    source = tmp_path / "broken.json"
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    before = sorted(p for p in v1.workspace.folder.rglob("*") if ".git" not in p.parts)
    with pytest.raises(error) as caught:
        v1.import_from("coco", source, dataset="new")
    assert getattr(caught.value, "code", None) == code, str(caught.value)
    assert words in str(caught.value)
    assert str(source) in str(caught.value)
    assert v1.staged() is None
    after = sorted(p for p in v1.workspace.folder.rglob("*") if ".git" not in p.parts)
    assert after == before


def test_every_fault_is_reported_at_once(store: Store, tmp_path: Path) -> None:
    rows: list[Any] = [{"id": 1}, {"id": {}, "image_id": 1}, 5]
    source = write(tmp_path / "bad.json", {"images": [], "annotations": rows})
    with pytest.raises(FormatError) as caught:
        store.import_from("coco", source)
    assert len(caught.value.faults) == 3


def test_a_missing_file_and_an_unknown_format_are_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        store.import_from("coco", tmp_path / "nothing.json")
    with pytest.raises(NotFound, match="Installed: coco"):
        store.import_from("cocoa", TINY)
