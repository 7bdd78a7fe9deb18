"""Where a push becomes another: its encoder changes the picture's size, the codec or the tracks without beginning anew,
or its time leaps. (In MPEG-TS ffmpeg itself bridges leaps, there it is expected.)

ffmpeg writes what a stream is coded by once, at its start. A push is therefore cut where that changes; what comes after
the cut begins with all that a new ffmpeg needs, and goes on air as a new epoch.

Each watch takes the bytes of one container as they come and gives out those that belong to the stream so far. Once it
has found a change, ``after`` is what the next stream begins with, and the watch takes nothing more.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Protocol

from gateway.ingest import flv, transport_stream
from gateway.ingest.transport_stream import PACKET_BYTES, PAT_PID, SYNC, VIDEO_TYPES
from gateway.media.boxes import read_boxes
from gateway.media.elementary import AVC_UNITS, HEVC_UNITS, Units
from gateway.media.errors import CodecError
from gateway.media.fragments import read_time
from gateway.media.splitter import next_box
from gateway.media.tracks import read_init

BACK_S, AHEAD_S = 1.0, 20.0
"""Times that leap by more are of another recording; a pause of the network is shorter."""
TAG_TIMES = 1 << 32
LOOK_BYTES = 2048
"""The parameter sets of a picture stand within so many of its first bytes."""
HEADS = (b"ftyp", b"moov", b"moof")
"""Boxes that are read whole."""
UNITS = {"h264": AVC_UNITS, "hevc": HEVC_UNITS}
PES_HEADER_BYTES = 9


class Watch(Protocol):
    """Watches one container."""

    after: bytes | None

    def feed(self, data: bytes) -> bytes:
        """The bytes that belong to the stream so far. Raises MediaError."""
        ...

    def end(self) -> bytes:
        """What was kept back to be looked at, when nothing more comes."""
        ...


class TagWatch:
    """FLV: a decoder's parameters that differ from those before, or a time that does not follow."""

    def __init__(self) -> None:
        self.after: bytes | None = None
        self._buffer = b""
        self._header = b""
        self._setups: dict[int, bytes] = {}
        self._changing = False
        self._time_ms: int | None = None

    def feed(self, data: bytes) -> bytes:
        """As `Watch`."""
        self._buffer += data
        if not self._header:
            if len(self._buffer) < flv.HEADER_BYTES:
                return b""
            self._header, self._buffer = self._buffer[: flv.HEADER_BYTES], self._buffer[flv.HEADER_BYTES :]
            return self._header + self.feed(b"")
        taken = kept = 0
        for tag, end in flv.read_tags(self._buffer, 0):
            start, taken = taken, end
            setup = tag.setup or tag.kind == flv.SCRIPT
            if not setup and (self._changing or self._leaps(tag.time_ms)):
                self.after = self._header + b"".join(self._setups.values()) + self._buffer[start:]
                self._buffer, out = b"", self._buffer[:kept]
                return out
            if setup:
                whole = self._buffer[start:end]
                known = self._setups.get(tag.kind)
                self._setups[tag.kind] = whole
                # All that is new comes in a row, before the first picture or sound by it.
                self._changing = self._changing or (tag.setup and known is not None and _body(known) != tag.body)
            if not self._changing:
                kept = end
        out = self._buffer[:kept]
        self._buffer = self._buffer[taken:]
        return out

    def end(self) -> bytes:
        """As `Watch`."""
        return self._buffer

    def _leaps(self, time_ms: int) -> bool:
        """The clock has 32 bits; that it begins anew is no leap."""
        known, self._time_ms = self._time_ms, time_ms
        if known is None:
            return False
        passed_ms = (time_ms - known + TAG_TIMES // 2) % TAG_TIMES - TAG_TIMES // 2
        return not -BACK_S * 1000 <= passed_ms <= AHEAD_S * 1000


def _body(tag: bytes) -> bytes:
    return tag[flv.TAG_HEADER_BYTES : -flv.SIZE_AFTER_BYTES]


class BoxWatch:
    """Fragmented MP4: another `moov`, or a fragment whose time does not follow."""

    def __init__(self) -> None:
        self.after: bytes | None = None
        self._head = b""
        self._left = 0
        self._file_type = b""
        self._moov = b""
        self._timescales: dict[int, int] = {}
        self._times_s: dict[int, float] = {}

    def feed(self, data: bytes) -> bytes:
        """As `Watch`."""
        data, self._head = self._head + data, b""
        out: list[bytes] = []
        at = 0
        while at < len(data):
            if not self._left:
                box = next_box(data, at)
                whole = box is not None and len(data) - at >= box[1]
                if box is None or (not whole and box[0] in HEADS):
                    self._head = data[at:]
                    break
                kind, size = box
                if kind in HEADS:
                    head = self._changes(kind, data[at : at + size])
                    if head is not None:
                        self.after = head + data[at:]
                        return b"".join(out)
                self._left = size
            taken = data[at : at + self._left]
            out.append(taken)
            self._left -= len(taken)
            at += len(taken)
        return b"".join(out)

    def end(self) -> bytes:
        """As `Watch`."""
        return self._head

    def _changes(self, kind: bytes, box: bytes) -> bytes | None:
        """What must stand before this box, if another stream begins with it."""
        if kind == b"ftyp":
            self._file_type = box
        elif kind == b"moov":
            if self._moov not in (b"", box):
                return self._file_type
            self._moov = box
            with suppress(CodecError):
                self._timescales = {info.track: info.timescale for info in read_init(self._file_type + box).tracks}
        elif self._leaps(box):
            return self._file_type + self._moov
        return None

    def _leaps(self, moof: bytes) -> bool:
        leaps = False
        for traf in (box for box in next(read_boxes(memoryview(moof), 0, len(moof))).children() if box.kind == b"traf"):
            track, time = read_time(traf)
            time_s = time / self._timescales.get(track, 1)
            known_s = self._times_s.get(track)
            self._times_s[track] = time_s
            # Without a clock of its own a track's time says nothing.
            leaps |= known_s is not None and track in self._timescales and not -BACK_S <= time_s - known_s <= AHEAD_S
        return leaps


class PacketWatch:
    """MPEG-TS: other tables, or a key frame with other sequence parameter sets, or the beginning of what is awaited:
    the PIDs that the map names and of which nothing had come."""

    def __init__(self, awaited: Collection[int] = ()) -> None:
        self._awaited = frozenset(awaited)
        self.after: bytes | None = None
        self._buffer = b""
        self._tables: dict[int, bytes] = {}
        self._map_pid: int | None = None
        self._map = b""
        self._video: tuple[int, Units] | None = None
        self._parameters: bytes | None = None
        self._held: list[bytes] = []
        self._picture: bytes | None = None

    def feed(self, data: bytes) -> bytes:
        """As `Watch`."""
        self._buffer += data
        if self._buffer[:1] not in (b"", bytes([SYNC])):
            out, self._buffer = self._buffer, b""  # ffmpeg finds its way back by itself
            return out
        out_packets: list[bytes] = []
        whole = len(self._buffer) - len(self._buffer) % PACKET_BYTES
        for at in range(0, whole, PACKET_BYTES):
            packet = self._buffer[at : at + PACKET_BYTES]
            self._held.append(packet)
            if self._changes(packet):
                self.after = b"".join((*self._tables.values(), *self._held, self._buffer[at + PACKET_BYTES :]))
                return b"".join(out_packets)
            if self._picture is None:
                out_packets += self._held
                self._held.clear()
        self._buffer = self._buffer[whole:]
        return b"".join(out_packets)

    def end(self) -> bytes:
        """As `Watch`."""
        return b"".join((*self._held, self._buffer))

    def _changes(self, packet: bytes) -> bool:
        """Whether another stream begins with what is held."""
        if packet[0] != SYNC:
            return False
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        if pid == PAT_PID and packet[1] & 0x40:
            self._map_pid = transport_stream.map_pid_of(packet)
            self._tables[PAT_PID] = packet
        elif pid == self._map_pid and packet[1] & 0x40:
            return self._read_map(packet)
        elif self._video is not None and pid == self._video[0]:
            return self._look(packet, self._video[1])
        return pid in self._awaited and bool(packet[1] & 0x40)

    def _read_map(self, packet: bytes) -> bool:
        found = transport_stream.streams_of(packet)
        if found is None:
            return False
        content, streams = found
        known, self._map = self._map, content
        if known and known != content:
            self._tables.pop(1, None)
            self._picture = None
            return True
        self._tables[1] = packet
        video = next((pid for pid, kind in streams if kind in VIDEO_TYPES), None)
        units = next((UNITS.get(VIDEO_TYPES[kind]) for pid, kind in streams if pid == video), None)
        self._video = (video, units) if video is not None and units is not None else None
        return False

    def _look(self, packet: bytes, units: Units) -> bool:
        """Whether this packet, of the picture, completes other parameter sets than those before."""
        payload = transport_stream.payload_of(packet)
        if packet[1] & 0x40:
            self._picture = payload[PES_HEADER_BYTES + payload[8] :] if len(payload) > PES_HEADER_BYTES else b""
        elif self._picture is not None:
            self._picture += payload
        else:
            return False
        found = _parameters(self._picture or b"", units)
        if found is None and len(self._picture or b"") < LOOK_BYTES:
            return False
        self._picture = None
        if not found:
            return False
        known, self._parameters = self._parameters, found
        return known is not None and known != found


def _parameters(data: bytes, units: Units) -> bytes | None:
    """The sequence parameter sets at the beginning of a picture; b"" when it has none, None when more must be seen."""
    found = b""
    at = data.find(b"\0\0\1")
    while at >= 0 and len(data) > at + 3:
        kind = units.kind(data[at + 3])
        if units.is_picture(kind):
            return found
        end = data.find(b"\0\0\1", at + 3)
        if kind == units.parameters and end >= 0:
            found += data[at + 3 : end].rstrip(b"\0")
        at = end
    return None


def watch_for(demuxer: str, awaited: Collection[int] = ()) -> Watch:
    """The watch for what ffmpeg reads by this demuxer."""
    watches: dict[str, Callable[[], Watch]] = {"flv": TagWatch, "mp4": BoxWatch}
    return watches[demuxer]() if demuxer in watches else PacketWatch(awaited)
