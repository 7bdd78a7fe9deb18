"""Where pushes come in: checks the key, keeps each key's stream, and lets a sender that comes back continue it.

no push --push--> on air --push ends--> lingering --push--> on air (next epoch)
                                        lingering --linger_s passed--> no push, the sink has `ended`
With a slate, it is shown in place of lingering, for as long as nobody pushes.
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from gateway.ingest.assembly import Assembly
from gateway.ingest.broadcast import Broadcast
from gateway.ingest.errors import FfmpegMissing, KeyBusy, KeyFileBroken, KeyRevoked, PushStopped
from gateway.ingest.ffmpeg import Ffmpeg, find_ffmpeg
from gateway.ingest.keys import IngestKeys, KeyEntry
from gateway.ingest.numbering import Numbering
from gateway.ingest.push import BroadcastSink, PushReport, run_push
from gateway.ingest.push_body import SILENT_S, Line, PushBody, always_up
from gateway.ingest.slate import draw_slate
from gateway.ingest.slicer import SlicedPiece
from gateway.ingest.sources import Encoding, SlateSource
from gateway.ingest.standby import Cue
from gateway.ingest.vitals import Vitals
from gateway.media.description import Rendition

logger = logging.getLogger(__name__)

IDLE_S = 10.0
LINGER_S = 30.0
TAKE_OVER_S = 2.0
"""A sender that was restarted may be back before the end of its first push has been noticed."""
LOOK_S = 0.1
KEY_LOOK_S = 1.0
SLATE_SIZE = (1280, 720)

OnAir = Callable[[KeyEntry], BroadcastSink]


class _Programme:
    """One key's stream: its numbers outlive the pushes, its sink outlives short pauses."""

    def __init__(self, numbering: Numbering) -> None:
        self.numbering = numbering
        self.busy = asyncio.Lock()
        self.standby = False
        self.body: PushBody | None = None
        self.assembly: Assembly | None = None
        self.began_s = 0.0
        self.starts = 0
        self.trouble = ""
        self.sink: BroadcastSink | None = None
        self.lingering: asyncio.TimerHandle | None = None
        self.slate: asyncio.Task[None] | None = None

    def resume(self) -> None:
        """A push has come: the stream will not end yet."""
        if self.lingering is not None:
            self.lingering.cancel()
            self.lingering = None

    async def take_down(self) -> None:
        """Show the slate no longer. When this returns, no process of it is left."""
        slate, self.slate = self.slate, None
        if slate is not None:
            slate.cancel()
            await asyncio.wait({slate})

    def measure(self, assembly: Assembly) -> None:
        """What the push is made into, from now on."""
        self.assembly = assembly

    def begin(self, body: PushBody) -> None:
        """This push is on now."""
        self.body, self.began_s = body, time.monotonic()
        self.starts += 1
        self.trouble = ""

    def note(self, trouble: str) -> None:
        """Its ffmpeg has to be started anew."""
        self.assembly = None
        self.starts += 1
        self.trouble = trouble

    def end(self) -> None:
        """Take the stream off air."""
        self.resume()
        if self.slate is not None:
            self.slate.cancel()
        if self.sink is not None:
            self.sink.ended()
            self.sink = None
            self.starts = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PushStatus:
    """How a push goes; not ``on_air``: its sender has gone, and may come back.

    ``in_bps`` is what comes, ``bitrate_bps`` what goes out, ``segment_s`` the distance of key frames. ``size_bytes``,
    ``out_bytes`` and ``pieces`` are of this push, ``restarts`` of the stream: how often its sender came back or its
    ffmpeg was started anew, and ``trouble`` why, as long as nothing has come of the newest one.
    """

    name: str
    title: str
    seed: bytes
    on_air: bool
    seconds: float
    size_bytes: int
    in_bps: int
    bitrate_bps: int
    pieces: int
    fps: float
    segment_s: float
    out_bytes: int
    restarts: int
    vitals: Vitals
    trouble: str


class _LateSink:
    """Goes on air with the first description: a push that turns out to be unusable never does."""

    def __init__(self, entry: KeyEntry, programme: _Programme, on_air: OnAir) -> None:
        self._entry = entry
        self._programme = programme
        self._on_air = on_air

    def description(self, epoch: int, renditions: tuple[Rendition, ...]) -> None:
        if self._programme.sink is None:
            self._programme.sink = self._on_air(self._entry)
        self._programme.sink.description(epoch, renditions)

    def piece(self, piece: SlicedPiece) -> None:
        assert self._programme.sink is not None
        self._programme.sink.piece(piece)

    def ended(self) -> None:
        self._programme.end()


class IngestDesk:
    """Takes pushes. ``on_air`` is called when a key's stream begins, and gives the place where its pieces go."""

    def __init__(
        self,
        keys: IngestKeys,
        on_air: OnAir,
        *,
        encoding: Encoding | None = None,
        ffmpeg: Ffmpeg | None = None,
        idle_s: float = IDLE_S,
        linger_s: float = LINGER_S,
        slate: bool = False,
    ) -> None:
        """Without ``ffmpeg`` one is looked for when the first push comes. ``slate``: a still picture with the title is
        shown while nobody pushes, from the first push on until the key is taken back."""
        self._keys = keys
        self._on_air = on_air
        self._encoding = encoding or Encoding()
        self._ffmpeg = ffmpeg
        self._finding = asyncio.Lock()
        self._idle_s = idle_s
        self._linger_s = linger_s
        self._slate = slate
        self._programmes: dict[str, _Programme] = {}

    def check(self, key: str) -> KeyEntry:
        """The entry of a key that a sender shows. Raises UnknownKey, ExpiredKey, KeyFileBroken."""
        return self._keys.check(key, datetime.now(UTC))

    def named(self, name: str) -> KeyEntry | None:
        """The entry of that name, if its key is still good. Raises KeyFileBroken."""
        now = datetime.now(UTC)
        entries = (entry for entry in self._keys.entries if entry.expires is None or entry.expires > now)
        return next((entry for entry in entries if entry.name == name), None)

    @property
    def segment_s(self) -> float:
        """How far apart key frames are wanted."""
        return self._encoding.segment_s

    def is_crowded(self, entry: KeyEntry) -> bool:
        """Whether one push with this key goes on, and another waits to take over."""
        programme = self._programmes.get(entry.key)
        return programme is not None and programme.busy.locked() and programme.standby

    def pushes(self) -> list[PushStatus]:
        """The pushes that go on, and those that came lately and may come back, by the names of their keys."""
        names = {entry.key: entry for entry in self._keys.entries}
        return [
            _status(names[key], programme)
            for key, programme in self._programmes.items()
            if key in names and programme.sink is not None
        ]

    def end_push(self, name: str) -> bool:
        """End the push with the key of that name; False when there is none."""
        entry = next((entry for entry in self._keys.entries if entry.name == name), None)
        programme = self._programmes.get(entry.key) if entry is not None else None
        if programme is None or programme.sink is None:
            return False
        if programme.body is not None and programme.busy.locked():
            programme.body.refuse(PushStopped())
        else:
            programme.end()
        return True

    async def ffmpeg(self) -> Ffmpeg:
        """The one that pushes are put on air with. Raises FfmpegMissing."""
        async with self._finding:
            if self._ffmpeg is None:
                self._ffmpeg = await asyncio.to_thread(find_ffmpeg)
            return self._ffmpeg

    async def prepare(self) -> None:
        """Find the ffmpeg before the first push comes and has to wait for it, where there is a key to push with."""
        with suppress(FfmpegMissing, KeyFileBroken):
            if self._keys.entries:
                await self.ffmpeg()

    async def receive(
        self,
        key: str,
        body: AsyncIterator[bytes],
        *,
        line: Callable[[], Line] = always_up,
        silent_s: float = SILENT_S,
        not_copied: Collection[str] = (),
    ) -> PushReport:
        """Put a push on air until its body ends; ``line`` tells what is known of its sender besides.

        When it says nothing for ``silent_s``, one that waits takes over.
        ``not_copied`` are codecs, by ffmpeg's names, that are encoded in any case.
        Raises PushRefused, KeyFileBroken, FfmpegMissing, and MediaError when it is nothing that can be broadcast.
        """
        entry = self.check(key)
        programme = self._programmes.get(entry.key) or self._new_programme(entry)
        pushed = PushBody(body, idle_s=self._idle_s, line=line, silent_s=silent_s)
        try:
            await _take(programme, pushed)
        except BaseException:
            await pushed.close()
            raise
        try:
            programme.resume()
            await programme.take_down()
            programme.begin(pushed)
            async with _watched(self._keys, entry, pushed):
                copied = tuple(codec for codec in self._encoding.copy_codecs if codec not in not_copied)
                encoding = replace(self._encoding, copy_codecs=copied)
                return await self._put_on_air(entry, programme, pushed, encoding)
        finally:
            await pushed.close()
            programme.assembly, programme.trouble = None, ""
            if pushed.is_refused:
                programme.end()
            elif programme.sink is not None and self._slate:
                programme.slate = asyncio.create_task(self._show_slate(entry, programme.sink, programme.numbering))
            elif programme.sink is not None:
                loop = asyncio.get_running_loop()
                programme.lingering = loop.call_later(self._linger_s, programme.end)
            programme.busy.release()

    def bitrate_bps(self, entry: KeyEntry) -> int:
        """What the newest push with this key takes, as far as it is known when it goes on air."""
        programme = self._programmes.get(entry.key)
        body = programme.body if programme else None
        return (body.rate_bps if body else None) or self._encoding.bitrate_bps

    async def take_slates_down(self) -> None:
        """Before `close`: when this returns, no process of theirs is left."""
        await asyncio.gather(*(programme.take_down() for programme in self._programmes.values()))

    def close(self) -> None:
        """End all streams that linger; pushes that still run are cancelled by whoever runs them."""
        for programme in self._programmes.values():
            if not programme.busy.locked():
                programme.end()

    async def _show_slate(self, entry: KeyEntry, sink: BroadcastSink, numbering: Numbering) -> None:
        """Until somebody pushes again, or the key is no longer good."""
        highest = self._encoding.ladder[-1] if self._encoding.ladder else None
        width, height = (highest.width, highest.height) if highest is not None else SLATE_SIZE
        picture = await asyncio.to_thread(draw_slate, entry.title or entry.name, width=width, height=height)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "slate.pgm"
            path.write_bytes(picture)
            slate = Broadcast(
                SlateSource(picture=path),
                ffmpeg=await self.ffmpeg(),
                encoding=self._encoding,
                numbering=numbering,
                on_description=sink.description,
                on_piece=sink.piece,
            )
            showing = asyncio.create_task(slate.run())
            try:
                while not showing.done() and any(other.key == entry.key for other in self._keys.entries):
                    await asyncio.wait({showing}, timeout=KEY_LOOK_S)
            finally:
                await slate.stop()
                showing.cancel()
        self._programmes[entry.key].end()

    async def _put_on_air(
        self, entry: KeyEntry, programme: _Programme, body: PushBody, encoding: Encoding
    ) -> PushReport:
        ffmpeg = await self.ffmpeg()
        sink = _LateSink(entry, programme, self._on_air)
        logger.info("A push for %s has come", entry.name)
        try:
            return await run_push(
                body,
                ffmpeg=ffmpeg,
                encoding=encoding,
                numbering=programme.numbering,
                sink=sink,
                begun=programme.measure,
                troubled=programme.note,
            )
        finally:
            logger.info("The push for %s has ended after %d bytes", entry.name, body.size_bytes)

    def _new_programme(self, entry: KeyEntry) -> _Programme:
        encoding = self._encoding
        numbering = Numbering(unix_s=time.time(), piece_s=encoding.part_s, segment_s=encoding.segment_s)
        programme = self._programmes[entry.key] = _Programme(numbering)
        return programme


@asynccontextmanager
async def _watched(keys: IngestKeys, entry: KeyEntry, body: PushBody) -> AsyncIterator[None]:
    """End the push when its key is taken back, whoever does that: the file is looked at every second."""
    watching = asyncio.create_task(_watch(keys, entry, body))
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _watch(keys: IngestKeys, entry: KeyEntry, body: PushBody) -> None:
    while True:
        await asyncio.sleep(KEY_LOOK_S)
        # A file that cannot be read now takes no key back.
        with suppress(KeyFileBroken):
            if all(other.key != entry.key for other in keys.entries):
                logger.info("The key of %s has been taken back", entry.name)
                body.refuse(KeyRevoked())
                return


def _status(entry: KeyEntry, programme: _Programme) -> PushStatus:
    body, assembly = programme.body, programme.assembly
    on_air = programme.busy.locked() and assembly is not None
    return PushStatus(
        name=entry.name,
        title=entry.title or entry.name,
        seed=entry.seed,
        on_air=on_air,
        seconds=time.monotonic() - programme.began_s if on_air else 0.0,
        size_bytes=body.size_bytes if body is not None else 0,
        in_bps=(body.rate_bps or 0) if body is not None and on_air else 0,
        bitrate_bps=assembly.bitrate_bps if assembly is not None else 0,
        pieces=assembly.pieces if assembly is not None else 0,
        fps=assembly.fps if assembly is not None else 0.0,
        segment_s=assembly.segment_s if assembly is not None else 0.0,
        out_bytes=assembly.size_bytes if assembly is not None else 0,
        restarts=max(programme.starts - 1, 0),
        vitals=assembly.vitals if assembly is not None else Vitals(),
        trouble=programme.trouble if assembly is None or not assembly.pieces else "",
    )


async def _take(programme: _Programme, body: PushBody) -> None:
    """Make this push the key's; while another one goes on, one may wait for its end.

    Raises KeyBusy when one waits already, or this one ends before the other or cannot wait; PushSilent, MediaError.
    """
    if not programme.busy.locked():
        await programme.busy.acquire()
        return
    if programme.standby or programme.body is None or programme.body.is_over:
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKE_OVER_S):
                await programme.busy.acquire()
                return
        if programme.standby:
            raise KeyBusy
    programme.standby = True
    taking = asyncio.create_task(programme.busy.acquire())
    try:
        await _stand_by(programme, body, taking)
    except BaseException:
        if taking.done() and not taking.cancelled():
            programme.busy.release()
        taking.cancel()
        raise
    finally:
        programme.standby = False


async def _stand_by(programme: _Programme, body: PushBody, taking: asyncio.Task[bool]) -> None:
    """Read along until the key is free; what has to be begun with is put back into the body."""
    cue = Cue()
    reading = asyncio.create_task(body.read())
    try:
        while True:
            await asyncio.wait((taking, reading), timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                data = reading.result()
                if not data and not taking.done():
                    raise KeyBusy  # it has ended before the other one did
                cue.feed(data)
                reading = asyncio.create_task(body.read())
            if taking.done():
                body.put_back(cue.replay)
                return
            if cue.ready and programme.body is not None and programme.body.is_silent:
                programme.body.give_up()
    finally:
        reading.cancel()
