"""Each way of finding peers brings video to a viewer with a bare link while all the others are dead."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.settings import Settings
from swarm.errors import DhtUnavailable, TrackerError
from swarm.link import Link
from tests.gateway.peer_stage import STREAM, WAIT_S, first_piece_s, on_air, peer, started
from tests.gateway.tracker_stage import gateway
from tests.swarm.discovery.dht_nodes import bare_nodes

DEAD_TRACKER = "udp://127.0.0.1:1"
DEAD_NODE = "127.0.0.9:1"
LINK = Link(STREAM)


@pytest.mark.e2e
def test_the_dht_alone_leads_to_the_broadcaster(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bare_nodes() as nodes:
            options = {"trackers": DEAD_TRACKER, "dht": True, "dht_bootstrap": ",".join(nodes)}
            source = peer(1, tmp_path, swarm_host="127.0.1.1", **options)
            viewer = peer(2, tmp_path, swarm_host="127.0.1.2", **options)
            async with started(source, viewer), on_air(source):
                await first_piece_s(viewer, LINK)
                said = {progress.finder: progress for progress in viewer.progress(STREAM)}
                assert said["dht"].peers
                assert not said["trackers"].peers
                assert said["lan"].said == "off: lan = false"
        assert (tmp_path / "peer-2" / "dht-nodes").stat().st_size

    asyncio.run(scene())


def test_a_tracker_alone_does_while_the_dht_is_dead(tmp_path: Path) -> None:
    async def scene() -> None:
        async with gateway(STREAM, tmp_path / "gateway") as tracker:
            options = {"trackers": str(tracker), "dht": True, "dht_bootstrap": DEAD_NODE}
            source, viewer = (peer(seed, tmp_path, **options) for seed in (1, 2))
            async with started(source, viewer), on_air(source):
                await first_piece_s(viewer, LINK)
                said = {progress.finder: progress for progress in viewer.progress(STREAM)}
                assert said["trackers"].said == "1 of 1 answer"
                assert (said["dht"].said, said["dht"].peers) == ("none of its nodes has answered yet", 0)

    asyncio.run(scene())


@pytest.mark.e2e
def test_multicast_in_this_network_alone_does(tmp_path: Path) -> None:
    async def scene() -> None:
        source, viewer = (peer(seed, tmp_path, lan=True) for seed in (1, 2))
        async with started(source, viewer), on_air(source):
            await first_piece_s(viewer, LINK)
            said = {progress.finder: progress for progress in viewer.progress(STREAM)}
            assert said["lan"].peers == 1

    asyncio.run(scene())


def test_who_was_there_before_comes_back_though_nothing_else_is_alive(tmp_path: Path) -> None:
    async def scene() -> None:
        source = peer(1, tmp_path)
        async with started(source), on_air(source):
            for link in (Link(STREAM, "", source.addresses), LINK):
                viewer = peer(2, tmp_path, remember_peers=True)
                async with started(viewer):
                    await first_piece_s(viewer, link)

    asyncio.run(scene())


@pytest.mark.e2e
def test_a_tracker_that_dies_costs_nobody_a_piece_and_newcomers_find_the_dht(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bare_nodes() as nodes, AsyncExitStack() as living:
            named = {"trackers": str(await living.enter_async_context(gateway(STREAM, tmp_path / "gateway")))}
            dht = {"dht": True, "dht_bootstrap": ",".join(nodes)}
            source = peer(1, tmp_path, **named, **dht)
            one, two = (peer(seed, tmp_path, **named) for seed in (2, 3))
            newcomer = peer(4, tmp_path, swarm_host="127.0.1.4", **named, **dht)
            async with started(source, one, two, newcomer), on_air(source):
                await first_piece_s(one, LINK)
                await first_piece_s(two, LINK)
                await living.aclose()
                for _ in range(5):
                    await asyncio.gather(first_piece_s(one, LINK), first_piece_s(two, LINK))
                for viewer in (one, two):
                    status = viewer.status(STREAM, 0)
                    assert status is not None
                    assert status.pieces_lost == 0
                await first_piece_s(newcomer, LINK)

    asyncio.run(scene())


def test_on_loopback_nobody_outside_is_asked(tmp_path: Path) -> None:
    async def scene() -> dict[str, str]:
        member = peer(1, tmp_path, dht=True)
        async with started(member):
            member.join(LINK, 0, lambda news: None)
            return {progress.finder: progress.said for progress in member.progress(STREAM)}

    assert asyncio.run(scene()) == {
        "trackers": "none is named",
        "dht": "off: the swarm's socket is reached from this machine only",
        "lan": "off: lan = false",
        "memory": "off: remember_peers = false",
    }


def test_who_talks_to_one_relay_only_gets_video_from_it_and_meets_nobody_else(tmp_path: Path) -> None:
    async def scene() -> list[str]:
        source, relay = peer(1, tmp_path), peer(2, tmp_path)
        async with started(source, relay), on_air(source):
            named = Link(STREAM, "", source.addresses)
            await first_piece_s(relay, named)
            viewer = peer(3, tmp_path, only_peers=str(relay.addresses[0]), dht=True, lan=True, trackers=DEAD_TRACKER)
            async with started(viewer):
                await first_piece_s(viewer, named)
                await first_piece_s(viewer, named)
                assert viewer.neighbours(STREAM) == list(relay.addresses)
                return [progress.said for progress in viewer.progress(STREAM)]

    assert asyncio.run(scene()) == ["off: only_peers is set"] * 4


def test_a_gateway_that_nobody_uses_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the settings as they come, but for the folder: everything that could speak is closed until a stream is
    opened."""
    for name in ("TRACKERS", "DHT", "LAN"):
        monkeypatch.delenv(f"SEEDCAST_{name}")
    spoken: set[str] = set()
    everything = asyncio.Event()

    def speak(name: str, error: Exception) -> Callable[..., None]:
        def spoke(*_: object, **__: object) -> None:
            spoken.add(name)
            if len(spoken) == 4:
                everything.set()
            raise error

        return spoke

    monkeypatch.setattr("swarm.discovery.dht.DhtSession", speak("dht", DhtUnavailable("not here")))
    monkeypatch.setattr("swarm.discovery.lan.Multicast.join", speak("bep 14", OSError("not here")))
    monkeypatch.setattr("swarm.discovery.lan.DnsSd.start", speak("multicast dns", OSError("not here")))
    monkeypatch.setattr("swarm.discovery.tracker_client.TrackerClient.announce", speak("tracker", TrackerError("no")))

    async def scene() -> None:
        settings = Settings(data_dir=tmp_path, port=0)
        assert settings.trackers
        assert settings.dht
        assert settings.lan
        made = Gateway(settings)
        async with made.running():
            made.channels.add(LINK)
            await asyncio.sleep(0.3)
            assert not spoken
            made.membership.join(LINK, 0, lambda news: None)
            async with asyncio.timeout(WAIT_S):
                await everything.wait()

    asyncio.run(scene())
