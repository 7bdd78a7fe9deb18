"""A small WebRTC sender for tests: makes checks of ICE, packets of RTP, and pictures that only look like H.264."""

import hashlib
import hmac
import struct
import zlib

from gateway.ingest.webrtc.rtp import RtpPacket

SETS = (b"\x67\x42\xc0\x1e\xd9\x00", b"\x68\xce\x3c\x80")
OTHER_SETS = (b"\x67\x42\xc0\x1f\xd9\x01", b"\x68\xce\x3c\x80")
KEY_SLICE = b"\x65\x88" + bytes(40)
SLICE = b"\x41\x9a" + bytes(20)


def binding_request(username: str, password: str, transaction: bytes, *, chosen: bool = False) -> bytes:
    name = username.encode()
    body = struct.pack(">HH", 0x0006, len(name)) + name + bytes(-len(name) % 4)
    body += struct.pack(">HH", 0x0025, 0) if chosen else b""

    def head(length: int) -> bytes:
        return struct.pack(">HHI12s", 0x0001, length, 0x2112A442, transaction)

    proof = hmac.digest(password.encode(), head(len(body) + 24) + body, hashlib.sha1)
    body += struct.pack(">HH", 0x0008, 20) + proof
    checksum = zlib.crc32(head(len(body) + 8) + body) ^ 0x5354554E
    return head(len(body) + 8) + body + struct.pack(">HHI", 0x8028, 4, checksum)


def rtp_bytes(packet: RtpPacket) -> bytes:
    kind = packet.payload_type | (0x80 if packet.marker else 0)
    head = struct.pack(">BBHII", 0x80, kind, packet.sequence & 0xFFFF, packet.timestamp & 0xFFFFFFFF, packet.ssrc)
    return head + packet.payload


def sender_report(ssrc: int, ntp: int, timestamp: int) -> bytes:
    return struct.pack(">BBHIQIII", 0x80, 200, 6, ssrc, ntp, timestamp & 0xFFFFFFFF, 1, 1)


class Camera:
    """One H.264 track: each picture as its packets, numbered on."""

    def __init__(self, *, payload_type: int = 96, ssrc: int = 43, fps: int = 25, sequence: int = 65530) -> None:
        self.payload_type = payload_type
        self.ssrc = ssrc
        self.sequence = sequence
        self.timestamp = (1 << 32) - 9000
        self.step = 90_000 // fps

    def picture(self, *, key: bool = False, sets: tuple[bytes, ...] = SETS) -> list[RtpPacket]:
        units = [*(sets if key else ()), KEY_SLICE if key else SLICE]
        packets = [self._packet(unit, last=unit is units[-1]) for unit in units]
        self.timestamp += self.step
        return packets

    def _packet(self, payload: bytes, *, last: bool) -> RtpPacket:
        packet = RtpPacket(
            self.payload_type, last, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc, payload
        )
        self.sequence += 1
        return packet


class Microphone:
    """One Opus track, a packet each 20 ms."""

    def __init__(self, *, payload_type: int = 111, ssrc: int = 42) -> None:
        self.payload_type = payload_type
        self.ssrc = ssrc
        self.sequence = 100
        self.timestamp = 5000

    def packet(self) -> RtpPacket:
        packet = RtpPacket(self.payload_type, False, self.sequence, self.timestamp, self.ssrc, b"\xfc\xff\xfe")
        self.sequence += 1
        self.timestamp += 960
        return packet
