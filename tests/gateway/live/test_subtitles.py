"""Subtitles of the window as WebVTT: a cue is whole in each segment that shows it, whatever becomes of the pieces."""

import m3u8
import pytest

from gateway.live import LiveWindow
from gateway.live.subtitles import subtitles
from gateway.media.payload import PieceSlice
from tests.gateway.synthetic import PIECES_A_SEGMENT, Broadcaster, give

TEXT = 3


def live(segments: int = 4, *, broadcaster: Broadcaster | None = None) -> LiveWindow:
    """A window with so many whole segments of a second, and a part of the next."""
    broadcaster = broadcaster or Broadcaster(texts=("deu",))
    window = LiveWindow()
    window.set_description(broadcaster.epoch, broadcaster.description)
    for _ in range(segments * PIECES_A_SEGMENT + 1):
        give(window, broadcaster.make())
    return window


def lines(data: bytes) -> list[str]:
    return data.decode().splitlines()[3:]


def test_a_cue_is_in_each_segment_in_which_it_is_shown_with_all_of_its_time() -> None:
    window = live()
    first = ["00:00:00.000 --> 00:00:01.500", "at 0"]
    second = ["00:00:02.000 --> 00:00:03.500", "at 2000000"]
    assert [lines(subtitles(window, msn, None, TEXT)) for msn in range(5000, 5004)] == [first, first, second, second]


def test_parts_have_their_cues_too_and_those_without_are_empty_files() -> None:
    window = live()
    assert lines(subtitles(window, 5001, 0, TEXT)) == ["00:00:00.000 --> 00:00:01.500", "at 0"]
    assert subtitles(window, 5001, 4, TEXT).startswith(b"WEBVTT")
    assert lines(subtitles(window, 5001, 4, TEXT)) == []


@pytest.mark.parametrize(
    ("msn", "index", "track"), [(5004, None, TEXT), (5004, 1, TEXT), (4999, None, TEXT), (5000, None, 1), (5000, 0, 9)]
)
def test_what_is_not_here_is_no_file(msn: int, index: int | None, track: int) -> None:
    assert subtitles(live(), msn, index, track) == b""


def test_the_playlist_of_subtitles_names_files_of_text_and_no_init_segment() -> None:
    text = live().playlist(TEXT).decode()
    parsed = m3u8.loads(text)
    assert "EXT-X-MAP" not in text
    assert [s.uri for s in parsed.segments if s.uri] == [f"track-3/{msn}.vtt" for msn in range(5000, 5004)]
    assert 'TYPE=PART,URI="track-3/5004.1.vtt"' in text
    assert all(part.independent == "YES" for segment in parsed.segments for part in segment.parts)


@pytest.mark.parametrize("index", ["index", "tracks_index"])
def test_the_multivariant_playlists_offer_them_without_showing_them_unasked(index: str) -> None:
    parsed = m3u8.loads(getattr(live(broadcaster=Broadcaster(texts=("deu", "eng", "eng"))), index)().decode())
    offered = [media for media in parsed.media if media.type == "SUBTITLES"]
    assert [(m.name, m.language, m.default) for m in offered] == [
        ("deu", "deu", "NO"),
        ("eng", "eng", "NO"),
        ("eng 3", "eng", "NO"),
    ]
    assert {playlist.stream_info.subtitles for playlist in parsed.playlists} == {"subtitles"}


def test_text_that_is_broken_although_signed_is_no_file_and_the_picture_goes_on() -> None:
    broadcaster, window = Broadcaster(texts=("deu",)), LiveWindow()
    window.set_description(broadcaster.epoch, broadcaster.description)
    for _ in range(PIECES_A_SEGMENT + 1):
        number, epoch, capture_us, content = broadcaster.make()
        *others, text = content.parts
        broken = type(text)(
            track=text.track,
            key=True,
            decode_time=text.decode_time,
            duration=text.duration,
            data=bytes(text.data).replace(b"vttc", b"\xff\xff\xff\xff").replace(b"iden", b"payl"),
        )
        parts = (*others, broken)
        slice_ = PieceSlice(
            segment=content.segment, index=content.index, discontinuity=content.discontinuity, parts=parts
        )
        give(window, (number, epoch, capture_us, slice_))
    assert lines(subtitles(window, 5000, None, TEXT)) == []
    assert window.segment(5000, 1)
