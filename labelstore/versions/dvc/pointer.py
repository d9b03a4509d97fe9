"""What DVC writes for a folder it tracks: `labels.dvc` in Git, the `.dir` object in the cache."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quoted

from labelstore.errors import Conflict, Corrupt

OUTPUT = "labels"
POINTER = "labels.dvc"
MD5 = re.compile(r"[0-9a-f]{32}")
POINTER_FIELDS = re.compile(
    r"outs:\n- md5: (?P<md5>[0-9a-f]{32}\.dir)\n"
    r"  size: (?P<size>\d+)\n  nfiles: (?P<nfiles>\d+)\n  hash: md5\n  path: labels\n"
)


def directory_object(files: Mapping[str, str]) -> bytes:
    """Return the bytes of DVC's `.dir` object for relative path to MD5."""
    entries = [f'{{"md5": "{files[p]}", "relpath": {quoted(p)}}}' for p in sorted(files)]
    return f"[{', '.join(entries)}]".encode()


def read_directory_object(data: bytes, where: str) -> dict[str, str]:
    """Return relative path to MD5 from a `.dir` object.

    Raises:
        Corrupt: it is none.
    """
    try:
        files = {entry["relpath"]: entry["md5"] for entry in json.loads(data)}
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt(f"{where}: is no DVC directory object ({error})") from error
    check_files(files, where)
    return files


def check_files(files: Mapping[str, str], where: str) -> None:
    """Refuse a list of files in which one lies outside the folder, or has no MD5.

    Raises:
        Corrupt: with the entry.
    """
    for path, md5 in files.items():
        inside = isinstance(path, str) and not {"", ".", ".."} & set(path.split("/"))
        if not (inside and isinstance(md5, str) and MD5.fullmatch(md5)):
            raise Corrupt(
                f"{where}: names {path!r} with MD5 {md5!r}, which is no file of labels/",
                code="manifest-corrupt",
            )


def pointer_text(md5: str, size: int, nfiles: int) -> str:
    """Return the text of `labels.dvc`, as `dvc add labels` writes it."""
    return (
        f"outs:\n- md5: {md5}\n  size: {size}\n  nfiles: {nfiles}\n  hash: md5\n  path: {OUTPUT}\n"
    )


def read_pointer(data: bytes, where: str) -> str:
    """Return the name of the `.dir` object that a `labels.dvc` points to.

    Raises:
        Corrupt: it has conflict markers or does not track the folder `labels`.
    """
    text = data.decode(errors="replace")
    known = POINTER_FIELDS.fullmatch(text)
    if known:
        return known["md5"]
    if "<<<<<<<" in text:
        raise Conflict(
            f"{where}: has unresolved merge conflicts. Run `git merge --abort`, or take one side.",
            code="unmerged",
        )
    return _read_any_pointer(text, where)


def _read_any_pointer(text: str, where: str) -> str:
    """Read a pointer that somebody has edited, with DVC's own YAML reader."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        outs = YAML(typ="safe", pure=True).load(text)["outs"]
        (md5,) = (str(o["md5"]) for o in outs if o["path"] == OUTPUT)
    except (YAMLError, ValueError, TypeError, KeyError) as error:
        raise Corrupt(
            f"{where}: does not say which version of labels/ it tracks ({error}). "
            "Restore it with `git checkout -- labels.dvc`.",
            code="pointer-corrupt",
        ) from error
    return md5
