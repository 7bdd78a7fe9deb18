"""The test picture's frames and sound, without ffmpeg."""

import numpy as np
import pytest

from gateway.ingest.clock_code import read_clock
from gateway.ingest.test_picture import SAMPLE_RATE, Beeps, TestPicture, clock_text

NOON_MS = 1_700_049_600_000


def luma(picture: TestPicture, unix_ms: int) -> np.ndarray:
    frame = np.frombuffer(picture.frame(unix_ms), dtype=np.uint8)
    return frame[: picture.width * picture.height].reshape(picture.height, picture.width).copy()


@pytest.mark.parametrize(("width", "height"), [(640, 360), (1280, 720), (160, 90), (640, 480)])
def test_a_frame_has_the_size_of_yuv420p(width: int, height: int) -> None:
    assert len(TestPicture(width=width, height=height, title="x").frame(NOON_MS)) == width * height * 3 // 2


def test_each_frame_carries_its_own_time() -> None:
    picture = TestPicture(width=640, height=360)
    times = [NOON_MS + step * 40 for step in range(60)]
    assert [read_clock(luma(picture, time)) for time in times] == times


def test_redrawing_only_what_changes_gives_the_same_as_drawing_anew() -> None:
    used = TestPicture(width=640, height=360, title="same")
    for step in range(30):
        used.frame(NOON_MS + step * 1111)
    time = NOON_MS + 987_654
    fresh = TestPicture(width=640, height=360, title="same")
    assert np.array_equal(luma(used, time), luma(fresh, time))


def test_the_pattern_moves_from_frame_to_frame() -> None:
    picture = TestPicture(width=640, height=360)
    band = slice(252, 328)
    assert not np.array_equal(luma(picture, NOON_MS)[band], luma(picture, NOON_MS + 40)[band])


def test_the_lamp_is_lit_while_it_beeps() -> None:
    picture = TestPicture(width=640, height=360)
    lamp = [int(luma(picture, NOON_MS + ms)[60, 600]) for ms in (0, 80, 120, 960)]
    assert lamp == [235, 235, 16, 16]


def test_a_long_title_stays_in_the_picture() -> None:
    assert len(TestPicture(width=160, height=90, title="w" * 300).frame(NOON_MS)) == 160 * 90 * 3 // 2


@pytest.mark.parametrize(("width", "height"), [(641, 360), (640, 361), (100, 90), (160, 88)])
def test_odd_or_tiny_sizes_are_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match=f"{width}x{height}"):
        TestPicture(width=width, height=height)


def test_the_clock_for_people() -> None:
    assert clock_text(NOON_MS) == "12:00:00.000"
    assert clock_text(NOON_MS - 1) == "11:59:59.999"


@pytest.mark.parametrize("start_us", [0, 250_000, 999_999, 1_700_000_000_123_456])
def test_a_beep_starts_at_every_full_second_of_the_wall_clock(start_us: int) -> None:
    beeps = Beeps(start_us)
    sound = np.frombuffer(b"".join(beeps.samples(at, at + 4800) for at in range(0, 144_000, 4800)), dtype="<i2")
    loud = np.abs(sound.astype(np.int32)) > 1000
    starts = [at for at in range(2400, len(loud)) if loud[at] and not loud[at - 2400 : at].any()]
    for at in starts:
        moment_us = start_us + at * 1_000_000 // SAMPLE_RATE
        assert moment_us % 1_000_000 < 2000
    assert len(starts) >= 2
