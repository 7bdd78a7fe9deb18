"""The time of a stream on air does not jump when the machine's clock does."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.capture_clock import CaptureClock
from gateway.ingest.steady_clock import RATE, SteadyClock

START_US = 1_800_000_000_000_000
HOUR_US = 3_600_000_000


@given(st.lists(st.tuples(st.integers(0, 10_000_000), st.integers(-HOUR_US, HOUR_US)), max_size=40))
def test_it_runs_as_time_does_whatever_the_wall_clock_says(steps: list[tuple[int, int]]) -> None:
    clock = SteadyClock(START_US, 5)
    last_us, monotonic_us, wall_us = START_US, 5, START_US
    for passed_us, step_us in steps:
        monotonic_us += passed_us
        wall_us += passed_us + step_us
        now_us = clock.read(wall_us, monotonic_us)
        assert abs(now_us - last_us - passed_us) <= RATE * passed_us + 2
        last_us = now_us


def test_a_clock_that_is_set_is_followed_slowly_and_reached() -> None:
    clock = SteadyClock(START_US, 0)
    seconds = [clock.read(START_US + 50_000 + n * 1_000_000, n * 1_000_000) for n in range(1, 12)]
    assert seconds[0] == START_US + 1_005_000
    assert seconds[-1] == START_US + 50_000 + 11_000_000


def test_capture_times_go_on_through_a_step_of_an_hour() -> None:
    clock, capture = SteadyClock(START_US, 0), CaptureClock()
    times = []
    for n in range(1, 60):
        wall_us = START_US + n * 200_000 + (HOUR_US if n > 30 else 0)
        capture.observe(clock.read(wall_us, n * 200_000), n * 200_000)
        times.append(capture.capture_us((n - 1) * 200_000))
    assert all(199_000 <= later - earlier <= 201_000 for earlier, later in itertools.pairwise(times))
