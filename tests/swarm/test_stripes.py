"""One incoming stripe."""

from random import Random

import pytest

from swarm.peers import Lead
from swarm.stripes import ANSWER_S, BLUR, MUTE_REST_S, REST_S, Feed, overdue_s
from swarm.units import Address, Stripe
from swarm.wire import Contact
from tests.swarm.neighbours import key

NEAR, FAR = Lead(key(1), 0.1), Lead(key(2), 0.1 * (1 + BLUR) / (1 - BLUR) + 0.01)


def feed() -> Feed:
    return Feed(Stripe(0))


def rest_s(one: Feed, now: float) -> float:
    return one.resting[key(1)].until_s - now


def test_rests_double_up_to_a_bound() -> None:
    one, now, lengths = feed(), 0.0, []
    for _ in range(6):
        one.refuse(key(1), now)
        lengths.append(rest_s(one, now))
        now += 100
    assert lengths == pytest.approx([2.5, 5, 10, 20, 20, 20])


def test_acceptance_ends_the_doubling() -> None:
    one = feed()
    one.refuse(key(1), 0.0)
    one.ask(key(1), 3.0, rtt_s=0.05)
    one.accept(key(1), (), (), 3.1)
    one.refuse(key(1), 9.0)
    assert rest_s(one, 9.0) == pytest.approx(REST_S[0])


def test_a_mute_parent_rests_for_as_long_as_told() -> None:
    one = feed()
    one.refuse(key(1), 0.0, MUTE_REST_S)
    assert rest_s(one, 0.0) == MUTE_REST_S


def test_rests_long_over_are_forgotten() -> None:
    one = feed()
    one.refuse(key(1), 0.0)
    one.forget_rests(REST_S[0] + REST_S[1])
    assert one.resting
    one.forget_rests(REST_S[0] + REST_S[1] + 0.1)
    assert not one.resting


def test_a_refusal_ends_the_question_to_that_one_only() -> None:
    one = feed()
    one.ask(key(1), 0.0, rtt_s=0.05)
    one.refuse(key(2), 0.0)
    assert one.asked == key(1)
    one.refuse(key(1), 0.0)
    assert one.asked is None


def test_the_clearly_nearer_one_is_chosen_whatever_the_blur() -> None:
    assert all(feed().choose([FAR, NEAR], Random(seed), 0.0) == NEAR for seed in range(50))


def test_among_equals_the_seed_decides_and_always_alike() -> None:
    equals = [Lead(key(number), 0.1) for number in range(6)]
    chosen = [feed().choose(equals, Random(seed), 0.0) for seed in range(30)]
    assert chosen == [feed().choose(equals, Random(seed), 0.0) for seed in range(30)]
    assert len(set(chosen)) > 2


def test_the_parent_and_who_rests_are_never_chosen() -> None:
    one = feed()
    one.accept(key(1), (), (), 0.0)
    one.refuse(key(2), 0.0)
    assert one.choose([NEAR, FAR], Random(1), 1.0) is None
    assert one.choose([NEAR, FAR], Random(1), REST_S[0]) == FAR


def test_a_hinted_one_counts_as_nearer() -> None:
    one = feed()
    one.hints = (key(2),)
    pair = [Lead(key(1), 0.1), Lead(key(2), 0.1)]
    assert all(one.choose(pair, Random(seed), 0.0) == pair[1] for seed in range(3))


def test_nobody_is_chosen_among_none() -> None:
    assert feed().choose([], Random(1), 0.0) is None


@pytest.mark.parametrize(("rtt_s", "patience_s"), [(0.01, ANSWER_S[0]), (0.1, 0.4), (3.0, ANSWER_S[1])])
def test_an_answer_is_late_after_four_round_trips_within_bounds(rtt_s: float, patience_s: float) -> None:
    one = feed()
    assert one.late_answer(9.0) is None
    one.ask(key(1), 0.0, rtt_s=rtt_s)
    assert one.late_answer(patience_s - 0.001) is None
    assert one.late_answer(patience_s + 0.01) == key(1)


def test_hunger_begins_without_a_parent_and_ends_with_one() -> None:
    one = feed()
    one.hunger(1.0)
    one.hunger(2.0)
    assert one.hungry_since_s == 1.0
    one.accept(key(1), (), (), 3.0)
    one.hunger(3.0)
    assert one.hungry_since_s is None


def test_an_acceptance_names_who_is_above_the_parent() -> None:
    one, above = feed(), Contact(key(9), Address("10.0.0.9", 4000))
    one.accept(key(1), (b"abcd",), (above,), 0.0)
    assert (one.above, one.ancestors) == ((above,), (b"abcd",))


def test_only_an_acceptance_that_answers_is_taken() -> None:
    one = feed()
    assert not one.may_accept(key(1))
    one.ask(key(1), 0.0, rtt_s=0.05)
    assert one.may_accept(key(1))
    assert not one.may_accept(key(2))
    one.asked, one.late = None, key(1)
    assert one.may_accept(key(1))
    one.ask(key(2), 2.0, rtt_s=0.05)
    one.accept(key(2), (), (), 2.1)
    assert not one.may_accept(key(1))


def test_the_delay_is_smoothed_and_forgotten_with_the_parent() -> None:
    one = feed()
    one.arrived(5, 0.2, 4.0)
    one.arrived(4, 0.3, 4.2)
    assert one.last_number == 5
    assert one.delay_s == pytest.approx(0.21)
    one.drop()
    assert (one.parent, one.delay_s, one.last_number, one.active) == (None, None, 0, False)


def test_a_parent_is_overdue_since_others_have_what_it_should_have_sent() -> None:
    one = feed()
    one.accept(key(1), (), (), 4.0)
    assert overdue_s(one, None, 9.0) == 0.0
    assert overdue_s(one, 6.0, 9.0) == 3.0
    assert overdue_s(one, 1.0, 9.0) == 5.0, "not since before it was a parent"


def test_a_new_epoch_makes_nobody_overdue_or_mute() -> None:
    one = feed()
    one.accept(key(1), (), (), 4.0)
    one.arrived(500, 0.1, 4.0)
    one.renew(9.0)
    assert (one.parent, one.last_number, one.fed_since_s) == (key(1), 0, 9.0)
