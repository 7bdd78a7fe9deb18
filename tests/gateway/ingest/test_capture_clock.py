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
