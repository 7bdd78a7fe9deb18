"""The inputs that this gateway puts on air at its user's request: files, URLs, cameras, the test picture.

Each is one station: an input, a stream with a key of its own, and what became of it. Whoever may ask for one may open
any file and address of this machine: that is for its own user alone, and the routes see to it.
"""

import asyncio
import hashlib
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from gateway.errors import CannotStart
from gateway.ingest.broadcast import Broadcast
from gateway.ingest.credentials import masked
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.naming import parse_sources
from gateway.ingest.numbering import Numbering
from gateway.ingest.sources import Encoding, Source, TestSource
from gateway.key_files import KeyFile, KeyInUse, open_key, passing_key
from gateway.media.errors import MediaError
from gateway.on_air import OnAir, Studio
from gateway.problems import Problem
from gateway.seals import Seal
from gateway.stream_seals import by_password
from swarm.manifest import is_printable
from swarm.sealing import Admission
from swarm.titles import TITLE_CHARS_MAX

logger = logging.getLogger(__name__)

TAIL_S = 1.0
"""After the end of the input peers may still ask for what they miss."""

RUNNING_MAX = 32
KNOWN_MAX = 64
"""Stations that are told of; those that ended first are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What is to be broadcast: one input, or several films one after the other, as `parse_sources` takes them.

    ``new_key``: as a stream of its own, not the one that had this title before. With an ``admission`` it is sealed: for
    those who have its link, a ticket, or know the ``password``.
    """

    sources: tuple[str, ...]
    title: str
    loop: bool = False
    shuffle: bool = False
    microphone: str = ""
    allow_private: bool = False
    new_key: bool = False
    admission: Admission | None = None
    password: str = field(default="", repr=False)

    def parse(self) -> Source:
        """Raises InputUnreadable for what is no input."""
        return parse_sources(
            self.sources,
            loop=self.loop,
            shuffle=self.shuffle,
            microphone=self.microphone,
            allow_private=self.allow_private,
        )


class StationState(StrEnum):
    """``waiting``: the input has broken off, and is opened again soon."""

    STARTING = "starting"
    ON_AIR = "on-air"
    WAITING = "waiting"
    ENDED = "ended"
    STOPPED = "stopped"
    FAILED = "failed"


class Station:
    """One input with the sink that takes it on air."""

    def __init__(
        self, studio: Studio, programme: Programme, *, key: KeyFile, ffmpeg: Ffmpeg, encoding: Encoding
    ) -> None:
        """Raises InputUnreadable for what is no input, Problem when there is no room for one more stream."""
        self.programme = programme
        source = _sized(programme.parse(), encoding)
        self.name = masked(", ".join(programme.sources))
        """The input as it was named, without passwords."""
        self.on_air: OnAir = studio.open(
            key.identity, programme.title, lambda: self.broadcast.bitrate_bps, admission=programme.admission
        )
        self._rotation_s = studio.rotation_s
        self.broadcast = Broadcast(
            source,
            ffmpeg=ffmpeg,
            encoding=encoding,
            numbering=Numbering(unix_s=time.time(), piece_s=encoding.part_s, segment_s=encoding.segment_s),
            on_description=self.on_air.description,
            on_piece=self.on_air.piece,
        )
        self._key = key
        self._failure = ""
        self._began_s = time.monotonic()
        self._over: StationState | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The stream's name."""
        return self.on_air.channel.name

    @property
    def state(self) -> StationState:
        if self._over is not None:
            return self._over
        if not self.on_air.started.is_set():
            return StationState.STARTING
        return StationState.ON_AIR if self.broadcast.stats.on_air else StationState.WAITING

    @property
    def trouble(self) -> str:
        """Why it is not on air, "" while it is."""
        return self._failure or (self.broadcast.trouble if self.state is StationState.WAITING else "")

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began_s

    def start(self) -> None:
        self._running = asyncio.create_task(self.run(), name=f"station {self.id}")
        self._running.add_done_callback(self._told)

    async def run(self) -> None:
        """Until the input is over, or `stop`. Raises what kept it from going on air."""
        try:
            if password := self.programme.password:
                owner = self._key.identity
                self.on_air.seal = await asyncio.to_thread(by_password, owner, password, self._rotation_s)
            until_buried = asyncio.create_task(self._stop_when_buried())
            try:
                await self.broadcast.run()
            finally:
                until_buried.cancel()
            if self._over is None:
                await asyncio.sleep(TAIL_S)
            self._over = self._over or StationState.ENDED
        except (CannotStart, MediaError) as error:
            self._over, self._failure = StationState.FAILED, str(error)
            raise
        finally:
            self.on_air.ended()
            self._key.close()

    async def _stop_when_buried(self) -> None:
        await self.on_air.buried.wait()
        self._failure = "The stream has been ended for good."
        await self.broadcast.stop()

    async def stop(self) -> None:
        """When this returns, no process is left."""
        self._over = self._over or StationState.STOPPED
        await self.broadcast.stop()
        if self._running is not None:
            await asyncio.wait({self._running})

    def _told(self, running: asyncio.Task[None]) -> None:
        if not running.cancelled() and running.exception() is not None:
            logger.warning("%s cannot go on air: %s", self.name, running.exception())


class Broadcasts:
    """All stations of a gateway; their keys lie in ``folder``, under ``seal``."""

    def __init__(self, folder: Path, studio: Studio, seal: Seal | None = None) -> None:
        self._folder = folder
        self._seal = seal
        self._studio = studio
        self._stations: dict[str, Station] = {}

    def all(self) -> list[Station]:
        """The newest first."""
        return list(reversed(self._stations.values()))

    def get(self, id: str) -> Station:  # noqa: A002 - as in the API
        """Raises Problem when there is none of that name."""
        station = self._stations.get(id)
        if station is None:
            raise Problem(
                status=404, title="There is no such broadcast", detail="GET /api/v1/broadcasts lists what there is."
            )
        return station

    def start(self, programme: Programme, *, ffmpeg: Ffmpeg, encoding: Encoding) -> Station:
        """Put an input on air. Raises CannotStart, and Problem when there is no room."""
        running = [station for station in self._stations.values() if not _is_over(station)]
        if len(running) >= RUNNING_MAX:
            raise Problem(
                status=507,
                title=f"{RUNNING_MAX} broadcasts run already",
                detail="End one of them: DELETE /api/v1/broadcasts/{id}.",
            )
        station = self.open(programme, ffmpeg=ffmpeg, encoding=encoding)
        self.add(station)
        station.start()
        return station

    def add(self, station: Station) -> None:
        """Tell of it too."""
        self._stations.pop(station.id, None)
        over = [name for name, other in self._stations.items() if _is_over(other)]
        while over and len(self._stations) >= KNOWN_MAX:
            del self._stations[over.pop(0)]
        self._stations[station.id] = station

    def open(self, programme: Programme, *, ffmpeg: Ffmpeg, encoding: Encoding) -> Station:
        """A station yet to be started, with the key of the stream with this title. Raises CannotStart, Problem."""
        key = _stream_key(self._folder, programme, self._seal)
        try:
            return Station(self._studio, programme, key=key, ffmpeg=ffmpeg, encoding=encoding)
        except BaseException:
            with suppress(OSError):
                key.close()
            raise

    async def close(self) -> None:
        """Stop all, and wait until their processes are gone."""
        await asyncio.gather(*(station.stop() for station in self._stations.values()))


def admission_of(*, private: bool, password: bool, tickets: bool) -> Admission | None:
    """How viewers are let in, of what was chosen. Raises CannotStart for more than one way."""
    ways = {Admission.LINK: private, Admission.PASSWORD: password, Admission.TICKET: tickets}
    chosen = [way for way, is_chosen in ways.items() if is_chosen]
    if len(chosen) > 1:
        raise CannotStart("A stream is sealed by its link, by a password or by tickets. Choose one of them.")
    return chosen[0] if chosen else None


def key_path(folder: Path, title: str) -> Path:
    """Where the key of the stream with this title lies."""
    digest = hashlib.blake2b(title.encode(), digest_size=10).hexdigest()
    return folder / f"{digest}.key"


def _is_over(station: Station) -> bool:
    return station.state in (StationState.ENDED, StationState.STOPPED, StationState.FAILED)


def _sized(source: Source, encoding: Encoding) -> Source:
    """The test picture in the size of the highest rung."""
    if not isinstance(source, TestSource) or not encoding.ladder:
        return source
    highest = encoding.ladder[-1]
    return replace(source, width=highest.width, height=highest.height)


def _stream_key(folder: Path, programme: Programme, seal: Seal | None) -> KeyFile:
    """The key of the stream with this title; the same title gives the same stream again."""
    try:
        key = passing_key() if programme.new_key else open_key(key_path(folder, programme.title), seal)
    except KeyInUse as error:
        raise CannotStart(
            f"{programme.title} is on the air from this machine already. Choose another title, or a new key."
        ) from error
    if len(programme.title) > TITLE_CHARS_MAX or not is_printable(programme.title):
        key.close()
        raise CannotStart(
            f"This title cannot be used: it is one line of at most {TITLE_CHARS_MAX} characters without control codes."
        )
    return key
