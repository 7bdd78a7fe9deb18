"""Samples as MPEG-TS carries them: H.264 as a byte stream (ITU-T H.264 annex B), AAC in ADTS (ISO/IEC 14496-3 1.A.2).

In MP4 the decoder's configuration stands in the init segment; here each key frame and each packet of sound carries it.
"""

from dataclasses import dataclass

from gateway.media.boxes import Box
from gateway.media.codecs import AUDIO_BYTES, AUDIO_RATES_HZ, VISUAL_BYTES, configuration, read_esds
from gateway.media.errors import CodecError, MediaError

START_CODE = b"\0\0\0\1"
ACCESS_UNIT_DELIMITER = START_CODE + b"\x09\xf0"
"""ISO/IEC 13818-1 section 2.14.1 asks for one before each picture."""

NAL_PARAMETERS = 7
NAL_DELIMITER = 9

ADTS_BYTES = 7
ADTS_FRAME_BYTES_MAX = (1 << 13) - 1
AUDIO_KINDS_SBR = (5, 29)
"""Object types whose configuration names the core's object type after the extension's rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Avc:
    """H.264: its parameter sets with start codes, and how many bytes a NAL unit's length takes in MP4."""

    parameters: bytes
    length_bytes: int

    def access_unit(self, sample: memoryview, *, key: bool) -> bytes:
        """The picture as a byte stream, parameter sets before a key frame. Raises MediaError."""
        units: list[bytes | memoryview] = [ACCESS_UNIT_DELIMITER]
        at, own_parameters = 0, False
        while at < len(sample):
            start = at + self.length_bytes
            at = start + int.from_bytes(sample[at:start], "big")
            if at > len(sample) or at == start:
                raise MediaError("A picture whose parts do not fit it.")
            kind = sample[start] & 0x1F
            own_parameters = own_parameters or kind == NAL_PARAMETERS
            if kind != NAL_DELIMITER:
                units += (START_CODE, sample[start:at])
        if key and not own_parameters:
            units.insert(1, self.parameters)
        return b"".join(units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aac:
    """AAC by what its header says: MPEG-4 object type 1 to 4, index of the rate, channel configuration 1 to 7."""

    object_type: int
    rate_index: int
    channels: int

    def access_unit(self, sample: memoryview, *, key: bool) -> bytes:
        """The packet behind its header, which is the same for a ``key``. Raises MediaError."""
        size = ADTS_BYTES + len(sample)
        if size > ADTS_FRAME_BYTES_MAX:
            raise MediaError(f"A packet of sound of {len(sample)} bytes: ADTS cannot say that.")
        fields = 0xFFF1 << 40 | (self.object_type - 1) << 38 | self.rate_index << 34 | self.channels << 30
        header = fields | size << 13 | 0x7FF << 2
        return b"".join((header.to_bytes(ADTS_BYTES, "big"), sample))


def read_avc(entry: Box) -> Avc:
    """The `avcC` of a sample entry (ISO/IEC 14496-15 section 5.3.3.1). Raises CodecError, MediaError."""
    if entry.kind not in (b"avc1", b"avc3"):
        raise CodecError("MPEG-TS carries the picture in H.264 only: play this stream by index.m3u8.")
    config = configuration(entry, b"avcC", VISUAL_BYTES)
    at, sets = 5, []
    for mask in (0x1F, 0xFF):
        count = config.u8(at) & mask
        at += 1
        for _ in range(count):
            size = config.u16(at)
            sets.append(START_CODE + config.octets(at + 2, size))
            at += 2 + size
    return Avc(parameters=b"".join(sets), length_bytes=(config.u8(4) & 0x03) + 1)


def read_aac(entry: Box) -> Aac | None:
    """The audio configuration of a sample entry (ISO/IEC 14496-3 section 1.6.2.1); None for what ADTS cannot say.

    Raises MediaError.
    """
    if entry.kind != b"mp4a":
        return None
    _, config = read_esds(configuration(entry, b"esds", AUDIO_BYTES))
    bits = int.from_bytes(config[:8].ljust(8, b"\0"), "big")
    kind, rate_index, channels = bits >> 59, bits >> 55 & 0x0F, bits >> 51 & 0x0F
    if kind in AUDIO_KINDS_SBR:
        # A rate that has no index takes 24 bits more; ADTS could not say the core's in most such streams either.
        kind = bits >> 42 & 0x1F if bits >> 47 & 0x0F != 0x0F else 0
    if 1 <= kind <= 4 and rate_index < len(AUDIO_RATES_HZ) and 1 <= channels <= 7:
        return Aac(object_type=kind, rate_index=rate_index, channels=channels)
    return None
