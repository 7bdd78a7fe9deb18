"""Pull repair."""

from random import Random

import pytest

from swarm.peers import ADVERT_FRESH_S, Mate
from swarm.repair import (
    AGAIN_S,
    AT_ONCE_MAX,
    NEAR,
    PATIENCE_S,
    SHORT_ANSWER_S,
    SOURCE_AFTER_TRIES,
    TRIES_MAX,
    Repairs,
    alive,
)
from swarm.units import PeerId
from swarm.window import Entry
from tests.swarm.neighbours import advert, key, mate

LATE_S = 10.0


def having(number: int, *, source: bool = False, rtt_s: float = 0.02, at_s: float = LATE_S) -> Mate:
    return mate(number, advert(newest=100), at_s=at_s, rtt_s=rtt_s, source=source)


def asked(
    repairs: Repairs, entry: Entry, mates: list[Mate], now: float = LATE_S, count: int = 1, seed: int = 1
) -> list[PeerId]:
    assert repairs.due([entry], now) == [entry]
    return [
        found.peer.key for found in repairs.ask(entry, alive(mates, (), now), count=count, rng=Random(seed), now=now)
    ]


def test_a_gap_is_asked_for_after_a_while_and_not_before() -> None:
    repairs, entry = Repairs(usual_s=0.2, spread_s=0.1), Entry(7, 0.0)
    assert repairs.due([entry], 0.4 + PATIENCE_S) == []
    assert repairs.due([entry], 0.41 + PATIENCE_S) == [entry]


def test_it_is_asked_for_again_elsewhere() -> None:
    repairs, entry = Repairs(), Entry(7, 0.0)
    mates = [having(1), having(2), having(3)]
    first = asked(repairs, entry, mates)
    assert repairs.due([entry], LATE_S + AGAIN_S[0]) == []
    second = asked(repairs, entry, mates, LATE_S + AGAIN_S[1])
    assert len(first) == len(second) == 1
    assert first != second


def test_several_are_asked_at_once_when_wanted_and_never_one_twice() -> None:
    chosen = asked(Repairs(), Entry(7, 0.0), [having(1), having(2), having(3)], count=2)
    assert len(set(chosen)) == 2


def test_an_answer_that_helped_but_did_not_suffice_is_followed_soon() -> None:
    repairs, entry = Repairs(), Entry(7, 0.0)
    asked(repairs, entry, [having(1)])
    soon_s = LATE_S + SHORT_ANSWER_S + 0.01
    assert repairs.due([entry], soon_s) == []
    entry.held = 1
    assert repairs.due([entry], soon_s) == [entry]


def test_sorry_brings_the_next_question_at_once_if_it_was_asked() -> None:
    repairs, entry = Repairs(), Entry(7, 0.0)
    (chosen,) = asked(repairs, entry, [having(1), having(2)])
    repairs.failed(7, key(9), LATE_S + 0.01)
    repairs.failed(8, chosen, LATE_S + 0.01)
    assert repairs.due([entry], LATE_S + 0.01) == []
    repairs.failed(7, chosen, LATE_S + 0.01)
    assert repairs.due([entry], LATE_S + 0.01) == [entry]


def test_the_source_is_asked_only_when_neighbours_could_not_help_and_then_now_and_again() -> None:
    repairs, entry = Repairs(), Entry(7, 0.0)
    tries = []
    for at in range(TRIES_MAX):
        now = LATE_S + at * AGAIN_S[1]
        mates = [having(1, source=True, at_s=now), *(having(number, at_s=now) for number in (2, 3, 4))]
        tries.append(asked(repairs, entry, mates, now, seed=at))
    first, later = tries[:SOURCE_AFTER_TRIES], tries[SOURCE_AFTER_TRIES:]
    assert all(key(1) not in chosen for chosen in first)
    assert 0 < later.count([key(1)]) < len(later)


def test_the_source_is_asked_at_once_when_nobody_else_has_it() -> None:
    lacking = mate(2, advert(newest=3), at_s=LATE_S)
    assert asked(Repairs(), Entry(7, 0.0), [having(1, source=True), lacking]) == [key(1)]


def test_who_only_claims_to_be_the_source_does_not_hide_the_true_one() -> None:
    repairs, entry = Repairs(), Entry(7, 0.0)
    claimers = [having(1, source=True), having(2, source=True)]
    assert asked(repairs, entry, claimers) == [key(1)]
    assert asked(repairs, entry, claimers, LATE_S + AGAIN_S[1]) == [key(2)]


def test_the_search_ends_after_so_many_tries() -> None:
    repairs, entry = Repairs(), Entry(7, 0.0)
    now = LATE_S
    for _ in range(TRIES_MAX):
        assert asked(repairs, entry, [having(1, at_s=now)], now)
        now += AGAIN_S[1]
    assert repairs.due([entry], now + 9) == []


def test_without_anybody_to_ask_no_try_is_spent() -> None:
    repairs, entry = Repairs(), Entry(7, 0.0)
    assert asked(repairs, entry, []) == []
    assert repairs.searches[7].tries == 0


def test_suspects_and_the_stale_are_not_asked() -> None:
    repairs, entry = Repairs(), Entry(7, 0.0)
    repairs.due([entry], LATE_S)
    mates = [having(1), having(2, at_s=LATE_S - ADVERT_FRESH_S)]
    assert repairs.ask(entry, alive(mates, {key(1)}, LATE_S), count=2, rng=Random(1), now=LATE_S) == []


def test_an_old_advert_is_aged_by_the_lag_it_tells() -> None:
    behind = mate(1, advert(newest=6, lag_ms=500), at_s=LATE_S)
    assert asked(Repairs(), Entry(7, 0.0), [behind], LATE_S + 0.5) == []
    assert asked(Repairs(), Entry(7, 0.0), [behind], LATE_S + 0.51) == [key(1)]


def test_only_the_nearest_are_asked() -> None:
    far = [having(number, rtt_s=0.3) for number in range(20, 30)]
    near = {key(number) for number in range(1, 1 + NEAR)}
    repairs, entry = Repairs(), Entry(7, 0.0)
    repairs.due([entry], LATE_S)
    mates = [*far, *(having(n) for n in range(1, 1 + NEAR))]
    chosen = repairs.ask(entry, alive(mates, (), LATE_S), count=NEAR, rng=Random(1), now=LATE_S)
    assert {found.peer.key for found in chosen} == near


def test_searches_are_bounded_and_the_oldest_come_first() -> None:
    repairs = Repairs()
    entries = [Entry(number, number / 1e3) for number in range(200, 0, -1)]
    found = repairs.due(entries, LATE_S)
    assert [entry.number for entry in found] == list(range(1, AT_ONCE_MAX + 1))
    assert len(repairs.searches) == AT_ONCE_MAX


def test_a_search_goes_with_its_piece() -> None:
    repairs, entry = Repairs(), Entry(7, 0.0)
    repairs.due([entry], LATE_S)
    assert repairs.due([], LATE_S) == []
    assert not repairs.searches


def test_the_usual_time_is_learnt_from_pieces_that_needed_no_search() -> None:
    repairs = Repairs(usual_s=0.1)
    repairs.completed(Entry(7, 0.0), 1.1)
    assert repairs.usual_s == pytest.approx(0.2)
    searched = Entry(8, 0.0)
    repairs.due([searched], LATE_S)
    repairs.completed(searched, LATE_S)
    assert repairs.usual_s == pytest.approx(0.2)
