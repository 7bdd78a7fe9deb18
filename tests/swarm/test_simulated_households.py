"""Households in simulated swarms: a stream crosses each one's line once, whoever comes and goes in it."""

import os
from random import Random

import pytest

from swarm.drivers.line import Line
from swarm.drivers.memory import Host
from swarm.settings import NodeSettings
from swarm.sim.world import Show, World, delays
from swarm.units import LinkId
from tests.swarm.test_simulated_swarm import SETTLED_S, assert_nobody_misses_a_piece, replay

SEEDS = [int(seed) for seed in os.environ.get("SEEDCAST_SEEDS", "1,2").split(",")]
seeds = pytest.mark.parametrize("seed", SEEDS)
JOINED_S = 10.0
"""On lines as thin as these those who join miss some of the first pieces, at home or not."""

ONCE = 1.15
"""What may come in from outside, as a multiple of the stream, headers and control messages included."""


def broadcast(seed: int, houses: list[int]) -> World:
    """A show whose viewers come one after the other, ``houses`` giving the house of each; 0: alone."""
    world = World(seed=seed, show=Show(bitrate_bps=1_500_000), source_line=Line(uplink_bps=30e6))
    luck = Random(seed)
    for house in houses:
        world.run(luck.uniform(0.05, 0.3))
        line = Line(uplink_bps=luck.uniform(2e6, 5e6), delay_s=luck.uniform(0.005, 0.03), loss=0.0015)
        inside = [host.address for host in world.viewers if house and host.house == house and host.alive]
        world.add_viewer(line, [*inside, *world.tracked(luck)], house=house)
    world.run(12.0)
    return world


def fetching(world: World, house: int) -> list[Host]:
    """Those of a house who lodge with nobody."""
    found = []
    for host in world.viewers:
        status = host.node.status(world.stream) if host.house == house and host.alive else None
        if status is not None and all(peer.lodging != "host" for peer in status.peers):
            found.append(host)
    return found


def inbound_bytes(world: World, house: int) -> int:
    """What has come into a house over its line, headers included."""
    members = [host for host in world.viewers if host.house == house]
    return sum(end.far.sent_bytes for host in members for end in host.ends.values() if not end.indoors)


@seeds
def test_a_stream_crosses_the_line_of_each_house_once(seed: int) -> None:
    world = broadcast(seed, [0, 1, 2, 0, 1, 3, 0, 2, 3, 3, 0, 3, 0])
    before = {house: inbound_bytes(world, house) for house in (1, 2, 3)}
    stream_bytes = world.payload_bytes
    world.run(20.0)
    stream_bytes = world.payload_bytes - stream_bytes
    for house, earlier in before.items():
        assert len(fetching(world, house)) == 1, replay(world)
        assert inbound_bytes(world, house) - earlier < ONCE * stream_bytes, f"house {house}; {replay(world)}"
    assert_nobody_misses_a_piece(world, world.viewers, JOINED_S)


@seeds
def test_a_classroom_is_fed_by_one_in_it(seed: int) -> None:
    world = broadcast(seed, [0] * 6 + [1] * 25)
    before, stream_bytes = inbound_bytes(world, 1), world.payload_bytes
    world.run(10.0)
    assert len(fetching(world, 1)) == 1, replay(world)
    assert inbound_bytes(world, 1) - before < ONCE * (world.payload_bytes - stream_bytes), replay(world)
    assert_nobody_misses_a_piece(world, world.viewers, JOINED_S)


@seeds
def test_when_the_host_dies_another_one_takes_its_place_and_nobody_misses_a_piece(seed: int) -> None:
    world = broadcast(seed, [0, 0, 0, 0, 1, 1, 1, 0, 0])
    (host,) = fetching(world, 1)
    world.net.kill(host)
    world.run(10.0)
    assert len(fetching(world, 1)) == 1, replay(world)
    left = [viewer for viewer in world.viewers if viewer.alive]
    assert_nobody_misses_a_piece(world, left, JOINED_S)
    last = max(world.published) - int(SETTLED_S / world.show.piece_s)
    assert all(delays(world, viewer)[last] < 1.0 for viewer in left), replay(world)


@seeds
def test_when_the_host_leaves_with_a_good_bye_nobody_misses_a_piece(seed: int) -> None:
    world = broadcast(seed, [0, 0, 0, 0, 1, 1, 0, 0])
    (host,) = fetching(world, 1)
    world.net.call(host, lambda node, now: node.shut_down(now))
    world.net.at(world.net.now + 0.4, lambda: world.net.kill(host))
    world.run(8.0)
    assert len(fetching(world, 1)) == 1, replay(world)
    assert_nobody_misses_a_piece(world, [viewer for viewer in world.viewers if viewer.alive], JOINED_S)


@seeds
def test_the_broadcasters_own_house_takes_nothing_from_outside(seed: int) -> None:
    world = World(seed=seed, source_house=1)
    for house in (0, 0, 1, 0, 1):
        world.run(0.2)
        world.add_viewer(Line(uplink_bps=5e6), house=house)
    world.run(10.0)
    assert fetching(world, 1) == [], replay(world)
    assert_nobody_misses_a_piece(world, world.viewers, JOINED_S)


@seeds
def test_a_source_that_stumbles_makes_nobody_fetch_twice(seed: int) -> None:
    world = broadcast(seed, [0, 1, 0, 1, 0, 1, 0])
    before, stream_bytes = inbound_bytes(world, 1), world.payload_bytes
    for _ in range(4):
        world.on_air = False
        world.run(1.0)
        world.on_air = True
        world.run(8.0)
    assert len(fetching(world, 1)) == 1, replay(world)
    assert inbound_bytes(world, 1) - before < ONCE * (world.payload_bytes - stream_bytes), replay(world)
    assert_nobody_misses_a_piece(world, world.viewers, JOINED_S)


def fall_silent(world: World, host: Host, link: LinkId) -> None:
    world.net.call(host, lambda node, now: node.link_silent(link, now))


@seeds
def test_a_lodger_that_is_taken_for_dead_by_mistake_misses_nothing(seed: int) -> None:
    world = broadcast(seed, [0, 0, 1, 0, 1, 0])
    (host,) = fetching(world, 1)
    for link in [link for link, end in host.ends.items() if end.indoors]:
        fall_silent(world, host, link)
    world.run(10.0)
    assert len(fetching(world, 1)) == 1, replay(world)
    assert_nobody_misses_a_piece(world, world.viewers, JOINED_S)


@seeds
def test_who_relays_to_others_fetches_for_one_that_does_not(seed: int) -> None:
    world = broadcast(seed, [0, 0, 0, 0])
    for lazy in (True, False):
        inside = [host.address for host in world.viewers if host.house]
        world.add_viewer(
            Line(uplink_bps=5e6),
            [*inside, world.source.address],
            settings=NodeSettings(download_only=lazy),
            house=1,
        )
        world.run(4.0)
    world.run(4.0)
    assert [host.name for host in fetching(world, 1)] == [world.viewers[-1].name], replay(world)
