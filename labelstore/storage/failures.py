"""What a remote's refusal means, and what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from labelstore.errors import LabelstoreError, NotFound, StorageFailed

DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "403"}
THROTTLED = {"SlowDown", "ServiceUnavailable", "503", "TooManyRequests", "429"}
CHECKSUMS = (
    "AWS_REQUEST_CHECKSUM_CALCULATION=when_required and "
    "AWS_RESPONSE_CHECKSUM_VALIDATION=when_required"
)
"""Settings that older S3-compatible servers need."""
_ADVICE: Mapping[str, str] = {
    "denied": "Check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_PROFILE) "
    "and the bucket's policy",
    "bucket": "Check its name and the endpoint",
    "throttled": "The server asks for fewer requests; try again later",
    "clock": "Set this machine's clock: the server refuses requests from another time",
    "unreachable": "Check the network, the endpoint (AWS_ENDPOINT_URL) and that the server runs, "
    "then try again: what has arrived is kept",
    "length": f"The server wants plain uploads: set {CHECKSUMS}",
    "failed": "`labelstore remote check` says what works",
}


class NoBucket(FileNotFoundError):
    """A bucket that is not there, told as a server tells it that answers with a text."""

    response: Mapping[str, Any] = {"Error": {"Code": "NoSuchBucket"}}


def code_of(error: BaseException) -> str:
    """Return the server's own code of an error, such as `AccessDenied`; else a type's name."""
    cause: BaseException | None = error
    while cause is not None:
        response = getattr(cause, "response", None)
        if isinstance(response, Mapping):
            return str(response.get("Error", {}).get("Code", ""))
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def failure(url: str, doing: str, error: Exception) -> LabelstoreError:
    """Return what to raise where a remote fails.

    Args:
        url: the remote.
        doing: what was tried, such as `reading ab12…`.
        error: of fsspec or below it.
    """
    kind = kind_of(error)
    said = str(error).strip() or type(error).__name__
    text = f"{url}: {doing}: {said}. {_ADVICE[kind]}."
    if kind == "bucket":
        return NotFound(text, code="remote-missing")
    return StorageFailed(text, code=f"remote-{kind}")


def kind_of(error: BaseException) -> str:
    """Return which of the known failures an error is: a key of the advice."""
    code = code_of(error)
    if code == "NoSuchBucket":
        return "bucket"
    if code == "RequestTimeTooSkewed":
        return "clock"
    if code == "MissingContentLength":
        return "length"
    if code in THROTTLED or getattr(error, "errno", None) == errno.EBUSY:
        return "throttled"
    if code in DENIED or isinstance(error, PermissionError):
        return "denied"
    return "unreachable" if _of_network(error) else "failed"


def _of_network(error: BaseException) -> bool:
    words = ("connect", "timeout", "timed out", "endpoint", "incompleteread", "payload", "reset")
    cause: BaseException | None = error
    while cause is not None:
        text = f"{type(cause).__name__} {cause}".lower()
        if isinstance(cause, ConnectionError | TimeoutError) or any(w in text for w in words):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def is_missing(error: BaseException) -> bool:
    """Say whether an object is not there, in a bucket that is."""
    return isinstance(error, FileNotFoundError) and code_of(error) != "NoSuchBucket"


def lost_race(error: BaseException) -> bool:
    """Say whether a server refused to write over what is there already.

    Servers and libraries tell it in several ways: as a file that exists, or as 409 or 412.
    """
    codes = {"PreconditionFailed", "ConditionalRequestConflict", "409", "412"}
    return isinstance(error, FileExistsError) or code_of(error) in codes


def header(response: Any, name: str) -> str | None:
    """Return a header of a server's answer."""
    found: str | None = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(name)
    return found
