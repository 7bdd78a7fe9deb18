"""A stream that its owner has ended for good is over for everybody who is shown the proof, and for nobody else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm import wire
from swarm.drivers.line import Line
from swarm.drivers.memory import Host
from swarm.errors import LocalError, MalformedMessage, ProofError
from swarm.events import PieceReady, StreamBuried
from swarm.graves import GRAVES_MAX, Graves
from swarm.identity import Identity
from swarm.pieces import swarm_tag
from swarm.sim.world import World
from swarm.tombstone import REASON_CHARS_MAX, open_tombstone, sign_tombstone
from swarm.units import StreamId
from tests.swarm.stage import INTEREST, OWNER, STREAM, TAG, Stage, actor, manifest

LINE = Line(uplink_bps=30e6)
STONE = sign_tombstone(OWNER, 1_700_000_000_000_000, "moved")
TOLD = wire.TombstoneMessage(tag=TAG, data=STONE.data)


@given(st.integers(-(2**63), 2**63 - 1), st.text("abc äöü", max_size=REASON_CHARS_MAX))
def test_a_tombstone_survives_its_bytes(ended_us: int, reason: str) -> None:
    signed = sign_tombstone(OWNER, ended_us, reason)
    assert open_tombstone(signed.data) == signed


@given(st.data())
def test_a_changed_tombstone_never_opens(data: st.DataObject) -> None:
    changed = bytearray(STONE.data)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((MalformedMessage, ProofError)):
        open_tombstone(bytes(changed))


@given(st.binary(max_size=600))
def test_any_bytes_are_no_tombstone(data: bytes) -> None:
    with pytest.raises((MalformedMessage, ProofError)):
        open_tombstone(data)


@pytest.mark.parametrize("reason", ["x" * (REASON_CHARS_MAX + 1), "two\nlines"])
def test_a_reason_that_cannot_be_shown_is_not_signed(reason: str) -> None:
    with pytest.raises(LocalError, match="one line"):
        sign_tombstone(OWNER, 0, reason)


def test_graves_are_bounded_and_found_by_every_rendition() -> None:
    graves = Graves()
    stones = [sign_tombstone(Identity(number.to_bytes(4, "big") * 8), 0) for number in range(3)]
    for number in range(GRAVES_MAX + 1):
        graves.add(replace(STONE, stream=StreamId(number.to_bytes(32, "big"))))
    assert len(graves) == GRAVES_MAX
    assert StreamId(bytes(32)) not in graves
    assert graves.of_swarm(swarm_tag(StreamId(bytes(32)), 0)) is None
    assert graves.add(stones[0])
    assert not graves.add(stones[0])
    for rendition in (0, 15):
        assert graves.of_swarm(swarm_tag(stones[0].stream, rendition)) == stones[0]


# -- one node


def buried(stage: Stage) -> list[StreamBuried]:
    return [news for news in stage.news if isinstance(news, StreamBuried)]


def test_who_is_told_leaves_tells_others_and_keeps_the_proof() -> None:
    stage = Stage()
    stage.watch()
    teller, other = stage.befriend(1, manifest()), stage.befriend(2)
    stage.take(other)
    stage.say(teller, TOLD)
    assert [news.tombstone for news in buried(stage)] == [STONE]
    assert TOLD in stage.take(other)
    assert stage.node.status(STREAM) is None
    stage.watch()
    assert len(buried(stage)) == 2, "who wants to join is told again"
    assert stage.node.status(STREAM) is None


def test_who_comes_later_is_shown_the_proof() -> None:
    stage = Stage()
    stage.node.bury(STONE, stage.now)
    link = stage.meet(actor(1))
    stage.take(link)
    stage.say(link, INTEREST)
    assert stage.take(link) == [TOLD]


def test_a_forged_tombstone_bans_its_bringer_and_ends_nothing() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1)
    stage.say(link, replace(TOLD, data=STONE.data[:-1] + bytes([STONE.data[-1] ^ 1])))
    assert link in stage.closed
    assert buried(stage) == []
    assert stage.meet(actor(1)) in stage.closed


def test_another_streams_tombstone_ends_nothing() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1)
    stage.say(link, replace(TOLD, data=sign_tombstone(Identity(b"x" * 32), 0).data))
    assert link in stage.closed
    assert buried(stage) == []


def test_a_tombstone_of_a_stream_that_one_is_not_in_is_not_kept() -> None:
    stage = Stage()
    link = stage.meet(actor(1))
    stage.say(link, TOLD)
    assert len(stage.node.members.graves) == 0


def test_what_was_ended_for_good_cannot_go_on_air_again() -> None:
    stage = Stage()
    stage.node.bury(STONE, stage.now)
    with pytest.raises(LocalError, match="for good"):
        stage.go_on_air()


# -- a whole swarm


def test_all_viewers_stop_and_a_newcomer_hears_it_from_any_of_them() -> None:
    world = World(seed=5)
    viewers = [world.add_viewer(LINE) for _ in range(6)]
    world.run(5.0)
    stone = sign_tombstone(world.owner, 0, "moved")
    world.net.call(world.source, lambda node, now: node.bury(stone, now))
    world.on_air = False
    world.run(3.0)
    for host in viewers:
        assert over(host) == 1
        assert any(isinstance(news, PieceReady) for _, news in host.news)
    world.net.kill(world.source)
    late = world.add_viewer(LINE, [viewers[3].address])
    world.run(5.0)
    assert over(late) == 1


def over(host: Host) -> int:
    return sum(isinstance(news, StreamBuried) for _, news in host.news)
