"""A ladder over a real swarm in memory: what is joined for whom, what is chosen, what is pinned, and what is left."""

import asyncio
from dataclasses import replace
from functools import cache

import pytest

from gateway.channel import Channel, State
from gateway.channels import Channels
from gateway.ingest.slicer import SlicedPiece
from gateway.live import LiveWindow
from gateway.media.description import Rendition
from gateway.media.payload import PieceSlice, pack
from gateway.media.rungs import rung_inits
from gateway.on_air import Studio
from gateway.problems import Problem
from gateway.timeshift.shelves import Shelves
from swarm.drivers.memory import MemoryNet
from swarm.events import ManifestReady, Unreachable
from swarm.identity import Identity
from swarm.link import Link, stream_name
from swarm.manifest import Manifest, RenditionInfo
from swarm.units import StreamId
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, Stream, slices, stream
from tests.gateway.memory_swarm import MemorySwarm

OWNER = Identity(b"owner".ljust(32, b"."))
STREAM = StreamId(OWNER.key)
NAME = stream_name(STREAM)
EPOCH = 7
IDLE_S = 20.0
LENGTH_S = 40.0
THIN_BPS = 650_000
"""Less than 180p takes, with what the swarm adds; more than 90p."""
FAR_TOO_THIN_BPS = 160_000
"""Less than any picture takes."""


def sources() -> tuple[Stream, Stream]:
    return stream(seconds=LENGTH_S, size="160x90"), stream(seconds=LENGTH_S, size="320x180")


@cache
def contents() -> tuple[list[PieceSlice], ...]:
    return tuple(slices(source) for source in sources())


@cache
def sounds() -> list[PieceSlice]:
    """The same without their pictures."""
    lead = sources()[0].init.lead.track
    return [replace(each, parts=tuple(part for part in each.parts if part.track != lead)) for each in contents()[0]]


class World:
    """A broadcaster of two rungs and a viewer, joined in memory; ``audio``: the sound alone is a third one."""

    def __init__(
        self, shelves: Shelves | None = None, source_shelves: Shelves | None = None, *, audio: bool = False
    ) -> None:
        self.contents = (*contents(), sounds()) if audio else contents()
        self.net = MemoryNet("renditions")
        self.source, self.viewer = MemorySwarm(self.net, "source"), MemorySwarm(self.net, "viewer")
        at_source = self._channels(self.source, source_shelves)
        self.channels = self._channels(self.viewer, shelves)
        self.on_air = Studio(self.source, at_source).open(OWNER, "News", lambda: 0)
        low, high = sources()
        alone = replace(low.description, init=rung_inits(low.init, audio_rung=True)[-1])
        renditions = (
            Rendition(name="90p", bitrate_bps=300_000, media=low.description),
            Rendition(name="180p", bitrate_bps=600_000, media=high.description),
            Rendition(name="audio", bitrate_bps=128_000, media=alone),
        )
        self.on_air.description(EPOCH, renditions[: len(self.contents)])
        self.channel: Channel = self.channels.add(Link(STREAM, "", self.source.addresses))
        self.published = 0

    def _channels(self, swarm: MemorySwarm, shelves: Shelves | None) -> Channels:
        return Channels(swarm, window_s=24, idle_leave_s=IDLE_S, clock=lambda: self.net.now, shelves=shelves)

    def watch(self, rung: str | None = None) -> LiveWindow:
        return asyncio.run(self.channel.watch(rung))

    def play(self, pieces: int) -> None:
        for _ in range(pieces):
            number = self.published
            first = contents()[0][number]
            self.on_air.piece(
                SlicedPiece(
                    number=1000 + number,
                    epoch=EPOCH,
                    key=first.index == 0,
                    capture_us=CAPTURE_US + number * PIECE_US,
                    duration_us=PIECE_US,
                    payloads=tuple(pack(of_rendition[number]) for of_rendition in self.contents),
                )
            )
            self.published += 1
            self.viewer.run_for(PIECE_US / 1e6)
            self.channel.steer()

    @property
    def playing(self) -> str:
        info = self.channel.playing
        return info.name if info is not None else ""

    @property
    def member_of(self) -> set[int]:
        return {number for number in (0, 1, 2) if self.viewer.status(STREAM, number) is not None}


def test_auto_begins_with_the_lowest_and_climbs_to_what_comes_in_time() -> None:
    world = World()
    world.watch()
    world.play(5)
    assert (world.playing, world.member_of) == ("90p", {0})
    world.play(70)
    assert (world.playing, world.member_of) == ("180p", {1})
    text = world.channel.window.playlist(None)
    assert text.count(b"#EXT-X-DISCONTINUITY\n") == 1
    assert b"GAP" not in text
    assert b"RESOLUTION=320x180" in world.channel.window.index()


def test_a_source_that_cannot_send_the_higher_one_any_more_is_followed_down() -> None:
    world = World()
    world.watch()
    world.play(75)
    assert world.playing == "180p"
    world.source.host.line = replace(world.source.host.line, uplink_bps=THIN_BPS)
    world.play(60)
    assert (world.playing, world.member_of) == ("90p", {0})
    newest, _ = world.channel.window.hint
    contents_msn = contents()[0][world.published - 1].segment
    assert newest >= contents_msn - 1, "nothing that was late holds back what is not"


def test_a_player_that_pins_the_lower_one_and_one_that_does_not_share_what_they_share() -> None:
    world = World()
    world.watch()
    world.play(75)
    assert world.member_of == {1}
    pinned = world.watch("90p")
    assert world.watch("90p") is pinned
    world.play(10)
    assert world.member_of == {0, 1}
    assert pinned.is_open
    assert max(info.width for info in pinned.tracks) == 160
    assert world.watch("180p").is_open, "it begins with what has come for auto"
    assert world.viewer.joined.count((STREAM, 1)) == 1


def test_pinning_alone_costs_one_membership() -> None:
    world = World()
    world.watch()
    world.channel.hear(manifest_of(world))
    pinned = world.watch("180p")
    world.viewer.run_for(IDLE_S - 1)
    world.watch("180p")
    world.viewer.run_for(2)
    assert not world.channel.leave_if_idle(IDLE_S), "the pinned one is watched"
    assert world.member_of == {1}
    world.play(10)
    assert pinned.is_open
    world.viewer.run_for(IDLE_S)
    assert world.channel.leave_if_idle(IDLE_S)
    assert world.member_of == set()


def test_auto_comes_back_after_it_was_left_for_a_pinned_one() -> None:
    world = World()
    world.watch()
    world.play(10)
    world.watch("180p")
    world.viewer.run_for(IDLE_S - 1)
    world.watch("180p")
    world.viewer.run_for(1)
    world.channel.leave_if_idle(IDLE_S)
    window = world.watch()
    world.play(30)
    assert window is world.channel.window
    assert window.is_open


def test_sound_alone_is_for_who_pins_it() -> None:
    world = World(audio=True)
    world.watch()
    world.play(5)
    pinned = world.watch("audio")
    world.play(70)
    assert (world.playing, world.member_of) == ("180p", {1, 2})
    assert [info.kind for info in pinned.tracks] == ["audio"]
    assert b"GAP" not in pinned.playlist(None)
    index = pinned.index()
    assert b'CODECS="mp4a.40.2"' in index
    assert b"RESOLUTION" not in index


def test_auto_does_not_fall_below_the_lowest_picture() -> None:
    world = World(audio=True)
    world.watch()
    world.play(75)
    world.source.host.line = replace(world.source.host.line, uplink_bps=FAR_TOO_THIN_BPS)
    for _ in range(60):
        world.play(1)
        assert 2 not in world.member_of
    assert world.member_of == {0}


def test_what_there_is_not_is_said_with_what_there_is() -> None:
    world = World()
    world.watch()
    world.channel.hear(manifest_of(world))
    with pytest.raises(Problem) as caught:
        world.watch("1080p")
    assert caught.value.status == 404
    assert "90p, 180p" in str(caught.value.detail)


def test_a_broadcast_from_here_is_shown_in_full() -> None:
    world = World()
    world.play(12)
    assert world.on_air.channel.playing is not None
    assert world.on_air.channel.playing.name == "180p"
    assert asyncio.run(world.on_air.channel.watch("90p")).is_open


class Latecomer:
    """One more viewer, whose link names nobody but the first one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.swarm = MemorySwarm(world.net, "late")
        channels = Channels(self.swarm, window_s=24, idle_leave_s=IDLE_S, clock=lambda: world.net.now)
        self.channel = channels.add(Link(STREAM, "", world.viewer.addresses))

    def play(self, pieces: int) -> None:
        for _ in range(pieces):
            self.world.play(1)
            self.swarm.run_for(0.001)
            self.channel.steer()

    @property
    def member_of(self) -> set[int]:
        return {number for number in range(5) if self.swarm.status(STREAM, number) is not None}


@pytest.mark.parametrize("rung", [None, "180p"])
def test_a_link_to_one_who_has_gone_on_to_the_higher_one_leads_into_the_stream(rung: str | None) -> None:
    world = World()
    world.watch()
    world.play(75)
    assert world.member_of == {1}, "it knows nothing of the lower one's swarm any more"
    late = Latecomer(world)
    asyncio.run(late.channel.watch())
    assert late.member_of == {0}
    late.play(15)
    playing = late.channel.playing
    assert playing is not None
    assert playing.name == "180p"
    assert late.member_of == {1}
    assert asyncio.run(late.channel.watch(rung)).is_open


def test_a_stream_that_nobody_has_is_looked_for_in_some_renditions_and_then_said_to_be_out_of_reach() -> None:
    world = World()
    late = Latecomer(world)
    asyncio.run(late.channel.watch())
    late.play(25)
    assert late.member_of == {0, 1, 2, 3}
    late.play(50)
    assert late.channel.state is State.UNREACHABLE
    assert late.member_of == {0, 1, 2, 3}


def test_what_nobody_has_does_not_make_a_stream_unreachable_that_has_been_reached() -> None:
    world = World()
    world.watch()
    world.channel.hear(Unreachable(stream=STREAM, tried=1))
    before = world.channel.state
    assert before is State.UNREACHABLE
    world.channel.leave()
    world.watch()
    world.viewer.run_for(0.5)
    world.channel.hear(Unreachable(stream=STREAM, tried=1))
    assert world.channel.state is State.JOINING


def manifest_of(world: World) -> ManifestReady:
    infos: tuple[RenditionInfo, ...] = world.on_air.channel.renditions
    return ManifestReady(
        stream=STREAM,
        manifest=Manifest(stream=STREAM, epoch=EPOCH, revision=1, title="News", created_us=0, renditions=infos),
    )
