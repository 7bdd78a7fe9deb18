"""RTMP's messages on a byte stream, interleaved in chunks (Adobe's RTMP 1.0, section 5.3), without I/O.

Everything is bounded: few chunk streams, messages of limited size, and a limit on all unfinished ones together.
"""

import struct
from dataclasses import dataclass

from gateway.media.errors import MediaError

CHUNK_BYTES = 128
"""Until a side says otherwise (section 5.4.1)."""
CHUNK_BYTES_MAX = 0xFFFFFF
STREAMS_MAX = 32
MESSAGE_BYTES_MAX = 8 << 20
UNFINISHED_BYTES_MAX = 12 << 20

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 1, 2, 3, 4, 5, 6
AUDIO, VIDEO, DATA_AMF3, COMMAND_AMF3, DATA, COMMAND, AGGREGATE = 8, 9, 15, 17, 18, 20, 22

EXTENDED = 0xFFFFFF
"""A time stamp that does not fit into three bytes stands in four more behind the header."""
HEADER_BYTES = {0: 11, 1: 7, 2: 3, 3: 0}


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``time_ms`` wraps after 2^32."""

    kind: int
    stream: int
    time_ms: int
    body: bytes


class _ChunkStream:
    """What later chunks of one chunk stream leave out, and the message that is being put together."""

    def __init__(self) -> None:
        self.time_ms = 0
        self.delta_ms = 0
        self.extended = False
        self.size = -1
        self.kind = 0
        self.stream = 0
        self.body = bytearray()
        self.open = False


class ChunkReader:
    """Takes the bytes after the handshake, gives out whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._chunk_bytes = CHUNK_BYTES
        self._streams: dict[int, _ChunkStream] = {}
        self._unfinished = 0
        self.message_bytes_max = MESSAGE_BYTES_MAX

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete. Raises MediaError when they are no RTMP."""
        self._buffer += data
        messages = []
        at = 0
        while (step := self._read_chunk(at)) is not None:
            at, message = step
            if message is None:
                continue
            if message.kind in (SET_CHUNK_SIZE, ABORT):
                self._control(message)
            messages.append(message)
        del self._buffer[:at]
        return messages

    def _read_chunk(self, at: int) -> tuple[int, Message | None] | None:
        """The position after the chunk that begins there, and the message that it ends; None when it is not whole."""
        buffer = self._buffer
        if len(buffer) <= at:
            return None
        form, number, at = buffer[at] >> 6, buffer[at] & 0x3F, at + 1
        if number < 2:
            # 0: one byte more, 1: two, the lower one first (section 5.3.1.1)
            at += number + 1
            number = 64 + int.from_bytes(buffer[at - number - 1 : at], "little")
        head_end = at + HEADER_BYTES[form]
        if len(buffer) < head_end:
            return None
        chunks = self._streams.get(number) or self._open(number, form)
        head = bytes(buffer[at:head_end])
        stamp = int.from_bytes(head[:3]) if form < 3 else EXTENDED if chunks.extended else 0
        at = head_end + (4 if stamp == EXTENDED else 0)
        size = int.from_bytes(head[3:6]) if form < 2 else chunks.size
        have = 0 if form < 3 or not chunks.open else len(chunks.body)
        take = min(self._chunk_bytes, size - have)
        if len(buffer) < at + take:
            if size > self.message_bytes_max:
                raise MediaError(f"An RTMP message of {size} bytes: {self.message_bytes_max} are the limit.")
            return None
        if stamp == EXTENDED:
            stamp = int.from_bytes(buffer[head_end:at])
        self._begin(chunks, form, head, stamp)
        chunks.body += buffer[at : at + take]
        self._unfinished += take
        return at + take, self._finish(number, chunks)

    def _open(self, number: int, form: int) -> _ChunkStream:
        if form != 0:
            raise MediaError("This is no RTMP: a chunk that refers to one before, of which there is none.")
        if len(self._streams) >= STREAMS_MAX:
            raise MediaError("Too many RTMP chunk streams.")
        chunks = self._streams[number] = _ChunkStream()
        return chunks

    def _begin(self, chunks: _ChunkStream, form: int, head: bytes, stamp: int) -> None:
        """Take a chunk's header: a new message, unless it continues one."""
        if form == 3 and chunks.open:
            return
        self._unfinished -= len(chunks.body)
        chunks.body = bytearray()
        if form < 3:
            chunks.extended = head[:3] == b"\xff\xff\xff"
        if form < 2:
            chunks.size, chunks.kind = int.from_bytes(head[3:6]), head[6]
        if form == 0:
            chunks.stream = int.from_bytes(head[7:11], "little")
            chunks.time_ms, chunks.delta_ms = stamp, 0
        else:
            chunks.delta_ms = stamp if form < 3 else chunks.delta_ms
            chunks.time_ms = chunks.time_ms + chunks.delta_ms & 0xFFFFFFFF
        if chunks.size > self.message_bytes_max:
            raise MediaError(f"An RTMP message of {chunks.size} bytes: {self.message_bytes_max} are the limit.")
        chunks.open = True

    def _finish(self, number: int, chunks: _ChunkStream) -> Message | None:
        if len(chunks.body) < chunks.size:
            if self._unfinished > UNFINISHED_BYTES_MAX:
                raise MediaError("Too many unfinished RTMP messages.")
            return None
        message = Message(chunks.kind, chunks.stream, chunks.time_ms, bytes(chunks.body))
        self._unfinished -= len(chunks.body)
        chunks.body = bytearray()
        chunks.open = False
        return message

    def _control(self, message: Message) -> None:
        if len(message.body) < 4:
            raise MediaError("An RTMP control message ends too early.")
        value = int.from_bytes(message.body[:4])
        if message.kind == SET_CHUNK_SIZE:
            if not 1 <= value <= 0x7FFFFFFF:
                raise MediaError(f"An RTMP chunk size of {value}.")
            self._chunk_bytes = min(value, CHUNK_BYTES_MAX)
        elif (chunks := self._streams.get(value)) is not None:
            self._unfinished -= len(chunks.body)
            chunks.body = bytearray()
            chunks.open = False


def write_message(kind: int, body: bytes, *, chunk_stream: int, stream: int = 0) -> bytes:
    """A message in chunks of `CHUNK_BYTES`, on one of the chunk streams 2 to 63."""
    head = bytes([chunk_stream, 0, 0, 0]) + len(body).to_bytes(3) + bytes([kind]) + struct.pack("<I", stream)
    again = bytes([0xC0 | chunk_stream])
    return head + again.join(body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES))
