"""How far addresses reach, and whose they probably are."""

import pytest

from swarm.prefixes import Reach, crowd, is_neighbouring, is_shared, reach
from swarm.units import Address


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", Reach.MACHINE),
        ("::1", Reach.MACHINE),
        ("::ffff:127.0.0.1", Reach.MACHINE),
        ("10.0.0.1", Reach.NETWORK),
        ("192.168.1.1", Reach.NETWORK),
        ("169.254.1.1", Reach.NETWORK),
        ("100.64.0.1", Reach.NETWORK),
        ("fd00::1", Reach.NETWORK),
        ("fe80::1%eth0", Reach.NETWORK),
        ("::ffff:10.0.0.1", Reach.NETWORK),
        ("8.8.8.8", Reach.WORLD),
        ("::ffff:8.8.8.8", Reach.WORLD),
        ("2a00:1450::1", Reach.WORLD),
    ],
)
def test_reach(host: str, expected: Reach) -> None:
    assert reach(Address(host, 4000)) is expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Address("8.8.8.8", 1), Address("8.8.8.200", 2), True),
        (Address("8.8.8.8", 1), Address("8.8.9.8", 1), False),
        (Address("::ffff:8.8.8.8", 1), Address("8.8.8.9", 1), True),
        (Address("2a00:1450:1:1::1", 1), Address("2a00:1450:1:2::1", 1), True),
        (Address("2a00:1450:1::1", 1), Address("2a00:1450:2::1", 1), False),
        (Address("127.0.0.1", 1), Address("127.0.0.1", 2), False),
        (Address("10.0.0.1", 1), Address("10.0.0.2", 1), False),
    ],
)
def test_crowds(one: Address, other: Address, *, same: bool) -> None:
    assert (crowd(one) == crowd(other)) == same


def test_only_global_addresses_have_neighbours_in_their_crowd() -> None:
    assert is_shared(crowd(Address("8.8.8.8", 1)))
    assert is_shared(crowd(Address("2a00:1450::1", 1)))
    assert not is_shared(crowd(Address("192.168.1.1", 1)))


@pytest.mark.parametrize(
    ("own", "other", "near"),
    [
        ("192.168.1.2", "192.168.1.9", True),
        ("192.168.1.2", "::ffff:192.168.1.9", True),
        ("192.168.1.2", "192.168.2.9", False),
        ("10.0.0.2", "10.0.0.2", True),
        ("8.8.8.8", "8.8.8.9", False),
        ("100.64.0.1", "100.64.0.2", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "::1", False),
        ("192.168.1.2", "fe80::1%eth0", False),
        ("fe80::2%eth0", "fe80::1%eth0", True),
        ("2a00:1450:1:1::1", "2a00:1450:1:1::2", True),
        ("2a00:1450:1:1::1", "2a00:1450:1:2::2", False),
    ],
)
def test_who_is_on_the_same_network(own: str, other: str, *, near: bool) -> None:
    assert is_neighbouring(Address(own, 1), Address(other, 2)) is near
