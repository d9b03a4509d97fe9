"""Consensus of layers, or of the authors within a layer, into a layer of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from labelstore.analysis.agreement.asking import By, authored_layers, authors_of
from labelstore.analysis.agreement.disagreeing import disagreements
from labelstore.analysis.agreement.units import MISSED, NONE, UNSEEN, units_of
from labelstore.analysis.consensus.deciding import OPEN, SURE, by_dawid_skene, by_quorum
from labelstore.analysis.consensus.forming import formed
from labelstore.analysis.consensus.making import write_consensus
from labelstore.analysis.consensus.report import AuthorShare, Consensus
from labelstore.changes.summary import class_names
from labelstore.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labelstore.analysis.agreement.units import Units
    from labelstore.analysis.consensus.deciding import Decided
    from labelstore.versions.stage import Draft

Method = Literal["quorum", "dawid-skene"]
INTO = "consensus"


@dataclass(frozen=True)
class Wanted:
    """Which consensus is wanted.

    Attributes:
        layers: whose labels; where none is named, all that no consensus made.
        into: layer that takes it.
        among: each layer is an author, or each agent within one layer is.
        method: how it is decided.
        quorum: how many must have an object; more than half of those who looked otherwise.
        sure: chance that Dawid and Skene's estimate must exceed, 0.5 otherwise.
        least: agreement of shapes below which no two labels are one object; else what suits them.
    """

    layers: Sequence[str]
    into: str = INTO
    among: By = "layer"
    method: Method = "quorum"
    quorum: int | None = None
    sure: float | None = None
    least: float | None = None


def consensus(
    draft: Draft, wanted: Wanted, known: Mapping[str, str],
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Consensus, pa.Table]:  # fmt: skip
    """Write the consensus into a draft; return what came of it, and what is open.

    Args:
        draft: takes it.
        wanted: which.
        known: names of people by pseudonym.
        progress: told how many labels were matched.

    Returns:
        The report, and the objects of which nobody can say what they are, see
        `labelstore.analysis.agreement.disagreeing.QUEUE`.

    Raises:
        NotFound: there is no such layer.
        InvalidInput: there are fewer than two authors, an option is of the other method, or the
            layer has labels of others.
    """
    _refuse_mixed(wanted)
    manifest = draft.manifest
    layers = wanted.layers or [n for n in authored_layers(manifest) if n != wanted.into]
    authors = authors_of(manifest, layers, wanted.among, known)
    if wanted.quorum is not None and wanted.quorum > len(authors):
        raise InvalidInput(f"--quorum {wanted.quorum}: there are {len(authors)} authors",
                           code="consensus-quorum")  # fmt: skip
    if any(a.side.layer == wanted.into for a in authors):
        raise InvalidInput(f"layer {wanted.into!r} cannot be made of itself: choose another "
                           "with --into", code="consensus-layer")  # fmt: skip
    units = units_of(authors, least=wanted.least, progress=progress)
    decided = _decided(units, wanted)
    rows, objects, unlinked = formed(units, decided, authors, wanted.into)
    named = list(dict.fromkeys(a.side.layer for a in authors))
    counts = write_consensus(draft, wanted.into, rows, units.labels[objects])
    draft.describe({**vars(wanted), "layers": named, "of": manifest.root})
    unsaid = decided.classes == OPEN
    report = Consensus(
        wanted.into, wanted.method, len(np.unique(units.items)), len(units), len(objects),
        int((decided.classes == MISSED).sum()), int(unsaid.sum()), *counts, unlinked,
        list(_shares(units, decided)),
    )  # fmt: skip
    return report, disagreements(units.take(unsaid), class_names(manifest))


def _decided(units: Units, wanted: Wanted) -> Decided:
    if wanted.method == "quorum":
        return by_quorum(units, wanted.quorum)
    return by_dawid_skene(units, SURE if wanted.sure is None else wanted.sure)


def _refuse_mixed(wanted: Wanted) -> None:
    for name, value, method in (("--quorum", wanted.quorum, "quorum"),
                                ("--sure", wanted.sure, "dawid-skene")):  # fmt: skip
        if value is not None and wanted.method != method:
            raise InvalidInput(f"{name} is for --method {method}", code="consensus-method")
    if wanted.sure is not None and not 0 <= wanted.sure <= 1:
        raise InvalidInput(f"--sure {wanted.sure:g}: is no chance from 0 to 1",
                           code="consensus-sure")  # fmt: skip
    if wanted.quorum is not None and wanted.quorum < 1:
        raise InvalidInput("--quorum is 1 or more", code="consensus-quorum")


def _shares(units: Units, decided: Decided) -> Iterator[AuthorShare]:
    """Yield how far each author says what was decided."""
    truth = decided.classes
    for a, name in enumerate(units.authors):
        said, have = units.classes[:, a], units.labels[:, a] != NONE
        own = (truth != OPEN) & (said != UNSEEN)
        there = own & (truth != MISSED)
        accuracy = None if decided.accuracy is None else float(decided.accuracy[a])
        yield AuthorShare(
            name, int(own.sum()), int((own & (said == truth)).sum()), int((there & ~have).sum()),
            int((there & have & (said != truth)).sum()), int((own & ~there & have).sum()),
            None if accuracy is None or np.isnan(accuracy) else accuracy,
        )  # fmt: skip
