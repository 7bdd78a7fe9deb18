"""Messages on a byte stream: each is preceded by its length, four bytes, big-endian.

The format is the whole agreement (docs/protocol.md, "Framing"); a length of zero or above ``MESSAGE_BYTES_MAX``
is a fault of the peer and ends the link, because nothing after it can be trusted.
"""

from collections.abc import Iterable
from struct import Struct

from swarm.errors import MalformedMessage

MESSAGE_BYTES_MAX = 1 << 20
HEADER_BYTES = 4

_HEADER = Struct(">I")


def frame(messages: Iterable[bytes]) -> bytes:
    """All messages in order, each with its length in front, as one run of bytes."""
    parts: list[bytes] = []
    for message in messages:
        parts.append(_HEADER.pack(len(message)))
        parts.append(message)
    return b"".join(parts)


class FrameReader:
    """Cuts one stream back into messages; holds at most one unfinished message."""

    __slots__ = ("_partial", "_wanted_bytes")

    def __init__(self) -> None:
        self._partial = bytearray()
        self._wanted_bytes = HEADER_BYTES

    @property
    def held_bytes(self) -> int:
        """Bytes of the message that is not complete yet."""
        return len(self._partial)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages that ``chunk`` completes. Raises MalformedMessage on a length out of bounds."""
        messages: list[bytes] = []
        offset = self._fill(chunk, messages) if self._partial else 0
        end = len(chunk)
        while end - offset >= HEADER_BYTES:
            start = offset + HEADER_BYTES
            stop = start + _length(chunk, offset)
            if stop > end:
                self._wanted_bytes = stop - offset
                break
            messages.append(chunk[start:stop])
            offset = stop
        if offset < end:
            self._partial += memoryview(chunk)[offset:]
        return messages

    def _fill(self, chunk: bytes, messages: list[bytes]) -> int:
        """Complete the held message as far as ``chunk`` reaches; how many bytes of it that took."""
        offset = 0
        partial = self._partial
        view = memoryview(chunk)
        while offset < len(chunk):
            taken = view[offset : offset + self._wanted_bytes - len(partial)]
            partial += taken
            offset += len(taken)
            if len(partial) < self._wanted_bytes:
                break
            if self._wanted_bytes == HEADER_BYTES:
                self._wanted_bytes += _length(partial, 0)
                continue
            messages.append(bytes(memoryview(partial)[HEADER_BYTES:]))
            self._partial, self._wanted_bytes = bytearray(), HEADER_BYTES
            break
        return offset


def _length(buffer: bytes | bytearray, offset: int) -> int:
    length: int = _HEADER.unpack_from(buffer, offset)[0]
    if not 0 < length <= MESSAGE_BYTES_MAX:
        raise MalformedMessage(f"a message of {length} bytes; 1 to {MESSAGE_BYTES_MAX} are allowed")
    return length
