"""COCO's annotations are written a column at a time, with the text that one by one they have."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from again import ordered, there_and_back
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelstore_converters.coco import FORMAT
from labelstore_converters.coco.annotation_texts import AnnotationTexts
from labelstore_converters.coco.gaps import Gaps

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
    texts = AnnotationTexts(Gaps(indent, *separators), 2, {0: "1", 1: "2"}, {0: "3"}, usual)
    plain = rows.column("leftovers").is_null()
    found = texts.of(rows, shapes).filter(plain)
    expected = [own for own, kept in zip(labels, plain.to_pylist(), strict=True) if kept]
    assert isinstance(found, pa.StringArray)
    assert [json.loads(text) for text in found.to_pylist()] == expected
