"""RTP packets (RFC 3550 section 5.1), the RTCP that a sender sends, and the RTCP that it is answered with."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

VERSION = 2
HEADER = struct.Struct(">BBHII")
SENDER_REPORT = 200
RECEIVER_REPORT = 201
GOODBYE = 203
TRANSPORT_FEEDBACK = 205
PAYLOAD_FEEDBACK = 206
GENERIC_NACK = 1
PICTURE_LOSS = 1
REPORTS_MAX = 31

_RTCP = struct.Struct(">BBH")
_SENDER = struct.Struct(">IQI")
_REPORT = struct.Struct(">IB3sIIII")
_PAIR = struct.Struct(">II")
_LOST = struct.Struct(">HH")


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """``sequence`` has 16 bits, ``timestamp`` 32; ``marker`` ends a picture."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SenderReport:
    """At this time of the sender's clock, in 1/2^32 s, its stream was at this RTP timestamp."""

    ssrc: int
    ntp: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Goodbye:
    """These streams have ended."""

    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptionReport:
    """A block of a receiver report (RFC 3550 section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


def is_rtcp(packet: bytes) -> bool:
    """How the two are told apart on one port (RFC 5761 section 4)."""
    return len(packet) >= 2 and 192 <= packet[1] <= 223


def read_packet(packet: bytes) -> RtpPacket | None:
    """None when it is none, or is damaged."""
    if len(packet) < HEADER.size or packet[0] >> 6 != VERSION:
        return None
    flags, kind, sequence, timestamp, ssrc = HEADER.unpack_from(packet)
    start, end = HEADER.size + 4 * (flags & 0x0F), len(packet)
    if flags & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    if flags & 0x20:
        end -= packet[-1]
    if start > end:
        return None
    return RtpPacket(kind & 0x7F, bool(kind & 0x80), sequence, timestamp, ssrc, packet[start:end])


def read_control(packet: bytes) -> Iterator[SenderReport | Goodbye]:
    """What counts here of a compound packet; reading ends where it is damaged."""
    at = 0
    while at + _RTCP.size <= len(packet):
        flags, kind, words = _RTCP.unpack_from(packet, at)
        body, at = packet[at + _RTCP.size : at + 4 + 4 * words], at + 4 + 4 * words
        if flags >> 6 != VERSION or at > len(packet):
            return
        if kind == SENDER_REPORT and len(body) >= _SENDER.size:
            yield SenderReport(*_SENDER.unpack_from(body))
        elif kind == GOODBYE:
            count = min(flags & 0x1F, len(body) // 4)
            yield Goodbye(tuple(int.from_bytes(body[4 * n : 4 * n + 4], "big") for n in range(count)))


def make_receiver_report(ssrc: int, reports: Sequence[ReceptionReport]) -> bytes:
    """What has come of each stream (RFC 3550 section 6.4.2)."""
    blocks = [
        _REPORT.pack(
            report.ssrc,
            report.fraction_lost,
            max(min(report.lost, 0x7FFFFF), -0x800000).to_bytes(3, "big", signed=True),
            report.highest & 0xFFFFFFFF,
            report.jitter & 0xFFFFFFFF,
            report.last_report,
            report.delay & 0xFFFFFFFF,
        )
        for report in reports[:REPORTS_MAX]
    ]
    return _control(RECEIVER_REPORT, len(blocks), ssrc.to_bytes(4, "big") + b"".join(blocks))


def make_picture_loss(ssrc: int, media: int) -> bytes:
    """Asks for a key frame (RFC 4585 section 6.3.1)."""
    return _control(PAYLOAD_FEEDBACK, PICTURE_LOSS, _PAIR.pack(ssrc, media))


def make_nack(ssrc: int, media: int, lost: Sequence[int]) -> bytes:
    """Asks for packets again (RFC 4585 section 6.2.1); ``lost`` are sequence numbers in order."""
    pairs: list[tuple[int, int]] = []
    for number in lost:
        behind = (number - pairs[-1][0]) & 0xFFFF if pairs else 0
        if pairs and 1 <= behind <= 16:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] | 1 << behind - 1)
        else:
            pairs.append((number & 0xFFFF, 0))
    body = _PAIR.pack(ssrc, media) + b"".join(_LOST.pack(*pair) for pair in pairs)
    return _control(TRANSPORT_FEEDBACK, GENERIC_NACK, body)


def _control(kind: int, count: int, body: bytes) -> bytes:
    return _RTCP.pack(VERSION << 6 | count, kind, len(body) // 4) + body
