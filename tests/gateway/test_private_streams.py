"""Private streams at gateways joined in memory: who has what opens them plays, all others are told that they cannot."""

import asyncio
from dataclasses import replace

import pytest

from gateway.channel import Channel, State
from gateway.channels import Channels
from gateway.on_air import OnAir, Studio
from gateway.problems import Problem
from gateway.stream_seals import by_password
from gateway.timeshift.shelves import Shelves
from gateway.unlocking import unlock
from swarm.drivers.memory import MemoryNet
from swarm.events import ManifestReady
from swarm.identity import Identity
from swarm.link import Link, parse_link, stream_name
from swarm.sealing import Admission
from swarm.units import StreamId
from tests.gateway.media_fixture import stream
from tests.gateway.memory_swarm import MemorySwarm, play

OWNER = Identity(b"owner".ljust(32, b"."))
STREAM = StreamId(OWNER.key)
NAME = stream_name(STREAM)


class Scene:
    """A broadcaster's gateway, and a viewer's."""

    def __init__(self, shelves: Shelves | None = None, source_shelves: Shelves | None = None) -> None:
        self.net = MemoryNet("private")
        self.source = MemorySwarm(self.net, "source")
        self.viewer = MemorySwarm(self.net, "viewer")
        self.at_source = self._channels(self.source, source_shelves)
        self.at_viewer = self._channels(self.viewer, shelves)
        self.studio = Studio(self.source, self.at_source)
        self.film = stream()
        self.played = 0

    def _channels(self, swarm: MemorySwarm, shelves: Shelves | None) -> Channels:
        return Channels(swarm, window_s=24, idle_leave_s=30, clock=lambda: self.net.now, shelves=shelves)

    def go_on_air(self, admission: Admission | None = Admission.LINK) -> OnAir:
        on_air = self.studio.open(OWNER, "Secret show", lambda: 500_000, admission=admission)
        on_air.description(7, self.film.renditions)
        return on_air

    def go_on_air_with(self, password: str) -> OnAir:
        on_air = self.studio.open(OWNER, "Secret show", lambda: 500_000)
        on_air.seal = by_password(OWNER, password, 60)
        on_air.description(7, self.film.renditions)
        return on_air

    def play(self, on_air: OnAir, pieces: int) -> None:
        """Broadcast so many pieces at their own speed, and let them arrive."""
        for _ in range(pieces):
            play(on_air, self.film, self.played, epoch=7)
            self.played += 1
            self.viewer.run_for(0.2)

    def watch(self, link: Link) -> Channel:
        channel = self.at_viewer.add(link)
        asyncio.run(channel.watch())
        return channel


def refusal(channel: Channel) -> Problem:
    with pytest.raises(Problem) as refused:
        asyncio.run(channel.watch())
    return refused.value


def test_who_has_the_whole_link_watches() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    channel = scene.watch(parse_link(on_air.channel.share_link))
    scene.play(on_air, 12)
    assert channel.state is State.LIVE
    assert channel.title == "Secret show"
    assert channel.window.segment(100, None) == on_air.channel.window.segment(100, None)
    assert parse_link(channel.share_link).secret == parse_link(on_air.channel.share_link).secret


def test_a_link_without_its_secret_leads_to_a_locked_stream_that_is_carried_all_the_same() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    channel = scene.watch(parse_link(on_air.channel.public_link))
    scene.play(on_air, 12)
    assert channel.state is State.LOCKED
    problem = refusal(channel)
    assert (problem.status, problem.slug) == (403, "locked")
    assert "whole link" in problem.detail
    assert not channel.window.is_open
    status = scene.viewer.status(STREAM, 0)
    assert status is not None
    assert status.pieces_ready > 8


def test_players_that_wait_already_are_told_as_soon_as_the_stream_is_known_to_be_locked() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    channel = scene.watch(parse_link(on_air.channel.public_link))
    waiting = channel.window
    scene.play(on_air, 2)
    assert waiting is not channel.window, "the one that they wait at is closed"


def test_the_whole_link_unlocks_a_stream_that_was_joined_without_its_secret() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    channel = scene.watch(parse_link(on_air.channel.public_link))
    scene.play(on_air, 3)
    before = channel.state
    assert before is State.LOCKED
    assert scene.at_viewer.add(parse_link(on_air.channel.share_link)) is channel
    scene.play(on_air, 12)
    assert channel.state is State.LIVE


def test_a_wrong_secret_is_like_none() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    link = parse_link(on_air.channel.share_link)
    channel = scene.watch(replace(link, secret="s" + "A" * 22))
    scene.play(on_air, 2)
    assert channel.state is State.LOCKED
    scene.at_viewer.add(replace(link, secret="nonsense"))
    scene.play(on_air, 2)
    assert channel.state is State.LOCKED


def test_a_password_opens_a_stream_and_is_not_passed_on_with_its_link() -> None:
    scene = Scene()
    on_air = scene.go_on_air_with("correct horse")
    channel = scene.watch(parse_link(on_air.channel.share_link))
    scene.play(on_air, 2)
    before = channel.state
    assert before is State.LOCKED
    assert "password" in refusal(channel).detail
    with pytest.raises(Problem) as refused:
        asyncio.run(unlock(channel, "correct house"))
    assert refused.value.slug == "wrong-password"
    asyncio.run(unlock(channel, "correct horse"))
    scene.play(on_air, 12)
    assert channel.state is State.LIVE
    assert channel.title == "Secret show"
    assert "#" not in channel.share_link


def test_a_stream_that_was_left_is_opened_again_without_asking() -> None:
    scene = Scene()
    on_air = scene.go_on_air_with("correct horse")
    channel = scene.watch(parse_link(on_air.channel.share_link))
    scene.play(on_air, 2)
    asyncio.run(unlock(channel, "correct horse"))
    channel.leave()
    asyncio.run(channel.watch())
    scene.play(on_air, 10)
    assert channel.state is State.LIVE


def test_a_locked_stream_is_not_left_while_somebody_looks_at_it() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    channel = scene.watch(parse_link(on_air.channel.public_link))
    scene.play(on_air, 2)
    for _ in range(3):
        scene.viewer.run_for(20)
        channel.wait_for_key()
        assert not channel.leave_if_idle(30)
    scene.viewer.run_for(30)
    assert channel.leave_if_idle(30)


def test_looking_at_a_stream_that_is_open_does_not_keep_it() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    channel = scene.watch(parse_link(on_air.channel.share_link))
    scene.play(on_air, 2)
    scene.viewer.run_for(30)
    channel.wait_for_key()
    assert channel.leave_if_idle(30)


def test_a_stream_without_a_password_takes_none() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    channel = scene.watch(parse_link(on_air.channel.share_link))
    scene.play(on_air, 2)
    with pytest.raises(Problem) as refused:
        asyncio.run(unlock(channel, "correct horse"))
    assert refused.value.slug == "no-password"


def test_before_a_stream_is_known_no_password_can_be_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.channel.DESCRIBED_S", 0.01)
    scene = Scene()
    channel = scene.watch(Link(STREAM))
    with pytest.raises(Problem) as refused:
        asyncio.run(unlock(channel, "correct horse"))
    assert refused.value.slug == "not-yet"


def test_a_stream_that_opens_again_is_locked_no_more() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    channel = scene.watch(parse_link(on_air.channel.public_link))
    scene.play(on_air, 8)
    before = channel.state
    assert before is State.LOCKED
    again = scene.studio.open(OWNER, "Open show", lambda: 500_000)
    again.description(8, scene.film.renditions)
    scene.viewer.run_for(1.0)
    assert channel.state is not State.LOCKED
    assert channel.lock is None


def test_every_epoch_has_a_session_of_its_own() -> None:
    scene = Scene()
    on_air = scene.go_on_air()
    for epoch in (7, 8):
        on_air.description(epoch, scene.film.renditions)
    locks = [news.manifest.lock for _, news in scene.source.host.news if isinstance(news, ManifestReady)]
    sessions = [lock.session for lock in locks if lock is not None]
    assert len(sessions) == 3
    assert sessions[0] == sessions[1] != sessions[2]
