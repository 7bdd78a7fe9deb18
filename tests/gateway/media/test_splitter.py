"""A stream splits into the same parts however its bytes are cut, and whatever is wrong is a MediaError."""

import contextlib
import itertools
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.media.boxes import make_box, read_boxes
from gateway.media.errors import CodecError, MediaError
from gateway.media.parts import Event, InitSegment, Part, Prft
from gateway.media.splitter import PartSplitter
from tests.gateway.media_fixture import encode

SMALL = {"seconds": 0.6, "size": "64x64"}


def feed_in_chunks(data: bytes, sizes: list[int]) -> list[Event]:
    splitter, events, at = PartSplitter(), [], 0
    for size in [*sizes, len(data)]:
        events += splitter.feed(data[at : at + size])
        at += size
    return events


def test_a_real_stream_gives_init_clock_and_parts_in_order() -> None:
    init, clock, video, audio, *_ = PartSplitter().feed(encode())
    assert isinstance(init, InitSegment)
    assert [track.kind for track in init.tracks] == ["video", "audio"]
    assert isinstance(clock, Prft)
    assert (clock.track, clock.media_time) == (1, 128_000)
    assert abs(clock.wallclock_us / 1e6 - time.time()) < 3600
    assert isinstance(video, Part)
    assert (video.track, video.key, video.decode_time, video.duration) == (1, True, 128_000, 2560)
    assert isinstance(audio, Part)
    assert (audio.track, audio.key) == (2, True)


def test_parts_follow_each_other_without_a_hole() -> None:
    parts = [event for event in PartSplitter().feed(encode()) if isinstance(event, Part)]
    for track in (1, 2):
        mine = [part for part in parts if part.track == track]
        assert len(mine) >= 20
        for before, after in itertools.pairwise(mine):
            assert before.decode_time + before.duration == after.decode_time
    video = [part for part in parts if part.track == 1]
    assert [index for index, part in enumerate(video) if part.key] == [0, 5, 10, 15]


def test_a_part_is_moof_and_mdat_alone() -> None:
    part = next(event for event in PartSplitter().feed(encode()) if isinstance(event, Part))
    boxes = read_boxes(memoryview(part.data), 0, len(part.data))
    assert [box.kind for box in boxes] == [b"moof", b"mdat"]


def test_byte_by_byte_gives_the_same_as_one_chunk() -> None:
    data = encode(**SMALL)
    assert feed_in_chunks(data, [1] * len(data)) == PartSplitter().feed(data)


@given(sizes=st.lists(st.integers(1, 5000), max_size=30))
def test_any_cuts_give_the_same_as_one_chunk(sizes: list[int]) -> None:
    data = encode(**SMALL)
    assert feed_in_chunks(data, sizes) == PartSplitter().feed(data)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_stream_gives_parts_or_a_media_error(data: st.DataObject) -> None:
    stream = bytearray(encode(**SMALL))
    # The boxes are where it hurts: the first two kilobytes hold moov and the first moof.
    for _ in range(data.draw(st.integers(1, 8))):
        stream[data.draw(st.integers(0, 2500))] = data.draw(st.integers(0, 255))
    splitter = PartSplitter()
    try:
        splitter.feed(bytes(stream))
    except MediaError:
        with pytest.raises(MediaError, match="broke off"):
            splitter.feed(b"")


@given(st.binary(max_size=300))
def test_garbage_gives_nothing_or_a_media_error(data: bytes) -> None:
    with contextlib.suppress(MediaError):
        assert PartSplitter().feed(data) == []


@pytest.mark.parametrize("kind", [b"styp", b"sidx", b"emsg", b"free"])
def test_boxes_that_nobody_needs_are_skipped(kind: bytes) -> None:
    data = encode(**SMALL)
    cut = len(_init(data))
    assert PartSplitter().feed(data[:cut] + make_box(kind, b"anything") + data[cut:]) == PartSplitter().feed(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (make_box(b"mdat", b"samples"), "not fragmented"),
        (make_box(b"moof", b""), "starts in the middle"),
        (make_box(b"RIFF", b"WAVE"), "no fragmented MP4"),
        ((1 << 25).to_bytes(4, "big") + b"mdat", "16777216 are the limit"),
        ((1 << 21).to_bytes(4, "big") + b"moof", "1048576 are the limit"),
        ((1 << 21).to_bytes(4, "big") + b"moov", "1048576 are the limit"),
    ],
)
def test_what_is_no_live_stream_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        PartSplitter().feed(data)


def test_a_fragment_of_a_track_that_nobody_described_is_refused() -> None:
    data = encode(**SMALL)
    init = _init(data)
    both = data[len(init) :]
    alone = _init(encode(seconds=0.6, size="64x64", sound=False))
    with pytest.raises(MediaError, match="track 2, which the init segment does not have"):
        PartSplitter().feed(alone + both)


def test_several_tracks_in_one_fragment_are_refused_with_the_flag_to_use() -> None:
    data = encode(**SMALL)
    init = _init(data)
    view = memoryview(data)
    moofs = [box for box in read_boxes(view, len(init), len(data)) if box.kind == b"moof"]
    trafs = [moof.child(b"traf").whole() for moof in moofs[:2]]
    with pytest.raises(MediaError, match=re.escape("+separate_moof")):
        PartSplitter().feed(init + make_box(b"moof", *trafs) + make_box(b"mdat", b""))


def test_a_codec_that_hls_cannot_carry_is_named() -> None:
    with pytest.raises(CodecError, match="leave out -c copy"):
        PartSplitter().feed(encode(seconds=0.4, sound=False, video=("-c:v", "mpeg4")))


def _init(data: bytes) -> bytes:
    end = next(box.end for box in read_boxes(memoryview(data), 0, len(data)) if box.kind == b"moov")
    return data[:end]
