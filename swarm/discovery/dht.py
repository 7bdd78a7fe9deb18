"""Finding a stream's peers through BitTorrent's DHT: who is there (BEP 5, BEP 32), and what its owner says (BEP 44).

    opened -> record and peers asked for, itself announced
           -> lonely: asked again, each time later      in company: announced and asked again now and then
    source -> record written now, when it has changed, and before the DHT forgets it

Nothing leaves this machine before the first stream is opened: only then does the DHT's node start. What is found is
vetted as a tracker's word is, and goes out through ``found``; who is at an address proves itself in the handshake.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from swarm.discovery.dht_session import DhtSession
from swarm.discovery.finder import Progress, Sought
from swarm.discovery.head_record import HeadRecord, read_record, write_record
from swarm.discovery.seeker import Seeker
from swarm.discovery.vetting import vet
from swarm.errors import DhtUnavailable, RecordError
from swarm.identity import Identity
from swarm.link import stream_target
from swarm.prefixes import Reach, reach
from swarm.units import Address, StreamId

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.25
LONELY_S: Final = (0.5, 60.0)
"""Who has nobody asks again after this pause, which doubles up to the longest. The first question goes to the nodes of
the settings, before any other is known."""

ANNOUNCE_S: Final = (30.0, 900.0)
"""The first pause before this node announces itself again, and the longest; doubled each time. Nodes forget who does
not (libtorrent: half an hour), and nothing tells whether the first announcement has reached anybody."""

RECORD_S: Final = (30.0, 1800.0)
"""The same for a record, which nodes forget after two hours (BEP 44)."""

UNREADY_S: Final = 2.0
"""As long as no node of the DHT is known, all is tried again so often."""

RECORD_LEAST_S: Final = 30.0
"""A record that changes all the time is written this often."""

STREAMS_MAX: Final = 64
KNOWN_MAX: Final = 256
"""Addresses that are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DhtSettings:
    """``hosts`` are the addresses to bind, ``bootstrap`` the nodes to begin with, as host:port. The routing table is
    kept in the file ``table``."""

    hosts: tuple[str, ...]
    port: int
    bootstrap: tuple[str, ...]
    table: Path


@dataclass(slots=True)
class _Search:
    stream: StreamId
    target: bytes
    owner: Identity | None = None
    said: str = "asking"
    known: set[Address] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    next_s: float = float("-inf")
    pause_s: float = LONELY_S[0]
    announce_s: float = float("-inf")
    announce_pause_s: float = ANNOUNCE_S[0]
    sequence: int = -1
    epoch: int = 0
    written: bytes = b""
    written_s: float = float("-inf")
    write_pause_s: float = RECORD_S[0]

    def ask_anew(self) -> None:
        """All at once: there is somebody now who answers."""
        self.next_s = self.announce_s = self.written_s = float("-inf")
        self.pause_s = LONELY_S[0]


class Dht:
    """All streams' searches. ``port`` is the swarm's UDP port, which is what is announced."""

    def __init__(
        self,
        seeker: Seeker,
        settings: DhtSettings,
        *,
        port: int,
        is_local: bool,
        clock: Callable[[], float],
    ) -> None:
        """``is_local``: the swarm's socket is reached from this machine only, so that addresses of it may be found."""
        self._seeker = seeker
        self._settings = settings
        self._port = port
        self._distance = Reach.MACHINE if is_local else Reach.WORLD
        """The DHT's nodes are anywhere."""
        self._clock = clock
        self._searches: dict[StreamId, _Search] = {}
        self._session: DhtSession | None = None
        self._working: asyncio.Task[None] | None = None
        self._trouble = ""

    def open(self, sought: Sought) -> None:
        """Seek a stream's peers from now on; again, to become its source or tell of a new epoch. Its owner's key
        signs its record."""
        stream = sought.stream
        if stream not in self._searches and len(self._searches) >= STREAMS_MAX:
            return
        search = self._searches.setdefault(stream, _Search(stream, stream_target(stream)))
        if sought.owner is not None:
            search.owner, search.epoch = sought.owner, sought.epoch
        if self._session is None and not self._trouble:
            self._begin()

    def close(self, stream: StreamId) -> None:
        """Seek them no more. The DHT forgets by itself who was there."""
        self._searches.pop(stream, None)

    async def stop(self) -> None:
        """Keep the routing table, and end the node."""
        self._searches.clear()
        if self._working is not None:
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working
        session, self._session = self._session, None
        if session is not None:
            table = session.save()
            await session.stop()
            await asyncio.to_thread(_keep, self._settings.table, table)

    def progress(self, stream: StreamId) -> Progress | None:
        """How it goes; addresses in the owner's record count too."""
        search = self._searches.get(stream)
        if search is None:
            return None
        alone = self._session is not None and not self._session.ready.is_set() and not search.known
        said = self._trouble or ("none of its nodes has answered yet" if alone else search.said)
        return Progress(finder="dht", said=said, peers=len(search.known), refused=dict(search.refused))

    def heard_peers(self, target: bytes, peers: Sequence[Address]) -> None:
        """Somebody knows of peers."""
        for search in self._searches.values():
            if search.target == target:
                search.said = "answers" if search.sequence < 0 else search.said
                self._hand_on(search, peers)

    def heard_record(self, stream: StreamId, data: bytes, sequence: int) -> None:
        """A record whose signature holds; the newest counts, whoever still has an older one."""
        search = self._searches.get(stream)
        if search is None or sequence <= search.sequence or search.owner is not None:
            return
        try:
            record = read_record(data)
        except RecordError as fault:
            search.refused[str(fault)] += 1
            logger.info("a head record in the DHT is not taken: %s", fault)
            return
        search.sequence, search.said = sequence, "has the owner's record"
        self._hand_on(search, (*record.relays, *record.source))

    def _hand_on(self, search: _Search, addresses: Sequence[Address]) -> None:
        found, refused = vet(addresses, self._distance, self._seeker.addresses)
        search.refused.update(refused)
        search.known.update(found[: KNOWN_MAX - len(search.known)])
        if found:
            self._seeker.found(search.stream, found)

    def _begin(self) -> None:
        try:
            self._session = DhtSession(
                self,
                hosts=self._settings.hosts,
                port=self._settings.port,
                bootstrap=self._settings.bootstrap,
                kept=_kept(self._settings.table),
            )
        except DhtUnavailable as error:
            self._trouble = str(error)
            logger.info("No DHT: %s", error)
            return
        self._working = asyncio.create_task(self._work(self._session), name="dht")

    async def _work(self, session: DhtSession) -> None:
        while True:
            ready = session.ready.is_set()
            for search in self._searches.values():
                self._look_after(search, session, self._clock())
            await _within(session.ready, LOOK_EVERY_S)
            if not ready and session.ready.is_set():
                for search in self._searches.values():
                    search.ask_anew()

    def _look_after(self, search: _Search, session: DhtSession, now: float) -> None:
        ready = session.ready.is_set()
        if search.owner is not None:
            self._write(search, search.owner, session, now)
        lonely = self._seeker.is_lonely(search.stream)
        if not lonely:
            search.pause_s = LONELY_S[0]
        announcing = now >= search.announce_s
        if now >= search.next_s and (lonely or announcing):
            session.ask_peers(search.target)
            if search.owner is None:
                session.ask_record(search.stream)
            search.next_s = now + search.pause_s
            search.pause_s = min(LONELY_S[1], 2 * search.pause_s)
        if announcing:
            session.announce(search.target, self._port)
            search.announce_s = now + (search.announce_pause_s if ready else UNREADY_S)
            if ready:
                search.announce_pause_s = min(ANNOUNCE_S[1], 2 * search.announce_pause_s)

    def _write(self, search: _Search, owner: Identity, session: DhtSession, now: float) -> None:
        """The record, when it says something new or will be forgotten."""
        record = HeadRecord(
            epoch=search.epoch,
            source=self._public(self._seeker.addresses),
            relays=self._public(self._seeker.relays(search.stream)),
        )
        data = write_record(record)
        is_new = data != search.written
        if now < search.written_s + (RECORD_LEAST_S if is_new else search.write_pause_s):
            return
        session.put_record(owner, data)
        if session.ready.is_set():
            search.written, search.written_s = data, now
            search.write_pause_s = RECORD_S[0] if is_new else min(RECORD_S[1], 2 * search.write_pause_s)
        else:
            search.written_s = now - RECORD_LEAST_S + UNREADY_S

    def _public(self, addresses: Sequence[Address]) -> tuple[Address, ...]:
        """Those that lead anywhere from where the DHT is; what this house looks like inside is nobody's business."""
        return tuple(address for address in addresses if reach(address) >= self._distance)


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Return when the event comes, or so much later; of an event that has come just so much later."""
    if event.is_set():
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _kept(table: Path) -> bytes:
    try:
        return table.read_bytes()
    except OSError:
        return b""


def _keep(table: Path, data: bytes) -> None:
    beside = table.with_suffix(".new")
    try:
        table.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside.write_bytes(data)
        beside.replace(table)
    except OSError as error:
        logger.warning("The DHT's routing table is not kept: %s", error)
