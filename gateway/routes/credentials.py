"""What a pusher shows: its key in the path or in the Authorization header (RFC 6750, RFC 7617), and who it is."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from gateway.ingest.errors import IngestError, KeyMissing, UnknownKey
from gateway.ingest.keys import KeyEntry

HEADER_CHARS_MAX = 1024
SENDER_CHARS_MAX = 64
NAME_MARK = "+"
"""``/ingest/<key>+backup``: the same key, from a sender of that name."""

_KEY_FORM = re.compile(r"[0-9a-f]{32}(?:[+/]|$)")


@dataclass(frozen=True, slots=True)
class Shown:
    """A key that is good, who shows it, and what of the path is the object's; empty for an endless push."""

    key: str
    sender: str
    path: str


def read_credentials(request: Request, path: str, check: Callable[[str], KeyEntry]) -> Shown:
    """Whose push it is. ``path`` is what stands behind ``/ingest/``. Raises IngestError."""
    address = request.client.host if request.client else ""
    header = read_header(request.headers.get("authorization", ""))
    first, _, rest = path.partition("/")
    in_path, _, name = first.partition(NAME_MARK)
    try:
        return Shown(check(in_path).key, f"{address} {name[:SENDER_CHARS_MAX]}", rest)
    except IngestError as error:
        if header is None:
            raise _explain(error, path) from error
    name, secret = header
    return Shown(check(secret).key, f"{address} {name[:SENDER_CHARS_MAX]}", path)


def read_header(header: str) -> tuple[str, str] | None:
    """The name, if one is given, and the key in an Authorization header; None when there is none in it."""
    scheme, _, value = header[:HEADER_CHARS_MAX].partition(" ")
    match scheme.lower():
        case "bearer":
            return "", value.strip()
        case "basic":
            try:
                name, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return (name, secret) if colon else None
    return None


def _explain(error: IngestError, path: str) -> IngestError:
    """Where nothing in the path can be a key, it is asked for: a sender may have one to show in the header."""
    nameless = not path or ("." in path and not _KEY_FORM.match(path))
    return KeyMissing() if isinstance(error, UnknownKey) and nameless else error
