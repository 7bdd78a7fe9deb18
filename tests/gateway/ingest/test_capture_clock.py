"""Capture times from arrivals that jitter, burst, drift and pause; the truth is known here."""

import itertools
import random

import pytest

from gateway.ingest.capture_clock import CaptureClock

PART_US = 200_000
START_US = 1_700_000_000_000_000


def follow(arrivals: list[tuple[int, int]]) -> list[int]:
    """Capture times of parts given as (media time of the first frame, arrival), each asked for as it arrives."""
    clock = CaptureClock()
    captured = []
    for media_us, arrival_us in arrivals:
        clock.observe(arrival_us, media_us + PART_US)
        captured.append(clock.capture_us(media_us))
    return captured


def errors(arrivals: list[tuple[int, int]]) -> list[int]:
    """How much later than the truth, with media time 0 at START_US."""
    return [captured - START_US - media for captured, (media, _) in zip(follow(arrivals), arrivals, strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_jitter_is_filtered_out(seed: int) -> None:
    rng = random.Random(seed)
    arrivals = [
        (n * PART_US, START_US + (n + 1) * PART_US + 5_000 + round(rng.expovariate(1 / 30_000))) for n in range(600)
    ]
    late = errors(arrivals)
    assert max(late[50:]) < 30_000
    assert min(late) >= 5_000


@pytest.mark.parametrize("seed", range(10))
def test_consecutive_pieces_are_continuous_whatever_the_jitter(seed: int) -> None:
    rng = random.Random(seed)
    arrivals = [(n * PART_US, START_US + (n + 1) * PART_US + rng.randrange(300_000)) for n in range(300)]
    captured = follow(arrivals)
    steps = [after - before for before, after in itertools.pairwise(captured)]
    assert all(0.94 * PART_US <= step <= 1.02 * PART_US for step in steps)


def test_a_burst_at_the_start_makes_nothing_late_once_it_is_observed() -> None:
    clock = CaptureClock()
    arrival_us = START_US + 8 * PART_US
    for n in range(8):
        clock.observe(arrival_us + n * 1000, (n + 1) * PART_US)
        assert not clock.settled(arrival_us + n * 1000)
    clock.observe(arrival_us + PART_US, 9 * PART_US)
    assert clock.settled(arrival_us + PART_US)
    assert [clock.capture_us(n * PART_US) for n in range(9)] == [START_US + n * PART_US for n in range(9)]


@pytest.mark.parametrize("drift", [-1e-4, 1e-4])
def test_the_encoders_clock_may_drift(drift: float) -> None:
    arrivals = [(n * PART_US, START_US + round((n + 1) * PART_US * (1 + drift))) for n in range(5 * 3600)]
    late_us = follow(arrivals)[-1] - (START_US + round(arrivals[-1][0] * (1 + drift)))
    assert abs(late_us) < 2_000


def test_after_a_pause_it_finds_back() -> None:
    pause_us = 7_000_000
    arrivals = [(n * PART_US, START_US + (n + 1) * PART_US + (pause_us if n >= 100 else 0)) for n in range(200)]
    captured = follow(arrivals)
    assert captured[99] == START_US + 99 * PART_US
    assert captured[199] == START_US + 199 * PART_US + pause_us


def test_a_pause_that_is_caught_up_changes_nothing() -> None:
    arrivals = []
    for n in range(200):
        due_us = START_US + (n + 1) * PART_US
        arrivals.append((n * PART_US, max(due_us, START_US + 24_000_000) if 100 <= n < 120 else due_us))
    assert errors(arrivals) == [0] * 200


def test_media_time_that_leaps_keeps_capture_time_continuous() -> None:
    leap_us = 3_600_000_000
    arrivals = [(n * PART_US + (leap_us if n >= 50 else 0), START_US + (n + 1) * PART_US) for n in range(100)]
    captured = follow(arrivals)
    assert captured == [START_US + n * PART_US for n in range(100)]


def test_media_time_that_goes_back_keeps_capture_time_continuous() -> None:
    arrivals = [(n % 50 * PART_US, START_US + (n + 1) * PART_US) for n in range(100)]
    assert follow(arrivals) == [START_US + n * PART_US for n in range(100)]


def stamped(delay_us: int, *, by: str, seconds: int = 10) -> tuple[CaptureClock, list[int]]:
    """A clock that is told the encoder's time once a second, and how much later than that each capture time is."""
    clock, off = CaptureClock(), []
    for n in range(seconds * 5):
        media_us = n * PART_US
        clock.observe(START_US + media_us + PART_US + delay_us, media_us + PART_US)
        if n % 5 == 0:
            if by == "stamp":
                clock.stamp(media_us, START_US + media_us)
            else:
                clock.delay(delay_us)
        off.append(clock.capture_us(media_us) - START_US - media_us)
    return clock, off


@pytest.mark.parametrize("by", ["stamp", "delay"])
def test_the_encoders_time_is_the_capture_time(by: str) -> None:
    clock, off = stamped(3_400_000, by=by)
    assert set(off) == {0}
    assert clock.encoder_delay_us == 3_400_000


@pytest.mark.parametrize("by", ["stamp", "delay"])
@pytest.mark.parametrize("delay_us", [61_000_000, -2_000_000])
def test_an_encoder_whose_clock_is_wrong_is_not_believed(by: str, delay_us: int) -> None:
    clock, off = stamped(delay_us, by=by)
    assert set(off) == {delay_us}
    assert clock.encoder_delay_us is None


@pytest.mark.parametrize("by", ["stamp", "delay"])
def test_nothing_is_captured_after_it_has_come(by: str) -> None:
    clock, off = stamped(-200_000, by=by)
    assert set(off) == {-200_000}
    assert clock.encoder_delay_us == 0


def test_a_stamp_that_is_not_repeated_is_forgotten_after_a_while() -> None:
    clock, _ = stamped(400_000, by="stamp")
    for n in range(50, 50 + 120):
        clock.observe(START_US + (n + 1) * PART_US + 400_000, (n + 1) * PART_US)
    assert clock.encoder_delay_us is None
