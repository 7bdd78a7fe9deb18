"""Puts one input on air: runs ffmpeg, takes its parts, and starts it anew when it breaks off."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.ingest.assembly import Assembly, OnDescription, OnPiece
from gateway.ingest.capture_clock import SETTLE_US
from gateway.ingest.commands import Job, input_job, picture_job, probe_arguments, slate_job
from gateway.ingest.complaints import plain_reason
from gateway.ingest.errors import InputBroken, InputUnreadable
from gateway.ingest.ffmpeg import READ_BYTES, Ffmpeg, FfmpegProcess
from gateway.ingest.numbering import Numbering
from gateway.ingest.picture_feed import PictureFeed
from gateway.ingest.probe import InputInfo, probe
from gateway.ingest.sources import Encoding, FileSource, SlateSource, Source, TestSource, name_of
from gateway.ingest.test_picture import TestPicture
from gateway.media.errors import MediaError

logger = logging.getLogger(__name__)

BACK_OFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S = 60.0
"""An input that has been on air this long starts with the shortest pause when it breaks off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastStats:
    """How it goes, over all epochs. ``fps`` is the picture's rate, ``segment_s`` the distance of the key frames that
    are used; both 0 while unknown."""

    pieces: int
    size_bytes: int
    bitrate_bps: int
    fps: float
    segment_s: float
    restarts: int
    on_air: bool


class Broadcast:
    """One input, from `run` to `stop`, through as many epochs as it takes.

    The callbacks are called in the event loop's thread: a description before an epoch's first piece, and again when
    it has to be corrected; then the pieces in order.
    """

    def __init__(
        self,
        source: Source,
        *,
        ffmpeg: Ffmpeg,
        encoding: Encoding,
        numbering: Numbering,
        on_description: OnDescription,
        on_piece: OnPiece,
    ) -> None:
        self._source = source
        self._ffmpeg = ffmpeg
        self._encoding = encoding
        self._numbering = numbering
        self._on_description = on_description
        self._on_piece = on_piece
        self._assembly: Assembly | None = None
        self._pieces_before = 0
        self._bytes_before = 0
        self._restarts = 0
        self._work: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def bitrate_bps(self) -> int:
        """Measured after 1.5 s; before, what was configured for an encoder or found out by probing."""
        return self._assembly.bitrate_bps if self._assembly else self._encoding.bitrate_bps

    @property
    def stats(self) -> BroadcastStats:
        now = self._assembly
        return BroadcastStats(
            pieces=self._pieces_before + (now.pieces if now else 0),
            size_bytes=self._bytes_before + (now.size_bytes if now else 0),
            bitrate_bps=self.bitrate_bps,
            fps=now.fps if now else 0.0,
            segment_s=now.segment_s if now else 0.0,
            restarts=self._restarts,
            on_air=now is not None and now.pieces > 0,
        )

    @property
    def is_running(self) -> bool:
        """Whether an ffmpeg may be at work."""
        return self._work is not None and not self._work.done()

    async def run(self) -> None:
        """Broadcast until the input ends for good, or `stop`.

        Raises InputUnreadable, NoVideo or CodecError when the input never gave a piece.
        """
        if self._stopped:
            return
        self._work = asyncio.create_task(self._keep_on_air(), name="broadcast")
        try:
            await self._work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stopped or (task is not None and task.cancelling()):
                raise

    async def stop(self) -> None:
        """End it. When this returns, no process is left."""
        self._stopped = True
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait({self._work})

    async def _keep_on_air(self) -> None:
        failures = 0
        while True:
            began_s = time.monotonic()
            pieces = self.stats.pieces
            try:
                if await self._broadcast_once():
                    return
                reason = "it ended"
            except (InputUnreadable, InputBroken, MediaError) as error:
                if not self.stats.pieces:
                    raise
                reason = str(error)
            steady = self.stats.pieces > pieces and time.monotonic() - began_s > STEADY_S
            failures = 1 if steady else failures + 1
            pause_s = BACK_OFF_S[min(failures, len(BACK_OFF_S)) - 1]
            logger.warning("%s is off air: %s Trying again in %.0f s", name_of(self._source), reason, pause_s)
            await asyncio.sleep(pause_s)
            self._restarts += 1

    async def _broadcast_once(self) -> bool:
        """One epoch; whether the input is over for good."""
        if isinstance(self._source, TestSource):
            await self._broadcast_test_picture(self._source)
            return False
        if isinstance(self._source, SlateSource):
            await self._run(slate_job(self._source, self._encoding))
            return False
        info = await probe(self._ffmpeg, name_of(self._source), probe_arguments(self._source))
        await self._broadcast_input(info)
        return isinstance(self._source, FileSource) or info.duration_s is not None

    async def _broadcast_input(self, info: InputInfo) -> None:
        pipes = [os.pipe() for _ in info.texts]
        writing = [pipe for _, pipe in pipes]
        job = input_job(self._source, info, self._encoding, writing)
        await self._run(job, texts=[pipe for pipe, _ in pipes], pass_fds=writing)

    async def _broadcast_test_picture(self, source: TestSource) -> None:
        offset_s = time.localtime().tm_gmtoff
        picture = TestPicture(width=source.width, height=source.height, title=source.title, utc_offset_s=offset_s)
        video, video_in = os.pipe()
        audio, audio_in = os.pipe()
        feed = PictureFeed(picture, fps=source.fps, video=video_in, audio=audio_in)
        job = picture_job(source, self._encoding, video=video, audio=audio)
        try:
            await self._run(job, feed=feed, pass_fds=(video, audio))
        finally:
            await feed.end()

    async def _run(
        self, job: Job, *, feed: PictureFeed | None = None, texts: Sequence[int] = (), pass_fds: Sequence[int] = ()
    ) -> None:
        """Run one ffmpeg to its end. Raises InputUnreadable, InputBroken, MediaError."""
        assembly = Assembly(
            job,
            self._encoding,
            self._numbering,
            on_description=self._on_description,
            on_piece=self._on_piece,
            clock=feed is not None,
        )
        self._take_over(assembly)
        try:
            process = await FfmpegProcess.start(self._ffmpeg, job.arguments, pass_fds=pass_fds)
        finally:
            for pipe in pass_fds:
                os.close(pipe)
        async with process, _reading(texts, assembly):
            if feed is not None:
                feed.start()
            await assemble(process, assembly, name_of(self._source))

    def _take_over(self, assembly: Assembly) -> None:
        if self._assembly is not None:
            self._pieces_before += self._assembly.pieces
            self._bytes_before += self._assembly.size_bytes
        self._assembly = assembly


@asynccontextmanager
async def _reading(pipes: Sequence[int], assembly: Assembly) -> AsyncIterator[None]:
    """Takes the subtitles that ffmpeg writes meanwhile, and closes the pipes."""
    reading = [asyncio.create_task(_read_text(pipe, number, assembly)) for number, pipe in enumerate(pipes)]
    try:
        yield
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _read_text(pipe: int, number: int, assembly: Assembly) -> None:
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", 0))
    try:
        while data := await reader.read(READ_BYTES):
            assembly.feed_text(number, data)
    finally:
        transport.close()


async def assemble(process: FfmpegProcess, assembly: Assembly, name: str) -> None:
    """Take everything that ffmpeg writes, to its end. Raises InputUnreadable, InputBroken, MediaError."""
    reading = True
    while reading:
        try:
            async with asyncio.timeout(SETTLE_US / 1e6 if assembly.waiting else None):
                data = await process.read()
        except TimeoutError:
            assembly.settle(time.time_ns() // 1000)
            continue
        assembly.feed(data, time.time_ns() // 1000)
        reading = bool(data)
    assembly.finish()
    if await process.wait() == 0:
        return
    reason = plain_reason(process.stderr)
    if not assembly.pieces:
        raise InputUnreadable(f"{name} cannot be read: {reason}. Choose another input.")
    raise InputBroken(f"{name} broke off: {reason}.")
