"""An S3 server of Python's own, for tests; it believes any secret."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

MARKS = [
    pytest.mark.s3,
    pytest.mark.xdist_group("s3"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@contextlib.contextmanager
def moto() -> Iterator[tuple[str, int]]:
    """Start a server in this process and yield its host and port."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()
    finally:
        server.stop()


@contextlib.contextmanager
def reached(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the SDK at a server, on which there is a bucket `labels`."""
    import s3fs

    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
                        "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
                        "AWS_ENDPOINT_URL": url}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem(endpoint_url=url, skip_instance_cache=True)
    if not system.exists("labels"):  # moto's buckets outlive its servers
        system.mkdir("labels")
    try:
        yield
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
