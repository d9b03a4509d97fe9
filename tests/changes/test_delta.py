"""What a difference says is what makes the one version of the other."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from sides import EDITS, Edit, side

from labelstore.changes.delta import apply, deltas
from labelstore.changes.diff import diff
from labelstore.model.tables import FAMILY
from labelstore.store import Store

FIXTURE = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FIXTURE
@given(first=EDITS, second=EDITS)
def test_the_difference_applied_is_the_other_version(
    v1: Store, first: list[Edit], second: list[Edit]
) -> None:
    base = v1.manifest("v1")
    one, other = side(v1, base, first, 1), side(v1, base, second, 2)
    changes = deltas(one, other)
    assert apply(changes, one, v1.workspace.objects).root == other.root
    back = apply(deltas(other, one), other, v1.workspace.objects)
    assert back.root == one.root
    labels = diff(one, other).labels
    told = np.unique(np.asarray(labels.column("annotation_id")))
    known = [own.ids for (name, _), own in changes.items() if name in FAMILY]
    assert told.tolist() == np.unique(np.concatenate([*known, np.empty(0, np.int64)])).tolist()


def test_a_whole_history_can_be_made_again(v1: Store) -> None:
    """Items, classes, activities, splits: every table, from nothing and back to nothing."""
    empty = v1.manifest("v1~1")
    v1.split("default", ratios="train=0.8,val=0.2")
    v1.commit("split", tag="v2")
    full, objects = v1.manifest("v2"), v1.workspace.objects
    assert len(deltas(empty, full)) >= 8
    assert apply(deltas(empty, full), empty, objects).root == full.root
    assert apply(deltas(full, empty), full, objects).root == empty.root
