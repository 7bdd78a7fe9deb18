"""A stream's trackers: who is told what and when, and what comes of their answers."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

from swarm.discovery.announces import Announce, Answer, Counts, Event
from swarm.discovery.finder import Sought
from swarm.discovery.trackers import TIERS_MAX, Trackers
from swarm.errors import TrackerError
from swarm.identity import Identity
from swarm.link import stream_target
from swarm.tracker_url import TrackerUrl, parse_tracker
from swarm.units import Address, StreamId

OWNER = Identity(bytes(range(32)))
STREAM = StreamId(OWNER.key)
OTHER = StreamId(bytes(range(1, 33)))
MINE = Address("8.8.4.1", 4000)
PEER = Address("8.8.8.8", 5000)
ONE, TWO = parse_tracker("udp://one.example:1"), parse_tracker("udp://two.example:1")


class FakeClient:
    """Trackers at 8.8.4.4 that answer ``answer``, or not those in ``dead``."""

    def __init__(self) -> None:
        self.answer = Answer(interval_s=1800, sources=1, viewers=2, peers=(PEER,), seen_at="8.8.4.9")
        self.dead: set[TrackerUrl] = set()
        self.asked: list[tuple[TrackerUrl, Announce, bool]] = []
        self.closed = False

    async def announce(self, tracker: TrackerUrl, announce: Announce, *, trusted: bool) -> list[tuple[str, Answer]]:
        self.asked.append((tracker, announce, trusted))
        if tracker in self.dead:
            raise TrackerError("it is dead")
        return [("8.8.4.4", self.answer)]

    async def scrape(self, tracker: TrackerUrl, target: bytes, *, trusted: bool) -> Counts | None:
        if tracker in self.dead:
            raise TrackerError("it is dead")
        return Counts(sources=1, viewers=5 if tracker == ONE else 3)

    async def close(self) -> None:
        self.closed = True


class FakeSeeker:
    addresses = (MINE,)

    def __init__(self) -> None:
        self.news: list[tuple[StreamId, list[Address]]] = []
        self.lonely = False

    def found(self, stream: StreamId, addresses: Sequence[Address]) -> None:
        self.news.append((stream, list(addresses)))

    def is_lonely(self, stream: StreamId) -> bool:
        return self.lonely

    def neighbours(self, stream: StreamId) -> Sequence[Address]:
        return ()

    def relays(self, stream: StreamId) -> Sequence[Address]:
        return ()


class World:
    def __init__(self, *defaults: TrackerUrl) -> None:
        self.client = FakeClient()
        self.seeker = FakeSeeker()
        self.now = 0.0
        self.trackers = Trackers(
            self.client,
            self.seeker,
            defaults=[(tracker,) for tracker in defaults],
            port=4000,
            rng=Random(1),
            clock=lambda: self.now,
            look_every_s=0.0,
        )

    async def until(self, done: Callable[[], bool]) -> None:
        for _ in range(1000):
            if done():
                return
            await asyncio.sleep(0)
        raise AssertionError("it does not happen")

    async def a_while(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    def events(self) -> list[tuple[TrackerUrl, Event]]:
        return [(tracker, announce.event) for tracker, announce, _ in self.client.asked]


def run(world: World, script: Callable[[World], Coroutine[Any, Any, None]]) -> World:
    async def play() -> None:
        try:
            await script(world)
        finally:
            await world.trackers.stop()

    asyncio.run(play())
    return world


def test_nothing_is_asked_before_a_stream_is_opened() -> None:
    world = run(World(ONE), World.a_while)
    assert world.client.asked == []
    assert world.client.closed


def test_what_trackers_tell_goes_to_the_swarm_and_they_hear_when_it_is_over() -> None:
    async def script(world: World) -> None:
        world.trackers.open(Sought(stream=STREAM, trackers=(TWO,)))
        await world.until(lambda: len(world.seeker.news) == 2)
        assert world.seeker.news == [(STREAM, [PEER])] * 2
        (one, two) = world.trackers.states(STREAM)
        assert (one.said, one.peers, one.sources, one.viewers, one.seen_at) == ("answers", 1, 1, 2, "8.8.4.9")
        assert two.tracker == str(TWO)

    world = run(World(ONE), script)
    started, stopped = Event.STARTED, Event.STOPPED
    assert world.events() == [(ONE, started), (TWO, started), (ONE, stopped), (TWO, stopped)]
    assert [trusted for _, _, trusted in world.client.asked] == [True, False, True, False]
    assert {a.target for _, a, _ in world.client.asked} == {stream_target(STREAM)}
    assert {a.port for _, a, _ in world.client.asked} == {4000}


def test_own_and_forbidden_addresses_are_kept_back_and_counted() -> None:
    async def script(world: World) -> None:
        own = (MINE, Address("8.8.4.9", 4000), Address("127.0.0.1", 4000), Address("8.8.8.8", 53))
        world.client.answer = Answer(interval_s=1800, peers=own, seen_at="8.8.4.9")
        world.trackers.open(Sought(stream=STREAM))
        await world.until(lambda: world.trackers.states(STREAM)[0].said == "answers")
        assert sum(world.trackers.states(STREAM)[0].refused.values()) == 4
        assert world.seeker.news == []

    run(World(ONE), script)


def test_the_second_announce_is_no_start_and_comes_when_it_is_time_or_nobody_is_there() -> None:
    async def script(world: World) -> None:
        world.trackers.open(Sought(stream=STREAM))
        await world.until(lambda: len(world.client.asked) == 1)
        await world.a_while()
        assert len(world.client.asked) == 1
        world.now = 61.0
        await world.a_while()
        assert len(world.client.asked) == 1
        world.seeker.lonely = True
        await world.until(lambda: len(world.client.asked) == 2)
        await world.a_while()
        assert world.events() == [(ONE, Event.STARTED), (ONE, Event.NONE)]

    run(World(ONE), script)


def test_a_dead_tracker_is_said_asked_again_later_and_told_no_good_bye() -> None:
    async def script(world: World) -> None:
        world.client.dead = {ONE}
        world.seeker.lonely = True
        world.trackers.open(Sought(stream=STREAM, trackers=(TWO,)))
        await world.until(lambda: len(world.seeker.news) == 1)
        await world.a_while()
        assert world.trackers.states(STREAM)[0].said == "it is dead"
        assert [tracker for tracker, _ in world.events()].count(ONE) == 1
        world.now = 17.0
        await world.until(lambda: [tracker for tracker, _ in world.events()].count(ONE) == 2)

    world = run(World(ONE), script)
    assert (ONE, Event.STOPPED) not in world.events()
    assert (TWO, Event.STOPPED) in world.events()


def test_each_stream_has_an_id_of_its_own() -> None:
    async def script(world: World) -> None:
        world.trackers.open(Sought(stream=STREAM))
        world.trackers.open(Sought(stream=OTHER))
        await world.until(lambda: len(world.client.asked) == 2)

    world = run(World(ONE), script)
    ids = {(a.target, a.peer_id, a.key) for _, a, _ in world.client.asked}
    assert len(ids) == len({peer_id for _, peer_id, _ in ids}) == 2


def test_a_stream_that_is_opened_again_learns_new_trackers_and_who_its_source_is() -> None:
    async def script(world: World) -> None:
        world.trackers.open(Sought(stream=STREAM, trackers=(TWO,)))
        await world.until(lambda: len(world.client.asked) == 1)
        world.trackers.open(Sought(stream=STREAM, trackers=(TWO, ONE)))
        await world.until(lambda: len(world.client.asked) == 2)
        world.now = 61.0
        world.trackers.open(Sought(stream=STREAM, owner=OWNER, epoch=1))
        await world.until(lambda: len(world.client.asked) == 4)
        assert [a.is_source for _, a, _ in world.client.asked] == [False, False, True, True]

    run(World(), script)


def test_a_link_of_thousands_of_trackers_has_a_few_asked() -> None:
    async def script(world: World) -> None:
        for number in range(100):
            world.trackers.open(Sought(stream=STREAM, trackers=(parse_tracker(f"udp://t{number}.example:1"),)))
        await world.a_while()
        assert len(world.client.asked) == TIERS_MAX

    run(World(), script)


def test_viewers_are_counted_by_the_tracker_that_knows_most_and_once_a_minute() -> None:
    async def script(world: World) -> None:
        world.trackers.open(Sought(stream=STREAM, trackers=(TWO,)))
        assert await world.trackers.count(STREAM) == Counts(sources=1, viewers=5)
        world.client.dead = {ONE, TWO}
        assert await world.trackers.count(STREAM) == Counts(sources=1, viewers=5)
        world.now = 60.0
        assert await world.trackers.count(STREAM) is None
        assert await world.trackers.count(OTHER) is None

    run(World(ONE), script)


def test_what_is_closed_is_no_longer_sought() -> None:
    async def script(world: World) -> None:
        world.trackers.open(Sought(stream=STREAM))
        await world.until(lambda: len(world.client.asked) == 1)
        world.trackers.close(STREAM)
        world.trackers.close(STREAM)
        world.now = 1e6
        await world.a_while()
        assert world.events() == [(ONE, Event.STARTED), (ONE, Event.STOPPED)]
        assert world.trackers.states(STREAM) == []

    run(World(ONE), script)
