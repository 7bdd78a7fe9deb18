"""H.264 out of RTP (RFC 6184): payloads in order go in, whole pictures in Annex B form come out, a key frame first."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.ingest.webrtc.rtp import RtpPacket

START_CODE = b"\0\0\0\1"
SLICE_TYPES = range(1, 6)
KEY_SLICE = 5
SEQUENCE_SET = 7
PICTURE_SET = 8
AGGREGATE = 24
FRAGMENT = 28
PICTURE_BYTES_MAX = 8 << 20
SETS_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An access unit; ``sets`` are the parameter sets that it is decoded with. ``timestamp`` is RTP's, 90 kHz."""

    timestamp: int
    key: bool
    data: bytes
    sets: bytes


class Pictures:
    """Puts pictures together. After a loss nothing comes out before the next key frame."""

    def __init__(self, sets: tuple[bytes, ...] = ()) -> None:
        """``sets``: parameter sets that the sender has told beforehand (``sprop-parameter-sets``)."""
        self._sets: dict[bytes, bytes] = {}
        self._units: list[bytes] = []
        self._fragment = bytearray()
        self._size_bytes = 0
        self._timestamp: int | None = None
        self._damaged = False
        self.waits_for_key = True
        for unit in sets:
            self._keep(unit)

    def feed(self, packet: RtpPacket | None) -> list[Picture]:
        """The next packet, or None where one is lost; the pictures that it completes."""
        if packet is None:
            self._damaged = True
            self._fragment.clear()
            return []
        out = []
        if self._timestamp is not None and packet.timestamp != self._timestamp:
            out += self._finish()
        self._timestamp = packet.timestamp
        for unit in self._units_of(packet.payload):
            self._size_bytes += len(unit)
            if self._size_bytes > PICTURE_BYTES_MAX:
                self._damaged = True
            else:
                self._units.append(unit)
        if packet.marker:
            out += self._finish()
        return out

    def _units_of(self, payload: bytes) -> Iterator[bytes]:
        """The NAL units that a payload completes (RFC 6184 sections 5.6 to 5.8)."""
        kind = payload[0] & 0x1F if payload else 0
        if kind == FRAGMENT and len(payload) > 2:
            if payload[1] & 0x80:
                self._fragment[:] = bytes((payload[0] & 0xE0 | payload[1] & 0x1F,))
            elif not self._fragment:
                self._damaged = True
                return
            self._fragment += payload[2:]
            if len(self._fragment) > PICTURE_BYTES_MAX:
                self._fragment.clear()
            elif payload[1] & 0x40:
                yield bytes(self._fragment)
                self._fragment.clear()
        elif kind == AGGREGATE:
            at = 1
            while at + 2 < len(payload):
                size = int.from_bytes(payload[at : at + 2], "big")
                if size and at + 2 + size <= len(payload):
                    yield payload[at + 2 : at + 2 + size]
                at += 2 + size
        elif 0 < kind < AGGREGATE:
            yield payload

    def _finish(self) -> list[Picture]:
        units, timestamp, damaged = self._units, self._timestamp, self._damaged or bool(self._fragment)
        self._units, self._size_bytes, self._timestamp, self._damaged = [], 0, None, False
        self._fragment.clear()
        kinds = [unit[0] & 0x1F for unit in units]
        for unit in units:
            self._keep(unit)
        key = KEY_SLICE in kinds
        if damaged:
            self.waits_for_key = True
        if timestamp is None or not any(kind in SLICE_TYPES for kind in kinds):
            return []
        if self.waits_for_key and (damaged or not key or not self._has_sets()):
            return []
        self.waits_for_key = False
        if key:
            # A key frame carries all that it needs, so that the stream can be begun at each.
            units = [unit for unit in units if unit[0] & 0x1F not in (SEQUENCE_SET, PICTURE_SET)]
            units = [*sorted(self._sets.values(), key=lambda unit: unit[0] & 0x1F), *units]
        data = b"".join(START_CODE + unit for unit in units)
        return [Picture(timestamp=timestamp, key=key, data=data, sets=b"".join(self._sets.values()))]

    def _keep(self, unit: bytes) -> None:
        """The first bytes of a set name it: its kind, and its number (section 7.3.2 of the video standard)."""
        kind = unit[0] & 0x1F if unit else 0
        if kind == SEQUENCE_SET and len(unit) > 4:
            name = bytes((kind,)) + _first_code(unit[4:8])
        elif kind == PICTURE_SET and len(unit) > 1:
            name = bytes((kind,)) + _first_code(unit[1:5])
        else:
            return
        if name in self._sets or len(self._sets) < SETS_MAX:
            self._sets[name] = unit

    def _has_sets(self) -> bool:
        return {name[0] for name in self._sets} == {SEQUENCE_SET, PICTURE_SET}


def _first_code(data: bytes) -> bytes:
    """The first Exp-Golomb code as bits in text: enough to tell two numbers apart."""
    bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"
    zeros = len(bits) - len(bits.lstrip("0"))
    return bits[: 2 * zeros + 1].encode()
