"""What a transport stream says that it carries, from real streams and from damaged ones."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.errors import NotTransportStream
from gateway.ingest.probe import AUDIOS_MAX
from gateway.ingest.transport_stream import PACKET_BYTES, read_contents
from gateway.media.errors import NoVideo


def packet(pid: int, section: bytes) -> bytes:
    """One packet that holds one whole table section."""
    head = bytes([0x47, 0x40 | pid >> 8, pid & 0xFF, 0x10, 0])
    return (head + section).ljust(PACKET_BYTES, b"\xff")


PAT = packet(0, b"\0\xb0\x0d\0\1\xc1\0\0\0\1\xf0\0crc!")
FILLER = packet(0x1FFF, b"")


def programme(*streams: tuple[int, bytes]) -> bytes:
    """A map of these elementary streams: type and descriptors."""
    body = b"".join(
        bytes([kind, 0xE1, n, 0xF0, len(descriptors)]) + descriptors for n, (kind, descriptors) in enumerate(streams)
    )
    return bytes([2, 0xB0, 9 + len(body) + 4, 0, 1, 0xC1, 0, 0, 0xE1, 0, 0xF0, 0]) + body + b"crc!"


def tables(*streams: tuple[int, bytes]) -> bytes:
    return PAT + packet(0x1000, programme(*streams)) + FILLER * 4


@pytest.mark.parametrize(
    ("name", "video", "audio"), [("film.ts", "h264", "aac"), ("film.mpeg2.ts", "mpeg2video", "mp2")]
)
def test_a_real_stream_names_its_codecs_in_its_first_packets(films: Path, name: str, video: str, audio: str) -> None:
    contents = read_contents((films / name).read_bytes()[: 8 * PACKET_BYTES])
    assert contents is not None
    assert contents.video is not None
    assert (contents.video.codec, [sound.codec for sound in contents.audios]) == (video, [audio])


def test_a_stream_may_begin_inside_a_packet(films: Path) -> None:
    contents = read_contents((films / "film.ts").read_bytes()[100:80_000])
    assert contents is not None
    assert contents.video is not None
    assert contents.video.codec == "h264"


def test_a_stream_without_picture(films: Path) -> None:
    info = read_contents((films / "sound.ts").read_bytes())
    assert info is not None
    assert (info.video, [audio.codec for audio in info.audios]) == (None, ["aac"])


def test_a_film_that_is_no_transport_stream_is_refused(films: Path) -> None:
    with pytest.raises(NotTransportStream, match="-f mpegts"):
        read_contents((films / "film.mp4").read_bytes()[:4096])


@pytest.mark.parametrize("size", [0, 1, 188, 500])
def test_too_little_is_waited_for(films: Path, size: int) -> None:
    assert read_contents((films / "film.ts").read_bytes()[:size]) is None


def test_tables_that_have_not_come_are_waited_for() -> None:
    assert read_contents(packet(0x1FFF, b"") * 10) is None


@pytest.mark.parametrize(
    ("kind", "descriptors", "audio"),
    [
        (0x0F, b"", "aac"),
        (0x11, b"", "aac_latm"),
        (0x81, b"", "ac3"),
        (0x06, b"\x0a\x04eng\0\x6a\x01\0", "ac3"),
        (0x06, b"\x05\x04Opus", "opus"),
        (0x06, b"\x59\x00", None),
    ],
)
def test_sound_is_told_by_its_type_or_its_descriptors(kind: int, descriptors: bytes, audio: str | None) -> None:
    contents = read_contents(tables((0x1B, b""), (kind, descriptors)))
    assert contents is not None
    assert [sound.codec for sound in contents.audios] == ([audio] if audio else [])


def test_every_language_is_named_up_to_a_limit() -> None:
    contents = read_contents(tables((0x1B, b""), *[(0x0F, b"")] * 2, *[(0x81, b"")] * AUDIOS_MAX))
    assert contents is not None
    assert [sound.codec for sound in contents.audios] == ["aac"] * 2 + ["ac3"] * (AUDIOS_MAX - 2)


def test_the_order_of_picture_and_sound_does_not_matter() -> None:
    contents = read_contents(tables((0x0F, b""), (0x24, b"")))
    assert contents is not None
    assert contents.video is not None
    assert contents.video.codec == "hevc"


def test_a_table_that_spans_two_packets_is_put_together() -> None:
    section = programme((0x1B, b"\xff\x96" + bytes(150)), (0x0F, b"\x0a\x14" + bytes(20)))
    first = b"\x47\x50\0\x10\0" + section[:183]
    second = (b"\x47\x10\0\x11" + section[183:]).ljust(PACKET_BYTES, b"\xff")
    contents = read_contents(PAT + first + FILLER + second + FILLER * 2)
    assert contents is not None
    assert len(contents.audios) == 1


@given(data=st.binary(max_size=4000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(NotTransportStream, NoVideo):
        read_contents(data)


@given(at=st.integers(0, 2 * PACKET_BYTES - 1), value=st.integers(0, 255))
def test_damaged_tables_are_read_or_refused(at: int, value: int) -> None:
    damaged = bytearray(tables((0x1B, b"\x0a\x04eng\0"), (0x06, b"\x05\x04Opus")))
    damaged[at] = value
    with suppress(NotTransportStream, NoVideo):
        read_contents(bytes(damaged))
