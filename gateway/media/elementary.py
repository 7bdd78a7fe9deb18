"""Samples as MPEG-TS carries them: H.264 and HEVC as byte streams (annex B of ITU-T H.264 and H.265), AAC in ADTS
(ISO/IEC 14496-3 1.A.2), AC-3 and E-AC-3 as they are, Opus behind control headers (its mapping to MPEG-TS, section 2).

In MP4 the decoder's configuration stands in the init segment; here each key frame and each packet of sound carries it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.media.boxes import Box
from gateway.media.codecs import AUDIO_BYTES, AUDIO_RATES_HZ, VISUAL_BYTES, configuration, read_esds
from gateway.media.errors import CodecError, MediaError

START_CODE = b"\0\0\0\1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """How a codec's NAL units tell what they are: by their first octet; ``parameters`` are sequence parameter sets, a
    picture's own units have the kinds in ``pictures``.

    ISO/IEC 13818-1 sections 2.14.1 and 2.17.1 ask for an access unit ``delimiter`` before each picture.
    """

    kind: Callable[[int], int]
    pictures: range
    parameters: int
    delimiter: int
    delimiter_data: bytes

    def is_picture(self, kind: int) -> bool:
        """Whether such a unit is a piece of a picture."""
        return kind in self.pictures


AVC_UNITS = Units(
    kind=lambda octet: octet & 0x1F, pictures=range(1, 6), parameters=7, delimiter=9, delimiter_data=b"\x09\xf0"
)
HEVC_UNITS = Units(
    kind=lambda octet: octet >> 1 & 0x3F,
    pictures=range(32),
    parameters=33,
    delimiter=35,
    delimiter_data=b"\x46\x01\x50",
)

OPUS_CONTROL = b"\x7f\xe0"
ADTS_BYTES = 7
ADTS_FRAME_BYTES_MAX = (1 << 13) - 1
AUDIO_KINDS_SBR = (5, 29)
"""Object types whose configuration names the core's object type after the extension's rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NalCoding:
    """H.264 or HEVC: its parameter sets with start codes, and how many bytes a NAL unit's length takes in MP4."""

    parameters: bytes
    length_bytes: int
    units: Units = AVC_UNITS

    def access_unit(self, sample: memoryview, *, key: bool) -> bytes:
        """The picture as a byte stream, parameter sets before a key frame. Raises MediaError."""
        units: list[bytes | memoryview] = [START_CODE + self.units.delimiter_data]
        at, own_parameters = 0, False
        while at < len(sample):
            start = at + self.length_bytes
            at = start + int.from_bytes(sample[at:start], "big")
            if at > len(sample) or at == start:
                raise MediaError("A picture whose parts do not fit it.")
            kind = self.units.kind(sample[start])
            own_parameters = own_parameters or kind == self.units.parameters
            if kind != self.units.delimiter:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Sound whose packets say all by themselves."""

    def access_unit(self, sample: memoryview, *, key: bool) -> bytes:
        """The packet, whether or not it is a ``key``."""
        return bytes(sample)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opus:
    """Opus; ``channels`` is the code of its layout, 1 to 8."""

    channels: int

    def access_unit(self, sample: memoryview, *, key: bool) -> bytes:
        """The packet behind its control header: eleven ones, no trimming, its length in octets of at most 255."""
        whole, rest = divmod(len(sample), 0xFF)
        return b"".join((OPUS_CONTROL, b"\xff" * whole, bytes((rest,)), sample))


ElementaryCoding = NalCoding | Aac | Whole | Opus


def read_picture(entry: Box) -> NalCoding:
    """H.264 or HEVC by its sample entry. Raises CodecError for other codecs, MediaError."""
    if entry.kind in (b"avc1", b"avc3"):
        return _read_avc(entry)
    if entry.kind in (b"hvc1", b"hev1"):
        return _read_hevc(entry)
    raise CodecError("MPEG-TS carries pictures in H.264 and HEVC only: play this stream by index.m3u8.")


def _read_hevc(entry: Box) -> NalCoding:
    """The `hvcC` of a sample entry (ISO/IEC 14496-15 section 8.3.3.1)."""
    config = configuration(entry, b"hvcC", VISUAL_BYTES)
    at, sets = 23, []
    for _ in range(config.u8(22)):
        count = config.u16(at + 1)
        at += 3
        for _ in range(count):
            size = config.u16(at)
            sets.append(START_CODE + config.octets(at + 2, size))
            at += 2 + size
    return NalCoding(parameters=b"".join(sets), length_bytes=(config.u8(21) & 0x03) + 1, units=HEVC_UNITS)


def _read_avc(entry: Box) -> NalCoding:
    """The `avcC` of a sample entry (ISO/IEC 14496-15 section 5.3.3.1)."""
    config = configuration(entry, b"avcC", VISUAL_BYTES)
    at, sets = 5, []
    for mask in (0x1F, 0xFF):
        count = config.u8(at) & mask
        at += 1
        for _ in range(count):
            size = config.u16(at)
            sets.append(START_CODE + config.octets(at + 2, size))
            at += 2 + size
    return NalCoding(parameters=b"".join(sets), length_bytes=(config.u8(4) & 0x03) + 1)


def read_opus(entry: Box) -> Opus | None:
    """The layout in a sample entry's `dOps`; None for one that MPEG-TS has no code for. Raises MediaError."""
    config = configuration(entry, b"dOps", AUDIO_BYTES)
    channels, family = config.u8(1), config.u8(10)
    return Opus(channels=channels) if 1 <= channels <= (8 if family == 1 else 2) and family <= 1 else None


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
