"""Who hosts whom in one household."""

from hypothesis import given
from hypothesis import strategies as st

from swarm.adverts import short
from swarm.household import PLACES_MAX, Household, hosts, rank, root_of
from swarm.messages import ANCESTOR_BYTES, Hosting
from swarm.peers import Mate
from swarm.units import SwarmTag
from tests.swarm.neighbours import TAG, key, mate

ME = short(key(99))


def hosting(number: int, *above: bytes, places: int = 1, gives: bool = True) -> Mate:
    found = mate(number)
    found.hosting = Hosting(tag=TAG, places=places, gives=gives, above=above)
    return found


def found_among(*mates: Mate, below: float = float("inf")) -> list[Mate]:
    return hosts(mates, {ME}, below=below, tag=TAG)


def order(number: int, *, gives: bool = True) -> int:
    return rank(short(key(number)), TAG, gives=gives)


@given(st.binary(min_size=ANCESTOR_BYTES, max_size=ANCESTOR_BYTES), st.binary(min_size=8, max_size=8))
def test_any_two_have_an_order_and_a_source_comes_first_and_who_relays_nothing_last(one: bytes, tag: bytes) -> None:
    other, swarm = bytes(byte ^ 255 for byte in one), SwarmTag(tag)
    assert rank(one, swarm, gives=True) != rank(other, swarm, gives=True)
    assert rank(one, swarm, gives=False, roots={one}) < rank(other, swarm, gives=True, roots={one})
    assert rank(one, swarm, gives=True) < rank(other, swarm, gives=False)


def test_who_fetches_from_outside_is_the_last_above() -> None:
    for number, above in ((1, ()), (2, (b"next", b"last"))):
        mate = hosting(number, *above)
        assert mate.hosting is not None
        assert root_of(mate, mate.hosting) == (above[-1] if above else short(key(number)))


def test_the_nearest_to_the_outside_is_asked_first() -> None:
    deep, flat = hosting(1, b"next", b"last"), hosting(2)
    assert found_among(deep, flat) == [flat, deep]


def test_nobody_asks_who_has_no_place_or_lodges_with_me_or_is_too_deep_or_gone() -> None:
    silent, leaving = hosting(5), hosting(6)
    silent.silent_since_s, leaving.leaves_at_s = 1.0, 2.0
    assert not found_among(mate(1), hosting(2, places=0), hosting(3, ME), hosting(4, *[b"deep"] * 4), silent, leaving)


def test_who_has_the_stream_asks_only_who_comes_before() -> None:
    low, high = sorted((1, 2), key=order)
    assert found_among(hosting(1), hosting(2), below=order(high)) == [hosting(low)]
    assert found_among(hosting(low, gives=False), below=order(high)) == []


def test_that_a_source_is_above_counts_only_of_one_that_is_in_this_house() -> None:
    low, high = sorted((1, 2), key=order)
    liar, source = hosting(high, short(key(low))), hosting(low)
    below = order(low)
    assert found_among(liar, source, below=below) == []
    source.is_source = True
    assert found_among(liar, source, below=below) == [source, liar]


def test_places_follow_the_stream_and_are_never_none_at_first() -> None:
    two = dict.fromkeys((key(1), key(2)))
    assert Household().places(0.0) == Household().places(1e9) == 1
    assert Household().places(1e5) == PLACES_MAX
    assert Household(lodgers=two).places(6e6) == 2
    assert Household(lodgers=two).places(1e9) == 0


def test_what_a_mate_is_to_me() -> None:
    house = Household(host=key(1), lodgers={key(2): None})
    assert [house.role(key(number)) for number in (1, 2, 3)] == ["host", "lodger", None]
