"""Every piece has its place, every missing one a gap of its own length, and numbers never jump in a playlist."""

from dataclasses import replace

import pytest

from gateway.live import timeline as limits
from gateway.live.order import Arrival, Piece
from gateway.live.timeline import EpochMedia, Timeline
from gateway.media.hls import Rhythm
from gateway.media.payload import PieceSlice
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, slices, stream

RHYTHM = Rhythm(target_duration_s=1, part_target_s=0.22)
PIECES = slices(stream(seconds=8))


def media(epoch: int = 7) -> EpochMedia:
    return EpochMedia(epoch=epoch, init=stream(seconds=8).init, rhythm=RHYTHM, slots_usual=5)


def arrive(number: int, *, missed: int = 0, epoch: int = 7, content: PieceSlice | None = None) -> Arrival:
    """Piece ``number`` of the stream, counted from 0."""
    capture_us = CAPTURE_US + number * PIECE_US
    content = content or PIECES[number]
    piece = Piece(number=number, epoch=epoch, capture_us=capture_us, duration_us=PIECE_US, content=content)
    return Arrival(missed, piece)


def fed(*numbers: int, window_s: float = 24.0) -> Timeline:
    """A timeline with these pieces; those between are lost."""
    timeline = Timeline(window_s)
    before = numbers[0] - 1
    for number in numbers:
        timeline.append(arrive(number, missed=number - before - 1), media())
        before = number
    return timeline


def shape(timeline: Timeline) -> list[tuple[int, str]]:
    """Each segment's number, and its slots as letters: key, part, gap."""
    return [
        (s.msn, "".join("g" if slot.gap else "K" if slot.key else "p" for slot in s.slots)) for s in timeline.listed()
    ]


def test_pieces_make_segments_with_the_broadcaster_s_numbers() -> None:
    timeline = fed(*range(12))
    assert shape(timeline) == [(100, "Kpppp"), (101, "Kpppp"), (102, "Kp")]
    assert [s.complete for s in timeline.listed()] == [True, True, False]
    assert timeline.newest == (102, 1)
    assert [s.capture_us for s in timeline.listed()] == [CAPTURE_US + n * 1_000_000 for n in range(3)]


def test_nothing_begins_in_the_middle_of_a_segment() -> None:
    timeline = Timeline(24.0)
    assert not timeline.append(arrive(3), media())
    assert timeline.newest == (-1, -1)
    assert timeline.append(arrive(5), media())
    assert timeline.newest == (101, 0)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((0, 1, 3, 4, 5), [(100, "Kpgpp"), (101, "K")]),
        ((0, 1, 2, 5), [(100, "Kppgg"), (101, "K")]),
        ((0, 1, 2, 3, 4, 6), [(100, "Kpppp"), (101, "gp")]),
        ((0, 1, 2, 7), [(100, "Kppgg"), (101, "ggp")]),
        ((0, 1, 2, 3, 4, 10), [(100, "Kpppp"), (101, ""), (102, "K")]),
        ((0, 1, 2, 16), [(100, "Kpp"), (101, ""), (102, ""), (103, "gp")]),
    ],
)
def test_missing_pieces_leave_gaps_in_their_places(numbers: tuple[int, ...], expected: list[tuple[int, str]]) -> None:
    assert shape(fed(*numbers)) == expected


@pytest.mark.parametrize("numbers", [(0, 1, 3, 4, 5), (0, 1, 2, 7), (0, 1, 2, 3, 4, 6), (0, 1, 2, 3, 4, 10)])
def test_gaps_keep_the_times_true(numbers: tuple[int, ...]) -> None:
    timeline = fed(*numbers)
    at_s = 0.0
    for segment in timeline.listed():
        assert (segment.capture_us - CAPTURE_US) / 1e6 == pytest.approx(at_s)
        at_s += segment.duration_s
    assert at_s == pytest.approx((numbers[-1] + 1) * 0.2)


def test_a_long_outage_is_a_cut_that_waits_for_a_key_frame() -> None:
    timeline = fed(0, 1)
    far = replace(PIECES[11], segment=100 + limits.OUTAGE_SEGMENTS_MAX + 2)
    assert not timeline.append(arrive(11, missed=9, content=far), media())
    key = replace(PIECES[15], segment=100 + limits.OUTAGE_SEGMENTS_MAX + 3)
    assert timeline.append(arrive(15, missed=3, content=key), media())
    assert shape(timeline) == [(100, "Kp"), (101, "K")]
    assert [s.discontinuity for s in timeline.listed()] == [0, 1]
    follower = replace(PIECES[16], segment=key.segment)
    assert timeline.append(arrive(16, content=follower), media())
    assert shape(timeline)[-1] == (101, "Kp")


def test_an_epoch_goes_on_counting_where_the_last_one_ended() -> None:
    for segment in (3, 101, 5000):
        timeline = fed(*range(7))
        anew = slices(stream(seconds=8), segment=segment, discontinuity=1)
        for number in range(7):
            assert timeline.append(arrive(number, epoch=8, content=anew[number]), media(8))
        assert shape(timeline) == [(100, "Kpppp"), (101, "Kp"), (102, "Kpppp"), (103, "Kp")]
        assert [s.epoch for s in timeline.listed()] == [7, 7, 8, 8]
        assert [s.discontinuity for s in timeline.listed()] == [0, 0, 1, 1]


def test_pieces_in_impossible_places_change_nothing() -> None:
    timeline = fed(*range(8))
    before = shape(timeline)
    assert not timeline.append(arrive(7), media())
    assert not timeline.append(arrive(2), media())
    assert shape(timeline) == before


def test_what_left_the_playlist_is_kept_for_a_while() -> None:
    timeline = fed(*range(40), window_s=3.0)
    assert [s.msn for s in timeline.listed()] == [105, 106, 107]
    assert timeline.get(99) is None
    assert timeline.get(101 - 2) is None
    kept = [msn for msn in range(100, 108) if timeline.get(msn) is not None]
    assert kept == list(range(100, 108))
    longer = Timeline(3.0)
    for turn in range(3):
        for number in range(40):
            content = replace(PIECES[number], segment=PIECES[number].segment + 8 * turn)
            longer.append(arrive(number, content=content), media())
    kept = [msn for msn in range(100, 124) if longer.get(msn) is not None]
    assert kept[-1] == 123
    assert 9 <= len(kept) <= 3 + limits.KEPT_TARGETS + 2


def test_the_window_never_lists_less_than_three_target_durations() -> None:
    assert len(fed(*range(40), window_s=0.5).listed()) == 3


def test_too_many_bytes_drop_the_oldest_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fed(*range(40))
    monkeypatch.setattr(limits, "KEPT_BYTES_MAX", sum(s.size_bytes for s in whole.listed()) // 2)
    few = fed(*range(40))
    assert 2 <= len(few.listed()) <= 5
    assert few.newest == whole.newest


def test_the_next_part_is_foreseen_from_the_segments_before() -> None:
    timeline = fed(*range(3))
    assert timeline.hint() == (100, 3)
    assert fed(*range(5)).hint() == (101, 0)
    assert fed(*range(6)).hint() == (101, 1)
    assert fed(0, 1, 2, 10).hint() == (102, 1)


def test_bandwidth_is_measured_from_whole_segments() -> None:
    timeline = fed(*range(12))
    sizes = [8 * s.size_bytes for s in timeline.listed()[:2]]
    assert timeline.bandwidth().peak_bps == pytest.approx(max(sizes), rel=1e-6)
    assert timeline.bandwidth().average_bps == pytest.approx(sum(sizes) / 2, rel=1e-6)
    growing = fed(0)
    assert growing.bandwidth().peak_bps == round(8 * growing.listed()[0].size_bytes / 0.2)


def test_the_last_segment_is_whole_when_all_is_over() -> None:
    timeline = fed(*range(7))
    timeline.finish()
    assert all(s.complete for s in timeline.listed())
    assert not timeline.append(arrive(7), media())
