"""Codec strings (RFC 6381 and each codec's own mapping) and sizes, read from sample entries.

avc1: ISO/IEC 14496-15 section 5.3.3 and RFC 6381 section 3.3; hvc1: ISO/IEC 14496-15 annex E.3; av01: the AV1 codec
mapping to ISOBMFF, section 5; mp4a: ISO/IEC 14496-3 section 1.6.2.1; ac-3, ec-3: ETSI TS 102 366 annex F.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.media.boxes import Box
from gateway.media.errors import CodecError, MediaError

# Content of the sample entries before their own boxes: ISO/IEC 14496-12 sections 12.1.3 and 12.2.3.
VISUAL_BYTES = 78
AUDIO_BYTES = 28

OBJECT_TYPE_MPEG4_AUDIO = 0x40
OBJECT_TYPES_MP3 = (0x69, 0x6B)
AUDIO_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
AAC_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
AC3_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """What a sample entry says; what does not apply is 0."""

    codec: str
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate: int = 0


def read_coding(entry: Box) -> Coding:
    """Raises CodecError when HLS cannot carry the codec, MediaError when its configuration is damaged."""
    kind = entry.kind
    if kind in _VIDEO:
        codec = _VIDEO[kind](entry)
        return Coding(codec=codec, width=entry.u16(24), height=entry.u16(26))
    if kind in _AUDIO:
        return _AUDIO[kind](entry)
    if kind in _TEXT:
        return Coding(codec=_TEXT[kind])
    name = kind.decode("ascii", "replace").strip()
    raise _unfit(f"HLS cannot carry the codec {name}")


def _unfit(what: str) -> CodecError:
    return CodecError(f"{what}. Let ffmpeg encode it anew, as H.264 and AAC: leave out -c copy.")


def _avc(entry: Box) -> str:
    config = configuration(entry, b"avcC", VISUAL_BYTES)
    name = entry.kind.decode("ascii")
    return f"{name}.{config.u8(1):02X}{config.u8(2):02X}{config.u8(3):02X}"


def _hevc(entry: Box) -> str:
    config = configuration(entry, b"hvcC", VISUAL_BYTES)
    first = config.u8(1)
    space = ("", "A", "B", "C")[first >> 6]
    tier = "H" if first & 0x20 else "L"
    compatibility = int(f"{config.u32(2):032b}"[::-1], 2)
    constraints = [f"{octet:X}" for octet in config.octets(6, 6).rstrip(b"\0")]
    fields = [f"{space}{first & 0x1F}", f"{compatibility:X}", f"{tier}{config.u8(12)}", *constraints]
    return ".".join((entry.kind.decode("ascii"), *fields))


def _av1(entry: Box) -> str:
    config = configuration(entry, b"av1C", VISUAL_BYTES)
    second, third = config.u8(1), config.u8(2)
    profile, level = second >> 5, second & 0x1F
    tier = "H" if third & 0x80 else "M"
    high, twelve = third & 0x40, third & 0x20
    depth = 12 if profile == 2 and high and twelve else 10 if high else 8
    return f"av01.{profile}.{level:02d}{tier}.{depth:02d}"


def _mp4a(entry: Box) -> Coding:
    object_type, config = read_esds(configuration(entry, b"esds", AUDIO_BYTES))
    channels, rate = entry.u16(16), entry.u32(24) >> 16
    if object_type in OBJECT_TYPES_MP3:
        return Coding(codec=f"mp4a.{object_type:02X}", channels=channels, sample_rate=rate)
    if object_type != OBJECT_TYPE_MPEG4_AUDIO:
        raise _unfit(f"HLS cannot carry this audio (MPEG-4 object type {object_type:#04x})")
    kind, configured_rate, configured_channels = _read_audio_config(config)
    return Coding(
        codec=f"mp4a.40.{kind}",
        channels=configured_channels or channels,
        sample_rate=configured_rate or rate,
    )


def read_esds(esds: Box) -> tuple[int, bytes]:
    """Object type and decoder-specific info: descriptors in descriptors, ISO/IEC 14496-1 section 7.2.6."""
    at, _ = _descriptor(esds, 4, 0x03)
    flags = esds.u8(at + 2)
    at += 3 + (2 if flags & 0x80 else 0) + (2 if flags & 0x20 else 0)
    if flags & 0x40:
        at += 1 + esds.u8(at)
    at, _ = _descriptor(esds, at, 0x04)
    object_type = esds.u8(at)
    if object_type != OBJECT_TYPE_MPEG4_AUDIO:
        return object_type, b""
    at, length = _descriptor(esds, at + 13, 0x05)
    return object_type, esds.octets(at, length)


def _descriptor(esds: Box, at: int, tag: int) -> tuple[int, int]:
    """Start and length of a descriptor's content; lengths are written in up to four groups of seven bits."""
    if esds.u8(at) != tag:
        raise MediaError("This MP4's audio configuration (esds) is damaged.")
    length = 0
    for step in range(1, 5):
        octet = esds.u8(at + step)
        length = length << 7 | octet & 0x7F
        if not octet & 0x80:
            return at + step + 1, length
    raise MediaError("This MP4's audio configuration (esds) is damaged.")


def _read_audio_config(config: bytes) -> tuple[int, int, int]:
    """Audio object type, sample rate in Hz and channels; the last two 0 where only the samples tell."""
    if len(config) < 2:
        raise MediaError("This MP4's audio configuration is too short.")
    bits = int.from_bytes(config[:8].ljust(8, b"\0"), "big")
    left = 64

    def take(count: int) -> int:
        nonlocal left
        left -= count
        return bits >> left & (1 << count) - 1

    kind = take(5)
    if kind == 31:
        kind = 32 + take(6)
    index = take(4)
    rate = take(24) if index == 15 else AUDIO_RATES_HZ[index] if index < len(AUDIO_RATES_HZ) else 0
    layout = take(4)
    return kind, rate, AAC_CHANNELS[layout] if layout < len(AAC_CHANNELS) else 0


def _opus(entry: Box) -> Coding:
    return Coding(codec="opus", channels=configuration(entry, b"dOps", AUDIO_BYTES).u8(1), sample_rate=48000)


def _ac3(entry: Box) -> Coding:
    bits = int.from_bytes(configuration(entry, b"dac3", AUDIO_BYTES).octets(0, 3), "big")
    mode, low_frequency = bits >> 11 & 7, bits >> 10 & 1
    return Coding(codec="ac-3", channels=AC3_CHANNELS[mode] + low_frequency, sample_rate=entry.u32(24) >> 16)


def _plain_audio(codec: str, config: bytes) -> Callable[[Box], Coding]:
    def read(entry: Box) -> Coding:
        configuration(entry, config, AUDIO_BYTES)
        return Coding(codec=codec, channels=entry.u16(16), sample_rate=entry.u32(24) >> 16)

    return read


def configuration(entry: Box, kind: bytes, offset: int) -> Box:
    """The box that configures a sample entry's decoder. Raises MediaError when there is none."""
    found = entry.find(kind, offset)
    if found is None:
        raise MediaError(f"This MP4's {entry.kind!r} track has no {kind!r} configuration.")
    return found


_VIDEO: dict[bytes, Callable[[Box], str]] = {
    b"avc1": _avc,
    b"avc3": _avc,
    b"hvc1": _hevc,
    b"hev1": _hevc,
    b"av01": _av1,
}
_AUDIO: dict[bytes, Callable[[Box], Coding]] = {
    b"mp4a": _mp4a,
    b"Opus": _opus,
    b"ac-3": _ac3,
    b"ec-3": _plain_audio("ec-3", b"dec3"),
    b"fLaC": _plain_audio("fLaC", b"dfLa"),
}
_TEXT = {b"wvtt": "wvtt", b"stpp": "stpp.ttml.im1t"}
