"""A second push with a key waits: it keeps what its takeover has to begin with, from its newest key frame on."""

from collections.abc import Callable

from gateway.ingest import flv
from gateway.ingest.containers import FLV, TRANSPORT_STREAM, container_of
from gateway.ingest.transport_stream import PACKET_BYTES, PAT_PID, SYNC

KEPT_BYTES_MAX = 16 << 20
"""A group of pictures that is larger is not kept; the takeover then begins at the next key frame."""
RANDOM_ACCESS = 0x40


class Cue:
    """Fed with a push's bytes as they come; ``replay`` is what to begin with at this moment."""

    def __init__(self) -> None:
        self._buffer = b""
        self._take: Callable[[bytes], bytes] | None = None
        self._setup: dict[int, bytes] = {}
        self._kept = bytearray()
        self._keyed = False

    @property
    def ready(self) -> bool:
        """Whether there is a key frame to begin with."""
        return self._keyed

    @property
    def replay(self) -> bytes:
        return b"".join(self._setup.values()) + bytes(self._kept) + self._buffer

    def feed(self, data: bytes) -> bool:
        """Whether such a push can wait at all: MPEG-TS and FLV can. Raises MediaError."""
        self._buffer += data
        if self._take is None:
            container = container_of(self._buffer)
            if container is FLV:
                self._take = self._take_tags
            elif container is TRANSPORT_STREAM and self._buffer[:1] == bytes([SYNC]):
                self._take = self._take_packets
            else:
                return container is None
        self._buffer = self._take(self._buffer)
        if len(self._kept) > KEPT_BYTES_MAX:
            self._kept.clear()
            self._keyed = False
        return True

    def _take_tags(self, data: bytes) -> bytes:
        if -1 not in self._setup:
            if len(data) < flv.HEADER_BYTES:
                return data
            self._setup[-1], data = data[: flv.HEADER_BYTES], data[flv.HEADER_BYTES :]
        end = 0
        for tag, after in flv.read_tags(data, 0):
            whole, end = data[end:after], after
            if tag.setup or tag.kind == flv.SCRIPT:
                self._setup[tag.kind] = whole
            else:
                self._add(whole, key=tag.key)
        return data[end:]

    def _take_packets(self, data: bytes) -> bytes:
        whole = len(data) - len(data) % PACKET_BYTES
        for at in range(0, whole, PACKET_BYTES):
            packet = data[at : at + PACKET_BYTES]
            if packet[1:3] == bytes([0x40, PAT_PID]):
                self._setup[0] = packet
                self._setup.pop(1, None)
            elif 0 in self._setup and 1 not in self._setup:
                self._setup[1] = packet  # the map follows the association
            self._add(packet, key=_starts_picture(packet))
        return data[whole:]

    def _add(self, data: bytes, *, key: bool) -> None:
        if key:
            self._kept.clear()
            self._keyed = True
        if self._keyed:
            self._kept += data


def _starts_picture(packet: bytes) -> bool:
    """Whether a picture that needs none before it begins here (ISO/IEC 13818-1 sections 2.4.3.5 and 2.4.3.7)."""
    if not packet[1] & 0x40 or packet[3] >> 4 & 3 != 3 or not packet[4] or not packet[5] & RANDOM_ACCESS:
        return False
    start = packet[5 + packet[4] : 9 + packet[4]]
    return start[:3] == b"\0\0\1" and len(start) == 4 and start[3] >> 4 == 0xE
