"""Addresses on their way to the system and back."""

import pytest

from swarm.drivers.quic.addresses import address_of, socket_address
from swarm.units import Address


@pytest.mark.parametrize("address", [Address("192.0.2.1", 443), Address("2001:db8::1", 1), Address("::1", 65535)])
def test_there_and_back_on_a_socket_that_speaks_both(address: Address) -> None:
    there = socket_address(address, speaks_v6=True)
    assert there is not None
    assert len(there) == 4
    assert address_of(there) == address


def test_an_ipv4_socket_takes_ipv4_only() -> None:
    assert socket_address(Address("192.0.2.1", 443), speaks_v6=False) == ("192.0.2.1", 443)
    assert socket_address(Address("::1", 443), speaks_v6=False) is None


@pytest.mark.parametrize("host", ["", "localhost", "192.0.2.1.5", "192.0.2.1 ", "[::1]"])
def test_names_are_no_addresses(host: str) -> None:
    assert socket_address(Address(host, 443), speaks_v6=True) is None


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_port_is_in_range(port: int) -> None:
    assert socket_address(Address("192.0.2.1", port), speaks_v6=False) is None
