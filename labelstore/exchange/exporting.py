"""Export: a version, or one data set of it, as a file of some format."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelstore.errors import InvalidInput, StorageFailed
from labelstore.exchange.collector import without_collector
from labelstore.exchange.export import Export
from labelstore.exchange.losses import accepted
from labelstore.exchange.notices import LEFT_OUT, UNNAMED, meanings
from labelstore.exchange.sidecar.file import sidecar_path
from labelstore.exchange.sidecar.writing import write_sidecar
from labelstore.plugins import find_format
from labelstore.plugins.people import Known
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        target: the file or folder.
        datasets: data sets that it holds, the one whose order and info it has first.
        items, annotations: how many it has.
        notices: what was changed on the way, by stable code.
    """

    target: str
    datasets: list[str]
    items: int
    annotations: int
    notices: Mapping[str, int] = field(default_factory=dict)
    sidecar: str | None = None
    """Where stands what is left out."""
    losses: Sequence[Mapping[str, Any]] = ()
    """Code, count, words and examples of each."""
    largest_rounding: float = 0.0
    """The largest distance of a coordinate from what reads back, in its own units."""
    asked: int = 0
    """How many labels there were to write."""


@without_collector()
def export_to(
    manifest: Manifest,
    format_name: str,
    target: Path,
    *,
    layer: str,
    dataset: str | None = None,
    task: str | None = None,
    digits: int | None = None,
    allow_loss: Collection[str] = (),
    sidecar: bool = True,
    among: Ids | None = None,
    names: Mapping[str, str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> ExportReport:
    """Write one data set of a layer, in the order and words of its source.

    Args:
        manifest: the version.
        format_name: name of a converter.
        target: file or folder to write.
        layer: which labels.
        dataset: which data set; may be left out where the layer has one of this format, or one.
        task: kind of content, where the format has several; else what suits the labels.
        digits: significant digits to which numbers are rounded, where they are parts of an image.
        allow_loss: codes of losses that are accepted, or `all`.
        sidecar: whether to write beside it what is left out, for an import to put back.
        among: ids of the only items that are written. The sidecar says that it is a selection,
            so that its import touches no other item.
        names: of people, by the pseudonyms that stand for them.
        progress: told how far things are.

    Raises:
        NotFound: the layer has no such data set.
        InvalidInput: there are several and none is named.
        LossRefused: something that the format cannot hold would be lost; nothing is written.
        StorageFailed: there is no room for the sidecar; nothing is kept.
    """
    if among is not None and find_format(format_name, task).refers:
        raise InvalidInput(
            f"{format_name} lists no items, so an import could not tell that a file is of some",
            code="selection-format",
        )
    people = Known(names or {})
    export = Export(manifest, format_name, layer, dataset, task, digits, among, people)
    found = export.losses()
    asked = [] if digits is None else [f"{format_name}-rounded"]
    losses = accepted(found, export.converter, [*allow_loss, *asked], export.examples)
    notices = export.notices | {loss.code: loss.count for loss in losses}
    before = sidecar_path(target)
    if before.is_dir():
        raise InvalidInput(f"{before}: is a folder, and a sidecar goes there", code="target-kind")
    for done in export.converter.write(export.data(), target):
        if progress:
            progress("writing", done, export.rows.count)
    if people.unknown:
        notices[UNNAMED] = len(people.unknown)
    before.unlink(missing_ok=True)  # of what was there, which is replaced only now
    left = found or among is not None
    if sidecar and left and export.items.num_rows and not export.converter.refers:
        _write_sidecar(export, target, selection=among is not None)
    beside = sidecar_path(target)
    sets = [export.described["name"]]
    kept = str(beside) if beside.is_file() else None
    return ExportReport(
        str(target), sets, export.items.num_rows, _written(export, found), notices, kept,
        [asdict(loss) for loss in losses], export.largest, export.rows.count,
    )  # fmt: skip


def _written(export: Export, losses: Mapping[str, int]) -> int:
    """Return how many labels stand in the file; they are counted where some may not."""
    said = meanings(export.converter)
    if not any(said.get(code, "").endswith(LEFT_OUT) for code in losses):
        return export.rows.count
    return sum(int((told.counts > 0).sum()) for told in export.converter.records(export.data()))


def _write_sidecar(export: Export, target: Path, *, selection: bool) -> None:
    """Write what an export leaves out; where that fails, the export goes too."""
    try:
        write_sidecar(target, export.converter, export.data(), export.kept(), export.raw(),
                      selection=selection)  # fmt: skip
    except BaseException as error:
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise StorageFailed(
            f"{target}: the sidecar of what is left out could not be written ({error}), and "
            "nothing was kept. Make room, or pass --no-sidecar to go without it.",
            code="sidecar-unwritten",
        ) from error
