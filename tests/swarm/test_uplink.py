"""What the uplink carries: the rules one by one, then the estimate in a loop with a line, a pacer and children."""

import pytest

from swarm.pacer import Pacer
from swarm.uplink import (
    CARRIES_BYTES,
    DELAY_S,
    FIRST_GUESS_BPS,
    FLOOR_BPS,
    HOLD_S,
    INTERVAL_S,
    MARGIN,
    RAISE_PER_S,
    RETRY_S,
    START_RAISE_PER_S,
    STEADY,
    YIELD_LEAST,
    Uplink,
)
from tests.swarm.line_model import STRIPE_BPS, Household

STRIPE = 100_000.0


class Tape:
    """Plays intervals into an estimate: every link says the same, unless told otherwise."""

    def __init__(self, uplink: Uplink) -> None:
        self.uplink = uplink
        self.now = 0.0

    def play(
        self,
        rate_bps: float,
        seconds: float,
        *,
        links: int = 4,
        queued_s: float = 0.0,
        dropped_bytes: int = 0,
        excess_s: float = 0.0,
    ) -> float:
        for _ in range(round(seconds / INTERVAL_S)):
            self.now += INTERVAL_S
            sent = int(rate_bps * INTERVAL_S / 8 / links)
            queued = int(rate_bps * queued_s / 8 / links)
            for _ in range(links):
                self.uplink.note(sent, dropped_bytes, queued, excess_s=excess_s, now=self.now)
            self.uplink.measure(self.now + 0.1)
        return self.uplink.estimate_bps


def known(bps: float = 5e6) -> Tape:
    """An uplink of which another day's rate is known."""
    return Tape(Uplink(bps))


def test_nothing_known_it_begins_with_the_first_guess() -> None:
    assert Uplink().estimate_bps == FIRST_GUESS_BPS
    assert not Uplink().proven
    assert Uplink(5e6).proven


def test_little_sent_proves_nothing() -> None:
    assert known().play(2e6, 10) == 5e6


def test_until_the_first_fullness_it_grows_fast() -> None:
    tape = Tape(Uplink())
    tape.play(FIRST_GUESS_BPS, 0.5)
    before = tape.uplink.estimate_bps
    assert tape.play(1e9, 0.5) == pytest.approx(before * (1 + START_RAISE_PER_S * INTERVAL_S))


def test_later_it_grows_by_a_fifth_a_second_at_most() -> None:
    tape = known()
    tape.play(1e9, 2)
    for _ in range(10):
        before = tape.uplink.estimate_bps
        assert before < tape.play(1e9, 1) <= before * (1 + RAISE_PER_S * INTERVAL_S) ** 2 * 1.0001


def test_near_the_known_ceiling_it_grows_gently() -> None:
    assert 5e6 < known().play(4.6e6, 1) < 5e6 * 1.06


def test_growth_ends_where_it_is_no_longer_used() -> None:
    assert Tape(Uplink()).play(5e6, 60) < 5e6 / 0.6


def test_the_first_fullness_ends_the_fast_start() -> None:
    tape = Tape(Uplink())
    tape.play(2e6, 2, queued_s=0.3)
    assert tape.uplink.proven
    assert tape.uplink.estimate_bps == pytest.approx(2e6)


def test_a_standing_queue_brings_it_down_to_the_true_rate() -> None:
    tape = known()
    tape.play(4e6, 1)
    assert tape.play(2e6, 1.5, queued_s=0.3) == pytest.approx(2e6)
    assert tape.uplink.full


def test_a_queue_seen_once_is_a_burst() -> None:
    assert known().play(1e6, 0.5, queued_s=5.0) == 5e6


def test_what_is_dropped_unsent_brings_it_down() -> None:
    assert known().play(2e6, 1, dropped_bytes=1000) == pytest.approx(2e6)


def test_delay_alone_brings_it_down_although_nothing_is_dropped() -> None:
    tape = known()
    assert tape.play(4e6, 1, excess_s=2 * DELAY_S) < 4e6


def test_delay_that_others_cause_makes_it_give_way_bit_by_bit_but_not_for_ever() -> None:
    tape = known(4e6)
    tape.play(3.6e6, 2)
    first = tape.play(1e6, 0.5, excess_s=2 * DELAY_S)
    assert 0.5 * 4e6 < first < 4e6
    assert tape.play(0.2e6, 20, excess_s=2 * DELAY_S) >= YIELD_LEAST * 3.6e6 * 0.8


def test_delay_that_shrinks_calls_for_no_further_fall() -> None:
    tape = known()
    before = tape.play(4e6, 1, excess_s=0.5)
    for excess_s in (0.45, 0.4, 0.3, 0.2):
        tape.play(2e6, 0.5, excess_s=excess_s)
    assert tape.uplink.estimate_bps == before


def test_a_short_outage_is_no_slower_line() -> None:
    tape = known()
    tape.play(4.5e6, 2)
    tape.play(0.1e6, 0.5, dropped_bytes=5000)
    assert tape.uplink.estimate_bps > 4e6


def test_one_slow_child_says_nothing_of_the_line() -> None:
    uplink = Uplink(5e6)
    for step in range(1, 20):
        now = step * INTERVAL_S
        uplink.note(100_000, 0, 0, excess_s=0.0, now=now)
        uplink.note(100_000, 0, 0, excess_s=0.0, now=now)
        uplink.note(20_000, 50_000, 1_000_000, excess_s=3.0, now=now)
        uplink.measure(now + 0.1)
    assert uplink.estimate_bps >= 5e6
    assert not uplink.full


def test_the_only_child_does_when_it_is_the_only_one() -> None:
    assert known().play(2e6, 2, links=1, queued_s=0.3) == pytest.approx(2e6)


def test_dead_children_say_nothing_of_the_line() -> None:
    uplink = Uplink(5e6)
    for step in range(1, 10):
        now = step * INTERVAL_S
        for _ in range(8):
            uplink.note(30_000, 0, 0, excess_s=0.0, now=now)
        for _ in range(2):  # a fifth has left at the same moment
            uplink.note(0, 50_000, 1_000_000, excess_s=0.0, now=now)
        uplink.measure(now + 0.1)
    assert uplink.estimate_bps >= 5e6


def test_most_links_that_cannot_send_at_all_do() -> None:
    uplink = Uplink(5e6)
    for step in range(1, 5):
        now = step * INTERVAL_S
        uplink.note(60_000, 0, 0, excess_s=0.0, now=now)
        for _ in range(3):
            uplink.note(0, 50_000, 50_000, excess_s=0.0, now=now)
        uplink.measure(now + 0.1)
    assert uplink.estimate_bps < 1e6


def test_full_at_more_than_was_thought_raises_it() -> None:
    tape = known(2e6)
    assert 2e6 < tape.play(4e6, 3, queued_s=0.3) <= 4e6


def test_it_does_not_fall_to_nothing() -> None:
    assert known().play(CARRIES_BYTES, 5, dropped_bytes=1000) == FLOOR_BPS


def test_silence_says_nothing_of_the_line() -> None:
    assert known().play(0, 20) == 5e6


def test_after_a_fall_it_waits_for_the_children_to_move() -> None:
    tape = known()
    tape.play(2e6, 1, queued_s=0.5)
    tape.play(2e6, 1, queued_s=0.5)
    low = tape.uplink.estimate_bps
    assert tape.play(0.95 * low, HOLD_S - INTERVAL_S) == low
    assert tape.play(0.95 * low, 5) > low


def test_looking_too_soon_changes_nothing() -> None:
    uplink = Uplink(5e6)
    uplink.note(10**9, 10**9, 10**9, excess_s=9.0, now=INTERVAL_S / 2)
    uplink.measure(INTERVAL_S / 2 + 0.1)
    assert uplink.estimate_bps == 5e6


def test_slots_leave_the_household_its_share() -> None:
    assert Uplink(1e6).slots(1e5) == int(10 * MARGIN)


def test_without_a_stripe_or_while_paused_there_are_no_slots() -> None:
    uplink = Uplink(1e6)
    assert uplink.slots(0.0) == 0
    uplink.paused = True
    assert uplink.slots(1e5) == 0
    assert uplink.slots_of_source(1e5, 30) == 0


def test_the_users_cap_is_obeyed_however_fast_the_line_is() -> None:
    tape = Tape(Uplink(5e6, cap_bps=1e6))
    tape.play(1e9, 10)
    assert tape.uplink.slots(1e5) == int(10 * MARGIN)


def test_a_cap_above_the_line_changes_nothing() -> None:
    assert Uplink(1e6, cap_bps=1e9).slots(1e5) == Uplink(1e6).slots(1e5)


def test_a_few_percent_up_and_down_move_no_child() -> None:
    tape = known()
    slots = {tape.uplink.slots(1e4)}
    for step in range(1, 20):
        low = step % 2
        tape.play(4.8e6 if low else 5.0e6, 1, queued_s=0.3 if low else 0.0)
        slots.add(tape.uplink.slots(1e4))
    assert len(slots) == 1


def test_a_true_fall_does() -> None:
    tape = known()
    before = tape.uplink.slots(1e4)
    tape.play(5e6 * (1 - 2 * STEADY), 2, queued_s=0.3)
    assert tape.uplink.slots(1e4) < before


def test_one_slot_of_a_coarse_stripe_in_use_is_all_that_can_be_proved() -> None:
    tape = known(0.4e6)
    assert tape.uplink.slots(200_000.0) == 1
    tape.play(0.2e6, 60)
    assert tape.uplink.slots(200_000.0) > 1


def test_with_no_room_for_one_child_it_tries_one_now_and_then() -> None:
    tape = known(100_000.0)
    assert tape.uplink.slots(200_000.0) == 0
    tape.play(20_000, RETRY_S - 1)
    assert tape.uplink.slots(200_000.0) == 0
    tape.play(20_000, 2)
    assert tape.uplink.slots(200_000.0) == 1


def test_a_source_gives_what_is_wanted_until_its_line_was_full() -> None:
    uplink = Uplink()
    assert uplink.slots_of_source(STRIPE, 300) == 300
    Tape(uplink).play(2e6, 2, queued_s=0.3)
    assert uplink.slots_of_source(STRIPE, 300) == int(2e6 * MARGIN / STRIPE)
    assert uplink.slots_of_source(STRIPE, 5) == 5


def test_a_source_obeys_its_cap_from_the_start() -> None:
    assert Uplink(cap_bps=1e6).slots_of_source(STRIPE, 300) == int(1e6 * MARGIN / STRIPE)


# -- in a loop with a line

BUFFERS_S = (0.05, 0.3, 1.0)
RATES = (1e6, 3e6, 10e6)


@pytest.mark.parametrize("buffer_s", BUFFERS_S)
@pytest.mark.parametrize("rate_bps", RATES)
def test_it_finds_the_lines_rate_within_ten_seconds(rate_bps: float, buffer_s: float) -> None:
    home = Household(Uplink(), rate_bps, buffer_s)
    home.run(10)
    assert home.uplink.line_bps == pytest.approx(rate_bps, rel=0.1)
    assert 0.65 * rate_bps < home.uplink.slots(STRIPE_BPS) * STRIPE_BPS < 1.12 * rate_bps


@pytest.mark.parametrize("buffer_s", BUFFERS_S)
@pytest.mark.parametrize("rate_bps", RATES)
def test_it_follows_a_fall_to_half_and_the_rise_back(rate_bps: float, buffer_s: float) -> None:
    home = Household(Uplink(rate_bps), rate_bps, buffer_s)
    home.run(10)
    home.rate_bps = rate_bps / 2
    home.run(2.2)
    assert home.uplink.slots(STRIPE_BPS) * STRIPE_BPS < 1.12 * rate_bps / 2
    home.run(10)
    assert home.uplink.line_bps == pytest.approx(rate_bps / 2, rel=0.15)
    home.rate_bps = rate_bps
    home.run(15)
    assert home.uplink.estimate_bps > 0.8 * rate_bps


@pytest.mark.parametrize("rate_bps", RATES)
def test_an_upload_of_the_household_makes_it_yield(rate_bps: float) -> None:
    home = Household(Uplink(rate_bps), rate_bps, 1.0)
    home.run(10)
    home.cross_bps = 0.6 * rate_bps
    home.run(12)
    sent_before = home.sent_bytes
    home.run(5)
    assert (home.sent_bytes - sent_before) * 8 / 5 < 0.4 * rate_bps
    home.cross_bps = 0.0
    home.run(30)
    assert home.uplink.estimate_bps > 0.6 * rate_bps


@pytest.mark.parametrize("rate_bps", RATES)
def test_few_children_are_moved_once_the_rate_is_known(rate_bps: float) -> None:
    home = Household(Uplink(rate_bps), rate_bps, 0.3)
    home.run(10)
    before = home.told_to_move
    home.run(60)
    assert (home.told_to_move - before) / 60 < 0.05 * home.children


@pytest.mark.parametrize("cap_bps", [0.5e6, 1e6, 4e6])
def test_a_cap_is_used_and_never_exceeded(cap_bps: float) -> None:
    uplink, pacer = Uplink(cap_bps=cap_bps), Pacer(cap_bps)
    home = Household(uplink, 20e6, 0.3, pacer)
    home.run(5)
    for _ in range(4):
        before = home.sent_bytes
        home.run(10)
        assert 0.7 * cap_bps < (home.sent_bytes - before) * 8 / 10 <= 1.05 * cap_bps
        assert uplink.estimate_bps <= cap_bps * 1.0001 or uplink.slots(STRIPE_BPS) * STRIPE_BPS <= cap_bps
