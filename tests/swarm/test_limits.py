"""What a peer may ask of this node."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.errors import Flooding
from swarm.limits import GROSS, RATES, Budget, Meter


@pytest.mark.parametrize("kind", RATES)
def test_a_burst_passes_and_then_the_rate(kind: int) -> None:
    meter, rate = Meter(), RATES[kind]
    assert sum(meter.admits(kind, 5.0) for _ in range(int(rate.burst) + 5)) == rate.burst
    assert not meter.admits(kind, 5.0)
    assert meter.admits(kind, 5.0 + 1.01 / rate.per_s)
    assert not meter.admits(kind, 5.0 + 1.01 / rate.per_s)


@given(st.sampled_from(sorted(RATES)), st.lists(st.floats(0, 1), max_size=300), st.integers(1, 4))
def test_no_more_passes_than_burst_and_rate_allow(kind: int, pauses: list[float], swarms: int) -> None:
    meter, rate, now, passed = Meter(), RATES[kind], 0.0, 0
    for pause in pauses:
        now += pause / rate.per_s / 5
        passed += meter.admits(kind, now, swarms)
    assert passed <= swarms * (rate.burst + rate.per_s * now) + 1


@pytest.mark.parametrize("kind", RATES)
def test_ten_times_too_much_for_long_is_flooding(kind: int) -> None:
    meter, rate = Meter(), RATES[kind]
    for _ in range(int(GROSS * rate.burst)):
        meter.admits(kind, 1.0)
    with pytest.raises(Flooding, match=rate.name):
        meter.admits(kind, 1.0)


@pytest.mark.parametrize("kind", RATES)
def test_somewhat_too_much_for_ever_is_dropped_but_no_flooding(kind: int) -> None:
    meter, rate, now, passed = Meter(), RATES[kind], 0.0, 0
    for _ in range(5000):
        now += 1 / (rate.per_s * (GROSS - 1))
        passed += meter.admits(kind, now)
    assert passed <= rate.burst + rate.per_s * now + 1


def test_kinds_do_not_use_up_each_others_rates() -> None:
    meter = Meter()
    while meter.admits(5, 1.0):
        pass
    assert meter.admits(7, 1.0)


def test_a_message_without_a_rate_is_for_the_reader_to_refuse() -> None:
    meter = Meter()
    assert all(meter.admits(255, 1.0) for _ in range(10_000))


def test_a_budget_is_full_at_the_start_and_fills_at_its_share() -> None:
    budget = Budget(saved_s=4.0, share=0.5)
    assert budget.left(8000.0, 100.0) == 4000
    budget.spend(5000)
    assert budget.left(8000.0, 100.0) == -1000
    assert budget.left(8000.0, 102.0) == 0
    assert budget.left(8000.0, 1000.0) == 4000


def test_a_budget_follows_the_bitrate() -> None:
    budget = Budget(saved_s=4.0, share=1.0)
    assert budget.left(0.0, 0.0) == 0
    assert budget.left(8000.0, 1.0) == 1000
    assert budget.left(800.0, 2.0) == 400
