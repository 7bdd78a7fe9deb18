"""A stream's end for good, signed by its key: it wins over every manifest, and nobody carries the stream any more.

Bytes, in network order:

    format u8 (1), stream 32, ended i64 (microseconds since 1970), reason u8 + UTF-8, signature 64 over a context and
    all bytes before it

It names its stream itself, so that whoever keeps it can show it to anybody.
"""

import struct
from dataclasses import dataclass
from typing import Final

from swarm.errors import LocalError, MalformedMessage, ProofError
from swarm.identity import Identity, verify
from swarm.manifest import is_printable
from swarm.messages import TOMBSTONE_BYTES_MAX
from swarm.units import KEY_BYTES, SIGNATURE_BYTES, StreamId

REASON_CHARS_MAX: Final = 60

_CONTEXT: Final = b"seedcast tombstone 1\0"
_FORMAT: Final = 1
_HEAD: Final = struct.Struct(f">B{KEY_BYTES}sqB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """The owner's last word on a stream. ``data``: its signed bytes."""

    stream: StreamId
    ended_us: int
    reason: str
    data: bytes


def sign_tombstone(owner: Identity, ended_us: int, reason: str = "") -> Tombstone:
    """End the stream that ``owner`` is the key of. Raises LocalError for a reason that cannot be shown."""
    if len(reason) > REASON_CHARS_MAX or not is_printable(reason):
        raise LocalError(f"a reason is one line of at most {REASON_CHARS_MAX} characters without control codes")
    text = reason.encode()
    body = _HEAD.pack(_FORMAT, owner.key, ended_us, len(text)) + text
    return Tombstone(
        stream=StreamId(owner.key), ended_us=ended_us, reason=reason, data=body + owner.sign(_CONTEXT + body)
    )


def open_tombstone(data: bytes) -> Tombstone:
    """The tombstone in these bytes. Raises MalformedMessage, and ProofError when the stream's key did not sign it."""
    if not _HEAD.size + SIGNATURE_BYTES <= len(data) <= TOMBSTONE_BYTES_MAX:
        raise MalformedMessage("tombstone is cut short or too long")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    version, stream, ended_us, length = _HEAD.unpack_from(body)
    try:
        reason = body[_HEAD.size :].decode()
    except UnicodeDecodeError as error:
        raise MalformedMessage("tombstone has a reason that is not UTF-8") from error
    if version != _FORMAT or len(body) != _HEAD.size + length:
        raise MalformedMessage("tombstone of an unknown format or length")
    if len(reason) > REASON_CHARS_MAX or not is_printable(reason):
        raise MalformedMessage("tombstone has a reason that cannot be shown")
    if not verify(stream, signature, _CONTEXT + body):
        raise ProofError("tombstone is not signed by the stream's key")
    return Tombstone(stream=StreamId(stream), ended_us=ended_us, reason=reason, data=data)
