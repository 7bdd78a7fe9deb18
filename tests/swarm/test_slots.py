"""Upload slots."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.peers import Mate
from swarm.slots import (
    CONFINED,
    CONTRIBUTOR,
    GRACE_S,
    MOVING_SHARE,
    RANK_MAX,
    RECEIVER,
    RELAY,
    SPARE,
    Admission,
    Child,
    Nursery,
    leaf_rank,
    rank,
    relay_rank,
)
from swarm.units import Access, Stripe
from tests.swarm.neighbours import advert, key, mate, offer

ONE, TWO = Stripe(1), Stripe(2)


def nursery(total: int, *colours: Stripe, even: bool = False) -> Nursery:
    return Nursery(total=total, colours=colours or (ONE,), even=even)


def filled(total: int, rank: int) -> Nursery:
    full = nursery(total)
    for number in range(total):
        assert full.ask(ONE, key(number), rank, float(number)).accepted
    return full


def asking(number: int, *stripes: int, slots: int = 0, download_only: bool = False) -> Mate:
    """A mate that advertises to relay these stripes with so many slots."""
    found = mate(number)
    found.advertised(advert(*(offer(stripe) for stripe in stripes), slots=slots), 0.0)
    found.peer.download_only = download_only
    return found


# -- places


@given(st.integers(0, 500), st.integers(1, 12))
def test_the_source_spreads_its_slots_evenly_and_all_of_them(total: int, colours: int) -> None:
    spread = nursery(total, *(Stripe(i) for i in range(colours)), even=True)
    free = [spread.free(stripe) for stripe in spread.colours]
    assert sum(free) == total
    assert max(free) - min(free) <= 1


def test_one_stripe_of_the_source_takes_nothing_from_another() -> None:
    home = nursery(2, ONE, TWO, even=True)
    home.ask(ONE, key(1), RECEIVER, 0.0)
    assert (home.free(ONE), home.free(TWO)) == (0, 1)
    assert not home.ask(ONE, key(2), RECEIVER, 1.0).accepted


def test_a_relays_colours_share_all_slots() -> None:
    home = nursery(2, ONE, TWO)
    home.ask(ONE, key(1), RECEIVER, 0.0)
    assert (home.free(ONE), home.free(TWO)) == (1, 1)
    assert home.ask(ONE, key(2), RECEIVER, 1.0).accepted
    assert (home.free(ONE), home.free(TWO)) == (0, 0)


@pytest.mark.parametrize("even", [False, True])
def test_a_stripe_that_is_not_offered_has_no_slots(even: bool) -> None:
    home = nursery(9, even=even)
    assert home.free(TWO) == 0
    assert not home.ask(TWO, key(1), RELAY, 0.0).accepted
    assert Nursery(even=even).free(ONE) == 0


def test_nobody_makes_way_for_a_stripe_that_is_not_offered() -> None:
    home = filled(2, RECEIVER)
    assert home.lowest_rank(TWO) == 0
    assert not home.ask(TWO, key(9), RELAY, 9.0).accepted


def test_a_free_slot_goes_to_whoever_asks() -> None:
    home = nursery(2)
    assert home.ask(ONE, key(1), RECEIVER + SPARE, 0.0) == Admission(accepted=True)
    assert (home.free(ONE), home.used, list(home.children(ONE))) == (1, 1, [key(1)])
    assert home.everybody() == {key(1)}
    assert (home.has(ONE), home.has(TWO)) == (True, False)


def test_children_of_better_rank_come_first_and_among_equals_the_older() -> None:
    home = nursery(4)
    for number, claim in ((1, RECEIVER), (2, RELAY), (3, CONTRIBUTOR), (4, RELAY)):
        home.ask(ONE, key(number), claim, float(number))
    assert list(home.children(ONE)) == [key(2), key(4), key(3), key(1)]
    assert [child.rank for child in home.brood(ONE)] == [RELAY, RELAY, CONTRIBUTOR, RECEIVER]


# -- who makes way for whom


def test_a_better_rank_displaces_the_worst_and_an_equal_one_does_not() -> None:
    home = filled(2, CONTRIBUTOR)
    assert home.ask(ONE, key(8), CONTRIBUTOR, 9.0) == Admission(accepted=False)
    admission = home.ask(ONE, key(9), RELAY, 9.0)
    assert admission.accepted
    assert admission.displaced == Child(ONE, key(1), CONTRIBUTOR, False, 1.0, leaves_at_s=9.0 + GRACE_S)


def test_the_worst_of_all_colours_makes_way_in_a_pool_and_of_its_own_stripe_at_the_source() -> None:
    displaced = []
    for even in (False, True):
        home = nursery(2, ONE, TWO, even=even)
        home.ask(ONE, key(1), CONTRIBUTOR, 0.0)
        home.ask(TWO, key(2), RECEIVER, 0.0)
        displaced.append(home.ask(ONE, key(9), RELAY, 1.0).displaced)
    pooled, own = displaced
    assert pooled is not None
    assert own is not None
    assert (pooled.stripe, pooled.key) == (TWO, key(2))
    assert (own.stripe, own.key) == (ONE, key(1))


@pytest.mark.parametrize(("room", "accepted"), [(4, False), (15, False), (16, True), (63, True)])
def test_a_relay_makes_way_for_one_with_four_times_its_room_only(room: int, accepted: bool) -> None:
    home = filled(2, relay_rank(4))
    assert home.ask(ONE, key(9), relay_rank(room), 9.0).accepted is accepted


def test_what_is_advertised_as_the_lowest_rank_is_what_has_to_be_beaten() -> None:
    for worst in (*range(relay_rank(0) + 1), CONTRIBUTOR, RECEIVER, RANK_MAX):
        for claim in range(RANK_MAX + 1):
            home = filled(1, worst)
            advertised = home.lowest_rank(ONE)
            assert home.ask(ONE, key(9), claim, 9.0).accepted == (claim < advertised)


def test_a_displaced_child_is_fed_during_its_grace_and_not_after() -> None:
    home = filled(2, RECEIVER)
    home.ask(ONE, key(9), RELAY, 10.0)
    home.expire(10.0 + GRACE_S - 0.01)
    assert key(1) in home.children(ONE)
    home.expire(10.0 + GRACE_S)
    assert list(home.children(ONE)) == [key(9), key(0)]


@given(st.integers(1, 40))
def test_at_most_a_quarter_moves_at_once(total: int) -> None:
    home = filled(total, RECEIVER)
    admitted = sum(home.ask(ONE, key(100 + number), RELAY, 50.0).accepted for number in range(total))
    moving = home.used - total
    assert admitted == moving
    assert moving <= max(1, home.used // MOVING_SHARE)
    assert home.lowest_rank(ONE) == 0, "nobody may be moved now"


def test_the_sources_stripes_move_their_children_each_for_itself() -> None:
    home = nursery(2, ONE, TWO, even=True)
    for stripe in (ONE, TWO):
        home.ask(stripe, key(1), RECEIVER, 0.0)
    assert home.ask(ONE, key(8), RELAY, 1.0).accepted
    assert home.ask(TWO, key(9), RELAY, 1.0).accepted


def test_a_child_on_its_way_out_does_not_stay_by_asking_again() -> None:
    home = filled(2, RECEIVER)
    home.ask(ONE, key(9), RELAY, 10.0)
    assert home.ask(ONE, key(1), RECEIVER, 10.1) == Admission(accepted=False)
    home.expire(10.0 + GRACE_S)
    assert key(1) not in home.children(ONE)


def test_a_child_on_its_way_out_stays_when_a_place_has_come_free() -> None:
    home = filled(2, RECEIVER)
    home.ask(ONE, key(9), RELAY, 10.0)
    home.remove(ONE, key(0))
    assert home.ask(ONE, key(1), RECEIVER, 10.1).accepted
    home.expire(10.0 + GRACE_S)
    assert set(home.children(ONE)) == {key(1), key(9)}


@given(
    st.lists(st.tuples(st.sampled_from((ONE, TWO)), st.integers(0, 8), st.integers(0, RANK_MAX)), max_size=80),
    st.booleans(),
)
def test_whoever_asks_how_often_the_slots_hold(requests: list[tuple[Stripe, int, int]], even: bool) -> None:
    home = nursery(4, ONE, TWO, even=even)
    for at, (stripe, number, claim) in enumerate(requests):
        home.expire(at * 0.1)
        home.ask(stripe, key(number), claim, at * 0.1)
        assert home.used <= 4 + (2 if even else 1)
        assert not even or all(len(list(home.children(one))) <= 2 + 1 for one in (ONE, TWO))


def test_asking_again_changes_the_rank_and_takes_no_second_slot_nor_a_younger_age() -> None:
    home = filled(1, RELAY)
    assert home.ask(ONE, key(0), RECEIVER, 5.0, spare=True).accepted
    assert list(home.brood(ONE)) == [Child(ONE, key(0), RECEIVER, True, 0.0)]
    assert home.lowest_rank(ONE) == RECEIVER


# -- what a child is worth


def test_a_relay_goes_before_the_others_and_the_more_room_it_has_the_more_so() -> None:
    ranks = [relay_rank(room) for room in (1000, 32, 16, 8, 4, 2, 1, 0)]
    assert ranks == [0, 0, 1, 2, 3, 4, 5, 6]
    assert max(ranks) < CONTRIBUTOR
    assert RECEIVER + SPARE == RANK_MAX


@pytest.mark.parametrize("spare", [False, True])
def test_the_advert_decides_about_the_rank(spare: bool) -> None:
    assert rank(asking(1, 1, slots=16), ONE, spare=spare) == relay_rank(16), "a relay needs its colour"
    assert rank(asking(1, 1, 2, slots=16), ONE, spare=spare) == relay_rank(8), "its colours share its slots"
    assert rank(asking(1, 2, slots=16), ONE, spare=spare) == CONTRIBUTOR + spare
    assert rank(asking(1, slots=16), ONE, spare=spare) == RECEIVER + spare


def test_who_only_the_open_can_feed_goes_one_class_up_with_what_it_needs() -> None:
    both = (Access.HARD, Access.CONE)
    needed = [leaf_rank(access, relays=relays, spare=False) for access in both for relays in (True, False)]
    assert needed == [CONFINED, CONTRIBUTOR, CONTRIBUTOR, RECEIVER]
    spares = [leaf_rank(access, relays=relays, spare=True) for access in both for relays in (True, False)]
    assert spares == [CONTRIBUTOR + SPARE, RECEIVER + SPARE] * 2
    assert max(relay_rank(room) for room in range(64)) < CONFINED, "no claim makes a leaf worth more than a relay"
    hard = mate(1, advert(offer(0), access=Access.HARD))
    assert rank(hard, ONE, spare=False) == CONFINED
    assert rank(hard, ONE, spare=False, demoted=True) == RECEIVER, "who was found out gains nothing by it"


@pytest.mark.parametrize("spare", [False, True])
def test_who_said_nothing_or_gives_nothing_or_was_found_out_is_served_last(spare: bool) -> None:
    assert rank(mate(1), ONE, spare=spare) == RECEIVER + spare
    assert rank(asking(1, 1, slots=16, download_only=True), ONE, spare=spare) == RECEIVER + spare
    assert rank(asking(1, 1, slots=16), ONE, spare=spare, demoted=True) == RECEIVER + spare


def test_a_new_advert_changes_the_claim_to_every_place_that_a_child_has() -> None:
    home = nursery(4, ONE, TWO)
    home.ask(ONE, key(1), RECEIVER, 0.0)
    home.ask(TWO, key(1), RECEIVER + SPARE, 0.0, spare=True)
    home.ask(ONE, key(2), CONTRIBUTOR, 0.0)
    home.judge(asking(1, 1, slots=8))
    assert [(child.key, child.rank) for child in home.brood(ONE)] == [(key(1), relay_rank(8)), (key(2), CONTRIBUTOR)]
    assert [child.rank for child in home.brood(TWO)] == [CONTRIBUTOR + SPARE], "what it could do without stays so"


def test_a_child_found_to_give_nothing_is_the_next_to_make_way() -> None:
    home = nursery(2)
    freerider = asking(1, 1, slots=32)
    home.ask(ONE, key(1), relay_rank(32), 0.0)
    home.ask(ONE, key(2), CONTRIBUTOR, 1.0)
    home.judge(freerider, demoted=True)
    displaced = home.ask(ONE, key(9), relay_rank(2), 2.0).displaced
    assert displaced is not None
    assert displaced.key == key(1)


def test_a_better_advert_does_not_keep_a_child_that_was_told_to_move() -> None:
    home = filled(2, RECEIVER)
    home.ask(ONE, key(9), RELAY, 10.0)
    home.judge(asking(1, 1, slots=63))
    home.expire(10.0 + GRACE_S)
    assert key(1) not in home.children(ONE)


def test_a_mate_without_a_place_gets_none_by_advertising() -> None:
    home = filled(1, RECEIVER)
    home.judge(asking(7, 1, slots=63))
    assert home.everybody() == {key(0)}


# -- sending away


def test_surplus_is_told_once_worst_first() -> None:
    home = nursery(3)
    for number, claim in ((1, RELAY), (2, RECEIVER), (3, CONTRIBUTOR)):
        home.ask(ONE, key(number), claim, 0.0)
    home.total = 1
    assert [(child.stripe, child.key) for child in home.send_away_surplus(1.0)] == [(ONE, key(2)), (ONE, key(3))]
    assert home.send_away_surplus(1.1) == []
    home.expire(1.0 + GRACE_S)
    assert list(home.children(ONE)) == [key(1)]


@pytest.mark.parametrize(("even", "told"), [(False, [TWO, TWO]), (True, [ONE, TWO])])
def test_fewer_slots_cost_the_worst_of_a_pool_and_every_stripe_of_the_source(even: bool, told: list[Stripe]) -> None:
    home = nursery(4, ONE, TWO, even=even)
    for number, stripe, claim in ((1, ONE, RELAY), (2, ONE, RELAY), (3, TWO, RECEIVER), (4, TWO, RECEIVER)):
        assert home.ask(stripe, key(number), claim, 0.0).accepted
    home.total = 2
    assert sorted(child.stripe for child in home.send_away_surplus(1.0)) == told


def test_slots_that_are_gone_send_all_children_away() -> None:
    home = filled(2, RELAY)
    home.total = 0
    assert len(home.send_away_surplus(1.0)) == 2


def test_to_start_over_names_those_that_were_not_told_to_move_yet() -> None:
    home = filled(2, RECEIVER)
    home.ask(ONE, key(9), RELAY, 10.0)
    assert {child.key for child in home.clear()} == {key(0), key(9)}
    assert (home.used, home.everybody()) == (0, frozenset())


def test_a_child_that_is_gone_holds_nothing() -> None:
    home = nursery(4, ONE, TWO)
    home.ask(ONE, key(1), RELAY, 0.0)
    home.ask(TWO, key(1), RELAY, 0.0)
    assert home.stripes_of(key(1)) == [ONE, TWO]
    home.remove(ONE, key(1))
    assert home.stripes_of(key(1)) == [TWO]
    home.remove_everywhere(key(1))
    home.remove(ONE, key(1))
    assert home.used == 0


CHANGES = st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 9), st.integers(0, RANK_MAX))


@given(st.booleans(), st.lists(CHANGES, max_size=60))
def test_what_is_counted_at_changes_is_what_there_is(even: bool, changes: list[tuple[int, int, int, int]]) -> None:
    home, now = nursery(4, ONE, TWO, even=even), 0.0
    for what, stripe, number, claim in changes:
        now += 0.4
        if what <= 2:
            home.ask(Stripe(stripe), key(number), claim, now)
        elif what == 3:
            home.remove(Stripe(stripe), key(number))
        elif what == 4:
            home.remove_everywhere(key(number))
        elif what == 5:
            home.judge(asking(number, stripe, slots=4 * claim))
        else:
            home.total = claim
        home.send_away_surplus(now)
        home.expire(now)
        anew = replace(home, _crowdings={}, _everybody=None)
        for nursed in (ONE, TWO):
            assert (home.free(nursed), home.lowest_rank(nursed)) == (anew.free(nursed), anew.lowest_rank(nursed))
        assert home.everybody() == anew.everybody()
        leaving = [child.leaves_at_s for stripe in (ONE, TWO) for child in home.brood(stripe)]
        assert all(at is None or at > now for at in leaving)
