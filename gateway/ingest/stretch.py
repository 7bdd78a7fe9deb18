"""A push, or as much of it as one ffmpeg can take: until its coding changes, or the ffmpeg ends."""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.ingest.assembly import Assembly, EncodeInstead
from gateway.ingest.changes import Watch, watch_for
from gateway.ingest.coding import copies_picture
from gateway.ingest.commands import PUSH_LOOK_S, Job, push_job
from gateway.ingest.containers import FRAGMENTED_MP4, TRANSPORT_STREAM, Container
from gateway.ingest.drain import assemble
from gateway.ingest.encoder_trust import judging
from gateway.ingest.encoders import settle_encoder
from gateway.ingest.errors import FfmpegCrashed, FfmpegMissing, InputBroken, InputUnreadable, PushRefused, PushUnusable
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess, find_ffmpeg
from gateway.ingest.numbering import Numbering
from gateway.ingest.probe import InputInfo
from gateway.ingest.push_body import PushBody
from gateway.ingest.reference_times import ReferenceTimes
from gateway.ingest.sources import Encoding
from gateway.ingest.standby import Cue
from gateway.ingest.supervision import watched
from gateway.ingest.transport_stream import SYNC, sounds_of, starts_unit
from gateway.media.errors import MediaError

NAME = "The pushed stream"
LONG_LOOK_S = 5.0
"""For a picture that comes once a second or less."""
FIRST_BYTES_MAX = 4 << 20
"""Kept of a push's beginning, until something of it is on air."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a push's beginning is to be looked at: for how long, and without which PIDs, of which nothing comes yet."""

    seconds: float = PUSH_LOOK_S
    silent: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Crash:
    """An ffmpeg that ended before the push did."""

    reason: str


Turn = EncodeInstead | Look | Crash | None
"""Why a stretch is over: the picture has to be encoded, the beginning looked at otherwise, ffmpeg started anew; None at
the push's end or where it becomes another."""


class Stretch:
    """One ffmpeg's part of a push."""

    def __init__(
        self,
        container: Container,
        head: bytes,
        *,
        ffmpeg: Ffmpeg,
        encoding: Encoding,
        numbering: Numbering,
        job: Job,
        look: Look,
    ) -> None:
        self.encoding = encoding
        self.job = job
        self._ffmpeg = ffmpeg
        self._numbering = numbering
        self._head = head
        self._container = container
        self._looked = look
        self._watch: Watch | None = watch_for(container.demuxer, look.silent)
        # What is copied may have to be encoded after all, from its newest key frame on.
        self._cue: Cue | None = Cue(keeping=job.copied)
        self._first: bytearray | None = bytearray()

    @classmethod
    async def open(
        cls,
        container: Container,
        head: bytes,
        info: InputInfo,
        *,
        ffmpeg: Ffmpeg,
        encoding: Encoding,
        numbering: Numbering,
        look: Look,
    ) -> "Stretch":
        """Raises CodecError, PushUnusable."""
        ffmpeg = await _able(container, info, ffmpeg)
        if info.video is not None and not copies_picture(info.video, encoding):
            encoding = await settle_encoder(ffmpeg, encoding, numbering)
        info = _without(info, head, look.silent)
        job = push_job(info, encoding, container.demuxer, look_s=look.seconds)
        head = container.prepare(head, info)
        return cls(container, head, ffmpeg=ffmpeg, encoding=encoding, numbering=numbering, job=job, look=look)

    @property
    def after(self) -> bytes | None:
        """What the next one begins with, if this one has been cut off."""
        return self._watch.after if self._watch is not None else None

    @property
    def replay(self) -> bytes:
        """What this one can be begun with again: all of it as long as nothing is on air, then its newest picture."""
        begun = bytes(self._first) if self._first is not None else self._cue.replay if self._cue is not None else b""
        return begun + (self._watch.end() if self._watch is not None else b"")

    def resumed(self, crash: Crash) -> Cue:
        """What knows how the push can be begun in its middle. Raises PushUnusable when it cannot."""
        if self._cue is None:
            raise PushUnusable(crash.reason)
        if self._watch is not None:
            with suppress(MediaError, PushRefused):
                self._cue.feed(self.after or self._watch.end())
        return self._cue

    async def run(self, body: PushBody, assembly: Assembly, *, seen: bool) -> Turn:
        """To its end, or until it has to be begun otherwise; ``seen``: something of the push has been on air.

        Raises PushRefused, MediaError.
        """
        async with await FfmpegProcess.start(self._ffmpeg, self.job.arguments, feed=True, progress=True) as process:
            feeding = asyncio.create_task(self._feed(process, body, assembly))
            try:
                with judging(self._ffmpeg, self.job.coding, self._numbering):
                    async with watched(process, assembly):
                        await assemble(process, assembly, NAME)
            except EncodeInstead as encode:
                return encode
            except FfmpegCrashed as error:
                return Crash(str(error))
            except (InputUnreadable, InputBroken) as error:
                return self._broken(str(error), assembly, seen=seen)
            finally:
                whole = await _end(feeding)
        if whole or self.after is not None or not (seen or assembly.pieces):
            return None
        return Crash("ffmpeg ended before the push did.")

    def _broken(self, reason: str, assembly: Assembly, *, seen: bool) -> Turn:
        """What to do when ffmpeg cannot go on. Raises PushUnusable."""
        if self.after is not None:
            return None  # so little that nothing could come of it does no harm
        look = None if assembly.pieces else self._look_again()
        if look is None and not (seen or assembly.pieces):
            raise PushUnusable(reason)
        return look or Crash(reason)

    def _look_again(self) -> Look | None:
        """How a transport stream of which ffmpeg has not seen enough is to be looked at next; None when it was."""
        if self._container is not TRANSPORT_STREAM or self._first is None or self._first[:1] != bytes([SYNC]):
            return None
        first = bytes(self._first)
        silent = frozenset(pid for pid in sounds_of(first) if not starts_unit(first, pid))
        if silent != self._looked.silent:
            return Look(silent=silent)
        return Look(seconds=LONG_LOOK_S, silent=silent) if self._looked.seconds < LONG_LOOK_S else None

    async def _feed(self, process: FfmpegProcess, body: PushBody, assembly: Assembly) -> bool:
        """Whether the push has come to its end. Raises PushSilent; what came before is still finished and goes out."""
        tell = _told_times(self._container, assembly)
        try:
            data = self._head
            while data:
                tell(data)
                await process.write(self._look(data, assembly))
                if self.after is not None:
                    return False
                data = await body.read()
            await process.write(self._watch.end() if self._watch is not None else b"")
        except BrokenPipeError:
            return False  # ffmpeg has ended; who reads its output learns why
        finally:
            process.end_input()
        return True

    def _look(self, data: bytes, assembly: Assembly) -> bytes:
        """What of these bytes goes to this ffmpeg."""
        try:
            kept = self._watch.feed(data) if self._watch is not None else data
        except MediaError:
            kept, self._watch = data, None  # damage is for ffmpeg to get over
        if self._cue is not None:
            try:
                self._cue.feed(kept)
            except (MediaError, PushRefused):
                self._cue = None
        if self._first is not None:
            self._first += kept
            if assembly.pieces or len(self._first) > FIRST_BYTES_MAX:
                self._first = None
        return kept


def _without(info: InputInfo, head: bytes, silent: Collection[int]) -> InputInfo:
    """The contents of a transport stream without the sound of these PIDs."""
    if not silent:
        return info
    pids = sounds_of(head)
    heard = (replace(audio, number=n) for n, audio in enumerate(info.audios) if pids[n] not in silent)
    return replace(info, audios=tuple(heard))


async def _able(container: Container, info: InputInfo, ffmpeg: Ffmpeg) -> Ffmpeg:
    """An ffmpeg that reads this container with these codecs. Raises PushUnusable."""
    least = container.least_version(info)
    if ffmpeg.libavformat >= least:
        return ffmpeg
    try:
        return await asyncio.to_thread(find_ffmpeg, least=least)
    except FfmpegMissing as error:
        raise PushUnusable(
            f"This gateway's ffmpeg is too old for these codecs in FLV (RTMP): it has libavformat {ffmpeg.version}, "
            f"{least[0]}.{least[1]} is needed. Send H.264 and AAC, or MPEG-TS, or install a newer ffmpeg."
        ) from error


def _told_times(container: Container, assembly: Assembly) -> Callable[[bytes], None]:
    """Looks into what goes to ffmpeg, for the sender's times of day."""
    if container is not FRAGMENTED_MP4:
        return lambda _: None
    times = ReferenceTimes()

    def look(data: bytes) -> None:
        if (delay_us := times.feed(data, time.time_ns() // 1000)) is not None:
            assembly.delay(delay_us)

    return look


async def _end(feeding: asyncio.Task[bool]) -> bool:
    """Take the feeding's outcome; when ffmpeg ended first, stop it."""
    if not feeding.done():
        feeding.cancel()
    await asyncio.wait({feeding})
    return not feeding.cancelled() and feeding.result()
