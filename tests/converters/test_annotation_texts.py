"""COCO's annotations are written a column at a time, with the text that one by one they have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from again import ordered, there_and_back
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelstore.model.tables import TABLES
from labelstore.storage.parquet import conform
from labelstore_converters.coco import FORMAT, writing
from labelstore_converters.coco.annotation_texts import AnnotationTexts
from labelstore_converters.coco.gaps import Gaps
from labelstore_converters.coco.names import Names
from labelstore_converters.columns import batch

numbers = (
    st.integers(-5, 700) | st.floats(-5, 700).map(lambda v: round(v, 2)) | st.just(-0.0)
    | st.floats(-1e-3, 1e-3) | st.floats(-1e300, 1e300)
)  # fmt: skip
points = st.tuples(numbers, numbers, st.integers(0, 2))
masks = st.fixed_dictionaries({"counts": st.text("04;\\nO", max_size=6), "size": st.just([4, 5])})
label = st.fixed_dictionaries(
    {"id": st.integers(0, 2**62), "image_id": st.integers(1, 2), "category_id": st.just(3)},
    optional={
        "bbox": st.lists(numbers, min_size=4, max_size=4),
        "area": numbers,
        "iscrowd": st.integers(0, 1),
        "segmentation": st.lists(st.lists(numbers, max_size=6), max_size=3) | masks,
        "keypoints": st.lists(points, max_size=3).map(lambda found: [v for p in found for v in p]),
        "num_keypoints": st.integers(0, 3),
        "score": numbers,
    },
)
styles = st.sampled_from([
    (None, (", ", ": ")), (None, (",", ":")), (1, (",", ": ")), (2, (",", ": ")), (4, (",", ": ")),
])  # fmt: skip


def document(labels: list[Any]) -> dict[str, Any]:
    """Return a COCO document of labels."""
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 5, "height": 4} for i in (1, 2)]
    return {"images": images, "annotations": labels, "categories": [{"id": 3, "name": "a"}]}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(labels=st.lists(label, max_size=6), style=styles)
def test_labels_come_back_byte_for_byte(
    labels: list[Any], style: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, (indent, separators) = tmp_path_factory.mktemp("doc"), style
    text = json.dumps(document(labels), indent=indent, separators=separators)
    (folder / "in.json").write_text(text)
    there_and_back(folder / "in.json", folder / "out.json")
    assert (folder / "out.json").read_text() == text


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(labels=st.lists(label, min_size=1, max_size=6), style=styles)
def test_none_of_them_is_made_into_an_object(
    labels: list[Any], style: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, (indent, separators) = tmp_path_factory.mktemp("doc"), style
    usual = max((list(own) for own in labels), key=len)
    labels = [{key: own[key] for key in usual if key in own} for own in labels]
    (folder / "in.json").write_text(json.dumps(document(labels)))
    rows, shapes = ordered(FORMAT.open(folder / "in.json").annotations(0))
    names = Names({0: 1, 1: 2}, {0: 3})
    texts = AnnotationTexts(Gaps(indent, *separators), 2, names, usual, ascii_only=True)
    plain = rows.column("leftovers").is_null()
    found = texts.of(rows, shapes).filter(plain)
    expected = [own for own, kept in zip(labels, plain.to_pylist(), strict=True) if kept]
    assert isinstance(found, pa.StringArray)
    assert [json.loads(text) for text in found.to_pylist()] == expected


def test_points_without_visibility_take_nothing_from_others() -> None:
    """They are made into objects; numbers of their neighbours stay their own."""
    points = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 9.0], None]
    marks = [[2, 1], None, [1, 2], [], None]  # of the third too many, of the fourth too few
    count = len(points)
    keys = {"layer": [""] * count, "item_id": [0] * count, "annotation_id": range(count)}
    columns: dict[str, dict[str, Any]] = {"annotations": {"source_id": range(count)},
               "geometries": {"keypoints": points, "visibility": marks}}  # fmt: skip
    rows, shapes = (
        conform(pa.Table.from_batches([batch(TABLES[name], {**keys, **own})]), TABLES[name])
        .to_batches()[0] for name, own in columns.items()
    )  # fmt: skip
    writer = AnnotationTexts(Gaps(None, ", ", ": "), 2, Names({0: 1}), None, ascii_only=True)
    texts = writer.of(rows, shapes)
    assert texts.to_pylist() == [
        '{"id": 0, "image_id": 1, "keypoints": [1.0, 2.0, 2, 3.0, 4.0, 1]}', None, None, None,
        '{"id": 4, "image_id": 1}',
    ]  # fmt: skip


@pytest.mark.parametrize("escaped", [True, False])
def test_ids_of_any_letters_come_back(escaped: bool, tmp_path: Path) -> None:
    text = json.dumps({
        "images": [{"id": "é1", "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": "é1", "category_id": "ü", "bbox": [1.5, 2, 3, 4]}],
        "categories": [{"id": "ü", "name": "ü"}],
    }, ensure_ascii=escaped)  # fmt: skip
    (tmp_path / "in.json").write_text(text, encoding="utf-8")
    there_and_back(tmp_path / "in.json", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text(encoding="utf-8") == text


def test_large_shapes_become_text_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LARGE", 200)
    labels = [{"id": i, "image_id": 1, "category_id": 3, "segmentation": [[0.5] * i]}
              for i in range(40)]  # fmt: skip
    (tmp_path / "in.json").write_text(json.dumps(document(labels)))
    there_and_back(tmp_path / "in.json", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "in.json").read_bytes()
