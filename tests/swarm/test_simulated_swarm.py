"""Whole swarms in memory, on a virtual clock: what must hold of them, seed by seed.

A failure names its seed and the command that plays it again. ``SEEDCAST_SEEDS=7,8,9`` tries other seeds.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from swarm.drivers.line import Line
from swarm.drivers.memory import Host
from swarm.events import ManifestReady, PieceReady
from swarm.identity import Identity
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.settings import NodeSettings
from swarm.sim.world import WALL_S, World, losses
from swarm.units import PeerId

SEEDS = [int(seed) for seed in os.environ.get("SEEDCAST_SEEDS", "1,2").split(",")]
GOOD = Line(uplink_bps=30e6)
SETTLED_S = 3.0
"""Pieces younger than this may be under way still."""

seeds = pytest.mark.parametrize("seed", SEEDS)


def replay(world: World) -> str:
    """What a failure has to say so that it can be seen again."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    return f"seed {world.seed}, virtual second {world.net.now:.1f}; replay: SEEDCAST_SEEDS={world.seed} pytest '{test}'"


def broadcast(seed: int, viewers: int, line: Line = GOOD) -> World:
    """A show with viewers that have joined one after the other within two seconds."""
    world = World(seed=seed)
    for number in range(viewers):
        world.run(0.5 if number == 0 else 1.5 / viewers)
        world.add_viewer(line)
    world.net.run_until(3.0)
    return world


def got(host: Host) -> dict[int, float]:
    """The pieces handed out at a host, each with the time of it."""
    return {news.number: at for at, news in host.news if isinstance(news, PieceReady)}


def missing(world: World, host: Host, since_s: float = 0.0) -> list[int]:
    """What was published after ``since_s`` and the host's first piece, and the host has not got."""
    have = got(host)
    first, last_s = min(have, default=0), world.net.now - SETTLED_S
    return [n for n, at in world.published.items() if n > first and since_s <= at < last_s and n not in have]


def assert_nobody_misses_a_piece(world: World, hosts: list[Host], since_s: float = 0.0) -> None:
    for host in hosts:
        assert got(host), f"{host.name} got nothing; {replay(world)}"
        gaps = missing(world, host, since_s)
        assert not gaps, f"{host.name} misses {gaps}; {replay(world)}"


def edges(world: World) -> list[tuple[PeerId, Host]]:
    """Each stripe that a viewer is fed, as who feeds whom."""
    found = []
    for host in world.viewers:
        status = host.node.status(world.stream) if host.alive else None
        for peer in status.peers if status is not None else ():
            found += [(peer.key, host)] * len(peer.stripes_from)
    return found


def rebroadcast(world: World, epoch: int, k: int, n: int) -> None:
    """The source starts its encoder again."""
    rendition = RenditionInfo(
        number=0, name="main", bitrate_bps=world.show.bitrate_bps, piece_us=200_000, k=k, n=n, media=b"again"
    )
    world.net.call(
        world.source,
        lambda node, now: node.broadcast(world.owner, title="show", epoch=epoch, renditions=(rendition,), now=now),
    )


def add_skewed_viewer(world: World, skew_s: float) -> Host:
    """A viewer whose wall clock is wrong."""
    identity = Identity(world.net.random("key/skewed").randbytes(32))
    node = Node(
        identity=identity,
        settings=NodeSettings(),
        rng=world.net.random("node/skewed"),
        wall_offset_s=WALL_S + skew_s,
        now=world.net.now,
    )
    host = world.net.add("skewed", identity, node, GOOD)
    world.viewers.append(host)
    world.net.call(host, lambda node, now: node.join(world.stream, 0, (world.source.address,), now))
    return host


# -- on good lines


@seeds
def test_everybody_gets_every_piece_as_it_was_published_and_peers_do_the_work(seed: int) -> None:
    world = broadcast(seed, 12)
    world.run(12.0)
    assert_nobody_misses_a_piece(world, world.viewers)
    for host in world.viewers:
        for _, news in host.news:
            if isinstance(news, PieceReady):
                size = len(news.payload)
                assert news.payload == world.net.random(f"payload/{news.number}").randbytes(size), replay(world)
        assert len([n for _, n in host.news if isinstance(n, PieceReady)]) == len(got(host)), "each once"
        assert losses(host) == [], replay(world)
    multiple = world.source.sent_bytes / world.payload_bytes
    assert multiple <= 3.0, f"the source sends {multiple:.2f} times the stream; {replay(world)}"
    fed_by = [feeder for feeder, _ in edges(world)]
    from_viewers = sum(feeder != world.source.identity.key for feeder in fed_by)
    assert from_viewers > len(fed_by) / 2, f"{from_viewers} of {len(fed_by)} stripes come from peers; {replay(world)}"
    busiest = max(fed_by.count(feeder) for feeder in fed_by)
    assert busiest < len(fed_by) / 2, f"one peer feeds {busiest} of {len(fed_by)} stripes; {replay(world)}"


@seeds
def test_a_late_joiner_starts_within_a_second_and_at_a_key_frame(seed: int) -> None:
    world = broadcast(seed, 6)
    world.run(8.0)
    joined_s = world.net.now
    late = world.add_viewer(GOOD)
    world.run(6.0)
    first_s = min(got(late).values(), default=float("inf"))
    assert first_s - joined_s <= 1.0, f"its first piece came after {first_s - joined_s:.2f} s; {replay(world)}"
    assert min(got(late)) % world.show.key_every == 0, replay(world)
    assert_nobody_misses_a_piece(world, [late])


@seeds
@pytest.mark.parametrize("viewers", [1, 2])
def test_a_tiny_swarm_works(seed: int, viewers: int) -> None:
    world = broadcast(seed, viewers)
    world.run(8.0)
    assert_nobody_misses_a_piece(world, world.viewers)


@seeds
@pytest.mark.parametrize(("k", "n"), [(1, 1), (1, 4), (6, 6)])
def test_codes_at_the_edge_spread(seed: int, k: int, n: int) -> None:
    world = broadcast(seed, 3)
    rebroadcast(world, 2, k, n)
    changed_s = world.net.now
    world.run(10.0)
    assert_nobody_misses_a_piece(world, world.viewers, changed_s + 2.0)


# -- when somebody goes


@seeds
def test_a_good_bye_costs_nobody_a_piece(seed: int) -> None:
    world = broadcast(seed, 8)
    world.run(3.0)
    for host in world.viewers[:3]:
        world.net.call(host, lambda node, now: node.leave(world.stream, now))
        world.run(1.0)
    world.run(6.0)
    assert_nobody_misses_a_piece(world, world.viewers[3:])


@seeds
def test_two_of_six_die_without_a_word_and_nobody_else_loses_a_piece(seed: int) -> None:
    world = broadcast(seed, 6)
    world.run(4.0)
    for host in world.viewers[:2]:
        world.net.kill(host)
    world.run(9.0)
    assert_nobody_misses_a_piece(world, world.viewers[2:])


@seeds
def test_who_left_can_come_back(seed: int) -> None:
    world = broadcast(seed, 5)
    guest = world.viewers[2]
    for _ in range(3):
        world.net.call(guest, lambda node, now: node.leave(world.stream, now))
        world.run(1.0)
        world.net.call(guest, lambda node, now: node.join(world.stream, 0, (world.source.address,), now))
        world.run(4.0)
    back_s = world.net.now
    world.run(6.0)
    assert_nobody_misses_a_piece(world, world.viewers, back_s)


@seeds
def test_who_waits_for_a_stream_gets_it_when_it_goes_on_air_again(seed: int) -> None:
    world = broadcast(seed, 2)
    world.on_air = False
    world.net.call(world.source, lambda node, now: node.leave(world.stream, now))
    world.run(30.0)
    rebroadcast(world, 2, 8, 12)
    world.on_air = True
    again_s = world.net.now
    world.run(45.0)
    assert_nobody_misses_a_piece(world, world.viewers, again_s + 35.0)


# -- when something goes wrong


@seeds
def test_garbage_from_one_peer_harms_nobody(seed: int) -> None:
    world = broadcast(seed, 6)
    vandal, luck = world.viewers[0], world.net.random("garbage")

    def throw() -> None:
        for link, end in list(vandal.ends.items()):
            if end.peer.alive:
                end.peer.node.receive(luck.randbytes(luck.randrange(1, 200)), end.peer_link, world.net.now)
                world.net._drain(end.peer)
            assert link
        world.net.at(world.net.now + 0.5, throw)

    world.net.at(world.net.now + 1.0, throw)
    world.run(10.0)
    assert_nobody_misses_a_piece(world, world.viewers[1:])
    assert sum(host.node.faults["MalformedMessage"] for host in world.net.hosts) > 0


@seeds
def test_a_source_that_pauses_keeps_its_tree(seed: int) -> None:
    world = broadcast(seed, 8)
    world.run(4.0)
    before = sorted((feeder, host.name) for feeder, host in edges(world))
    world.on_air = False
    world.run(5.0)
    after = sorted((feeder, host.name) for feeder, host in edges(world))
    kept = sum(edge in after for edge in before)
    assert kept >= 0.9 * len(before), f"{kept} of {len(before)} feeds kept; {replay(world)}"
    world.on_air = True
    resumed_s = world.net.now
    world.run(7.0)
    assert_nobody_misses_a_piece(world, world.viewers, resumed_s)


@seeds
@pytest.mark.parametrize("next_number", [None, 10], ids=["higher numbers", "lower numbers"])
def test_a_restart_of_the_encoder_reaches_everybody(seed: int, next_number: int | None) -> None:
    world = broadcast(seed, 6)
    world.run(3.0)
    rebroadcast(world, 2, 8, 12)
    if next_number is not None:
        world._number = next_number
        world.published.clear()
    restart_s = world.net.now
    world.run(8.0)
    for host in world.viewers:
        epochs = [news.manifest.epoch for _, news in host.news if isinstance(news, ManifestReady)]
        assert epochs == [1, 2], replay(world)
        new = {news.number for _, news in host.news if isinstance(news, PieceReady) and news.epoch == 2}
        due = {n for n, at in world.published.items() if restart_s <= at < world.net.now - SETTLED_S}
        assert due <= new, f"{host.name} misses {sorted(due - new)}; {replay(world)}"


@seeds
def test_a_restart_with_another_coding_reaches_everybody(seed: int) -> None:
    world = broadcast(seed, 6)
    world.run(3.0)
    rebroadcast(world, 2, 4, 6)
    changed_s = world.net.now
    world.run(9.0)
    assert_nobody_misses_a_piece(world, world.viewers, changed_s + 2.0)


@seeds
@pytest.mark.parametrize("seconds", [2.0, 8.0, 100.0])
def test_a_partition_heals(seed: int, seconds: float) -> None:
    world = broadcast(seed, 6)
    world.run(2.0)
    cut_off, rest = world.viewers[:3], [*world.viewers[3:], world.source]
    cut_s = world.net.now
    world.net.cut(cut_off, rest)
    world.run(seconds)
    world.net.heal()
    world.run(40.0)
    healed_s = world.net.now
    world.run(8.0)
    # With half of the parents gone at once, the source's bounded repair may not suffice for every piece.
    assert_nobody_misses_a_piece(world, rest[:-1], cut_s + 3.0)
    assert_nobody_misses_a_piece(world, cut_off, healed_s)


@seeds
@pytest.mark.parametrize("skew_s", [-3600.0, 86_400.0, -WALL_S])
def test_a_wrong_clock_does_not_spoil_the_choice_of_parents(seed: int, skew_s: float) -> None:
    world = broadcast(seed, 5)
    skewed = add_skewed_viewer(world, skew_s)
    world.run(10.0)
    status = skewed.node.status(world.stream)
    assert status is not None
    assert abs(status.clock_offset_s + skew_s) < 0.5, f"it believes {status.clock_offset_s:.2f} s; {replay(world)}"
    assert status.delay_s is not None
    assert 0 < status.delay_s < 2.0, f"it believes {status.delay_s:.2f} s; {replay(world)}"
    for host in world.viewers[:-1]:
        member = host.node.members.find(world.stream, 0)
        assert member is not None
        told = [offer.delay_ms for offer in member.circle.mates[skewed.node.key].offers.values()]
        assert told, replay(world)
        assert all(0 < delay_ms < 2000 for delay_ms in told), f"it advertises {told} ms; {replay(world)}"
    assert_nobody_misses_a_piece(world, world.viewers)


# -- the same seed, the same world


def digest(seed: int, hash_seed: int) -> str:
    command = [sys.executable, "-m", "swarm.sim", "--viewers", "8", "--seconds", "8", "--json", "--seed", str(seed)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(done.stdout.splitlines()[-1])["digest"]
    assert isinstance(found, str)
    return found


@seeds
def test_two_processes_live_through_the_same_world(seed: int) -> None:
    assert digest(seed, 1) == digest(seed, 4242), f"python -m swarm.sim --viewers 8 --seconds 8 --seed {seed}"


def test_another_seed_is_another_world() -> None:
    assert digest(1, 0) != digest(2, 0)
