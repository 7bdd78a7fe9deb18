"""The streams that this gateway knows, and which of them it is in the swarm of.

A player's first request joins the swarm; any number of players share the membership and its live window; when
nobody has asked for something for a while, the sweeper leaves. A request for media never calls the swarm.

    idle -> joining -> live <-> stalled        leave: back to idle
               |         `----> ended
               `-> unreachable -> live         the node goes on trying
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from gateway.live import LiveWindow
from gateway.media.description import MediaDescription
from gateway.media.errors import MediaError
from gateway.media.payload import unpack
from gateway.membership import RENDITION, Hear
from gateway.problems import Problem
from gateway.timeshift.past import Past
from gateway.timeshift.shelf import Shelf
from gateway.timeshift.shelves import Shelves
from swarm.events import Equivocation, ManifestReady, News, PieceLost, PieceReady, Unreachable
from swarm.link import PEERS_MAX, Link, format_link, stream_name
from swarm.manifest import Manifest
from swarm.status import StreamStatus
from swarm.units import Address, StreamId

logger = logging.getLogger(__name__)

CHANNELS_MAX = 256
STALLED_S = 3.0
"""Without a new piece for so long, a stream that was live is called stalled."""
SWEEP_EVERY_S = 1.0

Clock = Callable[[], float]


class State(StrEnum):
    """What a channel is doing, as players and the API see it."""

    IDLE = "idle"
    JOINING = "joining"
    LIVE = "live"
    STALLED = "stalled"
    ENDED = "ended"
    UNREACHABLE = "unreachable"


class Swarm(Protocol):
    """What channels need of the swarm."""

    @property
    def addresses(self) -> tuple[Address, ...]: ...

    def join(self, link: Link, hear: Hear) -> None: ...

    def leave(self, stream: StreamId) -> None: ...

    def status(self, stream: StreamId) -> StreamStatus | None: ...


class Channel:
    """One stream: joined or not, its window, and how it goes."""

    def __init__(
        self,
        link: Link,
        swarm: Swarm,
        *,
        window_s: float,
        clock: Clock,
        shelf: Shelf | None = None,
        is_local: bool = False,
    ) -> None:
        self.link = link
        self.name = stream_name(link.stream)
        self.is_local = False
        self.shelf = shelf
        self.pieces_broken = 0
        self._equivocations = 0
        self._swarm = swarm
        self._window_s = window_s
        self._clock = clock
        self._joined = False
        self._ended = False
        self._unreachable = False
        self._asked_s = clock()
        self._piece_s: float | None = None
        self.window = self._new_window()
        if is_local:
            self.go_local(link.title)

    @property
    def stream(self) -> StreamId:
        return self.link.stream

    @property
    def title(self) -> str:
        return self.link.title

    @property
    def joined(self) -> bool:
        return self._joined

    @property
    def share_link(self) -> str:
        """A link for others: the peers that it came with, and this one when it is in the swarm."""
        mine = self._swarm.addresses if self._joined else ()
        peers = tuple(dict.fromkeys((*mine, *self.link.peers)))[:PEERS_MAX]
        return format_link(replace(self.link, peers=peers))

    @property
    def state(self) -> State:
        if not self._joined:
            return State.IDLE
        if self._ended:
            return State.ENDED
        if self._piece_s is not None:
            return State.LIVE if self._clock() - self._piece_s < STALLED_S else State.STALLED
        return State.UNREACHABLE if self._unreachable else State.JOINING

    def status(self) -> StreamStatus | None:
        """The swarm as seen from here; None when not joined."""
        return self._swarm.status(self.stream) if self._joined else None

    async def watch(self) -> LiveWindow:
        """Count a player's request; join the swarm at the first one. Raises Problem when nobody can be reached."""
        self._asked_s = self._clock()
        if not self._joined and self.shelf is not None:
            await self.shelf.open_in_thread(now_us=_now_us())
        if not self._joined:
            self._join()
        if self.state is State.UNREACHABLE:
            raise _unreachable_problem()
        return self.window

    def add_peers(self, link: Link) -> None:
        """Take over what another link to the same stream knows more."""
        peers = tuple(dict.fromkeys((*link.peers, *self.link.peers)))[:PEERS_MAX]
        self.link = replace(self.link, title=self.link.title or link.title, peers=peers)
        if self._joined and not self.is_local:
            self._swarm.join(self.link, self.hear)

    def go_local(self, title: str) -> None:
        """The stream is broadcast from here from now on."""
        self.link = Link(self.stream, title)
        self.is_local = self._joined = True
        if self.shelf is not None:
            self.shelf.open(now_us=_now_us())
        self.window = self._new_window()

    def leave_if_idle(self, idle_leave_s: float) -> bool:
        """Leave the swarm when no player has asked for so long."""
        idle = self._joined and not self.is_local and self._clock() - self._asked_s >= idle_leave_s
        if idle:
            self.leave()
        return idle

    def leave(self) -> None:
        """Leave the swarm; the next request joins again, with a fresh window."""
        self._swarm.leave(self.stream)
        self.window.close()
        self.window = self._new_window()
        self._joined = self.is_local = self._ended = self._unreachable = False
        self._piece_s = None

    def hear(self, news: News) -> None:
        """Take in what the swarm says of this stream. Whatever a broadcaster signed, this raises nothing."""
        match news:
            case PieceReady():
                self.add_piece(news.number, news.epoch, news.capture_us, news.duration_us, news.payload)
            case PieceLost():
                self.window.lose_piece(news.number)
            case ManifestReady():
                self._take_manifest(news.manifest)
            case Unreachable():
                self._unreachable = True
                logger.warning("%s: none of %d peers can be reached", self.name, news.tried)
            case Equivocation():
                self._tell_of_equivocation(news)

    def set_description(self, epoch: int, description: MediaDescription) -> None:
        """An epoch's media, or a correction of it."""
        self._ended = False
        self.window.set_description(epoch, description)

    def add_piece(self, number: int, epoch: int, capture_us: int, duration_us: int, payload: bytes) -> None:
        """A piece as the broadcaster signed it. One that is no media is counted and skipped."""
        try:
            self.window.add_piece(number, epoch, capture_us, duration_us, unpack(payload))
        except MediaError as error:
            self._count_broken(number, error)
            return
        self._piece_s = self._clock()
        self._unreachable = False

    def end(self) -> None:
        """The broadcaster says that nothing more comes."""
        self._ended = True
        self.window.end()

    def _new_window(self) -> LiveWindow:
        """An empty window, which goes on with the numbers of what is on the shelf."""
        if self.shelf is None or not self.shelf.is_open:
            return LiveWindow(self._window_s)
        return LiveWindow(self._window_s, keep=self.shelf.put, before=self.shelf.last)

    def _join(self) -> None:
        self._joined = True
        self.window = self._new_window()
        self._swarm.join(self.link, self.hear)

    def _take_manifest(self, manifest: Manifest) -> None:
        self.link = replace(self.link, title=manifest.title)
        if manifest.ended:
            self.end()
            return
        rendition = next((r for r in manifest.renditions if r.number == RENDITION), None)
        if rendition is None:
            return
        try:
            self.set_description(manifest.epoch, MediaDescription.from_bytes(rendition.media))
        except MediaError as error:
            logger.warning("%s: its description cannot be used: %s", self.name, error)

    def _tell_of_equivocation(self, news: Equivocation) -> None:
        """The broadcaster's key signed two pieces of one number; both headers prove it. Logged ever more rarely."""
        self._equivocations += 1
        if self._equivocations.bit_count() == 1:
            first, second = (header.hex() for header in news.headers)
            logger.warning(
                "%s: its broadcaster signed piece %d twice (%d such pieces so far), or two broadcasters use its key; "
                "the proof: %s %s",
                self.name, news.number, self._equivocations, first, second,
            )  # fmt: skip

    def _count_broken(self, number: int, error: MediaError) -> None:
        """Signed by the broadcaster and still no media: its fault, not a peer's. Logged ever more rarely."""
        self.pieces_broken += 1
        self.window.lose_piece(number)
        if self.pieces_broken.bit_count() == 1:
            logger.warning("%s: piece %d is broken (%d so far): %s", self.name, number, self.pieces_broken, error)


class Channels:
    """All channels by name, and the one task that leaves what nobody watches."""

    def __init__(
        self,
        swarm: Swarm,
        *,
        window_s: float,
        idle_leave_s: float,
        clock: Clock = time.monotonic,
        shelves: Shelves | None = None,
    ) -> None:
        self._swarm = swarm
        self._shelves = shelves
        self._window_s = window_s
        self._idle_leave_s = idle_leave_s
        self._clock = clock
        self._channels: dict[str, Channel] = {}

    def __len__(self) -> int:
        return len(self._channels)

    def all(self) -> list[Channel]:
        """The newest first."""
        return list(reversed(self._channels.values()))

    def add(self, link: Link) -> Channel:
        """Know a stream; a second link to it adds its peers. Raises Problem when there are too many."""
        known = self._channels.get(stream_name(link.stream))
        if known is not None:
            known.add_peers(link)
            return known
        return self._enter(link, is_local=False)

    def add_local(self, stream: StreamId, title: str) -> Channel:
        """Know a stream that is broadcast from here."""
        known = self._channels.get(stream_name(stream))
        if known is None:
            return self._enter(Link(stream, title), is_local=True)
        if known.joined and not known.is_local:
            known.leave()
        known.go_local(title)
        return known

    def get(self, name: str) -> Channel:
        """Raises Problem when there is no such stream here."""
        channel = self._channels.get(name)
        if channel is None:
            raise Problem(
                status=404,
                title="This gateway does not know that stream",
                detail="Add its link first: paste it on the start page, or POST it to /api/v1/streams.",
            )
        return channel

    def remove(self, name: str) -> None:
        """Leave and forget a stream. Raises Problem when it is unknown, or broadcast from here."""
        channel = self.get(name)
        if channel.is_local:
            raise Problem(
                status=409,
                title="This stream is broadcast from here",
                detail="End the broadcast first; the stream goes with it.",
            )
        if channel.joined:
            channel.leave()
        del self._channels[name]

    async def watch(self, name: str) -> LiveWindow:
        """What players get of a stream. Raises Problem."""
        return await self.get(name).watch()

    async def tune(self, name: str) -> Past:
        """What players get of a stream's past, which may be all that there is of it. Raises Problem."""
        channel = self.get(name)
        try:
            window = await channel.watch()
        except Problem:
            window = None
            if channel.shelf is None or not channel.shelf.lines():
                raise
        if channel.shelf is None:
            raise _no_shelf_problem()
        return Past(channel.shelf, window)

    async def sweep(self, every_s: float = SWEEP_EVERY_S) -> None:
        """Leave what nobody watches, for ever; run as one task."""
        while True:
            await asyncio.sleep(every_s)
            for channel in self.all():
                if channel.leave_if_idle(self._idle_leave_s):
                    logger.info("%s: nobody watches, left its swarm", channel.name)

    def close(self) -> None:
        """Wake all players that wait; what they get is the end."""
        for channel in self.all():
            channel.window.close()

    def _enter(self, link: Link, *, is_local: bool) -> Channel:
        if len(self._channels) >= CHANNELS_MAX:
            raise Problem(
                status=507,
                title=f"This gateway knows {CHANNELS_MAX} streams already",
                detail="Remove one that you no longer watch: DELETE /api/v1/streams/{id}.",
            )
        name = stream_name(link.stream)
        channel = Channel(
            link,
            self._swarm,
            window_s=self._window_s,
            clock=self._clock,
            shelf=self._shelves.shelf(name) if self._shelves is not None else None,
            is_local=is_local,
        )
        self._channels[name] = channel
        return channel


def _now_us() -> int:
    return time.time_ns() // 1000


def _no_shelf_problem() -> Problem:
    return Problem(
        status=404,
        title="This gateway keeps nothing of the past",
        detail="Set timeshift_s to the seconds to keep, and start it again.",
        slug="no-timeshift",
    )


def _unreachable_problem() -> Problem:
    return Problem(
        status=504,
        title="No peer of this stream can be reached",
        detail="The broadcast may be over, or the link is old: ask for a fresh one. It is still being tried.",
    )
