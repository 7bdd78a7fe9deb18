"""What the uplink carries."""

import pytest

from swarm.uplink import FLOOR_BPS, INTERVAL_S, MARGIN, RAISE, Uplink


def measured(uplink: Uplink, rate_bps: float, seconds: float, *, queued_s: float = 0.0, dropped: int = 0) -> float:
    """Send at a rate for a while, and look as often as the rule allows."""
    steps = round(seconds / INTERVAL_S)
    for step in range(1, steps + 1):
        uplink.note(int(rate_bps * INTERVAL_S / 8), dropped, int(rate_bps * queued_s / 8))
        uplink.measure(step * INTERVAL_S)
    return uplink.estimate_bps


def test_little_sent_proves_nothing() -> None:
    assert measured(Uplink(5e6), 3e6, 10) == 5e6


def test_busy_and_keeping_up_it_grows_by_a_fifth_a_second_at_most() -> None:
    after_a_second = measured(Uplink(5e6), 1e9, 1)
    assert 5e6 < after_a_second == pytest.approx(5e6 * RAISE**2)
    assert after_a_second <= 5e6 * 1.22


def test_growth_ends_where_it_is_no_longer_busy() -> None:
    assert 5e6 < measured(Uplink(1e6), 5e6, 60) < 5e6 / 0.7 * RAISE


def test_a_standing_queue_brings_it_down_to_the_true_rate() -> None:
    assert measured(Uplink(5e6), 2e6, 1, queued_s=0.3) == pytest.approx(2e6)


def test_what_is_dropped_unsent_brings_it_down() -> None:
    assert measured(Uplink(5e6), 2e6, 0.5, dropped=1000) == pytest.approx(2e6)


def test_one_child_that_does_not_read_says_nothing_of_the_line() -> None:
    uplink = Uplink(5e6)
    for step in range(1, 20):
        uplink.note(100_000, 0, 0)
        uplink.note(100_000, 0, 0)
        uplink.note(0, 50_000, 1_000_000)
        uplink.measure(step * INTERVAL_S)
    assert uplink.estimate_bps == 5e6


def test_silence_says_nothing_of_the_line() -> None:
    uplink = Uplink(5e6)
    for step in range(1, 20):
        uplink.measure(step * INTERVAL_S)
    assert uplink.estimate_bps == 5e6


def test_two_full_links_do() -> None:
    uplink = Uplink(5e6)
    for dropped_bytes in (0, 0, 0, 1000, 1000):
        uplink.note(25_000, dropped_bytes, 0)
    uplink.measure(INTERVAL_S)
    assert uplink.estimate_bps == pytest.approx(2e6)


def test_full_never_raises_it() -> None:
    assert measured(Uplink(1e6), 9e6, 5, dropped=1) == 1e6


def test_it_does_not_fall_to_nothing() -> None:
    assert measured(Uplink(5e6), 0, 5, dropped=1000) == FLOOR_BPS


def test_looking_too_soon_changes_nothing() -> None:
    uplink = Uplink(5e6)
    uplink.note(10**9, 10**9, 10**9)
    uplink.measure(INTERVAL_S / 2)
    assert uplink.estimate_bps == 5e6


def test_slots_leave_the_household_its_share() -> None:
    assert Uplink(1e6).slots(1e5) == int(10 * MARGIN)


def test_the_users_cap_is_obeyed_however_fast_the_line_is() -> None:
    uplink = Uplink(5e6, cap_bps=1e6)
    measured(uplink, 1e9, 10)
    assert uplink.slots(1e5) == int(10 * MARGIN)


def test_a_cap_above_the_line_changes_nothing() -> None:
    assert Uplink(1e6, cap_bps=1e9).slots(1e5) == Uplink(1e6).slots(1e5)


def test_without_a_stripe_there_are_no_slots() -> None:
    assert Uplink(1e6).slots(0.0) == 0
