"""One push: the body of a request goes into ffmpeg as it arrives, as fast as ffmpeg takes it and no faster."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from gateway.ingest.assembly import Assembly
from gateway.ingest.broadcast import assemble
from gateway.ingest.commands import push_job
from gateway.ingest.containers import Container, container_of
from gateway.ingest.errors import (
    InputBroken,
    InputUnreadable,
    NotTransportStream,
    PushRefused,
    PushSilent,
    PushUnusable,
)
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess
from gateway.ingest.numbering import Numbering
from gateway.ingest.probe import InputInfo
from gateway.ingest.slicer import SlicedPiece
from gateway.ingest.sources import Encoding
from gateway.media.description import Rendition

HEAD_BYTES_MAX = 1 << 20
"""Within this a transport stream has named its tracks: it does so ten times a second."""
RATE_AFTER_S = 0.3
NAME = "The pushed stream"


class BroadcastSink(Protocol):
    """What takes a stream on air. ``description`` comes before an epoch's first piece, and again when corrected."""

    def description(self, epoch: int, renditions: tuple[Rendition, ...]) -> None: ...
    def piece(self, piece: SlicedPiece) -> None: ...
    def ended(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What a push was: how long it lasted, and what came."""

    seconds: float
    size_bytes: int
    pieces: int


class PushBody:
    """The bytes of a push, watched: a sender that falls silent ends it."""

    def __init__(self, body: AsyncIterator[bytes], *, idle_s: float) -> None:
        self._body = body
        self._idle_s = idle_s
        self._began_s: float | None = None
        self._asked_s: float | None = None
        self._deadline: asyncio.Timeout | None = None
        self._ahead = b""
        self._refusal: PushRefused | None = None
        self.size_bytes = 0

    @property
    def rate_bps(self) -> int | None:
        """What has come per second; None before there is enough to tell, which is before anything is on air."""
        lasted_s = time.monotonic() - self._began_s if self._began_s is not None else 0.0
        return round(self.size_bytes * 8 / lasted_s) if lasted_s >= RATE_AFTER_S else None

    @property
    def silent_s(self) -> float:
        """For how long the next bytes have been waited for."""
        return time.monotonic() - self._asked_s if self._asked_s is not None else 0.0

    def put_back(self, data: bytes) -> None:
        """Have these bytes read next."""
        self._ahead = data

    def give_up(self) -> None:
        """Wait no longer for what does not come."""
        if self._deadline is not None and self._asked_s is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time())

    @property
    def is_refused(self) -> bool:
        return self._refusal is not None

    def refuse(self, refusal: PushRefused) -> None:
        """Let no more of it in, for this reason."""
        self._refusal = refusal
        self.give_up()

    async def read(self) -> bytes:
        """The next bytes, b"" at the end. Raises PushSilent, and what it was refused for."""
        if self._refusal is not None:
            raise self._refusal
        ahead, self._ahead = self._ahead, b""
        if ahead:
            return ahead
        self._asked_s = time.monotonic()
        try:
            async with asyncio.timeout(self._idle_s) as self._deadline:
                async for data in self._body:
                    if data:
                        self._began_s = self._began_s or time.monotonic()
                        self.size_bytes += len(data)
                        return data
        except TimeoutError as error:
            if self._refusal is not None:
                raise self._refusal from error
            raise PushSilent(
                f"No data came for {self._idle_s:g} s. Send again with the same key; viewers go on where they were."
            ) from error
        finally:
            self._asked_s = None
        return b""


async def run_push(
    body: PushBody,
    *,
    ffmpeg: Ffmpeg,
    encoding: Encoding,
    numbering: Numbering,
    sink: BroadcastSink,
    begun: Callable[[Assembly], None] = lambda _: None,
) -> PushReport:
    """Put a push on air until it ends; ``begun`` is given what measures it. Raises PushRefused, and MediaError when it
    cannot go on air."""
    began_s = time.monotonic()
    container, head, info = await _read_head(body)
    job = push_job(info, encoding, container.demuxer)
    assembly = Assembly(job, encoding, numbering, on_description=sink.description, on_piece=sink.piece)
    begun(assembly)
    async with await FfmpegProcess.start(ffmpeg, job.arguments, feed=True) as process:
        feeding = asyncio.create_task(_feed(process, head, body))
        try:
            await assemble(process, assembly, NAME)
        except (InputUnreadable, InputBroken) as error:
            raise PushUnusable(str(error)) from error
        finally:
            await _end(feeding)
    if not assembly.pieces:
        raise PushUnusable("No picture came that could be shown. Send for longer, and start at a key frame.")
    return PushReport(seconds=time.monotonic() - began_s, size_bytes=body.size_bytes, pieces=assembly.pieces)


async def _read_head(body: PushBody) -> tuple[Container, bytes, InputInfo]:
    """What it comes as, the first bytes, and what they say is in the stream. Raises PushRefused, MediaError."""
    head = b""
    while data := await body.read():
        head += data
        container = container_of(head)
        if container is not None and (info := container.read_contents(head)) is not None:
            return container, container.prepare(head, info), info
        if len(head) > HEAD_BYTES_MAX:
            raise PushUnusable(
                "The stream does not say what is in it (MPEG-TS: it has no programme tables). Send it from its start."
            )
    raise NotTransportStream


async def _feed(process: FfmpegProcess, head: bytes, body: PushBody) -> None:
    """Raises PushSilent; what came before that is still finished and goes out."""
    try:
        await process.write(head)
        while data := await body.read():
            await process.write(data)
    except BrokenPipeError:
        pass  # ffmpeg has ended; who reads its output learns why
    finally:
        process.end_input()


async def _end(feeding: asyncio.Task[None]) -> None:
    """Take the feeding's outcome; when ffmpeg ended first, stop it."""
    if not feeding.done():
        feeding.cancel()
    with suppress(asyncio.CancelledError):
        await feeding
