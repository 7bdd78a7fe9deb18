"""Where a node can be reached, and what becomes of it when the network changes or a router opens a port."""

import asyncio

import pytest

from gateway import whereabouts
from gateway.whereabouts import Whereabouts, reachable_addresses
from swarm.units import Address

V6, HOME, MAPPED = Address("2a00::7", 4000), Address("192.168.1.2", 4000), Address("8.1.1.1", 4100)


def test_a_socket_on_all_addresses_is_reachable_at_a_real_one() -> None:
    (address,) = reachable_addresses(Address("0.0.0.0", 4000))
    assert address.port == 4000
    assert address.host != "0.0.0.0"
    assert reachable_addresses(Address("127.0.0.1", 4000)) == (Address("127.0.0.1", 4000),)


def test_a_socket_of_both_families_is_reachable_by_ipv6_first() -> None:
    both = reachable_addresses(Address("::", 4000))
    assert both[-1:] == reachable_addresses(Address("0.0.0.0", 4000))
    assert all(":" in address.host for address in both[:-1])
    assert {address.port for address in both} == {4000}


def at(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> None:
    """The machine has these addresses from now on."""
    monkeypatch.setattr(whereabouts, "reachable_addresses", lambda bound: addresses)


def test_links_name_ipv6_then_the_routers_port_then_what_works_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, V6, HOME)
    heard: list[bool] = []
    place = Whereabouts(Address("::", 4000), (), heard.append, maps_port=True)
    before = place.for_links
    assert before == (V6, HOME)
    place._map(MAPPED)
    assert place.for_links == (V6, MAPPED, HOME)
    mapped = place.forwarded
    assert mapped == (MAPPED,)
    place._map(MAPPED)
    place._map(None)
    assert heard == [False, False], "told when it changes, and only then"
    assert place.forwarded == ()


def test_a_port_of_a_router_behind_another_one_is_worth_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, HOME)
    heard: list[bool] = []
    place = Whereabouts(Address("0.0.0.0", 4000), (), heard.append, maps_port=True)
    place._map(Address("100.64.0.2", 4000))
    assert place.forwarded == ()
    assert not heard


def test_what_the_owner_says_goes_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, V6, HOME)
    place = Whereabouts(Address("::", 4000), (MAPPED,), lambda moved: None, maps_port=True)
    assert place.for_links == place.forwarded == (MAPPED,)
    assert place._mapper is None


@pytest.mark.parametrize(("bound", "maps_port"), [("127.0.0.1", True), ("::", False)])
def test_nothing_is_asked_of_a_router_in_vain_or_against_the_owners_will(bound: str, *, maps_port: bool) -> None:
    place = Whereabouts(Address(bound, 4000), (), lambda moved: None, maps_port=maps_port)
    assert place._mapper is None
    place.open_port()


def test_another_address_is_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    async def change() -> list[bool]:
        monkeypatch.setattr(whereabouts, "LOOK_AROUND_S", 0.001)
        heard: list[bool] = []
        told = asyncio.Event()

        def hear(moved: bool) -> None:
            heard.append(moved)
            told.set()

        at(monkeypatch, HOME)
        place = Whereabouts(Address("::", 4000), (), hear, maps_port=False)
        place.start()
        at(monkeypatch, Address("10.0.0.7", 4000))
        async with asyncio.timeout(5):
            await told.wait()
        await place.stop()
        assert place.own == (Address("10.0.0.7", 4000),)
        return heard

    assert asyncio.run(change()) == [True]
