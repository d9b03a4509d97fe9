"""Rules across tables: each is kept by good rows, and broken by bad ones, which are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from broken import BROKEN, GOOD, put

from labelstore.analysis.attributes import WORDS
from labelstore.query.rules import sql_rules
from labelstore.store import Store, init_store

VALUES = {
    "annotation-item-missing": 99,
    "annotation-category-missing": 99,
    "annotation-source-id-repeated": "7",
    "box-not-positive": [5.0, 1.0, 5.0, 2.0],
    "category-score-missing": 99,
    "category-parent-missing": 99,
    "keypoints-not-of-class": [1.0, 2.0],
    "kind-not-of-class": "tag",
    "relation-end-missing": 99,
    "track-twice-on-item": 7,
    "parent-missing": 99,
    "item-parent-missing": 99,
    "track-item-missing": 99,
    "track-unlisted": 99,
    "track-class-differs": 5,
    "tag-with-shape": "tag",
    "span-without-text": {"start": 0, "end": 3},
    "mask-of-other-size": [2, 3],
    "relation-with-itself": "of",
    "span-outside-text": {"start": 0, "end": 99},
    "surface-differs": "Bob",
    "attribute-type-differs": "four",
    "attribute-not-allowed": "pink",
    "attribute-missing": None,
    "attribute-unknown": 2,
    "attribute-repeated": [1, 3],
}


@pytest.fixture
def good(tmp_path: Path) -> Store:
    store = init_store(tmp_path / "store")
    put(store, GOOD)
    return store


def test_good_rows_break_no_rule(good: Store) -> None:
    assert good.check() == []


def test_every_rule_is_tried() -> None:
    assert set(BROKEN) == {rule.code for rule in sql_rules()} | set(WORDS)


@pytest.mark.parametrize("code", BROKEN)
def test_bad_rows_break_their_rule_alone(good: Store, code: str) -> None:
    put(good, BROKEN[code])
    (finding,) = good.check()
    assert finding.code == code
    assert finding.count == 1 + (code == "item-without-split")
    assert finding.words
    fault = finding.faults[0]
    if code in VALUES:
        assert fault.value == VALUES[code]
    about_labels = "annotations" in BROKEN[code] and code != "relation-end-missing"
    if about_labels:
        given = BROKEN[code]["annotations"][0]
        assert (fault.item, fault.annotation) == (given.get("item_id", 1), 1)
    assert len(good.check(shown=0)[0].faults) == 0
