"""Reads MPEG-TS back, strictly: the tests' second opinion on what the muxer writes."""

from dataclasses import dataclass

PACKET_BYTES = 188


@dataclass(frozen=True)
class Packet:
    pid: int
    start: bool
    counter: int
    adaptation: bytes
    payload: bytes

    @property
    def clock(self) -> int | None:
        """The clock reference's base."""
        if not self.adaptation or not self.adaptation[0] & 0x10:
            return None
        return int.from_bytes(self.adaptation[1:6], "big") >> 7

    @property
    def random_access(self) -> bool:
        return bool(self.adaptation) and bool(self.adaptation[0] & 0x40)


@dataclass(frozen=True)
class Pes:
    stream_id: int
    pts: int
    dts: int
    data: bytes


def read_packets(data: bytes) -> list[Packet]:
    assert len(data) % PACKET_BYTES == 0
    return [read_packet(data[at : at + PACKET_BYTES]) for at in range(0, len(data), PACKET_BYTES)]


def read_packet(packet: bytes) -> Packet:
    assert packet[0] == 0x47
    assert not packet[1] & 0xA0
    control = packet[3] >> 4
    assert control in (1, 3)
    at, adaptation = 4, b""
    if control == 3:
        at = 5 + packet[4]
        adaptation = packet[5:at]
        fields = 1 + (6 if adaptation and adaptation[0] & 0x10 else 0)
        assert set(adaptation[fields:]) <= {0xFF}
    assert at < PACKET_BYTES
    return Packet(
        pid=(packet[1] & 0x1F) << 8 | packet[2],
        start=bool(packet[1] & 0x40),
        counter=packet[3] & 0x0F,
        adaptation=adaptation,
        payload=packet[at:],
    )


def check_counters(packets: list[Packet]) -> None:
    counters: dict[int, int] = {}
    for packet in packets:
        if packet.pid in counters:
            assert packet.counter == (counters[packet.pid] + 1) % 16
        counters[packet.pid] = packet.counter


def read_pes(packets: list[Packet], pid: int) -> list[Pes]:
    found: list[bytearray] = []
    for packet in packets:
        if packet.pid == pid:
            if packet.start:
                found.append(bytearray())
            found[-1] += packet.payload
    return [_parse(bytes(data)) for data in found]


def read_start(packet: Packet) -> int:
    """The presentation time in a PES packet's first packet."""
    assert packet.start
    return _time(packet.payload[9:14])


def _parse(data: bytes) -> Pes:
    assert data[:3] == b"\0\0\1"
    length = int.from_bytes(data[4:6], "big")
    assert length in (0, len(data) - 6)
    assert data[6] >> 6 == 2
    body = data[9 + data[8] :]
    pts = _time(data[9:14])
    dts = _time(data[14:19]) if data[7] & 0x40 else pts
    return Pes(data[3], pts, dts, body)


def _time(field: bytes) -> int:
    bits = int.from_bytes(field, "big")
    assert bits & 1
    assert bits >> 16 & 1
    assert bits >> 32 & 1
    return (bits >> 33 & 7) << 30 | (bits >> 17 & 0x7FFF) << 15 | bits >> 1 & 0x7FFF
