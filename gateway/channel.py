"""One stream at this gateway: which of its renditions are joined, their windows, and how it goes.

A player's first request joins the swarm; any number of players share the membership and its live window. A request for
media never calls the swarm.

    idle -> joining -> live <-> stalled -> silent -> live     leave: back to idle
               |         `----> ended
               |-> locked -> live                             once its key is here; passed on meanwhile
               |-> unreachable -> live                        the node goes on trying
               `-> silent -> live                             and so it does here
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from gateway import refusals
from gateway.archive import Archive, Kept, OpenShelf
from gateway.arrivals import read_piece
from gateway.live import LiveWindow
from gateway.media.errors import MediaError
from gateway.membership import Hear
from gateway.renditions import FIRST, Renditions
from gateway.source_faults import SourceFaults
from gateway.timeshift.shelf import Shelf
from swarm.credentials import shareable
from swarm.events import (
    Equivocation,
    ManifestReady,
    News,
    PieceGone,
    PieceLost,
    PieceReady,
    PieceRecalled,
    PieceWanted,
    StreamBuried,
    Unreachable,
)
from swarm.link import PEERS_MAX, Link, format_link, stream_name
from swarm.manifest import RenditionInfo
from swarm.past_keys import PastKeys
from swarm.sealing import Lock
from swarm.status import StreamStatus
from swarm.titles import clean_title
from swarm.tombstone import Tombstone
from swarm.tracker_url import TrackerUrl
from swarm.units import Address, StreamId

logger = logging.getLogger(__name__)

STALLED_S = 3.0
"""Without a new piece for so long, a stream that was live is called stalled."""
SILENT_S = 60.0
"""Without one for so long, players are told so in place of an old picture; the next piece makes it live again."""
DESCRIBED_S = 10.0
"""A request for one rendition waits so long until the stream has said which there are."""

FURTHER_S = 1.0
FURTHER_MAX = 4
"""While nothing is known of a stream, the swarm of one rendition more is looked for each second, up to so many."""

Clock = Callable[[], float]


class State(StrEnum):
    """What a channel is doing, as players and the API see it."""

    IDLE = "idle"
    JOINING = "joining"
    LIVE = "live"
    STALLED = "stalled"
    SILENT = "silent"
    ENDED = "ended"
    LOCKED = "locked"
    UNREACHABLE = "unreachable"


class Swarm(Protocol):
    """What channels need of the swarm."""

    @property
    def addresses(self) -> tuple[Address, ...]: ...

    @property
    def trackers(self) -> tuple[TrackerUrl, ...]: ...

    def join(self, link: Link, rendition: int, hear: Hear) -> None: ...

    def leave(self, stream: StreamId, rendition: int | None = None) -> None: ...

    def status(self, stream: StreamId, rendition: int) -> StreamStatus | None: ...

    def past_keys(self, stream: StreamId) -> PastKeys: ...

    def recall(self, stream: StreamId, rendition: int, numbers: Sequence[int]) -> None: ...

    def lend(self, stream: StreamId, rendition: int, number: int, record: bytes | None) -> None: ...


class Channel:
    """One stream: which of its renditions are joined, their windows, and how it goes."""

    def __init__(
        self,
        link: Link,
        swarm: Swarm,
        *,
        window_s: float,
        clock: Clock,
        open_shelf: OpenShelf | None = None,
        is_local: bool = False,
    ) -> None:
        self.link = link
        self.name = stream_name(link.stream)
        self.is_local = False
        self.lock: Lock | None = None
        """How a stream from elsewhere is sealed, as far as is known."""

        self._locked = False
        self.archive = Archive(open_shelf, link.stream, swarm) if open_shelf is not None else None
        """The past."""

        self._rung_numbers: dict[str, int] = {}
        self.faults = SourceFaults(self.name)
        self.tombstone: Tombstone | None = None
        """The proof that the stream is over for good."""

        self._swarm = swarm
        self._window_s = window_s
        self._clock = clock
        self._members: frozenset[int] = frozenset()
        self._blocks: dict[int, int] = {}
        self._ended = False
        self._unreachable = False
        self._asked_s: dict[str | None, float] = {}
        self._described = asyncio.Event()
        self._joined_s = clock()
        self._piece_s: float | None = None
        self._renditions = self._fresh()
        if is_local:
            self.go_local(link.title, link.secret)

    @property
    def stream(self) -> StreamId:
        return self.link.stream

    @property
    def title(self) -> str:
        return self.link.title

    @property
    def joined(self) -> bool:
        return self.is_local or bool(self._members)

    @property
    def shelf(self) -> Shelf | None:
        """What is kept of what the gateway chooses."""
        return self.archive.of(None).shelf if self.archive is not None else None

    def kept(self, rung: str | None) -> Kept | None:
        """What is kept for going back; None for a rung that nobody has pinned, and where nothing is kept."""
        if self.archive is None or (rung is not None and rung not in self._rung_numbers):
            return None
        return self.archive.of(self._rung_numbers[rung] if rung is not None else None)

    @property
    def window(self) -> LiveWindow:
        """What players get that leave the choice of the rendition to the gateway."""
        return self._renditions.auto

    @property
    def renditions(self) -> tuple[RenditionInfo, ...]:
        """What there is, the lowest first; nothing before the broadcaster has said it."""
        return self._renditions.infos

    @property
    def playing(self) -> RenditionInfo | None:
        """The rendition that is chosen at this moment."""
        return self._renditions.playing

    @property
    def shared(self) -> Link:
        """A link for others: the peers that it came with, and this one when it is in the swarm."""
        mine = self._swarm.addresses if self.joined else ()
        peers = tuple(dict.fromkeys((*mine, *self.link.peers)))[:PEERS_MAX]
        return replace(self.link, peers=peers, secret=shareable(self.link.secret))

    @property
    def share_link(self) -> str:
        """The same as text."""
        return format_link(self.shared)

    @property
    def public_link(self) -> str:
        """The link without what opens a sealed stream."""
        return format_link(replace(self.shared, secret=""))

    @property
    def state(self) -> State:
        if not self.joined and self.tombstone is None:
            return State.IDLE
        if self._ended or self._locked:
            return State.ENDED if self._ended else State.LOCKED
        if self._piece_s is None and self._unreachable:
            return State.UNREACHABLE
        waited_s = self._clock() - (self._joined_s if self._piece_s is None else self._piece_s)
        if waited_s >= SILENT_S:
            return State.SILENT
        if self._piece_s is None:
            return State.JOINING
        return State.LIVE if waited_s < STALLED_S else State.STALLED

    def status(self) -> StreamStatus | None:
        """The swarm of what is played, as seen from here; None when not joined."""
        playing = self.playing
        number = playing.number if playing is not None else FIRST
        if self._members and number not in self._members:
            number = max(self._members)
        return self._swarm.status(self.stream, number) if self.joined else None

    async def watch(self, rung: str | None = None) -> LiveWindow:
        """Count a player's request; join the swarm at the first one. Raises Problem when nobody can be reached.

        ``rung`` names the one rendition that the player wants, whatever the swarm can carry.
        """
        if self.tombstone is not None:
            raise refusals.gone(self.tombstone.reason)
        self._asked_s[rung] = self._clock()
        if not self.joined and self.shelf is not None:
            await self.shelf.open_in_thread(now_us=_now_us())
        if not self.joined:
            self._joined_s = self._clock()
            self._renditions = self._fresh()
            self._enter(frozenset({FIRST}))
        state = self.state
        if state is State.LOCKED and self.lock is not None:
            raise refusals.locked(self.lock.admission)
        if state is State.UNREACHABLE:
            raise refusals.unreachable()
        if state is State.SILENT:
            raise refusals.silent(SILENT_S)
        if rung is not None:
            return await self._pin(rung)
        self._renditions.is_chosen = True
        self._settle()
        return self.window

    def wait_for_key(self) -> None:
        """Somebody looks at the stream: one that is locked is not left, so that it opens as soon as its key is here."""
        if self.state is State.LOCKED:
            self._asked_s[None] = self._clock()

    def add_peers(self, link: Link) -> None:
        """Take over what another link to the same stream knows more."""
        self.link = self.link.joined_with(link)
        for number in self._members:
            self._swarm.join(self.link, number, self.hear)

    def go_local(self, title: str, secret: str = "") -> None:
        """The stream is broadcast from here from now on; ``secret``: of its link, if it is sealed."""
        self.link = Link(self.stream, clean_title(title), trackers=self._swarm.trackers, secret=secret)
        self.is_local = True
        self._joined_s = self._clock()
        if self.shelf is not None:
            self.shelf.open(now_us=_now_us())
        self._renditions = self._fresh()

    def take_keys(self) -> None:
        """The stream is sealed: open with this node's keys what is kept of it."""
        if self.archive is not None:
            self.archive.take_keys(self._swarm.past_keys(self.stream))

    def leave_if_idle(self, idle_leave_s: float) -> bool:
        """Leave what no player has asked for so long; True when that was all."""
        now = self._clock()
        for rung in [rung for rung, asked_s in self._asked_s.items() if now - asked_s >= idle_leave_s]:
            self._forget(rung)
        if self._asked_s or not self._members:
            self._settle()
            return False
        self.leave()
        return True

    def leave(self) -> None:
        """Leave the swarm; the next request joins again, with a fresh window."""
        self._swarm.leave(self.stream)
        self._renditions.close()
        self._members = frozenset()
        self._asked_s.clear()
        self._described.clear()
        self.is_local = self._ended = self._unreachable = self._locked = False
        self.lock = None
        self._ended = self.tombstone is not None
        self._piece_s = None
        self._renditions = self._fresh()

    def steer(self) -> None:
        """Choose the rendition anew, although nothing has come; join and leave what follows from it."""
        now = self._clock()
        for number in self._members:
            status = self._swarm.status(self.stream, number)
            blocks = status.blocks if status is not None else 0
            if blocks > self._blocks.get(number, blocks):
                self._renditions.bits_arrived(number, now)
            self._blocks[number] = blocks
        self._renditions.steer(now)
        self._look_further(now)
        self._settle()

    def hear(self, news: News) -> None:  # noqa: C901 - a line or two for each kind of news
        """Take in what the swarm says of this stream. Whatever a broadcaster signed, this raises nothing."""
        match news:
            case PieceReady():
                self.add_piece(news)
                self._settle()
            case PieceRecalled():
                self._take_old(news.piece)
            case PieceGone():
                if self.archive is not None:
                    self.archive.gone(news.rendition, news.number, self._clock())
            case PieceWanted():
                self._lend_soon(news)
            case PieceLost():
                self._renditions.lose(news.rendition, news.number, self._clock())
                self._settle()
            case ManifestReady():
                self._take_manifest(news)
            case Unreachable() if not self._reached():
                self._unreachable = True
                logger.warning("%s: none of %d peers can be reached", self.name, news.tried)
            case Equivocation():
                self.faults.signed_twice(news)
            case StreamBuried():
                self._bury(news.tombstone)

    def describe(self, epoch: int, infos: Sequence[RenditionInfo]) -> None:
        """An epoch's renditions, or a correction of them. Raises MediaError."""
        self._ended = False
        self._renditions.describe(epoch, infos, self._clock(), self._reached())
        self._described.set()

    def add_piece(self, ready: PieceReady) -> None:
        """A piece as the broadcaster signed it. One that is no media is counted and skipped."""
        if self._ended or (ready.sealed and not ready.payload):
            return
        try:
            piece = read_piece(ready)
        except MediaError as error:
            self.faults.broken(ready, error)
            self._renditions.lose(ready.rendition, ready.number, self._clock())
            return
        self._renditions.add(piece, self._clock())
        self._piece_s = self._clock()
        self._unreachable = False

    def end(self) -> None:
        """The broadcaster says that nothing more comes."""
        self._ended = True
        self._renditions.end()

    def close(self) -> None:
        """Wake all players that wait; what they get is the end."""
        self._renditions.close()

    def _new_window(self, shelf: Shelf | None) -> LiveWindow:
        """An empty window, which goes on with the numbers of what is on the shelf."""
        if shelf is None or not shelf.is_open:
            return LiveWindow(self._window_s)
        return LiveWindow(self._window_s, keep=shelf.put, before=shelf.last)

    def _fresh(self) -> Renditions:
        return Renditions(self._new_window(self.shelf), all_here=self.is_local, now=self._clock())

    async def learn(self) -> None:
        """Wait until the stream has said what it is, or for long enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DESCRIBED_S):
                await self._described.wait()

    async def _pin(self, rung: str) -> LiveWindow:
        """The window of one rendition, which is joined for it. Raises Problem when there is none of that name."""
        await self.learn()
        number = self._renditions.find(rung)
        if number is None:
            self._asked_s.pop(rung, None)
            raise refusals.no_rung([info.name for info in self.renditions])
        self._rung_numbers[rung] = number
        window = self._renditions.pinned(number) or await self._open_pinned(rung, number)
        self._settle()
        return window

    async def _open_pinned(self, rung: str, number: int) -> LiveWindow:
        kept = self.kept(rung)
        if kept is None:
            return self._renditions.pin(number, self._new_window(None), lambda _, __: False)
        await kept.shelf.open_in_thread(now_us=_now_us())
        return self._renditions.pin(number, self._new_window(kept.shelf), kept.shelf.has)

    def _forget(self, rung: str | None) -> None:
        """Nobody asks for this rendition any more, or for the chosen one."""
        del self._asked_s[rung]
        number = self._renditions.find(rung) if rung is not None else None
        if number is not None:
            self._renditions.unpin(number)
        elif rung is None and self._asked_s and not self.is_local:
            self._renditions.choose_anew(self._new_window(self.shelf), self._clock())

    def _settle(self) -> None:
        """Be a member of the swarms whose pieces are wanted, and of no others."""
        if self._members and self._asked_s and self.renditions:
            self._enter(self._renditions.wanted())

    def _enter(self, wanted: frozenset[int]) -> None:
        before, self._members = self._members, wanted
        for number in sorted(wanted - before):
            self._swarm.join(self._link_through(before), number, self.hear)
        for number in sorted(before - wanted):
            self._swarm.leave(self.stream, number)
            self._renditions.left(number)
            self._blocks.pop(number, None)

    def _look_further(self, now: float) -> None:
        """Those whom the link names may have gone on to other renditions, and know nothing of the first one's swarm."""
        if self._members and not self.renditions and not self._locked:
            count = min(1 + int((now - self._joined_s) / FURTHER_S), FURTHER_MAX)
            self._enter(self._members | frozenset(range(FIRST, FIRST + count)))

    def _reached(self) -> frozenset[int]:
        """The renditions that somebody here is a neighbour of."""
        swarms = {number: self._swarm.status(self.stream, number) for number in self._members}
        return frozenset(number for number, status in swarms.items() if status is not None and status.peers)

    def _link_through(self, renditions: frozenset[int]) -> Link:
        """The link with the peers of these renditions: they may be in others too, or lead there."""
        swarms = [status for number in renditions if (status := self._swarm.status(self.stream, number))]
        peers = (*self.link.peers, *(peer.address for status in swarms for peer in status.peers))
        return replace(self.link, peers=tuple(dict.fromkeys(peers))[:PEERS_MAX])

    def _take_manifest(self, news: ManifestReady) -> None:
        manifest = news.manifest
        self.lock, self._locked = manifest.lock, news.locked
        if manifest.lock is not None:
            self.take_keys()
        self.link = replace(self.link, title=self.link.title if news.locked else clean_title(manifest.title))
        if manifest.ended:
            self.end()
            return
        if news.locked:
            self._described.set()
            self._renditions.close()
            chosen, self._renditions = self._renditions.is_chosen, self._fresh()
            self._renditions.is_chosen = chosen
            return
        try:
            self.describe(manifest.epoch, manifest.renditions)
        except MediaError as error:
            logger.warning("%s: its description cannot be used: %s", self.name, error)

    def hear_neighbours(self, news: News) -> None:
        """Of a stream that is broadcast from here, what neighbours want is all that the swarm has to tell."""
        if isinstance(news, PieceWanted):
            self._lend_soon(news)

    def _lend_soon(self, wanted: PieceWanted) -> None:
        """A neighbour goes back; who keeps nothing says so."""
        if self.archive is not None:
            self.archive.lend_soon(wanted.rendition, wanted.number)
        else:
            self._swarm.lend(self.stream, wanted.rendition, wanted.number, None)

    def _bury(self, tombstone: Tombstone) -> None:
        """Its owner has ended the stream for good; the node has left it."""
        self.tombstone = tombstone
        self._members = frozenset()
        self.end()

    def _take_old(self, ready: PieceReady) -> None:
        """A piece from before a shelf's first one."""
        if self.archive is None:
            return
        try:
            self.archive.take(read_piece(ready), self._clock())
        except MediaError:
            self.archive.gone(ready.rendition, ready.number, self._clock())


def _now_us() -> int:
    return time.time_ns() // 1000
