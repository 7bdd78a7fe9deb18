"""The head of a fragmented MP4: what is in it, when more is needed, and what is no such file."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.fragmented import FragmentFilter, read_contents
from gateway.media.boxes import make_box
from gateway.media.errors import MediaError
from gateway.media.tracks import track_init
from tests.gateway.media_fixture import stream


def test_the_tracks_are_told_as_soon_as_the_head_is_whole() -> None:
    head = stream().init.data
    info = read_contents(head)
    assert info is not None
    assert info.video is not None
    assert (info.video.codec, [audio.codec for audio in info.audios]) == ("h264", ["aac"])
    assert all(read_contents(head[:size]) is None for size in range(len(head)))
    assert read_contents(head + bytes(stream().parts[0].data)) == info


def test_a_picture_without_sound_is_enough() -> None:
    init = stream().init
    info = read_contents(track_init(init.data, init.lead.track))
    assert info is not None
    assert not info.audios


def test_sound_alone_is_told() -> None:
    init = stream().init
    sound = next(track.track for track in init.tracks if track.kind == "audio")
    info = read_contents(track_init(init.data, sound))
    assert info is not None
    assert (info.video, [audio.codec for audio in info.audios]) == (None, ["aac"])


def test_an_mp4_that_is_not_fragmented_or_has_lost_its_head_is_refused() -> None:
    for head in (make_box(b"mdat", bytes(20)), bytes(stream().parts[0].data)):
        with pytest.raises(MediaError, match="not fragmented, or starts in the middle"):
            read_contents(head)


def test_an_endless_box_is_refused_before_it_has_come() -> None:
    with pytest.raises(MediaError):
        read_contents((0x7FFFFFFF).to_bytes(4) + b"moov" + bytes(100))


@given(st.data())
def test_a_damaged_head_is_read_or_refused(data: st.DataObject) -> None:
    head = bytearray(stream().init.data)
    for _ in range(data.draw(st.integers(1, 8))):
        head[data.draw(st.integers(0, len(head) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MediaError):
        read_contents(bytes(head))


@given(st.integers(1, 3000))
def test_boxes_made_for_files_are_left_out_however_the_bytes_are_cut(size: int) -> None:
    parts = [bytes(part.data) for part in stream().parts[:3]]
    pushed = b"".join(make_box(b"styp", b"msdh") + make_box(b"sidx", bytes(32)) + part for part in parts)
    box_filter = FragmentFilter()
    kept = b"".join(box_filter.feed(pushed[at : at + size]) for at in range(0, len(pushed), size))
    assert kept == b"".join(parts)
