"""Upload slots."""

from hypothesis import given
from hypothesis import strategies as st

from swarm.slots import CONTRIBUTOR, GRACE_S, MOVING_SHARE, RECEIVER, RELAY, SPARE, Admission, Nursery
from swarm.units import Stripe
from tests.swarm.neighbours import key

ONE, TWO = Stripe(1), Stripe(2)


def nursery(total: int, *colours: Stripe) -> Nursery:
    return Nursery(total=total, colours=colours or (ONE,))


def filled(total: int, rank: int) -> Nursery:
    full = nursery(total)
    for number in range(total):
        assert full.ask(ONE, key(number), rank, 0, float(number)).accepted
    return full


@given(st.integers(0, 500), st.integers(1, 4))
def test_slots_are_spread_evenly_and_all_of_them(total: int, colours: int) -> None:
    spread = nursery(total, *(Stripe(i) for i in range(colours)))
    capacities = [spread.capacity(stripe) for stripe in spread.colours]
    assert sum(capacities) == total
    assert max(capacities) - min(capacities) <= 1


def test_a_stripe_that_is_not_offered_has_no_slots() -> None:
    assert nursery(9).capacity(TWO) == 0
    assert Nursery().capacity(ONE) == 0
    assert not nursery(9).ask(TWO, key(1), RELAY, 0, 0.0).accepted


def test_a_free_slot_goes_to_whoever_asks() -> None:
    home = nursery(2)
    assert home.ask(ONE, key(1), RECEIVER + SPARE, 0, 0.0) == Admission(accepted=True)
    assert (home.free(ONE), home.used, list(home.children(ONE))) == (1, 1, [key(1)])


def test_a_better_rank_displaces_the_worst_and_an_equal_one_does_not() -> None:
    home = filled(2, CONTRIBUTOR)
    assert home.ask(ONE, key(8), CONTRIBUTOR, 50, 9.0) == Admission(accepted=False)
    assert home.ask(ONE, key(9), RELAY, 0, 9.0) == Admission(accepted=True, displaced=key(1))


def test_among_the_worst_the_one_with_fewer_slots_goes_then_the_newer() -> None:
    home = nursery(3)
    for number, proven in ((1, 5), (2, 3), (3, 3)):
        home.ask(ONE, key(number), RECEIVER, proven, float(number))
    assert home.ask(ONE, key(9), RELAY, 0, 9.0).displaced == key(3)


def test_a_displaced_child_is_fed_during_its_grace_and_not_after() -> None:
    home = filled(2, RECEIVER)
    home.ask(ONE, key(9), RELAY, 0, 10.0)
    home.expire(10.0 + GRACE_S - 0.01)
    assert key(1) in home.children(ONE)
    home.expire(10.0 + GRACE_S)
    assert list(home.children(ONE)) == [key(0), key(9)]


@given(st.integers(1, 40))
def test_at_most_a_quarter_moves_at_once(total: int) -> None:
    home = filled(total, RECEIVER)
    admitted = sum(home.ask(ONE, key(100 + number), RELAY, 0, 50.0).accepted for number in range(total))
    moving = home.used - total
    assert admitted == moving
    assert moving <= max(1, home.used // MOVING_SHARE)
    assert home.lowest_rank(ONE) == 0, "nobody may be moved now"


def test_a_child_on_its_way_out_does_not_stay_by_asking_again() -> None:
    home = filled(2, RECEIVER)
    home.ask(ONE, key(9), RELAY, 0, 10.0)
    assert home.ask(ONE, key(1), RECEIVER, 0, 10.1) == Admission(accepted=False)
    home.expire(10.0 + GRACE_S)
    assert key(1) not in home.children(ONE)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 255)), max_size=80))
def test_whoever_asks_how_often_the_slots_hold(requests: list[tuple[int, int]]) -> None:
    home = nursery(4)
    for at, (number, rank) in enumerate(requests):
        home.expire(at * 0.1)
        home.ask(ONE, key(number), rank, 0, at * 0.1)
        assert home.used <= 4 + 2


def test_asking_again_changes_the_rank_and_takes_no_second_slot() -> None:
    home = filled(1, RELAY)
    assert home.ask(ONE, key(0), RECEIVER, 0, 5.0).accepted
    assert (home.used, home.lowest_rank(ONE)) == (1, RECEIVER)


def test_surplus_is_told_once_worst_first() -> None:
    home = nursery(3)
    for number, rank in ((1, RELAY), (2, RECEIVER), (3, CONTRIBUTOR)):
        home.ask(ONE, key(number), rank, 0, 0.0)
    home.total = 1
    assert home.send_away_surplus(1.0) == [(ONE, key(2)), (ONE, key(3))]
    assert home.send_away_surplus(1.1) == []
    home.expire(1.0 + GRACE_S)
    assert list(home.children(ONE)) == [key(1)]


def test_a_colour_given_up_sends_all_its_children_away() -> None:
    home = filled(2, RELAY)
    home.colours = ()
    assert len(home.send_away_surplus(1.0)) == 2


def test_a_child_that_is_gone_holds_nothing() -> None:
    home = nursery(4, ONE, TWO)
    home.ask(ONE, key(1), RELAY, 0, 0.0)
    home.ask(TWO, key(1), RELAY, 0, 0.0)
    assert home.stripes_of(key(1)) == [ONE, TWO]
    home.remove(ONE, key(1))
    assert home.stripes_of(key(1)) == [TWO]
    home.remove_everywhere(key(1))
    home.remove(ONE, key(1))
    assert home.used == 0
