"""COCO's average precision of boxes, masks and keypoints, by pycocotools."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from labelstore.analysis.scoring.report import AveragePrecision
from labelstore.analysis.scoring.shapes import KINDS, pictured
from labelstore.geometry.keypoints import default_sigmas

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from labelstore.analysis.agreement.units import Author

    Ids = NDArray[np.int64]

PLACES = {"bbox": (0, 1, 2, 3, 4, 5, 8), "segm": (0, 1, 2, 3, 4, 5, 8),
          "keypoints": (0, 1, 2, None, 3, 4, 5)}  # fmt: skip
"""Where ap, ap50, ap75, small, medium, large and recall stand in pycocotools' summary."""


def average_precision(
    gold: Author, other: Author, items: Ids, names: Mapping[int | None, str]
) -> Iterator[AveragePrecision]:
    """Yield COCO's average precision of each kind of shape that both sides have.

    A label without a score counts as one of score 1; one without a visible keypoint has found
    none. Objects that are to be ignored or are too difficult are taken for crowds, which is how
    pycocotools leaves an object out.

    Args:
        gold: the gold set.
        other: who is scored.
        items: which images, rising.
        names: of classes.
    """
    sides = pictured([gold, other], items)
    for kind in KINDS:
        for truth, found in _alike(kind, *(side.of(kind) for side in sides)):
            if truth and found:
                yield _evaluated(kind, truth, found, items, names)


def _alike(
    kind: str, truth: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Yield labels that can be compared: keypoints of as many points."""
    if kind != "keypoints":
        yield list(truth), list(found)
        return
    found = [{k: v for k, v in row.items() if k != "bbox"}  # which would stand for the points
             for row in found if row["num_keypoints"]]  # fmt: skip
    for count in sorted({len(row[kind]) for row in truth}):
        own, others = ([r for r in rows if len(r[kind]) == count] for rows in (truth, found))
        yield own, others


def _evaluated(
    kind: str, truth: list[dict[str, Any]], found: list[dict[str, Any]], items: Ids,
    names: Mapping[int | None, str],
) -> AveragePrecision:  # fmt: skip
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    classes = sorted({row["category_id"] for row in (*truth, *found)})
    gold = COCO()
    gold.dataset = {
        "images": [{"id": i, "height": 0, "width": 0} for i in items.tolist()],
        "annotations": truth,
        "categories": [{"id": c} for c in classes],
    }  # fmt: skip
    with redirect_stdout(io.StringIO()):  # it prints its progress
        gold.createIndex()
        run = COCOeval(gold, gold.loadRes(found), kind)
        if kind == "keypoints":
            run.params.kpt_oks_sigmas = default_sigmas(len(truth[0][kind]) // 3)
        run.evaluate()
        run.accumulate()
        run.summarize()
    told = [None if at is None else _said(run.stats[at]) for at in PLACES[kind]]
    each = {names[None if c < 0 else c]: _of_class(run, i)
            for i, c in enumerate(run.params.catIds)}  # fmt: skip
    return AveragePrecision(kind, len(truth), len(found), each, *told)


def _of_class(run: Any, at: int) -> float | None:
    """Return the average precision of a class, None where the gold set has none."""
    values = run.eval["precision"][:, :, at, 0, -1]
    return _said(values.mean() if (values > -1).all() else -1.0)


def _said(value: float) -> float | None:
    """Return a number of pycocotools, whose -1 is none."""
    return None if value < 0 else float(value)
