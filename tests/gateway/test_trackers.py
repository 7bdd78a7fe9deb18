"""Two peers that know a tracker and nothing else find each other, and video flows."""

import asyncio
from pathlib import Path

import pytest

from gateway.finders import ground_of
from swarm.discovery.tracker_client import Ground
from swarm.discovery.trackers import TrackerState
from swarm.link import Link, stream_target
from swarm.prefixes import Reach
from swarm.tracker_url import TrackerUrl, parse_tracker
from swarm.units import Address
from tests.gateway.peer_stage import STREAM, first_piece_s, on_air, peer, started
from tests.gateway.tracker_stage import gateway
from tests.swarm.discovery.opentracker import opentracker


async def watch(tracker: TrackerUrl, source_knows: str, folder: Path) -> list[TrackerState]:
    """What the viewer's trackers say once it has a piece."""
    source, viewer = peer(1, folder, trackers=source_knows), peer(2, folder)
    async with started(source, viewer), on_air(source):
        await first_piece_s(viewer, Link(STREAM, trackers=(tracker,)))
        assert not viewer.is_lonely(STREAM)
        return viewer.tracker_states(STREAM)


@pytest.mark.parametrize("viewer_first", [False, True])
def test_two_peers_find_each_other_at_the_tracker_of_a_gateway(viewer_first: bool, tmp_path: Path) -> None:
    async def meet() -> None:
        async with gateway(STREAM, tmp_path / "gateway") as tracker:
            (state,) = await watch(tracker, str(tracker), tmp_path)
            assert (state.said, state.refused) == ("answers", {})

    asyncio.run(meet())


def test_links_to_own_streams_name_the_users_trackers(tmp_path: Path) -> None:
    member = peer(1, tmp_path, trackers="udp://127.0.0.1:1, http://127.0.0.1:2000/announce | udp://127.0.0.1:3")
    assert [str(tracker) for tracker in member.trackers] == ["udp://127.0.0.1:1", "http://127.0.0.1:2000/announce"]


@pytest.mark.parametrize(
    ("host", "versions", "reach"),
    [
        ("0.0.0.0", {4}, Reach.WORLD),
        ("::", {4, 6}, Reach.WORLD),
        ("192.168.1.5", {4}, Reach.WORLD),
        ("2001:db8::1", {6}, Reach.WORLD),
        ("127.0.0.1", {4}, Reach.MACHINE),
        ("::1", {6}, Reach.MACHINE),
    ],
)
def test_a_node_on_loopback_tells_nobody_outside(host: str, versions: set[int], reach: Reach) -> None:
    assert ground_of(Address(host, 4000)) == Ground(frozenset(versions), reach)


@pytest.mark.e2e
@pytest.mark.alongside
@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_two_peers_that_know_only_a_tracker_find_each_other(scheme: str, tmp_path: Path) -> None:
    with opentracker(tmp_path, stream_target(STREAM)) as port:
        url = f"{scheme}://127.0.0.1:{port}/announce"
        (state,) = asyncio.run(watch(parse_tracker(url), url, tmp_path))
    assert state.said == "answers"
    assert state.tracker == url
