"""A small DHT on loopback, of bare libtorrent nodes that know no stream."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from swarm.discovery.dht_session import DhtSession
from swarm.units import Address, StreamId

NODE_HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
"""One address each: nodes keep one other node of an address only, lest one machine be many."""
WAIT_S = 20.0


class Ears:
    """Hears what a bare node of the DHT finds."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, int]] = []
        self.news = asyncio.Event()

    def heard_peers(self, target: bytes, peers: Sequence[Address]) -> None: ...

    def heard_record(self, stream: StreamId, data: bytes, sequence: int) -> None:
        self.records.append((data, sequence))
        self.news.set()


@asynccontextmanager
async def bare_nodes(hosts: Sequence[str] = NODE_HOSTS) -> AsyncIterator[list[str]]:
    """Where its nodes are, as host:port."""
    nodes: list[DhtSession] = []
    places: list[str] = []
    try:
        for host in hosts:
            nodes.append(DhtSession(Ears(), hosts=(host,), port=0, bootstrap=places, kept=b""))
            places.append(f"{host}:{nodes[-1].port}")
        async with asyncio.timeout(WAIT_S):
            for node in nodes[1:]:
                await node.ready.wait()
        yield places
    finally:
        for node in nodes:
            await node.stop()
