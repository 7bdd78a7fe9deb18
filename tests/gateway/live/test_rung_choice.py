"""Which rung is played: down when pieces come late or not at all, up when there is room, and never to and fro."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.live.rung_choice import LATE_S, REST_S, RungChoice, Wish

PIECE_S = 0.2


@dataclass
class Line:
    """A line that carries so much: of what is received, all comes in time while it fits, else ever later.

    ``rates`` are those of the rungs. Clocks do not agree: all delays are off by ``skew_s``.
    """

    rates: tuple[float, ...]
    capacity: float
    skew_s: float = 1234.5
    play: int = 0
    loses: bool = False
    now: float = 100.0
    behind_s: float = 0.0
    number: int = 0
    played: list[int] = field(default_factory=list)
    tried: list[Wish] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.choice = RungChoice(len(self.rates), self.now, play=self.play)

    def run(self, seconds: float) -> "Line":
        for _ in range(round(seconds / PIECE_S)):
            self.step()
        return self

    def step(self) -> None:
        """One piece's time."""
        self.now += PIECE_S
        self.number += 1
        wish = self.choice.wish
        rungs = [wish.play] if wish.trial is None else [wish.play, wish.trial]
        excess = sum(self.rates[rung] for rung in rungs) / self.capacity - 1.0
        # What does not fit is late by more and more; the queue of the swarm ends after two seconds.
        self.behind_s = min(max(self.behind_s + excess * PIECE_S, 0.0), 2.0)
        for rung in rungs:
            if excess > 0 and (self.loses or self.behind_s >= 2.0):
                self.choice.lost(rung, self.now)
            else:
                self.choice.arrived(rung, self.number, self.skew_s + 0.3 + self.behind_s, self.now)
        self.tried.append(self.choice.decide(self.now))
        self.played.append(self.tried[-1].play)


def test_a_line_with_room_is_climbed_rung_by_rung() -> None:
    line = Line(rates=(1, 2, 4), capacity=10).run(60)
    assert line.played[-1] == 2
    assert [low <= high <= low + 1 for low, high in pairwise(line.played)].count(False) == 0
    assert line.tried[-1].trial is None


def test_a_higher_rung_is_received_beside_before_it_is_played() -> None:
    line = Line(rates=(1, 2), capacity=10).run(30)
    first = line.played.index(1)
    assert Wish(0, 1) in line.tried[:first]


@pytest.mark.parametrize("loses", [False, True])
def test_a_line_that_has_become_thin_is_left_for_a_lower_rung(loses: bool) -> None:
    line = Line(rates=(1, 4), capacity=20, loses=loses).run(30)
    assert line.played[-1] == 1
    line.capacity = 3.0
    line.run(15)
    assert line.played[-1] == 0


def test_silence_alone_leads_down() -> None:
    choice = RungChoice(2, 0.0, play=1)
    for number in range(10):
        choice.arrived(1, number, 0.3, number * PIECE_S)
    assert choice.decide(10 * PIECE_S) == Wish(1, None)
    assert choice.decide(20 * PIECE_S) == Wish(1, 0)
    for number in range(10, 14):
        choice.arrived(0, number, 0.3, (number + 11) * PIECE_S)
    assert choice.decide(25 * PIECE_S) == Wish(0, None)


def test_a_pause_of_the_whole_stream_changes_nothing() -> None:
    line = Line(rates=(1, 2), capacity=10).run(30)
    assert line.played[-1] == 1
    for _ in range(20):
        line.now += PIECE_S
        line.choice.decide(line.now)
    line.run(10)
    assert set(line.played[-25:]) == {1}


def test_pieces_that_are_skipped_are_late_before_they_are_lost() -> None:
    choice = RungChoice(2, 0.0, play=1)
    for number in range(10):
        choice.arrived(1, number, 0.3, number * PIECE_S)
    choice.arrived(1, 12, 0.3, 12 * PIECE_S)
    assert choice.decide(12 * PIECE_S) == Wish(1, None), "two pieces may just be out of order"
    choice.arrived(1, 18, 0.3, 18 * PIECE_S)
    assert choice.decide(18 * PIECE_S) == Wish(0, None, in_haste=True)


def test_a_broadcaster_that_counts_anew_has_lost_nothing() -> None:
    choice = RungChoice(2, 0.0, play=1)
    for number in range(10):
        choice.arrived(1, number, 0.3, number * PIECE_S)
    choice.arrived(1, 5000, 0.3, 10 * PIECE_S)
    assert choice.decide(10 * PIECE_S) == Wish(1, None)


def test_bits_without_whole_pieces_lead_down_before_they_are_given_up() -> None:
    choice = RungChoice(2, 0.0, play=1)
    for number in range(10):
        choice.arrived(1, number, 0.3, number * PIECE_S)
    choice.bits_arrived(1, 2.4)
    assert choice.decide(2.4) == Wish(1, None)
    choice.bits_arrived(1, 2.9)
    assert choice.decide(2.9) == Wish(0, None, in_haste=True)


def test_a_delay_that_falls_is_waited_for() -> None:
    choice = RungChoice(2, 0.0, play=1)
    for number in range(10):
        choice.arrived(1, number, 0.3, number * PIECE_S)
    for number in range(10, 60):
        late_s = 1.5 - (number - 10) * 0.03
        choice.arrived(1, number, 0.3 + late_s, number * PIECE_S + late_s)
        assert choice.decide(number * PIECE_S + late_s).play == 1


def test_long_pieces_are_given_their_time() -> None:
    choice = RungChoice(2, 0.0, play=1, piece_s=1.0)
    for number in range(5):
        choice.arrived(1, number, 1.3, number * 1.0)
    choice.bits_arrived(1, 6.5)
    assert choice.decide(6.5) == Wish(1, None)


def test_a_lowest_rung_of_which_nothing_comes_is_left_for_the_next_one() -> None:
    choice = RungChoice(2, 0.0)
    assert choice.decide(1.0) == Wish(0, None)
    assert choice.decide(6.0) == Wish(0, 1)
    for number in range(3):
        choice.arrived(1, number, 0.3, 6.4 + number * PIECE_S)
    assert choice.decide(7.0) == Wish(1, None)


def test_one_lost_piece_is_an_accident() -> None:
    line = Line(rates=(1, 2), capacity=10).run(30)
    line.choice.lost(1, line.now)
    line.run(5)
    assert set(line.played[-25:]) == {1}
    assert line.tried[-1].trial is None


def test_what_has_failed_rests_longer_each_time() -> None:
    line = Line(rates=(1, 2), capacity=1.5).run(400)
    trials = [now for now, (before, wish) in enumerate(pairwise(line.tried))
              if wish.trial == 1 and before.trial is None]  # fmt: skip
    pauses_s = [(second - first) * PIECE_S for first, second in pairwise(trials)]
    assert len(pauses_s) >= 3
    assert pauses_s[0] >= REST_S
    assert all(second > 1.5 * first for first, second in pairwise(pauses_s))
    assert set(line.played) == {0}


def test_a_delay_that_grows_for_good_becomes_the_measure() -> None:
    line = Line(rates=(1, 2), capacity=10, play=1).run(10)
    line.skew_s += 2 * LATE_S
    line.run(400)
    assert line.played[-1] == 1


rates = st.lists(st.floats(0.2, 8.0), min_size=1, max_size=5).map(lambda some: tuple(sorted(some)))


@settings(max_examples=60, deadline=None)
@given(rates, st.floats(0.3, 20.0), st.data())
def test_what_is_played_is_always_a_rung_and_was_received_before(
    some: tuple[float, ...], capacity: float, data: st.DataObject
) -> None:
    line = Line(rates=some, capacity=capacity)
    for _ in range(4):
        line.run(20)
        line.capacity = data.draw(st.floats(0.3, 20.0))
    received = {0}
    for before, wish in zip([Wish(0), *line.tried], line.tried, strict=False):
        received |= {before.play, *([before.trial] if before.trial is not None else [])}
        assert wish.play in range(len(some))
        assert wish.play in received
        assert wish.trial != wish.play
        assert wish.trial is None or abs(wish.trial - wish.play) >= 1


@settings(max_examples=40, deadline=None)
@given(rates, st.floats(0.3, 20.0))
def test_in_the_end_it_is_a_rung_that_the_line_carries(some: tuple[float, ...], capacity: float) -> None:
    line = Line(rates=some, capacity=capacity, play=len(some) - 1).run(150)
    tail = line.played[-50:]
    fit = max((rung for rung, rate in enumerate(some) if rate <= 0.95 * capacity), default=0)
    assert max(tail) <= max(fit, 0) or some[max(tail)] <= 1.05 * capacity
