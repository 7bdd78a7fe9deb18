"""RTP and RTCP: what comes is read with care, what goes out has the form of the standards."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.webrtc import rtp
from gateway.ingest.webrtc.rtp import Goodbye, ReceptionReport, RtpPacket, SenderReport
from tests.gateway.ingest.webrtc.sender import rtp_bytes, sender_report

PACKET = RtpPacket(96, True, 65535, 4_294_967_295, 7, b"payload")


def test_a_packet_is_read_back() -> None:
    assert rtp.read_packet(rtp_bytes(PACKET)) == PACKET


def test_what_lies_around_the_payload_is_taken_off() -> None:
    plain = rtp_bytes(PACKET)
    extension = struct.pack(">HH", 0xBEDE, 1) + b"\x10a\0\0"
    packet = bytes([0x80 | 0x20 | 0x10 | 1]) + plain[1:12] + b"csrc" + extension + b"payload" + b"\0\0\3"
    assert rtp.read_packet(packet) == PACKET


def test_reports_and_goodbyes_are_found_in_a_row() -> None:
    compound = (
        sender_report(7, 1 << 40, 90) + struct.pack(">BBHI", 0x81, 202, 1, 7) + struct.pack(">BBHI", 0x81, 203, 1, 7)
    )
    assert list(rtp.read_control(compound)) == [SenderReport(7, 1 << 40, 90), Goodbye((7,))]


def test_lost_packets_are_asked_for_in_pairs() -> None:
    packet = rtp.make_nack(1, 7, [65534, 65535, 0, 40])
    assert packet[:4] == bytes([0x81, 205, 0, 4])
    assert struct.unpack(">IIHHHH", packet[4:]) == (1, 7, 65534, 0b11, 40, 0)


def test_a_key_frame_is_asked_for() -> None:
    assert rtp.make_picture_loss(1, 7) == bytes([0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7])


def test_a_receiver_report_has_its_length() -> None:
    report = ReceptionReport(ssrc=7, fraction_lost=3, lost=-1, highest=1 << 33, jitter=5, last_report=6, delay=8)
    packet = rtp.make_receiver_report(1, [report])
    assert packet[:4] == bytes([0x81, 201, 0, 7])
    assert len(packet) == 32
    assert packet[13:16] == b"\xff\xff\xff"


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_nothing(data: bytes) -> None:
    packet = rtp.read_packet(data)
    assert packet is None or len(packet.payload) <= len(data) - 12
    list(rtp.read_control(data))


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=60, unique=True).map(sorted))
def test_every_number_is_asked_for_once(numbers: list[int]) -> None:
    body = rtp.make_nack(1, 7, numbers)[12:]
    asked = []
    for at in range(0, len(body), 4):
        number, mask = struct.unpack_from(">HH", body, at)
        asked += [number, *(number + bit + 1 & 0xFFFF for bit in range(16) if mask >> bit & 1)]
    assert sorted(asked) == numbers
