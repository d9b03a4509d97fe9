"""From one format to another, by way of a store that is thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from labelstore.errors import InvalidInput
from labelstore.exchange.exporting import ExportReport, export_to
from labelstore.exchange.importing import ImportReport, import_from
from labelstore.exchange.sizes import beside
from labelstore.versions.agents import names
from labelstore.versions.setup import init
from labelstore.versions.stage import open_stage


def convert(
    source: Path,
    target: Path,
    source_format: str,
    target_format: str,
    *,
    source_task: str | None = None,
    task: str | None = None,
    digits: int | None = None,
    allow_loss: Collection[str] = (),
    images: Path | None = None,
    sizes: Path | None = None,
    sidecar: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[ImportReport, ExportReport]:
    """Turn labels of one format into another.

    Args:
        source: file or folder that the format's own tools take.
        target: file or folder to write.
        source_format: name of a converter.
        target_format: name of a converter.
        source_task: kind of content of the source, where its format has several.
        task: kind of content to write, where the format has several.
        digits: significant digits to which numbers are rounded, where they are parts of an image.
        allow_loss: codes of losses that are accepted, or `all`.
        images: where the images are, to read their sizes.
        sizes: file that says the sizes; see `labelstore.exchange.sizes`.
        sidecar: whether to write what is left out beside the target, and to put back what was left
            out of the source.
        progress: told how far things are.

    Raises:
        FormatError: the source breaks its format.
        LossRefused: something would be lost; nothing is written.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise InvalidInput(f"{target}: is the source itself; name another target",
                           code="target-source")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="labelstore-") as folder:
        workspace = init(Path(folder))
        brought = import_from(
            workspace, source_format, source, task=source_task, sidecar=sidecar,
            beside=beside(images, sizes), progress=progress,
        )  # fmt: skip
        staged = open_stage(workspace)
        manifest = staged.manifest if staged else workspace.manifest("HEAD")
        report = export_to(
            manifest, target_format, target, layer=workspace.default_layer, task=task,
            digits=digits, allow_loss=allow_loss, sidecar=sidecar, names=names(workspace),
            progress=progress,
        )  # fmt: skip
    return brought, report
