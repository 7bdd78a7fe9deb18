"""Picture and sound on one line: by when they came, and by the sender's reports once they have come."""

from itertools import pairwise

from gateway.ingest.webrtc.rtp import SenderReport
from gateway.ingest.webrtc.timeline import LEAD, STEP, Timeline


def timeline() -> Timeline:
    return Timeline(picture_hz=90_000, sound_hz=48_000)


def test_without_reports_they_stand_as_they_came() -> None:
    line = timeline()
    assert line.sound_time(77, 0) is None
    assert line.picture_time(1000, 5.0) == LEAD
    assert line.sound_time(77 + 960, 5.1) == LEAD + 9000
    assert line.sound_time(77 + 1920, 9.9) == LEAD + 9000 + 1800


def test_times_go_on_where_a_timestamp_begins_anew() -> None:
    line = timeline()
    assert line.picture_time((1 << 32) - 1800, 0) == LEAD
    assert line.picture_time(1800, 0) == LEAD + 3600
    assert line.picture_time(0, 0) == LEAD + 1800


def reported(line: Timeline, *, picture: int, sound: int, off_s: float) -> None:
    """The sender says that the sound's timestamp was ``off_s`` later than the picture's."""
    line.picture.report(SenderReport(43, 100 << 32, picture))
    line.sound.report(SenderReport(42, (100 << 32) + round(off_s * 2**32), sound))


def test_a_small_difference_is_made_good_little_by_little() -> None:
    line = timeline()
    line.picture_time(0, 0)
    assert line.sound_time(0, 0.05) == LEAD + 4500
    reported(line, picture=0, sound=0, off_s=0.03)
    times = [line.sound_time(960 * n, 0.05 + 0.02 * n) for n in range(1, 40)]
    steps = [after - before for before, after in pairwise(times) if before and after]
    assert {1800 - STEP, 1800} == set(steps)
    assert times[-1] == LEAD + 2700 + 1800 * 39


def test_a_large_difference_is_made_good_at_once() -> None:
    line = timeline()
    line.picture_time(0, 0)
    line.sound_time(0, 0)
    reported(line, picture=0, sound=0, off_s=1.0)
    assert line.sound_time(960, 0.02) == LEAD + 90_000 + 1800


def test_reports_wait_for_their_track() -> None:
    line = timeline()
    line.picture.report(SenderReport(43, 1 << 32, 5))
    assert line.picture.wall is None
