"""The DHT by real libtorrent nodes on loopback: who is there is found, and what the owner says is believed alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from swarm.discovery.dht import Dht, DhtSettings
from swarm.discovery.dht_session import DhtSession
from swarm.discovery.finder import Sought
from swarm.discovery.head_record import HeadRecord, write_record
from swarm.identity import Identity
from swarm.link import stream_target
from swarm.units import Address, StreamId
from tests.swarm.discovery.dht_nodes import WAIT_S, Ears, bare_nodes

pytestmark = pytest.mark.e2e

HOST = "127.0.0.1"
OWNER = Identity(bytes(range(32)))
STREAM = StreamId(OWNER.key)


class Peer:
    """Wants peers, and notes what it is given."""

    def __init__(self, *addresses: Address) -> None:
        self.addresses = addresses
        self.open_ones: tuple[Address, ...] = ()
        self.known: list[Address] = []
        self._news = asyncio.Event()

    def found(self, stream: StreamId, addresses: Sequence[Address]) -> None:
        assert stream == STREAM
        self.known += addresses
        self._news.set()

    def is_lonely(self, stream: StreamId) -> bool:
        return not self.known

    def neighbours(self, stream: StreamId) -> Sequence[Address]:
        return ()

    def relays(self, stream: StreamId) -> Sequence[Address]:
        return self.open_ones

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not reached():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def seeking(peer: Peer, port: int, bootstrap: Sequence[str], folder: Path) -> AsyncIterator[Dht]:
    settings = DhtSettings(
        hosts=(f"127.0.1.{port % 256}",), port=0, bootstrap=tuple(bootstrap), table=folder / f"dht-{port}"
    )
    dht = Dht(peer, settings, port=port, is_local=True, clock=time.monotonic)
    try:
        yield dht
    finally:
        await dht.stop()


def test_who_is_there_is_found_and_what_the_source_says(tmp_path: Path) -> None:
    async def scene() -> None:
        at_source, at_viewer, relay = Address("127.0.1.161", 4001), Address("127.0.1.162", 4002), Address(HOST, 4003)
        source, viewer = Peer(at_source), Peer(at_viewer)
        source.open_ones = (relay,)
        async with bare_nodes() as nodes, seeking(source, 4001, nodes, tmp_path) as far:
            far.open(Sought(stream=STREAM, owner=OWNER, epoch=7))
            async with seeking(viewer, 4002, nodes, tmp_path) as near:
                near.open(Sought(stream=STREAM))
                await viewer.until(lambda: {at_source, relay} <= set(viewer.known))
                await source.until(lambda: at_viewer in source.known)
                progress = near.progress(STREAM)
                assert progress is not None
                assert (progress.said, progress.peers) == ("has the owner's record", 2)
            assert at_viewer not in viewer.known, "a node is not told of itself"
            assert (tmp_path / "dht-4002").stat().st_size, "the routing table is kept"

    asyncio.run(scene())


async def ask_until(reader: DhtSession, ears: Ears, data: bytes, stream: StreamId = STREAM) -> None:
    """Ask for the stream's record until it is this one."""
    while data not in (heard for heard, _ in ears.records):
        ears.news.clear()
        reader.ask_record(stream)
        with_news = asyncio.create_task(ears.news.wait())
        await asyncio.wait({with_news}, timeout=1.0)
        with_news.cancel()


def test_a_record_that_another_has_signed_reaches_nobody() -> None:
    """A record that is there already would make the owner's next one the second; a forged one is not there."""

    async def scene() -> set[int]:
        ears, stranger = Ears(), Identity(bytes(32))
        async with bare_nodes() as nodes:
            reader = DhtSession(ears, hosts=("127.0.1.3",), port=0, bootstrap=nodes, kept=b"")
            writer = DhtSession(Ears(), hosts=("127.0.1.4",), port=0, bootstrap=nodes, kept=b"")
            try:
                async with asyncio.timeout(WAIT_S):
                    await reader.ready.wait()
                    await writer.ready.wait()
                    forger = cast("Identity", SimpleNamespace(seed=stranger.seed, key=OWNER.key))
                    writer.put_record(forger, write_record(HeadRecord(epoch=9, source=(Address("1.1.1.1", 9),))))
                    own = write_record(HeadRecord(epoch=3))
                    writer.put_record(stranger, own)
                    await ask_until(reader, ears, own, StreamId(stranger.key))
                    true = write_record(HeadRecord(epoch=1, source=(Address(HOST, 4001),)))
                    reader.put_record(OWNER, true)
                    await ask_until(reader, ears, true)
            finally:
                await reader.stop()
                await writer.stop()
        return {sequence for data, sequence in ears.records if data == true}

    assert asyncio.run(scene()) == {1}


def test_the_newest_record_of_the_owner_counts(tmp_path: Path) -> None:
    async def scene() -> None:
        ears = Ears()
        async with bare_nodes() as nodes:
            reader = DhtSession(ears, hosts=("127.0.1.1",), port=0, bootstrap=nodes, kept=b"")
            writer = DhtSession(Ears(), hosts=("127.0.1.2",), port=0, bootstrap=nodes, kept=b"")
            try:
                async with asyncio.timeout(WAIT_S):
                    await reader.ready.wait()
                    await writer.ready.wait()
                    for epoch in (1, 2):
                        data = write_record(HeadRecord(epoch=epoch, source=(Address(HOST, 4000 + epoch),)))
                        writer.put_record(OWNER, data)
                        await ask_until(reader, ears, data)
            finally:
                await reader.stop()
                await writer.stop()
        newest = max(sequence for _, sequence in ears.records)
        assert {data for data, sequence in ears.records if sequence == newest} == {
            write_record(HeadRecord(epoch=2, source=(Address(HOST, 4002),)))
        }

    asyncio.run(scene())


def test_nothing_is_started_before_a_stream_is_opened(tmp_path: Path) -> None:
    async def scene() -> None:
        async with seeking(Peer(), 4001, (), tmp_path) as dht:
            assert dht.progress(STREAM) is None

    asyncio.run(scene())
    assert not list(tmp_path.iterdir())


def hear(tmp_path: Path, *, is_local: bool, data: list[tuple[bytes, int]]) -> Peer:
    """What others say, given to the search without a DHT between."""

    async def scene() -> Peer:
        peer = Peer(Address("198.51.100.1", 4001))
        settings = DhtSettings(hosts=(HOST,), port=0, bootstrap=(), table=tmp_path / "table")
        dht = Dht(peer, settings, port=4001, is_local=is_local, clock=time.monotonic)
        dht.open(Sought(stream=STREAM))
        (tmp_path / "table").parent.mkdir(exist_ok=True)
        for record, sequence in data:
            dht.heard_record(STREAM, record, sequence)
        dht.heard_peers(stream_target(STREAM), [Address("192.168.0.1", 4000), Address("1.1.1.1", 53)])
        dht.heard_peers(bytes(20), [Address("1.1.1.1", 4000)])
        await dht.stop()
        return peer

    return asyncio.run(scene())


def test_an_older_record_is_passed_over_and_so_is_a_broken_one(tmp_path: Path) -> None:
    one, two = (write_record(HeadRecord(epoch=n, source=(Address(f"1.1.1.{n}", 4000),))) for n in (1, 2))
    peer = hear(tmp_path, is_local=False, data=[(b"nonsense", 9), (two, 5), (one, 4), (one, 5)])
    assert peer.known == [Address("1.1.1.2", 4000)]


def test_private_addresses_and_ports_of_other_services_are_refused(tmp_path: Path) -> None:
    assert hear(tmp_path, is_local=False, data=[]).known == []
    assert hear(tmp_path / "near", is_local=True, data=[]).known == [Address("192.168.0.1", 4000)]


@pytest.mark.parametrize("is_local", [True, False])
def test_the_record_tells_nobody_what_the_house_looks_like(is_local: bool, tmp_path: Path) -> None:
    inside, outside = Address("192.168.0.2", 4001), Address("8.8.8.8", 4001)

    async def scene() -> tuple[Address, ...]:
        settings = DhtSettings(hosts=(HOST,), port=0, bootstrap=(), table=tmp_path / "table")
        dht = Dht(Peer(inside, outside), settings, port=4001, is_local=is_local, clock=time.monotonic)
        try:
            return dht._public((inside, outside))
        finally:
            await dht.stop()

    assert asyncio.run(scene()) == ((inside, outside) if is_local else (outside,))


def test_a_damaged_routing_table_is_made_anew(tmp_path: Path) -> None:
    async def scene() -> None:
        node = DhtSession(Ears(), hosts=(HOST,), port=0, bootstrap=(), kept=b"d9:dht statei7e")
        assert node.port
        await node.stop()

    asyncio.run(scene())
