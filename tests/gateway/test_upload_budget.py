"""The monthly budget: free at first, stretched at the end, and nothing beyond it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upload_budget import FREE_SHARE, TRICKLE_BPS, UploadLimit, month_of, upload_limit

MID_MONTH = datetime(2025, 11, 16, tzinfo=UTC)
WHEN = st.integers(1_500_000_000, 2_500_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
BUDGET = 100 * 10**9


def limit(used_bytes: int, *, cap_bps: float = 0.0, now: datetime = MID_MONTH) -> UploadLimit:
    return upload_limit(cap_bps=cap_bps, budget_bytes=BUDGET, used_bytes=used_bytes, now=now)


def test_without_a_budget_the_cap_alone_counts() -> None:
    assert upload_limit(cap_bps=2e6, budget_bytes=0, used_bytes=10**15, now=MID_MONTH) == UploadLimit(2e6)


def test_the_first_part_goes_at_any_rate() -> None:
    assert limit(int(FREE_SHARE * BUDGET) - 1) == UploadLimit(0.0)


def test_a_spent_budget_leaves_a_trickle_and_no_relaying() -> None:
    assert limit(BUDGET) == UploadLimit(TRICKLE_BPS, paused=True)


def test_the_cap_stays_when_the_budget_allows_more() -> None:
    assert limit(int(0.81 * BUDGET), cap_bps=1e5).cap_bps == 1e5


@pytest.mark.parametrize("start", [datetime(2025, 12, 2, tzinfo=UTC), datetime(2024, 2, 20, tzinfo=UTC)])
def test_who_always_sends_all_that_is_allowed_stays_within_the_budget_to_the_end_of_the_month(start: datetime) -> None:
    now, used, step = start, int(FREE_SHARE * BUDGET), timedelta(minutes=10)
    pauses = 0
    while month_of(now + step) == month_of(start):
        allowed = limit(used, now=now)
        pauses += allowed.paused
        used += 0 if allowed.paused else int(allowed.cap_bps * step.total_seconds() / 8)
        now += step
    assert used <= 1.001 * BUDGET
    assert pauses * step < timedelta(days=2)  # the last bit goes as a trickle


@given(st.integers(0, 2 * BUDGET), WHEN, st.sampled_from([0.0, 1e6]))
def test_there_is_always_room_to_watch_and_never_more_than_the_cap(used: int, when: datetime, cap_bps: float) -> None:
    allowed = limit(used, cap_bps=cap_bps, now=when)
    assert allowed.paused == (used >= BUDGET)
    assert allowed.cap_bps == 0 or allowed.cap_bps >= TRICKLE_BPS
    assert not cap_bps or 0 < allowed.cap_bps <= cap_bps
