"""What a push can be begun with in its middle, from its newest key frame on: for a second one that waits to take over,
for one that has to be encoded after all, and for one whose ffmpeg has crashed."""

from collections.abc import Callable

from gateway.ingest import flv
from gateway.ingest.containers import FLV, FRAGMENTED_MP4, TRANSPORT_STREAM, container_of
from gateway.ingest.fragmented import tracks_of
from gateway.ingest.transport_stream import (
    PACKET_BYTES,
    PACKETS_TO_BE_SURE,
    PAT_PID,
    find_sync,
    map_pid_of,
    pid_of,
)
from gateway.media.boxes import read_boxes, read_header
from gateway.media.errors import MediaError
from gateway.media.fragments import begins_at_key
from gateway.media.parts import TrackInfo
from gateway.media.splitter import check_size

KEPT_BYTES_MAX = 16 << 20
"""A group of pictures that is larger is not kept; the takeover then begins at the next key frame."""
SETUP_BYTES_MAX = 2 << 20
UNIT_START, RANDOM_ACCESS = 0x40, 0x40


class Cue:
    """Fed with a push's bytes as they come; ``replay`` is what to begin with at this moment.

    ``keeping``: from now on; without it no more is kept than what a start in the middle needs, until `keep`.
    """

    def __init__(self, *, keeping: bool = True) -> None:
        self._keeping = keeping
        self._buffer = bytearray()
        self._take: Callable[[], int] | None = None
        self._setup: dict[int, bytes] = {}
        self._map_pid: int | None = None
        self._lead: TrackInfo | None = None
        self._kept = bytearray()
        self._keyed = False

    @property
    def ready(self) -> bool:
        """Whether there is a key frame to begin with."""
        return self._keyed

    def keep(self) -> None:
        """Be ready to begin at a key frame that is yet to come."""
        self._keeping = True
        self._kept.clear()
        self._keyed = False

    def rest(self) -> None:
        """The replay has been used: keep nothing, until `keep`."""
        self.keep()
        self._keeping = False

    @property
    def replay(self) -> bytes:
        return b"".join(self._setup.values()) + bytes(self._kept) + bytes(self._buffer)

    def feed(self, data: bytes) -> None:
        """Raises MediaError and NotTransportStream for what is neither MPEG-TS nor FLV nor fragmented MP4."""
        self._buffer += data
        if self._take is None:
            container = container_of(bytes(self._buffer[:PACKET_BYTES]))
            if container is FLV:
                self._take = self._take_tags
            elif container is FRAGMENTED_MP4:
                self._take = self._take_boxes
            elif container is TRANSPORT_STREAM:
                start = find_sync(bytes(self._buffer[: PACKET_BYTES * PACKETS_TO_BE_SURE * 2]))
                if start is None:
                    return
                del self._buffer[:start]
                self._take = self._take_packets
            else:
                return
        del self._buffer[: self._take()]
        if len(self._kept) > KEPT_BYTES_MAX:
            self._kept.clear()
            self._keyed = False

    def _take_tags(self) -> int:
        """How much of the buffer has been taken; so say the others too."""
        end = 0
        if -1 not in self._setup:
            if len(self._buffer) < flv.HEADER_BYTES:
                return 0
            end = flv.HEADER_BYTES
            self._setup[-1] = bytes(self._buffer[:end])
        with memoryview(self._buffer) as view:
            for tag, after in flv.read_tags(view, end):
                whole, end = bytes(view[end:after]), after
                if tag.setup or tag.kind == flv.SCRIPT:
                    self._setup[tag.kind] = whole
                else:
                    self._add(whole, key=tag.key)
        return end

    def _take_packets(self) -> int:
        whole = len(self._buffer) - len(self._buffer) % PACKET_BYTES
        done = 0
        # Tables and pictures begin in packets that say so; all others are kept or not together with those before.
        for number, flags in enumerate(self._buffer[1:whole:PACKET_BYTES]):
            at = number * PACKET_BYTES
            packet = self._buffer[at : at + PACKET_BYTES] if flags & UNIT_START else b""
            if flags == UNIT_START and packet[2] == PAT_PID:
                self._setup[0] = bytes(packet)
                self._setup.pop(1, None)
                self._map_pid = map_pid_of(self._setup[0])
            elif packet and pid_of(packet) == self._map_pid and 1 not in self._setup:
                self._setup[1] = bytes(packet)
            if packet and _starts_picture(packet):
                self._add(bytes(self._buffer[done:at]), key=False)
                self._add(b"", key=True)
                done = at
        self._add(bytes(self._buffer[done:whole]), key=False)
        return whole

    def _take_boxes(self) -> int:
        at = 0
        while (header := read_header(self._buffer, at, len(self._buffer))) is not None:
            kind, _, size = header
            check_size(kind, size)
            if at + size > len(self._buffer):
                break
            self._take_box(kind, bytes(self._buffer[at : at + size]))
            at += size
        return at

    def _take_box(self, kind: bytes, whole: bytes) -> None:
        if self._lead is not None:
            key = kind == b"moof" and begins_at_key(next(read_boxes(memoryview(whole), 0, len(whole))), self._lead)
            self._add(whole, key=key)
            return
        self._setup[len(self._setup)] = whole
        if sum(map(len, self._setup.values())) > SETUP_BYTES_MAX:
            raise MediaError("This MP4 does not say what is in it: send its moov first.")
        if kind == b"moov":
            tracks = tracks_of(b"".join(self._setup.values()))
            self._lead = next((track for track in tracks if track.kind == "video"), tracks[0])

    def _add(self, data: bytes, *, key: bool) -> None:
        if key and self._keeping:
            self._kept.clear()
            self._keyed = True
        if self._keyed:
            self._kept += data


def _starts_picture(packet: bytearray | bytes) -> bool:
    """Whether a picture that needs none before it begins here (ISO/IEC 13818-1 sections 2.4.3.5 and 2.4.3.7)."""
    if not packet[1] & UNIT_START or packet[3] >> 4 & 3 != 3 or not packet[4] or not packet[5] & RANDOM_ACCESS:
        return False
    start = packet[5 + packet[4] : 9 + packet[4]]
    return start[:3] == b"\0\0\1" and len(start) == 4 and start[3] >> 4 == 0xE
