"""Who comes in when links are scarce."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from swarm.door import IDLE_GRACE_S, MATE_GRACE_S, ROTATE_EVERY_S, Door, Guest
from swarm.units import LinkId

NOW = 1000.0


def guest(link: int, crowd: str = "", *, age_s: float = 100.0, busy: bool = False, shares: bool = True) -> Guest:
    return Guest(link=LinkId(link), crowd=crowd or f"={link}", since_s=NOW - age_s, busy=busy, shares=shares)


def test_one_prefix_gets_a_quarter_of_the_places() -> None:
    door = Door()
    assert not door.crowded(["aa"] * 15 + ["bb"] * 40, "aa", 64)
    assert door.crowded(["aa"] * 16, "aa", 64)
    assert not door.crowded(["=10.0.0.1 5"] * 64, "=10.0.0.1 5", 64)


def test_a_link_without_a_common_swarm_goes_first() -> None:
    guests = [guest(1, "aa"), guest(2, "aa"), guest(3, shares=False, age_s=IDLE_GRACE_S)]
    assert Door().give_way(guests, "bb", Random(1), NOW) == 3


def test_who_has_just_come_has_its_moment() -> None:
    guests = [guest(1, "aa", age_s=MATE_GRACE_S - 1), guest(2, "aa", age_s=1), guest(3, shares=False, age_s=0.5)]
    assert Door().give_way(guests, "bb", Random(1), NOW) is None


def test_a_crowd_makes_way_for_others_but_not_for_its_own() -> None:
    guests = [guest(link, "aa") for link in range(10)] + [guest(20), guest(21, "bb")]
    door = Door()
    for _ in range(5):
        link = door.give_way(guests, "bb", Random(1), NOW)
        assert link is not None
        assert link < 10
    assert door.give_way(guests, "aa", Random(1), NOW) is None


def test_who_carries_a_stripe_never_makes_way() -> None:
    guests = [guest(link, "aa", busy=True) for link in range(64)]
    assert Door().give_way(guests, "bb", Random(1), NOW) is None


def test_where_no_crowd_is_to_blame_places_change_hands_slowly() -> None:
    guests = [guest(link) for link in range(8)]
    door = Door()
    assert door.give_way(guests, "=new", Random(1), NOW) is not None
    assert door.give_way(guests, "=new", Random(1), NOW + ROTATE_EVERY_S - 1) is None
    assert door.give_way(guests, "=new", Random(1), NOW + ROTATE_EVERY_S) is not None


def test_luck_protects_and_the_old_are_safer() -> None:
    guests = [guest(link, "aa", age_s=10.0 + link) for link in range(20)]
    chosen = [Door().give_way(guests, "bb", Random(seed), NOW) for seed in range(200)]
    assert len(set(chosen)) > 3
    assert all(link is not None and link <= 10 for link in chosen)


@given(
    st.lists(
        st.builds(
            Guest,
            link=st.integers(1, 10**6).map(LinkId),
            crowd=st.sampled_from(["aa", "bb", "cc", "=1", "=2"]),
            since_s=st.floats(0, NOW),
            busy=st.booleans(),
            shares=st.booleans(),
        ),
        max_size=70,
    ),
    st.sampled_from(["aa", "bb", "=9"]),
    st.integers(0, 99),
)
def test_whoever_goes_was_there_and_was_not_busy(guests: list[Guest], newcomer: str, seed: int) -> None:
    link = Door().give_way(guests, newcomer, Random(seed), NOW)
    assert link is None or link in {g.link for g in guests if not g.busy}
