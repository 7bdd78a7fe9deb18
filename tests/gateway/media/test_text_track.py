"""Tracks of text: what goes into their samples comes out again, and nothing that is damaged passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.boxes import read_boxes
from gateway.media.errors import MediaError
from gateway.media.fragments import SAMPLE_DURATION, read_columns, read_fragment
from gateway.media.text_track import CUES_MAX, TIMESCALE, make_text_part, read_cues, with_texts
from gateway.media.tracks import TRACKS_MAX, track_init
from gateway.media.webvtt import Cue
from tests.gateway.media_fixture import stream

WORDS = st.text("abc <&", min_size=1).map(str.strip).filter(bool)
SECOND = 1_000_000


@st.composite
def some_cues(draw: st.DrawFn) -> list[Cue]:
    begins = draw(st.lists(st.integers(0, 5 * SECOND), max_size=CUES_MAX))
    return sorted({Cue(begin, begin + draw(st.integers(1, 3 * SECOND)), draw(WORDS)) for begin in begins})


@given(cues=some_cues(), begin_us=st.integers(0, 5 * SECOND), length_us=st.integers(1, 3 * SECOND))
def test_a_part_gives_back_the_cues_that_are_shown_in_it(cues: list[Cue], begin_us: int, length_us: int) -> None:
    part = make_text_part(3, cues, begin_us, begin_us + length_us)
    assert read_cues(part.data) == [cue for cue in cues if cue.overlaps(begin_us, begin_us + length_us)]


@given(cues=some_cues())
def test_samples_follow_each_other_without_a_gap(cues: list[Cue]) -> None:
    part = make_text_part(3, cues, SECOND, 4 * SECOND)
    fragment = read_fragment(part.data)
    assert (fragment.track, fragment.decode_time, fragment.duration, fragment.key) == (3, SECOND, 3 * SECOND, True)
    moof = next(read_boxes(memoryview(part.data), 0, len(part.data)))
    lengths = read_columns(moof.child(b"traf", b"trun"))[SAMPLE_DURATION]
    assert sum(lengths) == 3 * SECOND
    assert min(lengths) > 0


def test_the_init_segment_names_a_track_for_each_language() -> None:
    init = stream().init
    with_two = with_texts(init, ["deu", "x!"])
    assert with_two.tracks[: len(init.tracks)] == init.tracks
    texts = with_two.tracks[len(init.tracks) :]
    assert [(t.kind, t.codec, t.language, t.timescale) for t in texts] == [
        ("text", "wvtt", "deu", TIMESCALE),
        ("text", "wvtt", "und", TIMESCALE),
    ]
    assert track_init(with_two.data, texts[0].track).count(b"wvtt") == 1


def test_there_are_no_more_tracks_than_can_be_read() -> None:
    assert len(with_texts(stream().init, ["eng"] * 40).tracks) == TRACKS_MAX


def test_no_time_is_a_media_error() -> None:
    with pytest.raises(MediaError):
        make_text_part(3, [], SECOND, SECOND)


@given(at=st.integers(0), value=st.integers(0, 255))
def test_damage_is_a_media_error_or_another_text(at: int, value: int) -> None:
    data = bytearray(make_text_part(3, [Cue(0, SECOND, "one"), Cue(SECOND // 2, SECOND, "two")], 0, SECOND).data)
    data[at % len(data)] = value
    try:
        cues = read_cues(bytes(data))
    except MediaError:
        return
    assert len(cues) <= 16
    assert all(cue.begin_us <= cue.end_us and "\n\n" not in cue.text and "-->" not in cue.text for cue in cues)
