"""Finding a stream's peers through trackers, while it is watched, relayed or broadcast here: one task a tier.

Nothing is asked before a stream is opened. What is found goes out through ``found``; nothing here knows who is at an
address. Each stream has an id of its own towards trackers, so that they cannot tell that one viewer watches two.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Final, Protocol

from swarm.discovery.announces import TARGET_BYTES, Announce, Answer, Counts, Event
from swarm.discovery.finder import Progress, Sought
from swarm.discovery.seeker import Seeker
from swarm.discovery.tiers import Tier
from swarm.discovery.vetting import vet
from swarm.errors import TrackerError
from swarm.link import stream_target
from swarm.prefixes import Reach, numeric, reach
from swarm.tracker_url import TrackerUrl
from swarm.units import Address, StreamId

logger = logging.getLogger(__name__)

TIERS_MAX: Final = 16
"""Of one stream: what the settings and its links name, the first ones."""

LOOK_EVERY_S: Final = 1.0
COUNT_EVERY_S: Final = 60.0
GOODBYE_S: Final = 1.5
"""How long stopping waits until the trackers have heard that this node is gone."""

ANSWERS: Final = "answers"

ID_PREFIX: Final = b"-SC0100-"


class Client(Protocol):
    """What asks one tracker."""

    async def announce(self, tracker: TrackerUrl, announce: Announce, *, trusted: bool) -> list[tuple[str, Answer]]: ...

    async def scrape(self, tracker: TrackerUrl, target: bytes, *, trusted: bool) -> Counts | None: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class TrackerState:
    """How it goes with one tier: a sentence for people, and what the tracker in turn says of the stream."""

    tracker: str
    said: str = "not asked yet"
    peers: int = 0
    sources: int = 0
    viewers: int = 0
    seen_at: str | None = None
    refused: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """One tier's task."""

    tier: Tier
    trusted: bool
    state: TrackerState
    task: asyncio.Task[None] | None = None
    announced: list[TrackerUrl] = field(default_factory=list)
    """Who believes this node to be there, and has to be told that it goes."""


class Search:
    """One stream's trackers."""

    def __init__(self, stream: StreamId, announce: Announce) -> None:
        self.stream = stream
        self.announce = announce
        self.runs: list[_Run] = []
        self.counts: Counts | None = None
        self.counted_s = float("-inf")

    @property
    def states(self) -> list[TrackerState]:
        return [run.state for run in self.runs]

    def knows(self, tracker: TrackerUrl) -> bool:
        return any(tracker in run.tier.trackers for run in self.runs)


class Trackers:
    """All streams' trackers. ``defaults``: the user's own, tier by tier, asked for every stream."""

    def __init__(
        self,
        client: Client,
        seeker: Seeker,
        *,
        defaults: Sequence[Sequence[TrackerUrl]],
        port: int,
        rng: Random,
        clock: Callable[[], float],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._look_every_s = look_every_s
        self._client = client
        self._seeker = seeker
        self._defaults = defaults
        self._port = port
        self._rng = rng
        self._clock = clock
        self._searches: dict[StreamId, Search] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def open(self, sought: Sought) -> None:
        """Seek a stream's peers from now on; again, to add trackers or become its source."""
        stream, is_source = sought.stream, sought.owner is not None
        search = self._searches.get(stream)
        if search is None:
            search = self._searches[stream] = Search(stream, self._introduction(stream, is_source=is_source))
            for tier in self._defaults:
                self._begin(search, tier, trusted=True)
        elif is_source and not search.announce.is_source:
            search.announce = replace(search.announce, is_source=True)
            for run in search.runs:
                run.tier.next_s = run.tier.soonest_s
        for tracker in sought.trackers:
            if not search.knows(tracker):
                self._begin(search, (tracker,), trusted=False)

    def close(self, stream: StreamId) -> None:
        """Seek them no more, and tell the trackers so."""
        search = self._searches.pop(stream, None)
        if search is None:
            return
        for run in search.runs:
            if run.task is not None:
                run.task.cancel()
            for tracker in run.announced:
                goodbye = asyncio.create_task(self._say_goodbye(search, tracker, trusted=run.trusted))
                self._leaving.add(goodbye)
                goodbye.add_done_callback(self._leaving.discard)

    async def stop(self) -> None:
        """Close all, and wait a moment for the good-byes."""
        runs = [run.task for search in self._searches.values() for run in search.runs if run.task is not None]
        for stream in list(self._searches):
            self.close(stream)
        if self._leaving:
            _, late = await asyncio.wait(self._leaving, timeout=GOODBYE_S)
            for task in late:
                task.cancel()
        await asyncio.gather(*runs, *self._leaving, return_exceptions=True)
        await self._client.close()

    def states(self, stream: StreamId) -> list[TrackerState]:
        """How it goes with each tier of a stream."""
        search = self._searches.get(stream)
        return search.states if search is not None else []

    def progress(self, stream: StreamId) -> Progress | None:
        """All tiers in one sentence; the last fault when none answers."""
        search = self._searches.get(stream)
        if search is None:
            return None
        refused: Counter[str] = Counter()
        for state in search.states:
            refused.update(state.refused)
        peers = sum(state.peers for state in search.states)
        return Progress(finder="trackers", said=_summary(search.states), peers=peers, refused=dict(refused))

    async def count(self, stream: StreamId) -> Counts | None:
        """How many watch, as the tracker says that knows of most; None when nobody can say. Asked once a minute at
        most, however often it is wanted."""
        search = self._searches.get(stream)
        if search is None:
            return None
        if self._clock() >= search.counted_s + COUNT_EVERY_S:
            search.counted_s = self._clock()
            asked = (self._scrape(run, search.announce.target) for run in search.runs)
            counts = [count for count in await asyncio.gather(*asked) if count is not None]
            search.counts = max(counts, key=lambda count: count.viewers, default=None)
        return search.counts

    def _introduction(self, stream: StreamId, *, is_source: bool) -> Announce:
        target = stream_target(stream)
        assert len(target) == TARGET_BYTES
        return Announce(
            target=target,
            peer_id=ID_PREFIX + self._rng.randbytes(TARGET_BYTES - len(ID_PREFIX)),
            key=self._rng.getrandbits(32),
            port=self._port,
            is_source=is_source,
        )

    def _begin(self, search: Search, trackers: Sequence[TrackerUrl], *, trusted: bool) -> None:
        if len(search.runs) >= TIERS_MAX:
            return
        tier = Tier(list(trackers), self._rng)
        run = _Run(tier, trusted, TrackerState(str(tier.tracker)))
        run.task = asyncio.create_task(self._keep_asking(search, run), name=f"tracker {tier.tracker.host}")
        search.runs.append(run)

    async def _keep_asking(self, search: Search, run: _Run) -> None:
        while True:
            if run.tier.due(self._clock(), partial(self._seeker.is_lonely, search.stream)):
                await self._ask(search, run)
            else:
                await asyncio.sleep(self._look_every_s)

    async def _ask(self, search: Search, run: _Run) -> None:
        tracker, state = run.tier.tracker, run.state
        state.tracker = str(tracker)
        event = Event.NONE if tracker in run.announced else Event.STARTED
        try:
            announce = replace(search.announce, event=event)
            answers = await self._client.announce(tracker, announce, trusted=run.trusted)
        except TrackerError as fault:
            run.tier.failed(self._clock())
            state.said = str(fault)
            logger.info("tracker %s: %s", tracker.host, fault)
            return
        if tracker not in run.announced:
            run.announced.append(tracker)
        run.tier.answered(max((answer for _, answer in answers), key=lambda a: a.min_interval_s), self._clock())
        self._take(search, state, answers)

    def _take(self, search: Search, state: TrackerState, answers: Sequence[tuple[str, Answer]]) -> None:
        """Note what was said, and hand on what is worth a dial."""
        own = self._own(answers)
        accepted: list[Address] = []
        state.refused = {}
        for host, answer in answers:
            found, refused = vet(answer.peers, _distance(host), own)
            accepted += found
            for reason, number in refused.items():
                state.refused[reason] = state.refused.get(reason, 0) + number
            state.seen_at = answer.seen_at or state.seen_at
        state.said, state.peers = ANSWERS, len(accepted)
        state.sources = max(answer.sources for _, answer in answers)
        state.viewers = max(answer.viewers for _, answer in answers)
        if accepted:
            self._seeker.found(search.stream, accepted)

    def _own(self, answers: Sequence[tuple[str, Answer]]) -> Collection[Address]:
        seen = {Address(answer.seen_at, self._port) for _, answer in answers if answer.seen_at is not None}
        return seen | set(self._seeker.addresses)

    async def _scrape(self, run: _Run, target: bytes) -> Counts | None:
        try:
            return await self._client.scrape(run.tier.tracker, target, trusted=run.trusted)
        except TrackerError as fault:
            logger.info("tracker %s: %s", run.tier.tracker.host, fault)
            return None

    async def _say_goodbye(self, search: Search, tracker: TrackerUrl, *, trusted: bool) -> None:
        with suppress(TrackerError):
            await self._client.announce(tracker, replace(search.announce, event=Event.STOPPED), trusted=trusted)


def _distance(host: str) -> Reach:
    """How far away a tracker is; one that only a proxy can see is far."""
    return reach(Address(host, 1)) if numeric(host) is not None else Reach.WORLD


def _summary(states: Sequence[TrackerState]) -> str:
    answering = sum(state.said == ANSWERS for state in states)
    if not states:
        return "none is named"
    return f"{answering} of {len(states)} answer" if answering else f"{states[-1].tracker}: {states[-1].said}"
