"""DVC's configuration files, and what they mean for reading a remote ourselves."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labelstore.errors import InvalidInput


def read_config(path: Path) -> dict[str, dict[str, Any]]:
    """Return one configuration file of DVC, sections by plain name, paths made absolute."""
    if not path.exists():
        return {}
    from configobj import ConfigObj, ConfigObjError

    try:
        content = ConfigObj(str(path), encoding="utf-8").dict()
    except (ConfigObjError, UnicodeError) as error:
        raise InvalidInput(f"{path}: {error}", code="dvc-config") from error
    sections: dict[str, dict[str, Any]] = {}
    for title, values in content.items():
        if isinstance(values, dict):
            name = re.sub(r"^'?remote \"(.+)\"'?$", r"remote \1", title)
            sections[name] = {str(k).lower(): v for k, v in values.items()}
    for name, values in sections.items():
        key = "dir" if name == "cache" else "url"
        if (name == "cache" or name.startswith("remote ")) and key in values:
            values[key] = _absolute(path.parent, str(values[key]))
    return sections


def _absolute(folder: Path, value: str) -> str:
    if re.match(r"\w+://", value):
        return value
    expanded = os.path.expanduser(value)
    return expanded if os.path.isabs(expanded) else os.path.abspath(folder / expanded)


S3_ARGUMENTS = {
    "access_key_id": "key",
    "secret_access_key": "secret",
    "session_token": "token",
    "profile": "profile",
}


def filesystem_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the s3fs arguments that DVC itself would use for a remote.

    Args:
        settings: a remote's section of the configuration.

    Source:
        dvc-s3, `S3FileSystem._prepare_credentials`.
    """
    if not str(settings.get("url", "")).startswith("s3://"):
        return {}
    options: dict[str, Any] = {
        theirs: settings[ours] for ours, theirs in S3_ARGUMENTS.items() if settings.get(ours)
    }
    options["use_ssl"] = _flag(settings, "use_ssl", default=True)
    options["anon"] = _flag(settings, "allow_anonymous_login", default=False)
    client = {"region_name": settings.get("region"), "endpoint_url": settings.get("endpointurl")}
    if "ssl_verify" in settings:
        said = str(settings["ssl_verify"])
        client["verify"] = {"true": True, "false": False}.get(said.lower(), said)
    client = {k: v for k, v in client.items() if v is not None}
    waits = ("read_timeout", "connect_timeout")
    config = {k: int(settings[k]) for k in waits if k in settings}
    if client:
        options["client_kwargs"] = client
    if config:
        options["config_kwargs"] = config
    return options


def _flag(settings: Mapping[str, Any], name: str, *, default: bool) -> bool:
    return str(settings.get(name, default)).lower() == "true"
