"""Rows that break each rule across tables, and rows that break none."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from labelstore.model.tables import FAMILY, TABLES
from labelstore.store import Store
from labelstore.versions.stage import additions, drafting

BROKEN: dict[str, dict[str, list[dict[str, Any]]]] = {
    "annotation-item-missing": {"annotations": [{"item_id": 99}]},
    "annotation-item-unlisted": {
        "items": [{"item_id": 2, "labelled_state": "unlisted"}],
        "annotations": [{"item_id": 2}],
    },
    "annotation-category-missing": {"annotations": [{"category_id": 99}]},
    "annotation-category-unlisted": {
        "categories": [{"category_id": 1, "name": "car", "unlisted": True}],
        "annotations": [{"category_id": 1}],
    },
    "annotation-source-id-repeated": {
        "annotations": [{"source_id": 7}, {"annotation_id": 2, "source_id": 7}]
    },
    "box-not-positive": {
        "annotations": [{"kind": "box", "xmin": 5.0, "ymin": 1.0, "xmax": 5.0, "ymax": 2.0}],
        "geometries": [{"box": {"v0": 5.0, "v1": 1.0, "v2": 0.0, "v3": 1.0}}],
    },
    "box-outside-image": {
        "annotations": [{"xmin": -5.0, "ymin": 1.0, "xmax": 5.0, "ymax": 2.0}],
    },
    "category-score-missing": {
        "annotations": [{"category_scores": [{"category_id": 99, "score": 0.5}]}]
    },
    "category-name-repeated": {
        "categories": [{"category_id": 1, "name": "car"}, {"category_id": 2, "name": "car"}]
    },
    "category-parent-missing": {
        "categories": [{"category_id": 1, "name": "car", "parent_id": 99}]
    },
    "item-source-id-repeated": {
        "items": [
            {"item_id": i, "sources": [{"dataset_id": 5, "seq": i, "source_id": 7}]}
            for i in (1, 2)
        ]
    },
    "item-without-split": {"splits": [{"scheme": "default", "item_id": 1, "subset": "train"}]},
    "split-item-missing": {
        "splits": [{"scheme": "default", "item_id": i, "subset": "train"} for i in (1, 2, 3, 99)]
    },
    "keypoints-not-of-class": {
        "annotations": [{"category_id": 3, "kind": "keypoints"}],
        "geometries": [{"keypoints": [1.0, 2.0]}],
    },
    "kind-not-of-class": {"annotations": [{"category_id": 4}]},
    "kind-without-shape": {"annotations": [{"kind": "polygon"}]},
    "relation-end-missing": {
        "annotations": [{}],
        "relations": [{"relation_id": 1, "from_id": 1, "to_id": 99}],
    },
    "parent-missing": {"annotations": [{"parent_annotation_id": 99}]},
    "item-parent-missing": {"items": [{"item_id": 8, "uri": "f.jpg", "parent_id": 99}]},
    "track-item-missing": {"tracks": [{"track_id": 8, "item_id": 99}]},
    "track-unlisted": {"annotations": [{"track_id": 99}]},
    "track-class-differs": {
        "annotations": [
            {"item_id": 2, "track_id": 7, "category_id": 5, "attributes": [("made", "1")]}
        ]
    },
    "tag-with-shape": {
        "annotations": [{}],
        "geometries": [{"corners": [0.0, 0, 1, 0, 1, 1, 0, 1]}],
    },
    "interval-outside-item": {
        "items": [{"item_id": 9, "modality": "audio", "duration_s": 2.5}],
        "annotations": [{"item_id": 9, "kind": "interval"}],
        "geometries": [{"item_id": 9, "interval": {"start": 1.0, "end": 2500.0}}],
    },
    "span-without-text": {
        "annotations": [{"kind": "span"}],
        "geometries": [{"spans": [{"start": 0, "end": 3}]}],
    },
    "mask-of-other-size": {
        "annotations": [{"kind": "mask"}],
        "geometries": [{"mask": {"encoding": "cvat_rle", "h": 2, "w": 3, "counts": b"1,5"}}],
    },
    "relation-with-itself": {
        "relations": [{"relation_id": 1, "from_id": 11, "to_id": 11, "label": "of"}]
    },
    "track-twice-on-item": {"annotations": [{"track_id": 7}, {"annotation_id": 2, "track_id": 7}]},
    "span-outside-text": {
        "annotations": [{"item_id": 3, "kind": "span"}],
        "geometries": [{"item_id": 3, "spans": [{"start": 0, "end": 99}]}],
    },
    "surface-differs": {
        "annotations": [{"item_id": 3, "kind": "span"}],
        "geometries": [{"item_id": 3, "spans": [{"start": 0, "end": 3}], "surface": "Bob"}],
    },
    "review-outdated": {
        "annotations": [{"review_state": "accepted", "created_in": 1, "changed_in": 2}]
    },
    "leftovers-kept": {"annotations": [{"leftovers": '{"x":1}'}]},
    "attribute-type-differs": {
        "annotations": [{"category_id": 5, "attributes": [("doors", '"four"'), ("made", "1")]}]
    },
    "attribute-not-allowed": {
        "annotations": [{"category_id": 5, "attributes": [("colour", '"pink"'), ("made", "1")]}]
    },
    "attribute-missing": {"annotations": [{"category_id": 5}]},
    "attribute-unknown": {
        "annotations": [{"category_id": 5, "attributes": [("wings", "2"), ("made", "1")]}]
    },
    "attribute-repeated": {"annotations": [{"attributes": [("a", "1"), ("b", "2"), ("a", "3")]}]},
}
"""Rows that break each rule, over those of `good`."""
TYPES = [
    {"name": "doors", "type": "int"},
    {"name": "colour", "type": "enum", "values": ["red", "blue", "3"]},
    {"name": "length", "type": "float"},
    {"name": "wheels", "type": "float", "values": ["2", "4"]},
    {"name": "electric", "type": "bool"},
    {"name": "plate", "type": "string"},
    {"name": "extras", "type": "list", "values": ["roof", "hook"]},
    {"name": "made", "type": "int", "required": True},
]
GOOD: dict[str, list[dict[str, Any]]] = {
    "items": [
        {"item_id": 1, "width": 100, "height": 100},
        {"item_id": 2, "width": 100, "height": 100},
        {"item_id": 3, "modality": "text", "text": "Ada met Grace."},
    ],
    "categories": [
        {"category_id": 3, "name": "hand", "keypoint_names": ["wrist", "tip"]},
        {"category_id": 4, "name": "road", "kinds": ["polygon", "mask"]},
        {"category_id": 5, "name": "bus", "attribute_types": TYPES},
    ],
    "annotations": [
        {"annotation_id": 11, "category_id": 3, "kind": "keypoints", "track_id": 7},
        {"annotation_id": 12, "category_id": 4, "kind": "polygon"},
        {"annotation_id": 13, "category_id": 5, "attributes": [
            ("doors", "4"), ("wheels", "4.0"), ("colour", '"red"'), ("length", "12"),
            ("electric", "true"),
            ("plate", '"A \\u00e9"'), ("extras", '["roof"]'), ("made", "1999")]},
        {"annotation_id": 14, "category_id": 5, "attributes": [("colour", "3"), ("made", "1")]},
        {"annotation_id": 15, "item_id": 3, "kind": "span"},
    ],
    "geometries": [
        {"annotation_id": 11, "keypoints": [1.0, 2.0, 3.0, 4.0]},
        {"annotation_id": 12, "polygons": [[1.0, 2.0, 3.0, 2.0, 3.0, 4.0]]},
        {"annotation_id": 13},
        {"annotation_id": 14},
        {"annotation_id": 15, "item_id": 3, "surface": "Ada Grace",
         "spans": [{"start": 0, "end": 3}, {"start": 8, "end": 13}]},
    ],
    "relations": [{"relation_id": 5, "from_id": 11, "to_id": 12}],
    "tracks": [{"track_id": 7, "category_id": 3}],
}  # fmt: skip
USUAL: dict[str, dict[str, Any]] = {
    "items": {"modality": "image", "sources": []},
    "categories": {"position": 0, "sources": []},
    "annotations": {"layer": "l", "item_id": 1, "annotation_id": 1, "kind": "tag"},
    "geometries": {"layer": "l", "item_id": 1, "annotation_id": 1},
}


def put(store: Store, given: dict[str, list[dict[str, Any]]]) -> None:
    """Write rows as they are, by the way that imports take, which trusts references."""
    if "annotations" in given:
        keys = ("layer", "item_id", "annotation_id")
        shaped = {g.get("annotation_id", 1) for g in given.get("geometries", [])}
        bare = [{k: a[k] for k in keys if k in a} for a in given["annotations"]
                if a.get("annotation_id", 1) not in shaped]  # fmt: skip
        given = {**given, "geometries": [*given.get("geometries", []), *bare]}
    with drafting(store.workspace, "edit") as draft:
        for name, rows in given.items():
            table = TABLES[name]
            full = [{table.hash_column: 0, **USUAL.get(name, {}), **row} for row in rows]
            where = "l" if name in FAMILY else "default" if name == "splits" else ""
            rows_ = pa.Table.from_pylist(full, schema=table.schema)
            draft.apply({(name, where): additions(table, rows_)})
        draft.stage()
