"""Who can reach whom, and what a node finds out about itself."""

import pytest

from swarm.traversal import CALLED_MAX, CALLED_S, TELLERS_MAX, Vantage, Way, can_meet, way
from swarm.units import Access, Address

UNKNOWN, OPEN, CONE, HARD = Access.UNKNOWN, Access.OPEN, Access.CONE, Access.HARD
HERE = Address("9.9.9.9", 4000)


def peer(number: int) -> Address:
    """A peer in an address prefix of its own."""
    return Address(f"8.{number >> 8}.{number & 255}.1", 4000)


def seen_at(*ports: int, host: str = HERE.host) -> Vantage:
    """A node that so many peers have told at which port they see it."""
    vantage = Vantage()
    for number, port in enumerate(ports):
        vantage.told(peer(number), Address(host, port))
    return vantage


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        *((mine, OPEN, Way.ALONE) for mine in Access),
        (OPEN, CONE, Way.TOGETHER),
        (CONE, CONE, Way.TOGETHER),
        (CONE, UNKNOWN, Way.TOGETHER),
        (UNKNOWN, CONE, Way.TOGETHER),
        (OPEN, HARD, Way.BECKON),
        (HARD, UNKNOWN, Way.ALONE),
        *((mine, HARD, Way.NEVER) for mine in (CONE, HARD, UNKNOWN)),
        (HARD, CONE, Way.NEVER),
    ],
)
def test_how_two_come_together(mine: Access, theirs: Access, expected: Way) -> None:
    assert way(mine, theirs) is expected


def test_who_can_meet_is_the_same_from_both_sides_once_both_are_known() -> None:
    known = (OPEN, CONE, HARD)
    assert all(can_meet(one, other) == can_meet(other, one) for one in known for other in known)


def test_one_voice_alone_says_nothing() -> None:
    assert Vantage().access is UNKNOWN
    assert seen_at(4000).access is UNKNOWN


def test_the_same_port_everywhere_is_a_cone() -> None:
    assert seen_at(4000, 4000).access is CONE


def test_another_port_for_each_is_a_hard_nat() -> None:
    assert seen_at(5001, 5002).access is HARD
    assert seen_at(*range(5000, 5010)).access is HARD


def test_a_minority_of_liars_changes_nothing() -> None:
    assert seen_at(4000, 4000, 4000, 5001, 5002).access is CONE


def test_many_of_one_prefix_have_one_voice() -> None:
    vantage = seen_at(4000, 4000)
    for host in range(1, 50):
        vantage.told(Address(f"8.7.7.{host}", 4000), Address(HERE.host, 6000 + host))
    assert vantage.access is CONE


def test_who_comes_in_uncalled_shows_that_this_node_is_open() -> None:
    vantage = seen_at(4000, 4000)
    vantage.came_in(peer(50), 10.0)
    assert vantage.access is OPEN


def test_who_was_called_shows_nothing_for_a_while() -> None:
    vantage = seen_at(4000, 4000)
    vantage.called(peer(50), 10.0)
    vantage.came_in(peer(50), 10.0 + CALLED_S)
    assert vantage.access is CONE
    vantage.came_in(peer(50), 10.1 + CALLED_S)
    assert vantage.access is OPEN


def test_a_neighbour_in_the_house_does_not_show_that_the_world_can_come_in() -> None:
    vantage = seen_at(4000, 4000)
    vantage.came_in(Address("192.168.1.7", 4000), 10.0)
    assert vantage.access is CONE


def test_a_node_that_never_dialled_is_open_as_soon_as_somebody_comes() -> None:
    vantage = Vantage()
    vantage.came_in(peer(1), 0.0)
    assert vantage.access is OPEN


def test_behind_a_hard_nat_nobody_helps_by_having_come_in() -> None:
    vantage = seen_at(5001, 5002, 5003)
    vantage.came_in(peer(50), 10.0)
    assert vantage.access is HARD


def test_in_another_network_it_has_to_be_shown_anew() -> None:
    vantage = seen_at(4000, 4000)
    vantage.came_in(peer(50), 10.0)
    for number in range(TELLERS_MAX):
        vantage.told(peer(100 + number), Address("7.7.7.7", 4000))
    assert vantage.access is CONE


def test_what_the_world_sees_counts_before_what_the_house_sees() -> None:
    vantage = seen_at(5001, 5002)
    for number in range(4):
        vantage.told(Address(f"192.168.1.{number + 2}", 4000), Address("192.168.1.1", 4000))
    assert vantage.access is HARD


def test_what_is_remembered_is_bounded() -> None:
    vantage = Vantage()
    for number in range(2 * CALLED_MAX):
        vantage.called(peer(number), 0.0)
        vantage.told(peer(number), HERE)
    assert len(vantage._called_s) == CALLED_MAX
    assert len(vantage._views[False].told) == TELLERS_MAX
