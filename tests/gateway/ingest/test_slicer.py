"""Parts become pieces: what belongs together, what starts a segment, and that nothing is lost."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.numbering import Numbering
from gateway.ingest.slicer import SlicedPiece, Slicer
from gateway.media.errors import MediaError, NoVideo
from gateway.media.parts import InitSegment, Part, TrackInfo
from gateway.media.payload import unpack

SOUND = TrackInfo(track=1, kind="audio", codec="mp4a.40.2", timescale=48_000)
PICTURE = TrackInfo(track=2, kind="video", codec="avc1.64001E", timescale=90_000)
INIT = InitSegment(data=b"init", tracks=(SOUND, PICTURE))
START_US = 1_800_000_000_000_000


def slicer(segment_s: float = 1.0, numbering: Numbering | None = None) -> Slicer:
    return Slicer(INIT, numbering or new_numbering(), segment_s=segment_s, texts=no_texts)


def no_texts(media_us: int, duration_us: int) -> tuple[Part, ...]:
    return ()


def new_numbering() -> Numbering:
    return Numbering(unix_s=START_US / 1e6, piece_s=0.2, segment_s=1.0)


def picture(n: int, *, key: bool = False) -> Part:
    return Part(track=2, key=key, decode_time=90_000 + n * 18_000, duration=18_000, data=b"picture %d" % n)


def sound(n: int) -> Part:
    return Part(track=1, key=True, decode_time=48_000 + n * 9_600, duration=9_600, data=b"sound %d" % n)


def arrival_us(n: int) -> int:
    return START_US + (n + 1) * 200_000


def run(keys: list[bool], *, segment_s: float = 1.0, with_sound: bool = True) -> list[SlicedPiece]:
    """A stream whose n-th part of picture is a key frame where ``keys`` says so."""
    sliced = slicer(segment_s)
    pieces = []
    for n, key in enumerate(keys):
        if with_sound:
            pieces += sliced.add(sound(n), arrival_us(n))
        pieces += sliced.add(picture(n, key=key), arrival_us(n))
    return pieces + sliced.finish()


def every(step: int, count: int) -> list[bool]:
    return [n % step == 0 for n in range(count)]


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_the_sound_alone_is_all_but_the_picture_also_where_it_pauses(sounding: list[bool]) -> None:
    sliced = Slicer(INIT, new_numbering(), segment_s=1.0, texts=no_texts, audio_rung=True)
    pieces = []
    for n, sounds in enumerate(sounding):
        if sounds:
            pieces += sliced.add(sound(n), arrival_us(n))
        pieces += sliced.add(picture(n, key=n % 5 == 0), arrival_us(n))
    pieces += sliced.finish()
    seen = [tuple(unpack(payload) for payload in piece.payloads) for piece in pieces]
    assert len(seen) == len(sounding)
    for sounds, (whole, alone) in zip(sounding, seen, strict=True):
        assert (alone.segment, alone.index) == (whole.segment, whole.index)
        assert [part.track for part in alone.parts] == [SOUND.track] * sounds
        assert [bytes(part.data) for part in alone.parts] == [bytes(part.data) for part in whole.parts[1:]]


def test_a_piece_is_a_part_of_picture_and_the_sound_that_came_with_it() -> None:
    pieces = run(every(5, 10))
    assert [[bytes(part.data) for part in unpack(piece.payloads[0]).parts] for piece in pieces] == [
        [b"picture %d" % n, b"sound %d" % n] for n in range(10)
    ]


def test_a_segment_starts_at_each_key_frame_and_its_number_grows_by_one() -> None:
    contents = [unpack(piece.payloads[0]) for piece in run(every(5, 15))]
    first = contents[0].segment
    assert [(content.segment - first, content.index) for content in contents] == [(n // 5, n % 5) for n in range(15)]


def test_pieces_that_start_a_segment_are_marked() -> None:
    assert [piece.key for piece in run(every(5, 12))] == every(5, 12)


def test_numbers_grow_by_one() -> None:
    numbers = [piece.number for piece in run(every(5, 12))]
    assert numbers == list(range(numbers[0], numbers[0] + 12))


def test_many_key_frames_make_no_tiny_segments() -> None:
    assert [piece.key for piece in run(every(1, 15))] == every(5, 15)


def test_key_frames_that_do_not_fit_make_longer_segments() -> None:
    assert [piece.key for piece in run(every(3, 13))] == [n % 6 == 0 for n in range(13)]


def test_a_segment_goes_on_for_as_long_as_no_key_frame_comes() -> None:
    contents = [unpack(piece.payloads[0]) for piece in run([True, *[False] * 99, True])]
    assert [content.index for content in contents] == [*range(100), 0]
    assert contents[-1].segment == contents[0].segment + 1


def test_where_no_key_frame_ever_comes_a_segment_ends_without_one() -> None:
    pieces = run([True, *[False] * 1100])
    contents = [unpack(piece.payloads[0]) for piece in pieces]
    assert [content.index for content in contents] == [*range(1024), *range(77)]
    assert contents[-1].segment == contents[0].segment + 1
    assert [piece.key for piece in pieces] == [True, *[False] * 1100]


def test_what_comes_before_the_first_key_frame_is_left_out() -> None:
    pieces = run([False, False, True, False])
    assert [bytes(unpack(piece.payloads[0]).parts[0].data) for piece in pieces] == [b"picture 2", b"picture 3"]
    assert pieces[0].key


def test_capture_times_are_those_of_the_first_frames() -> None:
    assert [piece.capture_us for piece in run(every(5, 10))] == [START_US + n * 200_000 for n in range(10)]
    assert {piece.duration_us for piece in run(every(5, 10))} == {200_000}


def test_the_first_pieces_of_a_burst_wait_until_it_is_over() -> None:
    sliced = slicer()
    burst_us = arrival_us(3)
    assert [sliced.add(picture(n, key=n == 0), burst_us) for n in range(4)] == [[], [], [], []]
    pieces = sliced.add(picture(4), arrival_us(4))
    assert [piece.capture_us for piece in pieces] == [START_US + n * 200_000 for n in range(5)]


def test_a_burst_that_nothing_follows_is_given_out_after_a_moment() -> None:
    sliced = slicer()
    sliced.add(picture(0, key=True), arrival_us(0))
    assert sliced.waiting
    assert sliced.settle(arrival_us(0) + 149_999) == []
    (piece,) = sliced.settle(arrival_us(0) + 150_000)
    assert piece.capture_us == START_US
    assert not sliced.waiting


def test_an_input_that_comes_faster_than_its_time_is_not_held_back_for_ever() -> None:
    sliced = slicer()
    given_out = [len(sliced.add(picture(n, key=n == 0), START_US)) for n in range(300)]
    assert sum(given_out) > 0


def test_the_sound_behind_the_last_picture_is_not_lost() -> None:
    sliced = slicer()
    pieces = [*sliced.add(picture(0, key=True), arrival_us(0)), *sliced.add(sound(0), arrival_us(0))]
    pieces += sliced.finish()
    last = unpack(pieces[-1].payloads[0])
    assert [bytes(part.data) for part in last.parts] == [b"sound 0"]
    assert (last.index, pieces[-1].key, pieces[-1].duration_us) == (1, False, 200_000)


def test_nothing_comes_out_of_nothing() -> None:
    assert slicer().finish() == []


def test_an_epoch_begins_a_new_segment() -> None:
    numbering = new_numbering()
    contents = []
    for _ in range(2):
        numbering.begin_epoch(START_US / 1e6)
        sliced = slicer(numbering=numbering)
        for n in range(3):
            contents += sliced.add(picture(n, key=n == 0), arrival_us(n))
        contents += sliced.finish()
    places = [
        (unpack(p.payloads[0]).segment, unpack(p.payloads[0]).index, unpack(p.payloads[0]).discontinuity)
        for p in contents
    ]
    segment, _, discontinuity = places[0]
    assert places == [
        *((segment, index, discontinuity) for index in range(3)),
        *((segment + 1, index, discontinuity + 1) for index in range(3)),
    ]
    assert contents[3].epoch == contents[0].epoch + 1


def test_sound_without_end_and_without_picture_is_an_error() -> None:
    sliced = slicer()
    sliced.add(picture(0, key=True), arrival_us(0))
    for n in range(63):
        sliced.add(sound(n), arrival_us(n))
    with pytest.raises(MediaError, match="picture"):
        sliced.add(sound(63), arrival_us(63))


def test_sound_long_before_the_first_picture_is_dropped() -> None:
    sliced = slicer()
    for n in range(200):
        sliced.add(sound(n), arrival_us(n))
    sliced.add(picture(200, key=True), arrival_us(200))
    parts = unpack(sliced.finish()[0].payloads[0]).parts
    assert len(parts) <= 64
    assert bytes(parts[-1].data) == b"sound 199"


def test_sound_alone_is_cut_by_itself() -> None:
    sliced = Slicer(InitSegment(data=b"", tracks=(SOUND,)), new_numbering(), segment_s=1.0, texts=no_texts)
    pieces = [piece for n in range(12) for piece in sliced.add(sound(n), arrival_us(n))] + sliced.finish()
    assert [piece.key for piece in pieces] == every(5, 12)
    assert [len(unpack(piece.payloads[0]).parts) for piece in pieces] == [1] * 12


def test_text_alone_is_refused() -> None:
    text = replace(SOUND, kind="text")
    with pytest.raises(NoVideo, match="neither picture nor sound"):
        Slicer(InitSegment(data=b"", tracks=(text,)), new_numbering(), segment_s=1.0, texts=no_texts)


@given(slots=st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60))
def test_whatever_comes_after_the_first_key_frame_comes_out_once_and_in_order(slots: list[tuple[bool, int]]) -> None:
    sliced = slicer()
    pieces: list[SlicedPiece] = []
    sounds = itertools.count()
    for n, (key, sounds_before) in enumerate(slots):
        for part in (*(sound(next(sounds)) for _ in range(sounds_before)), picture(n, key=key)):
            pieces += sliced.add(part, arrival_us(n))
    pieces += sliced.finish()
    parts = [bytes(part.data) for piece in pieces for part in unpack(piece.payloads[0]).parts]
    first = next((n for n, (key, _) in enumerate(slots) if key), len(slots))
    assert [data for data in parts if data.startswith(b"picture")] == [
        b"picture %d" % n for n in range(first, len(slots))
    ]
    heard_from = sum(count for _, count in slots[:first])
    assert [data for data in parts if data.startswith(b"sound")] == [
        b"sound %d" % n for n in range(heard_from, sum(count for _, count in slots))
    ] * (first < len(slots))
