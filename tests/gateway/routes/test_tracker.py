"""The gateway's own tracker over HTTP, and with a BitTorrent client that others wrote."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import libtorrent
import pytest

from swarm.discovery.announces import Announce, Counts, Event
from swarm.discovery.tracker_client import Ground, TrackerClient
from swarm.errors import TrackerError
from swarm.link import stream_name, stream_target
from swarm.prefixes import Reach
from swarm.tracker_url import TrackerUrl
from swarm.units import Address, StreamId
from tests.gateway.tracker_stage import gateway

STREAM = StreamId(bytes(range(32)))
WAIT_S = 20.0


def announce(number: int, event: Event = Event.STARTED) -> Announce:
    me = b"-SC0100-%012d" % number
    return Announce(
        target=stream_target(STREAM), peer_id=me, key=number, port=5000 + number, is_source=number == 1, event=event
    )


def test_our_own_client_is_served(tmp_path: Path) -> None:
    async def talk() -> None:
        client = TrackerClient(random.Random(1), time.monotonic, Ground(frozenset({4}), Reach.WORLD))
        try:
            async with gateway(STREAM, tmp_path) as tracker:
                await client.announce(tracker, announce(1), trusted=False)
                ((host, answer),) = await client.announce(tracker, announce(2), trusted=False)
                assert answer.peers == (Address("127.0.0.1", 5001),)
                assert (host, answer.seen_at) == ("127.0.0.1", "127.0.0.1")
                assert await client.scrape(tracker, stream_target(STREAM), trusted=False) == Counts(
                    sources=1, viewers=1
                )
        finally:
            await client.close()

    asyncio.run(talk())


def test_what_trackers_say_and_how_many_watch_is_in_the_api(tmp_path: Path) -> None:
    async def talk() -> dict[str, object]:
        async with gateway(STREAM, tmp_path) as tracker:
            shown = f"http://127.0.0.1:{tracker.port}/api/v1/streams/{stream_name(STREAM)}/trackers"
            async with httpx.AsyncClient(trust_env=False) as client:
                answer: dict[str, object] = (await client.get(shown)).json()
                return answer

    assert asyncio.run(talk()) == {"trackers": [], "sources": None, "viewers": None}


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    async def talk() -> None:
        client = TrackerClient(random.Random(1), time.monotonic, Ground(frozenset({4}), Reach.WORLD))
        try:
            async with gateway(STREAM, tmp_path, tracker="off") as tracker:
                await client.announce(tracker, announce(1), trusted=False)
        finally:
            await client.close()

    with pytest.raises(TrackerError, match="answers 404"):
        asyncio.run(talk())


@contextmanager
def torrent_client(tracker: TrackerUrl, folder: Path) -> Iterator[libtorrent.session]:
    """A session of libtorrent with one torrent, which talks to its tracker and to nobody else."""
    kinds = libtorrent.alert.category_t
    session = libtorrent.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "stop_tracker_timeout": 1,
            "alert_mask": kinds.tracker_notification | kinds.error_notification,
        }
    )
    wanted = libtorrent.add_torrent_params()
    wanted.info_hashes = libtorrent.info_hash_t(libtorrent.sha1_hash(stream_target(STREAM)))
    wanted.save_path = str(folder)
    wanted.trackers = [str(tracker)]
    session.add_torrent(wanted)
    yield session


def peers_told(session: libtorrent.session) -> int:
    """How many peers its tracker has told it of, once it has."""
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        session.wait_for_alert(500)
        for alert in session.pop_alerts():
            assert not isinstance(alert, libtorrent.tracker_error_alert), alert.message()
            if isinstance(alert, libtorrent.tracker_reply_alert):
                return int(alert.num_peers)
    raise TimeoutError("libtorrent heard nothing")


@pytest.mark.e2e
def test_an_ordinary_bittorrent_client_announces_itself_and_is_told_of_others(tmp_path: Path) -> None:
    async def talk() -> None:
        client = TrackerClient(random.Random(1), time.monotonic, Ground(frozenset({4}), Reach.WORLD))
        try:
            async with gateway(STREAM, tmp_path) as tracker:
                await client.announce(tracker, announce(1), trusted=False)
                with torrent_client(tracker, tmp_path) as session:
                    assert await asyncio.to_thread(peers_told, session) == 1
                    ((_, answer),) = await client.announce(tracker, announce(2), trusted=False)
                    assert Address("127.0.0.1", session.listen_port()) in answer.peers
        finally:
            await client.close()

    asyncio.run(talk())
