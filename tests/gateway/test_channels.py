"""Channels over a real swarm in memory: joined once, shared, left when idle, and never broken by what comes."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.channel import SILENT_S, STALLED_S, Channel, State
from gateway.channels import CHANNELS_MAX, Channels
from gateway.on_air import OnAir, Studio
from gateway.problems import Problem
from gateway.timeshift.shelf import Limits
from gateway.timeshift.shelves import Shelves
from swarm.drivers.memory import MemoryNet
from swarm.events import Equivocation, ManifestReady, PieceLost, PieceReady
from swarm.identity import Identity
from swarm.link import Link, parse_link, stream_name
from swarm.manifest import Manifest, RenditionInfo
from swarm.tracker_url import parse_tracker
from swarm.units import Address, StreamId
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, stream
from tests.gateway.memory_swarm import MemorySwarm, play

OWNER = Identity(b"owner".ljust(32, b"."))
STREAM = StreamId(OWNER.key)
NAME = stream_name(STREAM)
EPOCH = 7
IDLE_S = 30.0


class World:
    """A broadcaster's gateway and a viewer's, joined in memory."""

    def __init__(self, shelves: Shelves | None = None, source_shelves: Shelves | None = None) -> None:
        self.net = MemoryNet("channels")
        self.source = MemorySwarm(self.net, "source")
        self.viewer = MemorySwarm(self.net, "viewer")
        self.at_source = self._channels(self.source, source_shelves)
        self.at_viewer = self._channels(self.viewer, shelves)
        self.on_air: OnAir = Studio(self.source, self.at_source).open(OWNER, "News", lambda: 500_000)
        self.link = Link(STREAM, "", self.source.addresses)
        self.published = 0
        self.film = stream()

    def _channels(self, swarm: MemorySwarm, shelves: Shelves | None = None) -> Channels:
        return Channels(swarm, window_s=24, idle_leave_s=IDLE_S, clock=lambda: self.net.now, shelves=shelves)

    def describe(self, epoch: int = EPOCH) -> None:
        self.on_air.description(epoch, self.film.renditions)

    def play(self, pieces: int, payload: bytes | None = None) -> None:
        """Broadcast so many pieces at their own speed, and let them arrive."""
        for _ in range(pieces):
            play(self.on_air, self.film, self.published, epoch=EPOCH, payload=payload)
            self.published += 1
            self.viewer.run_for(PIECE_US / 1e6)

    def watch(self) -> Channel:
        """A viewer who knows the link asks for the stream."""
        channel = self.at_viewer.add(self.link)
        asyncio.run(channel.watch())
        return channel


def state_of(channel: Channel) -> State:
    return channel.state


def test_a_player_gets_what_another_gateway_broadcasts() -> None:
    world = World()
    world.describe()
    channel = world.watch()
    assert state_of(channel) is State.JOINING
    world.play(12)
    assert state_of(channel) is State.LIVE
    assert channel.title == "News"
    assert channel.window.playlist(None).count(b"#EXT-X-PART:") == 12
    local = world.at_source.get(NAME)
    assert local.window.segment(100, None)
    assert channel.window.segment(100, None) == local.window.segment(100, None)


def test_players_share_one_membership() -> None:
    world = World()
    world.describe()
    channel = world.watch()
    windows = {id(asyncio.run(world.at_viewer.watch(NAME))) for _ in range(5)}
    assert windows == {id(channel.window)}
    assert world.viewer.joined == [(STREAM, 0)]


def test_an_idle_stream_is_left_and_joined_again_with_a_fresh_window() -> None:
    world = World()
    world.describe()
    channel = world.watch()
    world.play(6)
    old = channel.window
    world.viewer.run_for(IDLE_S - 2)
    assert not channel.leave_if_idle(IDLE_S)
    world.viewer.run_for(1)
    assert channel.leave_if_idle(IDLE_S)
    assert state_of(channel) is State.IDLE
    assert world.viewer.status(STREAM, 0) is None
    assert asyncio.run(channel.watch()) is not old
    assert world.viewer.joined == [(STREAM, 0), (STREAM, 0)]
    world.play(6)
    assert state_of(channel) is State.LIVE


def test_a_broadcast_from_here_is_never_left_for_idleness() -> None:
    world = World()
    world.describe()
    world.play(1)
    world.viewer.run_for(10 * IDLE_S)
    assert not world.at_source.get(NAME).leave_if_idle(IDLE_S)


def test_a_stream_without_news_is_stalled_and_live_again_with_the_next_piece() -> None:
    world = World()
    world.describe()
    channel = world.watch()
    world.play(6)
    world.viewer.run_for(STALLED_S)
    assert state_of(channel) is State.STALLED
    world.play(6)
    assert state_of(channel) is State.LIVE


def test_a_dead_stream_is_said_to_be_and_goes_on_in_place_when_it_comes_back() -> None:
    world = World()
    world.describe()
    channel = world.watch()
    world.play(8)
    window = asyncio.run(channel.watch())
    world.viewer.run_for(SILENT_S - 1)
    assert state_of(channel) is State.STALLED
    assert asyncio.run(channel.watch()) is window
    world.viewer.run_for(1)
    assert state_of(channel) is State.SILENT
    with pytest.raises(Problem) as told:
        asyncio.run(channel.watch())
    assert (told.value.status, told.value.slug) == (504, "silent")
    world.play(4)
    assert state_of(channel) is State.LIVE
    assert asyncio.run(channel.watch()) is window
    text = window.playlist(None).decode()
    assert text.count("#EXT-X-PART:") == 12
    assert "DISCONTINUITY\n" not in text
    assert "GAP" not in text
    assert world.viewer.joined == [(STREAM, 0)]


def test_peers_that_have_nothing_to_give_make_a_silent_stream_too() -> None:
    world = World()
    world.describe()
    channel = world.watch()
    world.viewer.run_for(SILENT_S)
    assert state_of(channel) is State.SILENT
    with pytest.raises(Problem, match="Nothing has come"):
        asyncio.run(channel.watch())
    world.play(8)
    assert state_of(channel) is State.LIVE


def test_ten_players_of_three_streams_cost_one_membership_each() -> None:
    world = World()
    streams = [StreamId(Identity(name.ljust(32, b".")).key) for name in (b"one", b"two", b"three")]
    for one in streams:
        world.at_viewer.add(Link(one, "", world.source.addresses))
        for _ in range(10):
            asyncio.run(world.at_viewer.watch(stream_name(one)))
    assert world.viewer.joined == [(one, 0) for one in streams]
    assert len({id(world.at_viewer.get(stream_name(one)).window) for one in streams}) == 3


def test_a_stream_that_nobody_has_is_unreachable_in_words() -> None:
    world = World()
    channel = world.at_viewer.add(Link(STREAM, "", (Address("10.9.9.9", 1),)))
    asyncio.run(channel.watch())
    world.viewer.run_for(20)
    assert state_of(channel) is State.UNREACHABLE
    with pytest.raises(Problem, match="No peer") as caught:
        asyncio.run(channel.watch())
    assert caught.value.status == 504


def test_an_unreachable_stream_lives_once_a_good_link_is_added() -> None:
    world = World()
    world.describe()
    channel = world.at_viewer.add(Link(STREAM, "", (Address("10.9.9.9", 1),)))
    asyncio.run(channel.watch())
    world.viewer.run_for(20)
    assert world.at_viewer.add(world.link) is channel
    world.viewer.run_for(2)
    world.play(10)
    assert state_of(channel) is State.LIVE


@pytest.mark.parametrize("payload", [b"", b"garbage", bytes(3000)])
def test_a_signed_piece_that_is_no_media_is_counted_and_skipped(payload: bytes) -> None:
    world = World()
    world.describe()
    channel = world.watch()
    world.play(5)
    channel.hear(
        PieceReady(
            stream=STREAM,
            rendition=0,
            epoch=EPOCH,
            number=1005,
            key=False,
            capture_us=CAPTURE_US,
            duration_us=PIECE_US,
            payload=payload,
        )
    )
    assert channel.faults.pieces_broken == 1
    world.published += 1
    world.play(4)
    assert state_of(channel) is State.LIVE
    assert channel.window.has(101, 4)


def test_a_description_that_is_none_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    channel = world.watch()
    rendition = RenditionInfo(number=0, name="", bitrate_bps=1, piece_us=PIECE_US, k=4, n=6, media=b"{")
    manifest = Manifest(stream=STREAM, epoch=1, revision=1, title="Odd", created_us=0, renditions=(rendition,))
    channel.hear(ManifestReady(stream=STREAM, manifest=manifest))
    assert channel.title == "Odd"
    assert "cannot be used" in caplog.text
    channel.hear(ManifestReady(stream=STREAM, manifest=replace(manifest, renditions=())))
    channel.hear(PieceLost(stream=STREAM, rendition=0, number=1))
    assert state_of(channel) is State.JOINING


def test_a_broadcaster_that_signs_two_versions_is_told_of_with_the_proof_ever_more_rarely(
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel = World().watch()
    for number in range(1, 18):
        channel.hear(Equivocation(stream=STREAM, rendition=0, number=number, headers=(b"\xaa", b"\xbb")))
    lines = [record.getMessage() for record in caplog.records if "signed piece" in record.getMessage()]
    assert len(lines) == 5
    assert all("aa bb" in line for line in lines)


def test_an_ended_stream_ends_its_playlist_and_may_begin_anew() -> None:
    world = World()
    world.describe()
    channel = world.watch()
    world.play(6)
    manifest = Manifest(stream=STREAM, epoch=EPOCH, revision=9, title="News", created_us=0, renditions=(), ended=True)
    channel.hear(ManifestReady(stream=STREAM, manifest=manifest))
    assert state_of(channel) is State.ENDED
    assert b"#EXT-X-ENDLIST" in channel.window.playlist(None)
    channel.describe(EPOCH + 1, channel.renditions)
    assert state_of(channel) is State.LIVE


def test_a_broadcast_that_has_ended_is_off_the_swarm_and_comes_back_with_a_new_epoch() -> None:
    world = World()
    world.describe()
    world.play(3)
    world.on_air.ended()
    assert world.at_source.get(NAME).state is State.ENDED
    assert world.source.status(STREAM, 0) is None
    world.describe(EPOCH + 1)
    assert world.source.status(STREAM, 0) is not None
    assert world.at_source.get(NAME).state is not State.ENDED


def test_the_link_to_pass_on_names_this_peer_only_while_it_is_in_the_swarm() -> None:
    world = World()
    world.describe()
    channel = world.at_viewer.add(world.link)
    assert parse_link(channel.share_link).peers == world.source.addresses
    asyncio.run(channel.watch())
    world.viewer.run_for(2)
    link = parse_link(channel.share_link)
    assert link.peers == (*world.viewer.addresses, *world.source.addresses)
    assert link.title == "News"


def test_an_unknown_stream_says_how_to_add_it() -> None:
    with pytest.raises(Problem, match="Add its link") as caught:
        World().at_viewer.get("x" * 52)
    assert caught.value.status == 404


def test_streams_are_removed_unless_they_are_broadcast_from_here() -> None:
    world = World()
    world.describe()
    world.watch()
    world.at_viewer.remove(NAME)
    assert world.viewer.status(STREAM, 0) is None
    assert len(world.at_viewer) == 0
    with pytest.raises(Problem) as caught:
        world.at_source.remove(NAME)
    assert caught.value.status == 409


def test_watching_ones_own_broadcast_joins_nothing() -> None:
    world = World()
    world.describe()
    world.play(2)
    channel = world.at_source.add(world.link)
    assert asyncio.run(channel.watch()).is_open
    assert world.source.joined == []


def test_there_is_a_limit_to_the_streams_known() -> None:
    channels = World().at_viewer
    for number in range(CHANNELS_MAX):
        channels.add(Link(StreamId(number.to_bytes(32, "big"))))
    with pytest.raises(Problem) as caught:
        channels.add(Link(StreamId(b"\xff" * 32)))
    assert caught.value.status == 507


def test_the_sweeper_leaves_what_nobody_watches() -> None:
    world = World()
    world.describe()

    async def sweep() -> None:
        window = await world.at_viewer.add(world.link).watch()
        waiting = asyncio.create_task(window.wait_open(10))
        sweeping = asyncio.create_task(world.at_viewer.sweep(every_s=0))
        world.viewer.run_for(IDLE_S)
        assert not await waiting
        sweeping.cancel()

    asyncio.run(sweep())
    assert state_of(world.at_viewer.get(NAME)) is State.IDLE
    assert world.viewer.status(STREAM, 0) is None


# -- the past


async def written(shelves: Shelves) -> None:
    """Until all that was handed over is on disk; one segment is written after the other."""
    for _ in range(20):
        await asyncio.wrap_future(shelves.pool.submit(lambda: None))
        await asyncio.sleep(0)


def test_without_a_shelf_there_is_no_past() -> None:
    world = World()
    world.describe()
    world.watch()
    with pytest.raises(Problem, match="keeps nothing"):
        asyncio.run(world.at_viewer.tune(NAME))


def test_who_comes_back_finds_what_was_kept_and_goes_on_behind_it(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path, Limits(1e12, 1 << 30))
    world = World(shelves)
    world.describe()

    async def scene() -> None:
        channel = world.at_viewer.add(world.link)
        await channel.watch()
        world.play(11)
        await written(shelves)
        assert channel.shelf is not None
        kept = channel.shelf.lines()
        assert kept
        channel.leave()
        past = await world.at_viewer.tune(NAME)
        assert past.lines() == kept
        assert past.window is channel.window
        world.play(9)
        (newer, *_) = past.window.whole_lines()
        assert newer.msn == kept[-1].msn + 1
        assert newer.discontinuity == kept[-1].discontinuity + 1

    asyncio.run(scene())


def test_when_nobody_can_be_reached_there_is_still_the_past(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path, Limits(1e12, 1 << 30))
    world = World(shelves)
    world.describe()

    async def scene() -> None:
        channel = world.at_viewer.add(world.link)
        await channel.watch()
        world.play(11)
        await written(shelves)
        world.net.kill(world.source.host)
        channel.leave()
        await channel.watch()
        world.viewer.run_for(20)
        assert state_of(channel) is State.UNREACHABLE
        past = await world.at_viewer.tune(NAME)
        assert past.window is None
        assert [line.msn for line in past.lines()] == [100, 101]

    asyncio.run(scene())


async def passing(world: World, *shelves: Shelves, rounds: int = 60) -> None:
    """Let the swarm, the disks and those who lend go on beside each other."""
    for _ in range(rounds):
        world.source.run_for(0.05)
        world.viewer.run_for(0.05)
        for each in shelves:
            await asyncio.wrap_future(each.pool.submit(lambda: None))
        await asyncio.sleep(0)


def test_who_comes_late_goes_back_to_what_was_before_it(tmp_path: Path) -> None:
    mine, theirs = (Shelves(tmp_path / name, Limits(1e12, 1 << 30)) for name in ("viewer", "source"))
    world = World(mine, theirs)
    world.film = stream(seconds=27)
    world.describe()

    async def scene() -> None:
        for _ in range(13):
            world.play(9)
            await written(theirs)
        channel = world.at_viewer.add(world.link)
        await channel.watch()
        world.play(11)
        await written(mine)
        past = await world.at_viewer.tune(NAME)
        first = past.lines()[0].msn
        for _ in range(20):
            past.go_back(world.net.now)
            await passing(world, mine, theirs)
        lines, kept = past.lines(), world.at_source.get(NAME).shelf
        assert kept is not None
        assert lines[0].msn == kept.lines()[0].msn < first
        assert [line.msn for line in lines] == list(range(lines[0].msn, lines[-1].msn + 1))
        for line in kept.lines():
            ours, whole = await past.segment(line.msn, None), await kept.segment(line.msn)
            assert whole is not None
            assert b"".join(ours) == b"".join(whole.buffers(None))

    asyncio.run(scene())


def test_a_link_to_a_stream_of_ones_own_names_the_trackers_and_a_title_that_shows_what_it_says() -> None:
    swarm = MemorySwarm(MemoryNet("own"), "own")
    swarm.trackers = (parse_tracker("udp://tracker.example:6969"),)
    channel = Channels(swarm, window_s=24, idle_leave_s=30).add_local(STREAM, "Ne\u200bws\u202e")
    link = parse_link(channel.share_link)
    assert (link.title, link.trackers) == ("News", swarm.trackers)
