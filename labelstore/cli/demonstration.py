"""The demo: the main job on a packaged slice of real COCO labels. Every figure is computed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

import typer

from labelstore.changes.editing import Edit
from labelstore.store import Store, init_store

AGENTS = {"import": "vendor-a", "edit": "reviewer-7"}
DELIVERIES = ("delivery-1.json", "delivery-2.json")
IDENTITY = {
    "GIT_AUTHOR_NAME": "labelstore demo",
    "GIT_AUTHOR_EMAIL": "demo@localhost",
    "GIT_COMMITTER_NAME": "labelstore demo",
    "GIT_COMMITTER_EMAIL": "demo@localhost",
}


def demonstrate(folder: Path | None) -> None:
    """Import a delivery as v3, re-annotate and extend it as v4, and ask what changed."""
    os.environ.update({k: v for k, v in IDENTITY.items() if k not in os.environ})
    with _place(folder) as place:
        os.environ.setdefault("LABELSTORE_KEY_FILE", str(place / ".labelstore" / "demo.key"))
        store = init_store(place)
        typer.echo(f"A store in {place.name}/, with Git and DVC set up.")
        with as_file(files("labelstore.cli") / "demo") as data:
            for name in DELIVERIES:
                shutil.copy(data / name, place / name)
        os.chdir(place)
        _first_version(store)
        _second_version(store)
        label = _some_reclassified(store)
        for words in (
            ["diff", "v3", "v4", "--drift"],
            ["query", CLASS_COUNTS, "--at", "v4"],
            ["trace", str(label)],
        ):
            _show(place, words)
        os.chdir(place.parent)
        if folder is not None:
            typer.echo(f"\nThe store stays in {place}.")


CLASS_COUNTS = (
    "SELECT c.name, count(*) AS labels, count(DISTINCT a.item_id) AS images "
    "FROM annotations a JOIN categories c USING (category_id) "
    "GROUP BY c.name ORDER BY labels DESC, c.name LIMIT 8"
)


def _first_version(store: Store) -> None:
    report = store.import_from("coco", DELIVERIES[0], by=AGENTS["import"])
    store.commit("first delivery", tag="v3")
    typer.echo(f"v3: imported {report.annotations} labels on {report.items} images.")


def _second_version(store: Store) -> None:
    """Re-annotate as a second pass does, append a batch, and publish as v4."""
    with store.edit(by=AGENTS["edit"], message="second pass") as edit:
        _reannotate(edit)
    report = store.import_from("coco", DELIVERIES[1], by=AGENTS["import"])
    store.commit("second pass and second delivery", tag="v4")
    typer.echo(
        f"v4: moved boxes, changed classes, removed and added labels; appended "
        f"{report.annotations} labels on {report.items} images."
    )


def _reannotate(edit: Edit) -> None:
    """Move boxes, change classes, remove tiny labels and add a missed one."""
    by_name = "category_id IN (SELECT category_id FROM categories WHERE name = '{}')"
    edit.update(
        where=f"{by_name.format('car')} AND kind = 'polygon'",
        set={"box": "{'v0': xmin - 1.5, 'v1': ymin, 'v2': xmax - xmin + 3.0, 'v3': ymax - ymin}"},
    )
    edit.update(where=by_name.format("truck"), set={"category": "'bus'"})
    edit.update(where=by_name.format("bench"), set={"category": "'couch'"})
    edit.delete(where="area < 120 AND NOT coalesce(is_crowd, false)")
    edit.add_boxes(uri="000000397133.jpg", category="spoon", boxes=[(292.5, 208.0, 14.25, 61.0)])


def _some_reclassified(store: Store) -> int:
    """Return the id of the first label whose class changed."""
    labels = store.diff("v3", "v4").labels.to_pylist()
    chosen = [
        r["annotation_id"]
        for r in labels
        if r["change"] == "changed" and r["category_before"] != r["category_after"]
    ]
    return int(chosen[0])


def _show(place: Path, words: list[str]) -> None:
    """Run a command as a user would, and show it with its output."""
    shown = " ".join(f'"{w}"' if " " in w else w for w in words)
    typer.echo(f"\n$ labelstore {shown}")
    sys.stdout.flush()
    command = [sys.executable, "-m", "labelstore.cli", *words, "--store", str(place)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    typer.echo(done.stdout.rstrip("\n"))


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="labelstore-demo-") as scratch:
        yield Path(scratch) / "signs"
