"""Packets of Opus in a transport stream, as Xiph's mapping into MPEG-TS has it (version 0.1.3)."""

from gateway.media.mpegts import FIRST_PID, AccessUnit, TransportTrack

PRIVATE_DATA = 0x06
PRIVATE_STREAM = 0xBD
REGISTRATION = b"\x05\x04Opus"
STEREO = b"\x7f\x02\x80\x02"
"""The extension descriptor with the channels' configuration: two, in one coupled stream."""
CONTROL_HEADER = 0x7FE0

OPUS_TRACK = TransportTrack(
    pid=FIRST_PID + 1, stream_type=PRIVATE_DATA, stream_id=PRIVATE_STREAM, descriptors=REGISTRATION + STEREO
)


def opus_unit(pts: int, packet: bytes) -> AccessUnit:
    """A packet with the control header in front that tells its size: a 255 for each 255 bytes, then the rest."""
    size = len(packet)
    head = CONTROL_HEADER.to_bytes(2, "big") + b"\xff" * (size // 255) + bytes((size % 255,))
    return AccessUnit(track=OPUS_TRACK, pts=pts, dts=pts, key=False, data=head + packet)
