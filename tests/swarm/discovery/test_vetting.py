"""What a tracker may be asked for, and which of its addresses are worth a dial."""

import pytest

from swarm.discovery.vetting import check_tracker, vet
from swarm.errors import TrackerError
from swarm.prefixes import Reach
from swarm.tracker_url import parse_tracker
from swarm.units import Address

WORLD, HOUSE, HERE = "8.8.4.4", "192.168.1.5", "127.0.0.1"
GOOD = Address("8.8.8.8", 4000)


@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        (Address("127.0.0.1", 4000), "private"),
        (Address("192.168.1.1", 4000), "private"),
        (Address("10.0.0.1", 4000), "private"),
        (Address("100.64.0.1", 4000), "private"),
        (Address("169.254.169.254", 8000), "private"),
        (Address("fc00::1", 4000), "private"),
        (Address("::1", 4000), "private"),
        (Address("224.0.0.1", 4000), "no address"),
        (Address("255.255.255.255", 4000), "no address"),
        (Address("0.0.0.0", 4000), "no address"),
        (Address("fe80::1", 4000), "no address"),
        (Address("ff02::1", 4000), "no address"),
        (Address("8.8.8.8", 0), "no address"),
        (Address("8.8.8.8", 53), "another service"),
        (Address("8.8.8.8", 123), "another service"),
        (Address("8.8.8.9", 5000), "itself"),
    ],
)
def test_a_tracker_of_the_world_cannot_steer_dials_at_others(peer: Address, reason: str) -> None:
    found, refused = vet([peer, GOOD, GOOD], Reach.WORLD, {Address("8.8.8.9", 5000)})
    assert found == [GOOD]
    assert len(refused) == 1
    assert reason in next(iter(refused))


def test_a_tracker_of_the_house_may_name_the_house_and_one_of_this_machine_all() -> None:
    house, here = Address("192.168.1.1", 4000), Address("127.0.0.1", 4000)
    assert vet([house, here, GOOD], Reach.NETWORK, ())[0] == [house, GOOD]
    assert vet([house, here, GOOD], Reach.MACHINE, ())[0] == [house, here, GOOD]


def test_a_peer_may_hide_at_the_webs_ports() -> None:
    assert vet([Address("8.8.8.8", 443)], Reach.WORLD, ())[0] == [Address("8.8.8.8", 443)]


@pytest.mark.parametrize(
    ("url", "host", "trusted"),
    [
        ("http://t.example/announce", WORLD, False),
        ("http://t.example/private?key=1", WORLD, False),
        ("http://192.168.1.5:8080/announce", HOUSE, False),
        ("udp://192.168.1.5:8080", HOUSE, False),
        ("http://tracker:8080/other?key=1", HOUSE, True),
    ],
)
def test_trackers_that_may_be_asked(url: str, host: str, trusted: bool) -> None:
    check_tracker(parse_tracker(url), host, trusted=trusted, own_reach=Reach.WORLD)


@pytest.mark.parametrize(
    ("url", "host", "trusted", "own", "wrong"),
    [
        ("http://192.168.1.1/admin?reboot=1", "192.168.1.1", False, Reach.WORLD, "private network"),
        ("http://127.0.0.1:8080/announce?x=1", HERE, False, Reach.WORLD, "private network"),
        ("http://rebound.example/announce", HERE, False, Reach.WORLD, "private network"),
        ("udp://rebound.example:6969", HOUSE, False, Reach.WORLD, "private network"),
        ("http://t.example/announce", "0.0.0.0", True, Reach.WORLD, "nobody can be"),
        ("http://t.example/announce", "ff02::1", True, Reach.WORLD, "nobody can be"),
        ("http://t.example/announce", WORLD, True, Reach.MACHINE, "from here only"),
        ("http://192.168.1.5:8080/announce", HOUSE, True, Reach.MACHINE, "from here only"),
    ],
)
def test_trackers_that_may_not_be_asked(url: str, host: str, trusted: bool, own: Reach, wrong: str) -> None:
    with pytest.raises(TrackerError, match=wrong):
        check_tracker(parse_tracker(url), host, trusted=trusted, own_reach=own)
