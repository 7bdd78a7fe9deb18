"""Going back in a sealed stream: what is kept stays as it came, and is opened by the keys that a viewer holds."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.channel import Channel, State
from gateway.on_air import OnAir, Studio
from gateway.problems import Problem
from gateway.timeshift.backfill import PATIENCE_S
from gateway.timeshift.past import Past
from gateway.timeshift.shelf import Limits
from gateway.timeshift.shelves import Shelves
from swarm.credentials import link_secret, root_of, ticket_secret
from swarm.link import Link, parse_link
from swarm.sealing import Admission, period_secret
from swarm.tickets import sign_ticket, viewer_key
from tests.gateway.media_fixture import CAPTURE_US, PIECES_PER_SEGMENT, slices, stream
from tests.gateway.memory_swarm import VIEWER_SECRET, MemorySwarm
from tests.gateway.test_archive import written
from tests.gateway.test_private_streams import NAME, OWNER, STREAM, Scene

PLENTY = Limits(1e12, 1 << 30)
FILM = stream(seconds=40)
FIRST = 100
"""The number of the film's first segment."""

ROTATION_S = 10
TICKET = sign_ticket(OWNER, serial=b"serial 1", viewer=viewer_key(VIEWER_SECRET), expires_s=CAPTURE_US // 10**6 + 3600)


class LongScene(Scene):
    """A broadcaster and a viewer who keep what they can, and a film that is longer than a node's window."""

    def __init__(self, folder: Path) -> None:
        self.disks = [Shelves(folder / name, PLENTY) for name in ("viewer", "source")]
        super().__init__(*self.disks)
        self.studio = Studio(self.source, self.at_source, rotation_s=ROTATION_S)
        self.film = FILM

    async def broadcast(self, on_air: OnAir, pieces: int) -> None:
        for _ in range(pieces):
            self.play(on_air, 1)
            await asyncio.sleep(0)
        await written(*self.disks)

    async def join(self, on_air: OnAir, secret: str) -> Channel:
        link = parse_link(on_air.channel.share_link)
        channel = self.at_viewer.add(Link(STREAM, peers=link.peers, secret=secret))
        await channel.watch()
        return channel

    async def go_back(self, past: Past, *others: MemorySwarm) -> None:
        """As far as it goes, nothing new being broadcast: twice over, for keys of what has come may follow it."""
        firsts = [-2, -1]
        while firsts[-2] != past.lines()[0].msn:
            firsts.append(past.lines()[0].msn)
            past.go_back(self.net.now)
            until_s = self.net.now + PATIENCE_S + 10
            while self.net.now < until_s:
                for host in (self.source, self.viewer, *others):
                    host.run_for(0.05)
                for disk in self.disks:  # none is slower than the swarm's time
                    await asyncio.wrap_future(disk.pool.submit(lambda: None))
                    await asyncio.sleep(0)
            await written(*self.disks)


def play(folder: Path, act: Callable[[LongScene], Awaitable[None]]) -> None:
    async def main() -> None:
        scene = LongScene(folder)
        await act(scene)
        for disk in scene.disks:
            disk.close()

    asyncio.run(main())


async def film_of(past: Past) -> dict[int, bytes]:
    """All segments that can be played, by their numbers."""
    return {line.msn: b"".join(await past.segment(line.msn, None)) for line in past.lines() if not line.gap}


async def watch_on_shelf(past: Past) -> dict[int, bytes]:
    """The same without the live window's help."""
    return await film_of(Past(past.shelf, None))


def test_who_has_the_link_goes_back_to_before_it_came(tmp_path: Path) -> None:
    async def act(scene: LongScene) -> None:
        on_air = scene.go_on_air()
        await scene.broadcast(on_air, 150)
        await scene.join(on_air, link_secret(OWNER))
        await scene.broadcast(on_air, 11)
        past = await scene.at_viewer.tune(NAME)
        assert past.lines()[0].msn > FIRST + 20
        await scene.go_back(past)
        own = await watch_on_shelf(await scene.at_source.tune(NAME))
        seen = await watch_on_shelf(past)
        assert list(seen) == list(range(FIRST, FIRST + 32))
        assert seen == own
        assert all(seen.values())
        assert not any(line.gap for line in past.lines())

    play(tmp_path, act)


def test_a_ticket_leads_back_to_where_its_keys_begin(tmp_path: Path) -> None:
    async def act(scene: LongScene) -> None:
        on_air = scene.go_on_air(Admission.TICKET)
        await scene.broadcast(on_air, 180)
        channel = await scene.join(on_air, ticket_secret(TICKET, None))
        await scene.broadcast(on_air, 11)
        assert channel.state is State.LIVE
        past = await scene.at_viewer.tune(NAME)
        joined = past.lines()[0].msn
        await scene.go_back(past)
        theirs = (await scene.at_source.tune(NAME)).shelf
        held = scene.viewer.past_keys(STREAM)
        locked = [place.line.msn for place in theirs._places if not all(map(held.has, place.key_names))]
        first = past.lines()[0].msn
        assert locked
        assert FIRST < first < joined
        assert first == locked[-1] + 1
        assert all((await watch_on_shelf(past)).values())

    play(tmp_path, act)


def test_what_is_kept_is_lent_sealed_and_opened_by_who_gets_it(tmp_path: Path) -> None:
    async def act(scene: LongScene) -> None:
        on_air = scene.go_on_air()
        channel = await scene.join(on_air, link_secret(OWNER))
        await scene.broadcast(on_air, 150)
        late, disk = MemorySwarm(scene.net, "late"), Shelves(tmp_path / "late", PLENTY)
        scene.disks.append(disk)
        channels = scene._channels(late, disk)
        await channels.add(parse_link(channel.share_link)).watch()
        await scene.broadcast(on_air, 11)
        late.run_for(1.0)
        await written(disk)
        scene.net.kill(scene.source.host)
        past = await channels.tune(NAME)
        joined = past.lines()[0].msn
        await scene.go_back(past, late)
        lent, seen = await watch_on_shelf(await scene.at_viewer.tune(NAME)), await watch_on_shelf(past)
        assert min(seen) < joined - 10
        assert seen == {msn: lent[msn] for msn in seen}

    play(tmp_path, act)


def test_on_the_disk_nothing_is_open_and_no_key_lies(tmp_path: Path) -> None:
    async def act(scene: LongScene) -> None:
        on_air = scene.go_on_air()
        await scene.join(on_air, link_secret(OWNER))
        await scene.broadcast(on_air, 40)

    play(tmp_path, act)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 2 * (40 // PIECES_PER_SEGMENT - 2)
    kept = b"".join(files)
    assert all(bytes(part.data[-64:]) not in kept for piece in slices(FILM) for part in piece.parts)
    root = root_of(link_secret(OWNER), STREAM)
    periods = {period_secret(root, CAPTURE_US // 10**6 + second) for second in range(60)}
    assert not any(secret in kept for secret in (root, *periods))
    assert FILM.init.data[-64:] not in kept
    assert not any(word in kept for word in (b"moof", b"mdat", b"moov", b"avc1", b"Secret show"))


def test_a_ticket_that_was_taken_back_leaves_what_could_be_read_until_the_gateway_ends(tmp_path: Path) -> None:
    async def act(scene: LongScene) -> None:
        on_air = scene.go_on_air(Admission.TICKET)
        channel = await scene.join(on_air, ticket_secret(TICKET, None))
        await scene.broadcast(on_air, 30)
        scene.source.revoke_tickets(STREAM, [TICKET.serial])
        await scene.broadcast(on_air, 60)
        assert channel.state is State.LOCKED
        before = await film_of(await scene.at_viewer.tune(NAME))
        assert len(before) >= 5
        assert all(before.values())
        channel.leave()
        await channel.watch()
        await scene.broadcast(on_air, 20)
        assert await film_of(await scene.at_viewer.tune(NAME)) == before, "also when it has been left meanwhile"

        scene.disks[0].close()
        scene.disks[0] = Shelves(tmp_path / "viewer", PLENTY)
        again = MemorySwarm(scene.net, "viewer again")
        fresh = scene._channels(again, scene.disks[0]).add(channel.link)
        await fresh.watch()
        again.run_for(2.0)
        assert fresh.state is State.LOCKED
        assert fresh.shelf is not None
        assert fresh.shelf.lines() == []
        assert list((tmp_path / "viewer" / NAME).iterdir()) == []

    play(tmp_path, act)


def test_who_has_no_key_has_no_past(tmp_path: Path) -> None:
    async def act(scene: LongScene) -> None:
        on_air = scene.go_on_air()
        channel = await scene.join(on_air, "")
        await scene.broadcast(on_air, 30)
        assert channel.state is State.LOCKED
        with pytest.raises(Problem, match="locked"):
            await scene.at_viewer.tune(NAME)

    play(tmp_path, act)


def test_a_broadcast_that_is_over_can_be_seen_again_at_both_ends(tmp_path: Path) -> None:
    async def act(scene: LongScene) -> None:
        on_air = scene.go_on_air()
        await scene.join(on_air, link_secret(OWNER))
        await scene.broadcast(on_air, 40)
        on_air.ended()
        scene.viewer.run_for(1.0)
        await written(*scene.disks)
        own = await watch_on_shelf(await scene.at_source.tune(NAME))
        seen = await watch_on_shelf(await scene.at_viewer.tune(NAME))
        assert list(own) == list(range(FIRST, FIRST + 8))
        assert all(own.values())
        assert seen == {msn: own[msn] for msn in seen}
        assert len(seen) >= 7

    play(tmp_path, act)
