"""Who is asked next, and when."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.discovery.announces import Answer
from swarm.discovery.tiers import BLUR, INTERVAL_S, NORMAL_INTERVAL_S, PAUSE_S, Tier
from swarm.tracker_url import parse_tracker

TRACKERS = [parse_tracker(f"udp://t{number}.example:1") for number in range(3)]


def tier(seed: int = 1, trackers: int = 3) -> Tier:
    return Tier(TRACKERS[:trackers], Random(seed))


def never() -> bool:
    return False


def always() -> bool:
    return True


def test_a_tier_is_shuffled_and_begins_at_once() -> None:
    assert {tier(seed).tracker for seed in range(20)} == set(TRACKERS)
    assert tier().due(0.0, never)


def test_the_next_one_of_a_tier_is_asked_at_once_and_the_one_that_answers_stays_in_front() -> None:
    asked = tier()
    first = asked.tracker
    asked.failed(0.0)
    second = asked.tracker
    assert second != first
    assert asked.due(0.0, never)
    asked.answered(Answer(interval_s=100), 0.0)
    assert asked.tracker == second
    asked.failed(200.0)
    assert asked.tracker == first


def test_when_all_of_a_tier_fail_it_pauses_longer_each_time() -> None:
    asked, now, pauses = tier(trackers=1), 0.0, []
    for _ in range(12):
        asked.failed(now)
        assert not asked.due(now + 0.9 * (asked.next_s - now), always)
        pauses.append(asked.next_s - now)
        now = asked.next_s
        assert asked.due(now, never)
    for pause, plain in zip(pauses, [15, 30, 60, 120, 240, 480, 960, 1800, 1800, 1800], strict=False):
        assert pause == pytest.approx(plain, rel=BLUR)
    asked.answered(Answer(interval_s=100), now)
    asked.failed(now)
    assert asked.next_s - now == pytest.approx(PAUSE_S[0], rel=BLUR)


@given(st.floats(-1e9, 1e12), st.floats(-1e9, 1e12), st.integers(0, 100))
def test_whatever_a_tracker_says_it_is_asked_neither_often_nor_never(interval: float, least: float, seed: int) -> None:
    asked = tier(seed, 1)
    asked.answered(Answer(interval_s=interval, min_interval_s=least), 1000.0)
    assert 1000 + INTERVAL_S[0] <= asked.soonest_s <= asked.next_s <= 1000 + INTERVAL_S[1] * (1 + BLUR)


def test_who_has_nobody_asks_as_soon_as_the_tracker_allows() -> None:
    asked = tier(trackers=1)
    asked.answered(Answer(interval_s=1800, min_interval_s=120), 0.0)
    assert not asked.due(119, always)
    assert asked.due(120, always)
    assert not asked.due(120, never)
    assert asked.due(1800 * (1 + BLUR), never)


def test_a_tracker_that_names_no_interval_is_asked_twice_an_hour() -> None:
    asked = tier(trackers=1)
    asked.answered(Answer(interval_s=0), 0.0)
    assert asked.next_s == pytest.approx(NORMAL_INTERVAL_S, rel=BLUR)
