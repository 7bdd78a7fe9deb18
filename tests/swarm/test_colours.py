"""Which stripes a peer relays."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.colours import ADOPTED_MAX, CHILDREN_PER_COLOUR, COLOURS_MAX, choose, orphan, wanted
from swarm.units import Stripe


def every(stripes: int) -> list[Stripe]:
    return [Stripe(i) for i in range(stripes)]


@pytest.mark.parametrize(
    ("slots", "count"),
    [(0, 0), (1, 1), (CHILDREN_PER_COLOUR, 1), (CHILDREN_PER_COLOUR + 1, 2), (10_000, COLOURS_MAX)],
)
def test_slots_deserve_colours(slots: int, count: int) -> None:
    assert wanted(slots) == count


def test_the_least_relayed_are_taken() -> None:
    assert choose((), [2, 0, 1, 0, 3], 2, Random(1), every(5)) == (Stripe(1), Stripe(3))


def test_what_somebody_could_feed_goes_before_what_fewer_relay() -> None:
    offered = {Stripe(0), Stripe(2), Stripe(4)}
    for seed in range(10):
        assert choose((), [2, 0, 1, 0, 3], 2, Random(seed), offered) == (Stripe(0), Stripe(2))
        assert choose((), [2, 0, 1, 0, 3], 4, Random(seed), offered)[:1] == (Stripe(0),)


def test_what_nobody_feeds_yet_is_taken_too_when_there_is_nothing_else() -> None:
    assert choose((), [2, 0, 1], 2, Random(1), ()) == (Stripe(1), Stripe(2))
    assert set(choose((), [0, 0, 9], 2, Random(1), {Stripe(2)})) > {Stripe(2)}


def test_among_equally_relayed_ones_luck_decides_and_the_seed_makes_it() -> None:
    chosen = [choose((), [1] * 12, 1, Random(seed), every(12)) for seed in range(30)]
    assert chosen == [choose((), [1] * 12, 1, Random(seed), every(12)) for seed in range(30)]
    assert len(set(chosen)) > 5


@given(
    st.sets(st.integers(0, 11)),
    st.lists(st.integers(0, 9), min_size=12, max_size=12),
    st.integers(0, 4),
    st.sets(st.integers(0, 11)),
)
def test_colours_are_kept_and_never_doubled(have: set[int], relays: list[int], count: int, offered: set[int]) -> None:
    kept = tuple(Stripe(i) for i in sorted(have))
    chosen = choose(kept, relays, count, Random(1), {Stripe(i) for i in offered})
    assert set(kept) <= set(chosen)
    assert len(set(chosen)) == len(chosen) == max(len(kept), count)
    assert list(chosen) == sorted(chosen)


def test_one_stripe_alone_can_be_chosen_once() -> None:
    assert choose((), [0], 4, Random(1), every(1)) == (Stripe(0),)


def test_only_what_nobody_relays_is_adopted() -> None:
    assert orphan((), [1, 0, 1], Random(1)) == Stripe(1)
    assert orphan((Stripe(1),), [1, 0, 1], Random(1)) is None
    assert orphan((), [1, 1], Random(1)) is None


def test_who_relays_enough_adopts_nothing() -> None:
    enough = tuple(Stripe(i) for i in range(COLOURS_MAX))
    assert orphan(enough, [0] * 9, Random(1)) is None
    assert orphan(enough, [0] * 9, Random(1), ADOPTED_MAX) is not None
    assert orphan(tuple(Stripe(i) for i in range(ADOPTED_MAX)), [0] * 9, Random(1), ADOPTED_MAX) is None
