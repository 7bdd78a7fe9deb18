"""The truth is what the source really sends."""

from swarm.drivers.line import Line
from swarm.sim import inside
from swarm.sim.truth import KEPT_MAX, Truth
from swarm.sim.world import World
from tests.swarm.sim.conftest import SMALL


def test_the_sources_own_blocks_are_true_and_others_are_not() -> None:
    world = World(seed=4, show=SMALL)
    world.add_viewer(Line(uplink_bps=20e6))
    world.run(3.0)
    truth, member = Truth(world), inside.member(world.source, world.stream)
    assert member is not None
    entries = list(member.circle.window.entries())
    assert len(entries) >= 10
    for entry in entries:
        assert entry.payload is not None
        assert truth.is_payload(entry.number, bytes(entry.payload))
        assert not truth.is_payload(entry.number + 1, entry.payload)
        for index, message in entry.messages.items():
            assert truth.is_block(entry.number, index, bytes(bytearray(message)))
            assert not truth.is_block(entry.number, (index + 1) % SMALL.n, message)
    assert not truth.is_payload(99_999, b"")
    assert not truth.is_block(entries[0].number, SMALL.n, b"")


def test_what_is_remembered_is_bounded() -> None:
    world = World(seed=4, show=SMALL)
    world.on_air = False
    truth = Truth(world)
    for number in range(KEPT_MAX + 20):
        world.published[number + 1], world.epochs[number + 1] = 0.0, 1
        assert truth.is_payload(number + 1, world.payload(number + 1))
    assert len(truth._pieces) == KEPT_MAX
