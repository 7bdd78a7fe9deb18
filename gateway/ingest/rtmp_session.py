"""One RTMP connection as the server sees it, without I/O (Adobe's RTMP 1.0): a publisher's bytes in, FLV out.

handshake --C2--> connecting --publish(key)--> asked --accept()--> publishing --closes--> ended
                                                     --refuse()--> ended
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.ingest import amf, flv, rtmp_chunks
from gateway.ingest.rtmp_chunks import ChunkReader, Message, write_message
from gateway.media.errors import MediaError

VERSION = 3
HANDSHAKE_BYTES = 1536
CONTROL_CHUNKS, COMMAND_CHUNKS = 2, 3
STREAM = 1
WINDOW_BYTES = 2_500_000
PING_REQUEST, PING_RESPONSE = 6, 7
NAME_CHARS_MAX = 200
COMMAND_BYTES_MAX = 64 * 1024
"""Before a key has been shown nothing larger is put together."""
MEDIA_KINDS = (rtmp_chunks.AUDIO, rtmp_chunks.VIDEO, rtmp_chunks.DATA, rtmp_chunks.DATA_AMF3, rtmp_chunks.AGGREGATE)


@dataclass(slots=True)
class Outcome:
    """What bytes from the publisher lead to: an answer, and media as FLV tags."""

    answer: bytearray = field(default_factory=bytearray)
    media: bytearray = field(default_factory=bytearray)


class RtmpSession:
    """From the first byte to the end. ``noise`` is `HANDSHAKE_BYTES` - 8 random bytes for the handshake."""

    def __init__(self, noise: bytes) -> None:
        self._noise = noise
        self._buffer = bytearray()
        self._greeted = False
        self._connected = False
        self._chunks = ChunkReader()
        self._chunks.message_bytes_max = COMMAND_BYTES_MAX
        self._received = 0
        self._acknowledged = 0
        self._window = WINDOW_BYTES
        self.key: str | None = None
        """The stream's name that the publisher gave, once it asked to publish."""
        self.publishing = False
        self.ended = False

    def feed(self, data: bytes) -> Outcome:
        """Bytes that came. Raises MediaError when they are no RTMP, or nothing that can be published."""
        outcome = Outcome()
        self._received += len(data)
        if not self._connected:
            self._buffer += data
            data = self._shake_hands(outcome)
        for message in self._chunks.feed(data) if self._connected else ():
            if self.ended:
                break
            self._take(message, outcome)
        if self._received - self._acknowledged >= self._window // 2:
            self._acknowledged = self._received
            count = (self._received & 0xFFFFFFFF).to_bytes(4)
            outcome.answer += write_message(rtmp_chunks.ACKNOWLEDGEMENT, count, chunk_stream=CONTROL_CHUNKS)
        return outcome

    def accept(self) -> bytes:
        """The answer to a publisher whose key is good. What it sends from now on is media."""
        self.publishing = True
        self._chunks.message_bytes_max = rtmp_chunks.MESSAGE_BYTES_MAX
        return _status("status", "NetStream.Publish.Start", "Send.")

    def refuse(self, code: str, why: str) -> bytes:
        """The answer to a publisher that is sent away."""
        self.ended = True
        return _status("error", code, why)

    def _shake_hands(self, outcome: Outcome) -> bytes:
        """Section 5.2. The bytes behind the handshake, once it is over."""
        if not self._greeted:
            if self._buffer[:1] not in (b"", bytes([VERSION])):
                raise MediaError("This is no RTMP.")
            if len(self._buffer) < 1 + HANDSHAKE_BYTES:
                return b""
            # Four zeros for a version: the plain handshake, in which nobody checks digests.
            outcome.answer += bytes([VERSION]) + bytes(8) + self._noise + self._buffer[1 : 1 + HANDSHAKE_BYTES]
            del self._buffer[: 1 + HANDSHAKE_BYTES]
            self._greeted = True
        if len(self._buffer) < HANDSHAKE_BYTES:
            return b""
        rest = bytes(self._buffer[HANDSHAKE_BYTES:])
        self._buffer.clear()
        self._connected = True
        return rest

    def _take(self, message: Message, outcome: Outcome) -> None:
        match message.kind:
            case rtmp_chunks.COMMAND | rtmp_chunks.COMMAND_AMF3:
                self._command(message, outcome)
            case kind if kind in MEDIA_KINDS and self.publishing:
                for kind, time_ms, body in _media(message):
                    outcome.media += flv.write_tag(kind, time_ms, body)
            case rtmp_chunks.WINDOW_SIZE if len(message.body) >= 4:
                self._window = max(int.from_bytes(message.body[:4]), 2)
            case rtmp_chunks.USER_CONTROL if message.body[:2] == PING_REQUEST.to_bytes(2):
                pong = PING_RESPONSE.to_bytes(2) + message.body[2:6]
                outcome.answer += write_message(rtmp_chunks.USER_CONTROL, pong, chunk_stream=CONTROL_CHUNKS)

    def _command(self, message: Message, outcome: Outcome) -> None:
        values = amf.read_values(message.body[1:] if message.kind == rtmp_chunks.COMMAND_AMF3 else message.body)
        if len(values) < 2 or not isinstance(values[0], str):
            raise MediaError("An RTMP command without a name.")
        call = values[1]
        match values[0]:
            case "connect":
                outcome.answer += _welcome(call)
            case "createStream":
                outcome.answer += _command("_result", call, None, float(STREAM))
            case "publish":
                self._ask(values)
            case "deleteStream" | "FCUnpublish" | "closeStream":
                self.ended = True
            case "play":
                raise MediaError("This port takes broadcasts. To watch, use the gateway's web address.")

    def _ask(self, values: list[amf.Value]) -> None:
        name = values[3] if len(values) > 3 else None
        if not isinstance(name, str) or len(name) > NAME_CHARS_MAX:
            raise MediaError("An RTMP publisher that names no key.")
        if self.key is None:
            self.key = name.partition("?")[0].strip("/")


def _media(message: Message) -> Iterator[tuple[int, int, bytes]]:
    """What of a message becomes FLV tags."""
    match message.kind:
        case rtmp_chunks.AUDIO | rtmp_chunks.VIDEO:
            yield message.kind, message.time_ms, message.body
        case rtmp_chunks.DATA | rtmp_chunks.DATA_AMF3:
            body = message.body[1:] if message.kind == rtmp_chunks.DATA_AMF3 else message.body
            prefix = amf.write_values(["@setDataFrame"])
            if (body := body.removeprefix(prefix)).startswith(amf.write_values(["onMetaData"])):
                yield flv.SCRIPT, message.time_ms, body
        case rtmp_chunks.AGGREGATE:
            shift_ms: int | None = None
            for tag, _ in flv.read_tags(message.body, 0):
                shift_ms = message.time_ms - tag.time_ms if shift_ms is None else shift_ms
                if tag.kind != flv.SCRIPT:
                    yield tag.kind, tag.time_ms + shift_ms, tag.body


def _welcome(call: amf.Value) -> bytes:
    """Section 7.2.1.1: the flow's limits, then success."""
    window = WINDOW_BYTES.to_bytes(4)
    return (
        write_message(rtmp_chunks.WINDOW_SIZE, window, chunk_stream=CONTROL_CHUNKS)
        + write_message(rtmp_chunks.PEER_BANDWIDTH, window + b"\x02", chunk_stream=CONTROL_CHUNKS)
        + _command(
            "_result",
            call,
            {"fmsVer": "FMS/3,0,1,123", "capabilities": 31.0},
            {
                "level": "status",
                "code": "NetConnection.Connect.Success",
                "description": "Connected.",
                "objectEncoding": 0.0,
            },
        )
    )


def _status(level: str, code: str, description: str) -> bytes:
    info: amf.Value = {"level": level, "code": code, "description": description}
    return _command("onStatus", 0.0, None, info, stream=STREAM)


def _command(name: str, call: amf.Value, *values: amf.Value, stream: int = 0) -> bytes:
    return write_message(
        rtmp_chunks.COMMAND, amf.write_values([name, call, *values]), chunk_stream=COMMAND_CHUNKS, stream=stream
    )
