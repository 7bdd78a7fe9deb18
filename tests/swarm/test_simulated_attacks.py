"""Attacks on a whole simulated swarm: those who do as they should go on, and nobody honest is punished."""

from swarm.drivers.line import Line
from swarm.drivers.memory import Host
from swarm.events import Equivocation, PieceReady
from swarm.evidence import check_evidence
from swarm.node import Node
from swarm.sim.world import World

VIEWERS = 5


def add_twin(world: World) -> Host:
    """A second source with the same key, epoch and numbers, but other pieces."""
    twin = world._host("twin", world.source_line, world.settings)
    original = world.source
    world.source = twin
    world.broadcast()
    world.source = original

    def publish() -> None:
        number = world._number
        world.net.at(world.net.now + world.show.piece_s, publish)

        def say(node: Node, now: float) -> None:
            node.publish(
                world.stream,
                0,
                b"twin" + world.payload(number),
                number=number,
                key=number % world.show.key_every == 0,
                capture_us=int((now - world.show.piece_s + 1_700_000_000) * 1e6),
                duration_us=round(world.show.piece_s * 1e6),
                now=now,
            )

        world.net.call(twin, say)

    world.net.at(world.net.now + world.show.piece_s - 0.01, publish)
    return twin


def test_two_halves_with_different_roots_do_not_poison_each_other() -> None:
    world = World(seed=5)
    twin = add_twin(world)
    ours = [world.add_viewer(Line(uplink_bps=30e6)) for _ in range(VIEWERS)]
    theirs = [world.add_viewer(Line(uplink_bps=30e6), (twin.address,)) for _ in range(VIEWERS)]
    torn = [world.add_viewer(Line(uplink_bps=30e6), (world.source.address, twin.address)) for _ in range(2)]
    world.run(4.0)
    for one, other in zip(ours, theirs, strict=True):
        world.join(one, (other.address,))
    world.run(12.0)
    evidence = [news for host in (*ours, *theirs, *torn) for _, news in host.news if isinstance(news, Equivocation)]
    assert evidence
    assert all(check_evidence(world.stream, 0, news.headers) for news in evidence)
    for host in (world.source, twin, *ours, *theirs, *torn):
        assert not host.node.faults, f"{host.name} took an honest peer for a liar"
        assert not host.node.connections.bans
    for host in (*ours, *theirs):
        got = {news.number: news.payload for at, news in host.news if isinstance(news, PieceReady) and at > 6.0}
        due = {number for number, at in world.published.items() if 6.0 < at < world.net.now - 3.0}
        assert len(due & got.keys()) >= 0.9 * len(due), f"{host.name} is starved"
        assert all(payload.removeprefix(b"twin") == world.payload(n) for n, payload in got.items())
