"""Two nodes of one network, here loopback, find each other by multicast DNS and by BEP 14, each without the other."""

import asyncio
import time
from collections.abc import Callable, Sequence
from random import Random

import pytest
from zeroconf import ServiceStateChange

from swarm.discovery import dns_sd
from swarm.discovery.dns_sd import DnsSd, stream_tag
from swarm.discovery.finder import Sought
from swarm.discovery.lan import Lan, _Sought
from swarm.discovery.lan_search import Search
from swarm.discovery.multicast import Multicast
from swarm.link import stream_target
from swarm.units import Address, StreamId

pytestmark = pytest.mark.e2e

HOST = "127.0.0.1"
WAIT_S = 20.0
STREAM = StreamId(b"s" * 32)
OTHER = StreamId(b"t" * 32)


class Peer:
    """Wants peers, and notes what it is given."""

    def __init__(self, port: int) -> None:
        self.addresses = (Address(HOST, port),)
        self.known: dict[StreamId, set[Address]] = {}
        self._news = asyncio.Event()

    def found(self, stream: StreamId, addresses: Sequence[Address]) -> None:
        self.known.setdefault(stream, set()).update(addresses)
        self._news.set()

    def is_lonely(self, stream: StreamId) -> bool:
        return stream not in self.known

    def neighbours(self, stream: StreamId) -> Sequence[Address]:
        return ()

    def relays(self, stream: StreamId) -> Sequence[Address]:
        return ()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not reached():
                self._news.clear()
                await self._news.wait()


def new_lan(peer: Peer, seed: int) -> Lan:
    return Lan(peer, hosts=[HOST], port=peer.addresses[0].port, is_local=True, rng=Random(seed), clock=time.monotonic)


def test_two_nodes_of_one_stream_find_each_other_and_no_others() -> None:
    async def scene() -> None:
        one, two, third = Peer(4001), Peer(4002), Peer(4003)
        near = [new_lan(peer, seed) for seed, peer in enumerate((one, two, third))]
        try:
            near[0].open(Sought(stream=STREAM))
            near[2].open(Sought(stream=OTHER))
            near[1].open(Sought(stream=STREAM))
            await two.until(lambda: STREAM in two.known)
            await one.until(lambda: STREAM in one.known)
            assert not near[0].trouble
        finally:
            for lan in near:
                await lan.stop()
        assert one.known == {STREAM: {Address(HOST, 4002)}}
        assert two.known == {STREAM: {Address(HOST, 4001)}}
        assert not third.known

    asyncio.run(scene())


def test_multicast_dns_alone_tells_of_streams_and_of_their_end() -> None:
    async def scene() -> None:
        heard: asyncio.Queue[tuple[frozenset[str], tuple[Address, ...]]] = asyncio.Queue()
        one = DnsSd("one-by-chance", 4001, lambda tags, addresses: None, hosts=[HOST])
        two = DnsSd("two-by-chance", 4002, lambda *news: heard.put_nowait(news), hosts=[HOST])
        await one.start()
        await two.start()
        try:
            async with asyncio.timeout(WAIT_S):
                await one.tell([stream_tag(STREAM)], [HOST])
                assert await heard.get() == (frozenset([stream_tag(STREAM)]), (Address(HOST, 4001),))
                await one.tell([stream_tag(STREAM), stream_tag(OTHER)], [HOST])
                tags, _ = await heard.get()
                assert tags == {stream_tag(STREAM), stream_tag(OTHER)}
                assert two.gateways == 1
        finally:
            await one.stop()
            await two.stop()

    asyncio.run(scene())


def test_bep_14_alone_tells_of_a_search_and_where_it_comes_from() -> None:
    async def scene() -> None:
        heard: asyncio.Queue[tuple[Search, str]] = asyncio.Queue()
        one = await Multicast.join(HOST, lambda search, host: None)
        two = await Multicast.join(HOST, lambda *news: heard.put_nowait(news))
        search = Search(port=4001, targets=(stream_target(STREAM),), cookie="c")
        try:
            async with asyncio.timeout(WAIT_S):
                one.say(search)
                assert await heard.get() == (search, HOST)
        finally:
            await one.close()
            await two.close()

    asyncio.run(scene())


class HostileInfo:
    """A service as a stranger in this network may describe it."""

    port = 4000

    def __init__(self, service: str, name: str) -> None:
        number = int(name.partition(".")[0].removeprefix("\x1b]0;evil"))
        self.decoded_properties = {"t0": f"{stream_tag(STREAM)},{'x' * 9000},,\x1b[2J", "t1": None}
        self._hosts = [f"10.{number >> 8}.{number & 255}.{host}" for host in range(1, 200)]

    async def async_request(self, zeroconf: object, timeout_ms: int) -> bool:
        return True

    def parsed_scoped_addresses(self) -> list[str]:
        return ["224.0.0.251", "8.8.8.8", "fe80::1", "127.0.0.1", *self._hosts]


def test_thousands_of_hostile_services_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_sd, "AsyncServiceInfo", HostileInfo)
    peer = Peer(4001)

    async def scene() -> tuple[int, int]:
        lan = Lan(peer, hosts=["192.168.0.2"], port=4001, is_local=False, rng=Random(1), clock=time.monotonic)
        lan._sought[STREAM] = _Sought(stream_tag(STREAM), stream_target(STREAM))
        heard = DnsSd("me", 4001, lan._heard_tags)
        most = 0
        for number in range(2000):
            name = f"\x1b]0;evil{number}.{dns_sd.SERVICE}"
            # HostileInfo asks no Zeroconf.
            heard._changed(None, dns_sd.SERVICE, name, ServiceStateChange.Added)  # type: ignore[arg-type]
            most = max(most, len(heard._looking))
            if number % 4 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*heard._looking)
        return most, heard.gateways

    most, gateways = asyncio.run(scene())
    assert (most, gateways) == (dns_sd.LOOK_UPS_MAX, dns_sd.SERVICES_MAX)
    assert all(address.host.startswith("10.") for address in peer.known[STREAM])
    assert len(peer.known[STREAM]) <= dns_sd.SERVICES_MAX * dns_sd.ADDRESSES_MAX


def test_a_flood_of_searches_is_not_listened_to() -> None:
    heard: list[Search] = []

    async def scene() -> None:
        member = Multicast(4, lambda search, host: heard.append(search))
        data = b"BT-SEARCH * HTTP/1.1\r\nPort: 4001\r\nInfohash: " + b"00" * 20
        for _ in range(1000):
            member.datagram_received(data, (HOST, 6771))

    asyncio.run(scene())
    assert 0 < len(heard) < 200
