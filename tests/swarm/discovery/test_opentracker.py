"""Our client against a tracker that others wrote, over HTTP and UDP."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from swarm.discovery.announces import Announce, Counts, Event
from swarm.discovery.tracker_client import Ground, TrackerClient
from swarm.errors import TrackerError
from swarm.link import stream_target
from swarm.prefixes import Reach
from swarm.tracker_url import parse_tracker
from swarm.units import Address, StreamId
from tests.swarm.discovery.opentracker import opentracker

TARGET = stream_target(StreamId(bytes(range(32))))

pytestmark = pytest.mark.e2e


def announce(number: int, event: Event, *, is_source: bool = False) -> Announce:
    return Announce(
        target=TARGET,
        peer_id=b"-SC0100-%012d" % number,
        key=number,
        port=5000 + number,
        is_source=is_source,
        event=event,
    )


@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_peers_find_each_other_at_opentracker_and_are_counted(scheme: str, tmp_path: Path) -> None:
    async def talk(port: int) -> None:
        client = TrackerClient(random.Random(1), time.monotonic, Ground(frozenset({4}), Reach.WORLD))
        tracker = parse_tracker(f"{scheme}://127.0.0.1:{port}/announce")
        try:
            ((_, first),) = await client.announce(tracker, announce(1, Event.STARTED, is_source=True), trusted=False)
            assert Address("127.0.0.1", 5001) in first.peers or first.peers == ()
            ((host, second),) = await client.announce(tracker, announce(2, Event.STARTED), trusted=False)
            assert host == "127.0.0.1"
            assert Address("127.0.0.1", 5001) in second.peers
            assert (second.sources, second.viewers) == (1, 1)
            assert 60 <= second.interval_s <= 3600
            assert await client.scrape(tracker, TARGET, trusted=False) == Counts(sources=1, viewers=1)
            await client.announce(tracker, announce(2, Event.STOPPED), trusted=False)
            assert await client.scrape(tracker, TARGET, trusted=False) == Counts(sources=1, viewers=0)
        finally:
            await client.close()

    with opentracker(tmp_path, TARGET) as port:
        asyncio.run(talk(port))


def test_a_refusal_of_opentracker_is_told_in_its_words(tmp_path: Path) -> None:
    async def ask(port: int) -> None:
        client = TrackerClient(random.Random(1), time.monotonic, Ground(frozenset({4}), Reach.WORLD))
        stranger = Announce(target=b"\1" * 20, peer_id=b"-" * 20, key=1, port=5000, is_source=False)
        try:
            await client.announce(parse_tracker(f"http://127.0.0.1:{port}/announce"), stranger, trusted=False)
        finally:
            await client.close()

    with opentracker(tmp_path, TARGET) as port, pytest.raises(TrackerError, match="not authorized"):
        asyncio.run(ask(port))
