"""URIs of media, as items have them."""

from __future__ import annotations


def normalised(name: str) -> str:
    r"""Return a medium's name with forward slashes and without empty or `.` steps.

    Example:
        >>> normalised("./train\\a.jpg")
        'train/a.jpg'
    """
    if "://" in name or not ("\\" in name or "//" in name or "./" in name):
        return name
    steps = name.replace("\\", "/").split("/")
    return "/".join(s for i, s in enumerate(steps) if s != "." and (s or i == 0))
