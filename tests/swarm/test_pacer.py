"""The bucket that keeps all links of a node below the user's cap."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.pacer import BURST_BYTES_MIN, DATAGRAM_BYTES, UNLIMITED_BYTES, Pacer

RATES = st.floats(16e3, 1e9)
# One step of a caller: how long it waits, and the share of the allowance that it uses.
STEPS = st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 1)), min_size=1, max_size=60)


def most_over(spent: list[tuple[float, int]], rate_bps: float) -> float:
    """The largest excess over ``rate * T / 8`` that any window of the log has, in bytes."""
    worst = 0.0
    for first, (start_s, _) in enumerate(spent):
        total = 0
        for at_s, size in spent[first:]:
            total += size
            worst = max(worst, total - rate_bps * (at_s - start_s) / 8)
    return worst


@settings(deadline=None)
@given(RATES, STEPS)
def test_no_window_carries_more_than_the_rate_and_one_burst(rate_bps: float, steps: list[tuple[float, float]]) -> None:
    pacer, now, log = Pacer(rate_bps), 1000.0, []
    for wait_s, share in steps:
        now += wait_s
        size = int(pacer.allowance(now) * share)
        pacer.spent(size, now)
        log.append((now, size))
    assert most_over(log, rate_bps) <= pacer.burst_bytes + 1


@settings(deadline=None)
@given(RATES, STEPS)
def test_messages_written_whole_are_paid_for_before_the_next(rate_bps: float, steps: list[tuple[float, float]]) -> None:
    pacer, now, log, message = Pacer(rate_bps), 1000.0, [], 9000
    for wait_s, _ in steps:
        now += wait_s
        if pacer.allowance(now):
            pacer.spent(message, now)
            log.append((now, message))
    assert most_over(log, rate_bps) <= pacer.burst_bytes + message


@settings(deadline=None)
@given(RATES, st.integers(0, 100_000))
def test_ready_is_when_the_allowance_comes_back(rate_bps: float, size: int) -> None:
    pacer = Pacer(rate_bps)
    pacer.allowance(50.0)
    pacer.spent(size, 50.0)
    ready_s = pacer.ready_s(50.0)
    if pacer.allowance(50.0):
        assert ready_s == 50.0
    else:
        assert ready_s > 50.0
        two_bytes_sooner_s = ready_s - 16 / rate_bps
        assert two_bytes_sooner_s <= 50.0 or pacer.allowance(two_bytes_sooner_s) == 0
        assert pacer.allowance(ready_s) > 0


def test_a_greedy_caller_gets_the_whole_rate() -> None:
    pacer, now, total = Pacer(1e6), 0.0, 0
    while now < 10:
        size = min(pacer.allowance(now), DATAGRAM_BYTES)
        pacer.spent(size, now)
        total += size
        now = pacer.ready_s(now)
    assert total * 8 / 10 == pytest.approx(1e6, rel=0.01)


def test_the_allowance_is_a_datagram_or_nothing() -> None:
    pacer = Pacer(1e6)
    assert pacer.allowance(0.0) == BURST_BYTES_MIN
    pacer.spent(BURST_BYTES_MIN - DATAGRAM_BYTES + 10, 0.0)
    assert pacer.allowance(0.0) == 0


@pytest.mark.parametrize("rate_bps", [0.0, math.inf])
def test_without_a_rate_there_is_no_limit(rate_bps: float) -> None:
    pacer = Pacer(rate_bps)
    pacer.spent(10**9, 1.0)
    assert pacer.allowance(1.0) == UNLIMITED_BYTES
    assert pacer.ready_s(1.0) == 1.0


def test_a_limit_that_comes_later_starts_with_one_burst() -> None:
    pacer = Pacer()
    pacer.spent(10**9, 1.0)
    pacer.rate_bps = 1e6
    assert pacer.allowance(100.0) == BURST_BYTES_MIN


def test_a_change_of_rate_forgives_no_debt_and_grants_no_past() -> None:
    pacer = Pacer(1e6)
    pacer.allowance(0.0)
    pacer.spent(BURST_BYTES_MIN + 125_000, 0.0)  # a second of debt
    pacer.rate_bps = 1e9
    assert pacer.allowance(0.5) == 0  # half a second of the old rate is still owed
    assert pacer.allowance(0.6) > 0
    pacer.rate_bps = 1e5
    assert pacer.allowance(0.6) == BURST_BYTES_MIN


def test_a_limit_that_goes_sets_free_at_once() -> None:
    pacer = Pacer(1e6)
    pacer.spent(10**6, 0.0)
    pacer.rate_bps = 0.0
    assert pacer.allowance(0.0) == UNLIMITED_BYTES


def test_a_clock_that_steps_back_earns_nothing_twice() -> None:
    pacer = Pacer(1e6)
    pacer.allowance(10.0)
    pacer.spent(BURST_BYTES_MIN, 10.0)
    pacer.allowance(9.0)
    assert pacer.allowance(10.0) == 0


def test_all_that_went_out_is_counted_with_and_without_a_limit() -> None:
    pacer = Pacer()
    pacer.spent(1000, 0.0)
    pacer.rate_bps = 1e6
    pacer.spent(500, 1.0)
    assert pacer.total_bytes == 1500
