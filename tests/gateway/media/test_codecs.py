"""Codec strings are exact: against ffmpeg's own files, and against configurations written down by hand."""

import struct

import pytest

from gateway.media.boxes import Box, make_box, read_boxes
from gateway.media.codecs import Coding, read_coding
from gateway.media.errors import CodecError, MediaError
from tests.gateway.media_fixture import encode, split

VISUAL = bytes(24) + struct.pack(">HH", 1280, 720) + bytes(50)
AUDIO = bytes(16) + struct.pack(">HHI", 2, 16, 0) + struct.pack(">I", 48000 << 16)


def entry(kind: bytes, head: bytes, *configs: bytes) -> Box:
    data = make_box(kind, head, *configs)
    return next(read_boxes(memoryview(data), 0, len(data)))


def esds(object_type: int, config: bytes) -> bytes:
    info = bytes((0x05, len(config))) + config if config else b""
    decoder = bytes((object_type,)) + bytes(12) + info
    es = bytes(3) + bytes((0x04, len(decoder))) + decoder
    return make_box(b"esds", bytes(4), bytes((0x03, len(es))), es)


@pytest.mark.parametrize(
    ("profile", "level", "expected"),
    [("baseline", "3.0", "avc1.42C01E"), ("main", "3.1", "avc1.4D401F"), ("high", "4.1", "avc1.640029")],
)
def test_h264_as_ffmpeg_writes_it(profile: str, level: str, expected: str) -> None:
    video = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-profile:v", profile, "-level", level)
    (track,) = split(encode(seconds=0.2, sound=False, video=video)).init.tracks
    assert (track.codec, track.width, track.height, track.timescale) == (expected, 320, 180, 12_800)


def test_aac_as_ffmpeg_writes_it() -> None:
    track = split(encode()).init.tracks[1]
    assert (track.codec, track.channels, track.sample_rate) == ("mp4a.40.2", 1, 48_000)
    assert (track.language, track.timescale) == ("deu", 48_000)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (bytes.fromhex("01016000000090000000000078"), "hvc1.1.6.L120.90"),
        (bytes.fromhex("01022000000090000000000099"), "hvc1.2.4.L153.90"),
        (bytes.fromhex("01216000000000000000000096"), "hvc1.1.6.H150"),
        (bytes.fromhex("0141600000009000a000000078"), "hvc1.A1.6.L120.90.0.A0"),
    ],
)
def test_h265(config: bytes, expected: str) -> None:
    coding = read_coding(entry(b"hvc1", VISUAL, make_box(b"hvcC", config)))
    assert coding == Coding(codec=expected, width=1280, height=720)


@pytest.mark.parametrize(
    ("config", "expected"),
    [("81040c00", "av01.0.04M.08"), ("8128c000", "av01.1.08H.10"), ("81516000", "av01.2.17M.12")],
)
def test_av1(config: str, expected: str) -> None:
    box = entry(b"av01", VISUAL, make_box(b"av1C", bytes.fromhex(config)))
    assert read_coding(box).codec == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("00010 0011 0010", ("mp4a.40.2", 2, 48_000)),
        ("00101 0111 0001", ("mp4a.40.5", 1, 22_050)),
        ("11101 0111 0111", ("mp4a.40.29", 8, 22_050)),
        ("11111 001010 0100 0010", ("mp4a.40.42", 2, 44_100)),
        (f"00010 1111 {96_000:024b} 0110", ("mp4a.40.2", 6, 96_000)),
        ("00010 1110 0000", ("mp4a.40.2", 2, 48_000)),
    ],
)
def test_mpeg4_audio(config: str, expected: tuple[str, int, int]) -> None:
    bits = config.replace(" ", "").ljust(56, "0")
    coding = read_coding(entry(b"mp4a", AUDIO, esds(0x40, int(bits, 2).to_bytes(7, "big"))))
    assert (coding.codec, coding.channels, coding.sample_rate) == expected


def test_mp3() -> None:
    coding = read_coding(entry(b"mp4a", AUDIO, esds(0x6B, b"")))
    assert coding == Coding(codec="mp4a.6B", channels=2, sample_rate=48_000)


def test_other_audio() -> None:
    opus = read_coding(entry(b"Opus", AUDIO, make_box(b"dOps", bytes((0, 6)), bytes(9))))
    assert opus == Coding(codec="opus", channels=6, sample_rate=48_000)
    ac3 = read_coding(entry(b"ac-3", AUDIO, make_box(b"dac3", bytes.fromhex("103dc0"))))
    assert ac3 == Coding(codec="ac-3", channels=6, sample_rate=48_000)
    assert read_coding(entry(b"ec-3", AUDIO, make_box(b"dec3", bytes(5)))).codec == "ec-3"


@pytest.mark.parametrize("kind", [b"vp08", b"jpeg", b"mp4v", b"encv", b"sowt", b"\xff\0\0\0"])
def test_what_hls_cannot_carry_is_refused_with_the_way_out(kind: bytes) -> None:
    with pytest.raises(CodecError, match="leave out -c copy"):
        read_coding(entry(kind, VISUAL))


def test_audio_that_hls_cannot_carry_is_refused_with_the_way_out() -> None:
    with pytest.raises(CodecError, match=r"0xdd.*leave out -c copy"):
        read_coding(entry(b"mp4a", AUDIO, esds(0xDD, b"")))


@pytest.mark.parametrize("kind", [b"avc1", b"hev1", b"av01", b"mp4a", b"Opus", b"ac-3", b"ec-3"])
def test_a_codec_without_its_configuration_is_damaged(kind: bytes) -> None:
    head = VISUAL if kind in (b"avc1", b"hev1", b"av01") else AUDIO
    with pytest.raises(MediaError, match="has no"):
        read_coding(entry(kind, head))
