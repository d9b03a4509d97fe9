"""Drift from one side to another: of versions, layers, splits, or what a condition picks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow.compute as pc

from labelstore.analysis.drift.drivers import drivers
from labelstore.analysis.drift.gathering import Sample, gathered
from labelstore.analysis.drift.measures import holm
from labelstore.analysis.drift.report import Drift
from labelstore.analysis.drift.shares import drift_of, with_chances
from labelstore.analysis.drift.shifts import names_of, shifts
from labelstore.errors import NotFound
from labelstore.model.tables import TABLES
from labelstore.query.sandbox import expressions, query
from labelstore.versions.manifest import Manifest

SPLIT = "split:"


def sample(manifest: Manifest, layer: str | None = None, which: str | None = None) -> Sample:
    """Return the labels that are meant.

    Args:
        manifest: the version.
        layer: of the labels; all where there is none.
        which: `split:SCHEME/SUBSET`, or a SQL condition on columns of `labels`; all where there is
            none.

    Raises:
        NotFound: there is no such split.
        InvalidInput: the condition may not run, or is wrong.
    """
    if which is None:
        return Sample(manifest, layer)
    if which.startswith(SPLIT):
        scheme, _, subset = which.removeprefix(SPLIT).rpartition("/")
        rows = manifest.table(TABLES["splits"], ["item_id", "subset"], scheme)
        own = rows.filter(pc.equal(rows.column("subset"), subset))
        if not own.num_rows:
            listed = ", ".join(manifest.partitions("splits")) or "none"
            raise NotFound(f"{which}: there are no items in it; write split:SCHEME/SUBSET "
                           f"(schemes: {listed})", code="split-unknown")  # fmt: skip
        return Sample(manifest, layer, items=own.column("item_id").combine_chunks())
    expressions([which])
    found = query(manifest, f"SELECT annotation_id FROM labels WHERE ({which}\n)")
    return Sample(manifest, layer, labels=found.column(0).combine_chunks())


def drift_between(before: Sample, after: Sample, known: Mapping[str, str]) -> Drift:
    """Return how far labels are apart, in every respect.

    Args:
        before: the older side.
        after: the newer.
        known: names of people by pseudonym.

    Raises:
        NotFound: one of the sides has no labels.
    """
    pair = gathered(before, after)
    names = names_of(before.manifest, after.manifest, known)
    counts = pair[0].groups["class"], pair[1].groups["class"]
    shares = drift_of(counts, names["class"])
    if shares is None:
        raise NotFound("one of the sides has no labels, so there are no class shares")
    moved, skipped = shifts(pair, names)
    drift = with_chances(shares)
    chances = holm([c.chance or 0.0 for c in drift.classes] + [s.chance for s in moved])
    classes = [replace(c, chance=p) for c, p in zip(drift.classes, chances, strict=False)]
    corrected = [replace(s, chance=p)
                 for s, p in zip(moved, chances[len(classes) :], strict=True)]  # fmt: skip
    led = [] if before.layer != after.layer else drivers(before, after, counts, known)
    return replace(drift, classes=classes, shifts=corrected, skipped=skipped, drivers=led)
