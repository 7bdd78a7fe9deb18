"""The head of an FLV: what is in it, and what is not waited for."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest import amf, flv
from gateway.ingest.probe import InputAudio, InputInfo, InputVideo
from gateway.media.errors import MediaError, NoVideo

AVC, AAC = b"\x17\x00\0\0\0abc", b"\xaf\x00\x12\x10"


def head(*tags: tuple[int, int, bytes]) -> bytes:
    return flv.HEADER + b"".join(flv.write_tag(*tag) for tag in tags)


def metadata(**members: amf.Value) -> tuple[int, int, bytes]:
    return (flv.SCRIPT, 0, amf.write_values(["onMetaData", dict(members)]))


def test_both_tracks_are_waited_for() -> None:
    both = head(metadata(framerate=30.0, videocodecid=7.0, audiocodecid=10.0), (9, 0, AVC), (8, 0, AAC))
    info = flv.read_contents(both)
    assert info is not None
    assert info.video is not None
    assert (info.video.codec, info.video.fps, [audio.codec for audio in info.audios]) == ("h264", 30.0, ["aac"])
    assert all(flv.read_contents(both[:size]) is None for size in range(flv.HEADER_BYTES, len(both)))


def test_a_track_that_is_not_announced_or_does_not_come_is_not_waited_for() -> None:
    info = flv.read_contents(head(metadata(videocodecid=7.0), (9, 0, AVC)))
    assert info is not None
    assert not info.audios
    assert flv.announce(flv.HEADER, info)[4] == flv.HAS_VIDEO
    assert flv.read_contents(head((9, 0, AVC), (9, 900, AVC))) is None
    assert flv.read_contents(head((9, 0, AVC), (9, 1100, AVC))) is not None


def test_sound_alone_is_told() -> None:
    info = flv.read_contents(head(metadata(audiocodecid=10.0), (8, 0, AAC)))
    assert info is not None
    assert (info.video, [audio.codec for audio in info.audios]) == (None, ["aac"])
    assert flv.announce(flv.HEADER, info)[4] == flv.HAS_AUDIO


def test_neither_picture_nor_sound_is_refused() -> None:
    with pytest.raises(NoVideo):
        flv.read_contents(head(metadata(), (9, 0, b""), (8, 1200, b"")))


@pytest.mark.parametrize(
    ("info", "least"),
    [
        (InputInfo(video=InputVideo(codec="h264"), audios=(InputAudio(codec="aac"),)), (59, 27)),
        (InputInfo(video=InputVideo(codec="hevc"), audios=(InputAudio(codec="aac"),)), (60, 16)),
        (InputInfo(video=InputVideo(codec="av1")), (60, 16)),
        (InputInfo(video=InputVideo(codec="h264"), audios=(InputAudio(codec="opus"),)), (62, 0)),
    ],
)
def test_codecs_by_four_letters_need_a_newer_ffmpeg(info: InputInfo, least: tuple[int, int]) -> None:
    assert flv.least_version(info) == least


@pytest.mark.parametrize(("name", "codec"), [(b"hvc1", "hevc"), (b"av01", "av1"), (b"what", "unknown")])
def test_newer_codecs_are_named_by_four_letters(name: bytes, codec: str) -> None:
    info = flv.read_contents(head(metadata(videocodecid=1.0), (9, 0, b"\x90" + name)))
    assert info is not None
    assert info.video is not None
    assert info.video.codec == codec


def test_keys_and_setups_are_told_apart() -> None:
    bodies = (AVC, b"\x17\x01", b"\x17\x02", b"\x27\x01", b"\x90hvc1", b"\x91hvc1", b"\x92hvc1", b"\xa1hvc1")
    kinds = [flv.Tag(9, 0, body) for body in bodies]
    assert [(tag.key, tag.setup) for tag in kinds] == [
        (False, True),
        (True, False),
        (False, False),
        (False, False),
        (False, True),
        (True, False),
        (False, False),
        (False, False),
    ]


@given(st.integers(0, 0xFFFFFFFF), st.binary(max_size=50))
def test_tags_come_back(time_ms: int, body: bytes) -> None:
    ((tag, end),) = flv.read_tags(flv.write_tag(flv.VIDEO, time_ms, body), 0)
    assert (tag.time_ms, tag.body, end) == (time_ms, body, 15 + len(body))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_head_or_refused(data: bytes) -> None:
    with suppress(MediaError):
        flv.read_contents(flv.HEADER + data)
