"""Puts one input on air: runs ffmpeg, takes its parts, and starts it anew when it breaks off."""

import asyncio
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.ingest.assembly import SEGMENT_SLACK_S, Assembly, EncodeInstead, OnDescription, OnPiece
from gateway.ingest.coding import copies_picture
from gateway.ingest.commands import Job, input_job, picture_job, slate_job
from gateway.ingest.drain import LIVE, Watch, assemble, reading_texts
from gateway.ingest.encoder_trust import judging
from gateway.ingest.encoders import settle_encoder
from gateway.ingest.errors import EncoderFailed, InputBroken, InputUnreadable
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess
from gateway.ingest.key_frames import find_longest_gop
from gateway.ingest.numbering import Numbering
from gateway.ingest.picture_feed import PictureFeed
from gateway.ingest.preparation import Preparation, Prepared
from gateway.ingest.probe import InputInfo
from gateway.ingest.pull import pull
from gateway.ingest.receiver import Outlet, receive
from gateway.ingest.rundown import Rundown
from gateway.ingest.sources import (
    Encoding,
    FileSource,
    ListSource,
    OneSource,
    SlateSource,
    Source,
    TestSource,
    UrlSource,
    name_of,
)
from gateway.ingest.test_picture import TestPicture
from gateway.ingest.vitals import Vitals
from gateway.media.errors import MediaError

logger = logging.getLogger(__name__)

BACK_OFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S = 60.0
"""An input that has been on air this long starts with the shortest pause when it breaks off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastStats:
    """How it goes, over all epochs. ``fps`` is the picture's rate, ``segment_s`` the distance of the key frames that
    are used; both 0 while unknown. ``bytes_in`` and ``in_bps`` are what came in; None while that is not known."""

    pieces: int
    size_bytes: int
    bitrate_bps: int
    fps: float
    segment_s: float
    restarts: int
    on_air: bool
    bytes_in: int | None
    in_bps: int | None
    vitals: Vitals


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
        watch: Watch = LIVE,
    ) -> None:
        """``watch``: what is expected of an input that is no file."""
        self._source = source
        self._ffmpeg = ffmpeg
        self._encoding = encoding
        self._numbering = numbering
        self._on_description = on_description
        self._on_piece = on_piece
        self._watch = watch
        self._assembly: Assembly | None = None
        self._pieces_before = 0
        self._bytes_before = 0
        self._taken_before = 0
        self._restarts = 0
        self._work: asyncio.Task[None] | None = None
        self._stopped = False
        self.trouble = ""
        """Why it was off air last; it may be on air again."""

    @property
    def bitrate_bps(self) -> int:
        """Measured after 1.5 s; before, what was configured for an encoder or found out by probing."""
        return self._assembly.bitrate_bps if self._assembly else self._encoding.bitrate_bps

    @property
    def stats(self) -> BroadcastStats:
        now = self._assembly
        taken = self._taken()
        return BroadcastStats(
            pieces=self._pieces_before + (now.pieces if now else 0),
            size_bytes=self._bytes_before + (now.size_bytes if now else 0),
            bitrate_bps=self.bitrate_bps,
            fps=now.fps if now else 0.0,
            segment_s=now.segment_s if now else 0.0,
            restarts=self._restarts,
            on_air=now is not None and now.pieces > 0,
            bytes_in=taken[0] + self._taken_before if taken is not None else None,
            in_bps=taken[1] if taken is not None else None,
            vitals=now.vitals if now else Vitals(),
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
            if (task is not None and task.cancelling()) or not self._stopped:
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
                reason = "It ended."
            except EncodeInstead as encode:
                logger.warning("The picture of %s is encoded from here on: %s", name_of(self._source), encode)
                self._encode_from_here()
                continue
            except EncoderFailed as error:
                self._note_failure(error)
                continue
            except (InputUnreadable, InputBroken, MediaError) as error:
                if not self.stats.pieces and not self._may_come_yet(error):
                    raise
                reason = str(error)
            self._take_over(None)
            self.trouble = reason
            steady = self.stats.pieces > pieces and time.monotonic() - began_s > STEADY_S
            failures = 1 if steady else failures + 1
            pause_s = BACK_OFF_S[min(failures, len(BACK_OFF_S)) - 1]
            logger.warning("%s is off air: %s Trying again in %.0f s", name_of(self._source), reason, pause_s)
            await asyncio.sleep(pause_s)
            self._restarts += 1

    def _note_failure(self, error: EncoderFailed) -> None:
        """Another ffmpeg is begun at once: with x264, where the encoder is not to be trusted any more."""
        logger.warning("%s Another ffmpeg goes on with %s", error, name_of(self._source))
        self._note_trouble(str(error))

    def _note_trouble(self, reason: str) -> None:
        """An ffmpeg has ended, and another one is begun at once."""
        self._take_over(None)
        self.trouble = reason
        self._restarts += 1

    def _encode_from_here(self) -> None:
        """Its picture cannot be passed on: whatever is begun next need not find that out again."""
        self._encoding = replace(self._encoding, encode_picture=True)

    def _may_come_yet(self, error: Exception) -> bool:
        """Where senders are waited for, one that sends nothing of use says nothing of the next one."""
        return isinstance(self._source, UrlSource) and self._source.listens and not isinstance(error, InputUnreadable)

    async def _broadcast_once(self) -> bool:
        """One epoch, or all films of a list; whether the input is over for good."""
        match self._source:
            case TestSource():
                await self._broadcast_test_picture(self._source)
                return False
            case SlateSource():
                settled = await self._settle_encoder()
                await self._run(slate_job(self._source, settled), name_of(self._source), settled)
                return False
            case UrlSource() if self._source.listens:
                await self._receive(self._source)
                return False
        async with Preparation(self._ffmpeg, self._copies) as preparation:
            if isinstance(self._source, ListSource):
                await self._broadcast_list(Rundown(self._source, preparation.prepare))
                return True
            prepared = await self._broadcast_patiently(preparation, self._source)
            return isinstance(self._source, FileSource) or prepared.info.duration_s is not None

    async def _broadcast_patiently(self, preparation: Preparation, source: OneSource) -> Prepared:
        """What has been broadcast; it is looked at for longer where ffmpeg has not seen enough of it."""
        prepared = await preparation.prepare(source)
        while True:
            try:
                await self._broadcast_input(prepared)
            except InputUnreadable:
                patient = None if self.stats.on_air else await preparation.for_longer(prepared)
                if patient is None:
                    raise
                prepared = patient
            else:
                return prepared

    def _copies(self, info: InputInfo) -> bool:
        return info.video is not None and copies_picture(info.video, self._encoding)

    async def _pull(self, source: UrlSource, environment: Mapping[str, str] | None) -> None:
        await pull(
            source,
            ffmpeg=self._ffmpeg,
            environment=environment,
            encoding=self._encoding,
            numbering=self._numbering,
            outlet=Outlet(description=self._on_description, piece=self._on_piece),
            begun=self._take_over,
            troubled=self._note_trouble,
            encoded=self._encode_from_here,
            watch=self._watch,
        )

    async def _receive(self, source: UrlSource) -> None:
        await receive(
            source,
            ffmpeg=self._ffmpeg,
            encoding=self._encoding,
            numbering=self._numbering,
            outlet=Outlet(description=self._on_description, piece=self._on_piece),
            begun=self._take_over,
            watch=self._watch,
        )

    async def _broadcast_list(self, rundown: Rundown) -> None:
        """All films, each an epoch. Raises InputUnreadable when there is none that can be played."""
        trouble = ""
        try:
            while (film := await rundown.next()) is not None:
                pieces = self.stats.pieces
                try:
                    await self._broadcast_input(film)
                except (InputUnreadable, InputBroken, MediaError) as error:
                    trouble = str(error)
                    logger.warning("Passed over: %s", trouble)
                if self.stats.pieces == pieces:
                    await asyncio.sleep(BACK_OFF_S[0])  # a list of such films must not spin
        finally:
            await rundown.close()
        if not self.stats.pieces:
            raise InputUnreadable(trouble or f"{name_of(self._source)} has no picture.")

    async def _settle_encoder(self) -> Encoding:
        """How the next ffmpeg is to encode; what the user wants stays, for those after it."""
        return await settle_encoder(self._ffmpeg, self._encoding, self._numbering)

    async def _encoding_for(self, prepared: Prepared) -> Encoding:
        """How this input is encoded. A film that would be copied is looked into before: once it is on air it does not
        begin anew."""
        video, encoding = prepared.info.video, self._encoding
        if video is None:
            return encoding
        if isinstance(prepared.source, FileSource) and encoding.encode_long_gop and copies_picture(video, encoding):
            longest_s = await find_longest_gop(self._ffmpeg, prepared.source, video)
            encode = longest_s > encoding.segment_s + SEGMENT_SLACK_S
            if encode:
                logger.warning(
                    "%s has key frames %.1f s apart: its picture is encoded", prepared.source.path, longest_s
                )
            encoding = replace(encoding, encode_picture=encode, encode_long_gop=False)
        if not copies_picture(video, encoding):
            settled = await self._settle_encoder()
            encoding = replace(encoding, encoder=settled.encoder, failed_encoder=settled.failed_encoder)
        return encoding

    async def _broadcast_input(self, prepared: Prepared) -> None:
        """To its end, by as many ffmpegs as it takes where an encoder in hardware fails."""
        if prepared.flowing and isinstance(prepared.source, UrlSource):
            await self._pull(prepared.source, prepared.environment)
            return
        while True:
            try:
                await self._encode_input(prepared)
            except EncoderFailed as error:
                rest = prepared.behind(self._assembly.media_us / 1e6 if self._assembly is not None else 0.0)
                self._note_failure(error)
                if rest is None:
                    return
                prepared = rest
            else:
                return

    async def _encode_input(self, prepared: Prepared) -> None:
        encoding = await self._encoding_for(prepared)
        pipes = [os.pipe() for _ in prepared.info.texts]
        writing = [pipe for _, pipe in pipes]
        try:
            job = input_job(prepared.source, prepared.info, encoding, writing)
        except MediaError:
            for pipe in (pipe for both in pipes for pipe in both):
                os.close(pipe)
            raise
        watch = None if isinstance(prepared.source, FileSource) else self._watch
        await self._run(
            job,
            name_of(prepared.source),
            encoding,
            texts=[pipe for pipe, _ in pipes],
            pass_fds=writing,
            environment=prepared.environment,
            watch=watch,
        )

    async def _broadcast_test_picture(self, source: TestSource) -> None:
        offset_s = time.localtime().tm_gmtoff
        picture = TestPicture(width=source.width, height=source.height, title=source.title, utc_offset_s=offset_s)
        video, video_in = os.pipe()
        audio, audio_in = os.pipe()
        feed = PictureFeed(picture, fps=source.fps, video=video_in, audio=audio_in)
        settled = await self._settle_encoder()
        job = picture_job(source, settled, video=video, audio=audio)
        try:
            await self._run(job, name_of(source), settled, feed=feed, pass_fds=(video, audio))
        finally:
            await feed.end()

    async def _run(
        self,
        job: Job,
        name: str,
        encoding: Encoding,
        *,
        feed: PictureFeed | None = None,
        texts: Sequence[int] = (),
        pass_fds: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        watch: Watch | None = None,
    ) -> None:
        """Run one ffmpeg to its end. Raises InputUnreadable, InputBroken, MediaError."""
        assembly = Assembly(
            job,
            encoding,
            self._numbering,
            on_description=self._on_description,
            on_piece=self._on_piece,
            clock=feed is not None,
        )
        self._take_over(assembly)
        try:
            process = await FfmpegProcess.start(
                self._ffmpeg, job.arguments, pass_fds=pass_fds, environment=environment, progress=True
            )
        finally:
            for pipe in pass_fds:
                os.close(pipe)
        async with process, reading_texts(texts, assembly):
            if feed is not None:
                feed.start()
            with judging(self._ffmpeg, job.coding, self._numbering):
                await assemble(process, assembly, name, watch)

    def _taken(self) -> tuple[int, int] | None:
        """Bytes and bits per second that this epoch took from its input: what was read of a file, the media of an
        address that is copied; of everything else nobody counts them."""
        now = self._assembly
        if now is None:
            return None
        if isinstance(self._source, UrlSource) and now.copied:
            return now.size_bytes, now.bitrate_bps
        if isinstance(self._source, FileSource) and (progress := now.progress) is not None:
            return None if progress.read_bytes is None else (progress.read_bytes, progress.read_bps or 0)
        return None

    def _take_over(self, assembly: Assembly | None) -> None:
        if self._assembly is not None:
            self._pieces_before += self._assembly.pieces
            self._bytes_before += self._assembly.size_bytes
            self._taken_before += (self._taken() or (0, 0))[0]
        self._assembly = assembly
