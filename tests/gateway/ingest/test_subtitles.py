"""Cues wait for the part of picture that they belong to, in every language."""

from gateway.ingest.subtitles import CUES_KEPT, Subtitles
from gateway.media.text_track import read_cues
from tests.gateway.media_fixture import stream

SECOND = 1_000_000


def subrip(begin_s: int, end_s: int, text: str) -> bytes:
    return f"1\n00:00:{begin_s:02},000 --> 00:00:{end_s:02},000\n{text}\n\n".encode()


def texts(subtitles: Subtitles, begin_s: int, length_s: int) -> list[list[str]]:
    parts = subtitles.parts(begin_s * SECOND, length_s * SECOND)
    return [[cue.text for cue in read_cues(part.data)] for part in parts]


def described(*languages: str) -> Subtitles:
    subtitles = Subtitles(languages)
    subtitles.describe(stream().init)
    return subtitles


def test_each_part_has_what_is_shown_in_it_and_nothing_is_shown_twice_as_long() -> None:
    subtitles = described("deu", "eng")
    subtitles.feed(0, subrip(2, 4, "zwei"))
    subtitles.feed(1, subrip(3, 6, "three") + subrip(5, 6, "five"))
    assert texts(subtitles, 0, 2) == [[], []]
    assert texts(subtitles, 2, 2) == [["zwei"], ["three"]]
    assert texts(subtitles, 4, 2) == [[], ["three", "five"]]
    assert texts(subtitles, 6, 2) == [[], []]


def test_a_cue_that_comes_late_is_shown_for_the_rest_of_its_time() -> None:
    subtitles = described("deu")
    assert texts(subtitles, 0, 2) == [[]]
    subtitles.feed(0, subrip(1, 5, "spät"))
    assert texts(subtitles, 2, 2) == [["spät"]]


def test_parts_carry_the_numbers_that_the_init_segment_gives_them() -> None:
    subtitles = Subtitles(["deu", "eng"])
    init = subtitles.describe(stream().init)
    assert [part.track for part in subtitles.parts(0, SECOND)] == [t.track for t in init.tracks if t.kind == "text"]


def test_cues_from_far_ahead_are_not_collected_without_end() -> None:
    subtitles = described("deu")
    for _ in range(10):
        subtitles.feed(0, subrip(50, 59, "far") * 100)
    assert len(subtitles._cues[0]) <= CUES_KEPT


def test_an_input_without_subtitles_stays_as_it_is() -> None:
    subtitles = Subtitles([])
    assert subtitles.describe(stream().init) is stream().init
    assert subtitles.parts(0, SECOND) == ()
