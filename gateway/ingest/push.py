"""One push: the body of a request goes into ffmpeg as it arrives, as fast as ffmpeg takes it and no faster.

One ffmpeg takes all of it, unless the push becomes another in its middle, its picture turns out to be none that can be
passed on, or the ffmpeg crashes: then a new one goes on where that one ends, as a new epoch.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.ingest.assembly import Assembly, EncodeInstead
from gateway.ingest.containers import Container, container_of
from gateway.ingest.errors import NotTransportStream, PushSilent, PushUnusable
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.numbering import Numbering
from gateway.ingest.probe import InputInfo
from gateway.ingest.push_body import PushBody
from gateway.ingest.slicer import SlicedPiece
from gateway.ingest.sources import Encoding
from gateway.ingest.stretch import Crash, Look, Stretch, Turn
from gateway.ingest.supervision import Patience, pass_over
from gateway.media.description import Rendition

logger = logging.getLogger(__name__)

HEAD_BYTES_MAX = 1 << 20
"""Within this a transport stream has named its tracks: it does so ten times a second."""
HEAD_WITHIN_S = 15.0
LOOK_AGAIN = 16
"""A head is read again when it has grown by this part, so that the work does not grow with its square."""
UNCLEAR = "The stream does not say what is in it (MPEG-TS: it has no programme tables). Send it from its start."
TURNS_MAX = 10
TURNS_WITHIN_S = 30.0
"""More beginnings than that within that time are no change of plan but a broken encoder."""


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


async def run_push(
    body: PushBody,
    *,
    ffmpeg: Ffmpeg,
    encoding: Encoding,
    numbering: Numbering,
    sink: BroadcastSink,
    begun: Callable[[Assembly], None] = lambda _: None,
    troubled: Callable[[str], None] = lambda _: None,
    encoded: Callable[[], None] = lambda: None,
) -> PushReport:
    """Put a push on air until it ends, by as many ffmpegs as it takes.

    ``begun`` is given what measures each, ``troubled`` why one ended too early; ``encoded`` is called when the picture
    turns out to be none that can be passed on. Raises PushRefused, and MediaError when the push cannot go on air.
    """
    began_s = time.monotonic()
    pieces = 0
    turns, patience, look = Turns(), Patience(), Look()
    try:
        while True:
            container, head, info = await _read_head(body)
            stretch = await Stretch.open(
                container, head, info, ffmpeg=ffmpeg, encoding=encoding, numbering=numbering, look=look
            )
            assembly = Assembly(
                stretch.job, stretch.encoding, numbering, on_description=sink.description, on_piece=sink.piece
            )
            begun(assembly)
            stretch_s = time.monotonic()
            turn = await stretch.run(body, assembly, seen=pieces > 0)
            pieces += assembly.pieces
            if turn is None and stretch.after is None:
                break
            look = turn if isinstance(turn, Look) else Look()
            encoding = _turned(encoding, turn, encoded)
            if isinstance(turn, Crash):
                pause_s = patience.pause_s(turn.reason, time.monotonic() - stretch_s)
                logger.warning("%s It goes on from the next key frame, in %g s at the earliest.", turn.reason, pause_s)
                troubled(turn.reason)
                if not await pass_over(body, stretch.resumed(turn), pause_s):
                    break
            else:
                turns.take(time.monotonic())
                body.put_back(stretch.after or stretch.replay)
    finally:
        await body.close()
    if not pieces:
        raise PushUnusable("Nothing came that could be shown or heard. Send for longer, and start at a key frame.")
    return PushReport(seconds=time.monotonic() - began_s, size_bytes=body.size_bytes, pieces=pieces)


class Turns:
    """How often a push may become another: each time is a new beginning for all viewers."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=TURNS_MAX)

    def take(self, now_s: float) -> None:
        """One more. Raises PushUnusable when there were too many."""
        if len(self._times_s) == TURNS_MAX and now_s - self._times_s[0] < TURNS_WITHIN_S:
            raise PushUnusable("The picture changes its size or coding all the time. Send it in one size.")
        self._times_s.append(now_s)


def _turned(encoding: Encoding, turn: Turn, encoded: Callable[[], None]) -> Encoding:
    """How to go on; what had to be encoded once is encoded from then on."""
    match turn:
        case Look():
            return encoding
        case EncodeInstead():
            logger.warning("The pushed picture is encoded from here on: %s", turn)
            encoded()
            return replace(encoding, encode_picture=True, skip_s=turn.seen_s)
        case None:
            logger.info("The push has changed its coding or its tracks, and goes on")
    return replace(encoding, skip_s=0.0)


async def _read_head(body: PushBody) -> tuple[Container, bytes, InputInfo]:
    """What it comes as, the first bytes, and what they say is in the stream. Raises PushRefused, MediaError."""
    head, look_at = bytearray(), 0
    try:
        async with asyncio.timeout(HEAD_WITHIN_S):
            while data := await body.read():
                head += data
                if len(head) >= look_at and (found := _look(bytes(head))) is not None:
                    return found
                look_at = max(look_at, len(head) + len(head) // LOOK_AGAIN)
                if len(head) > HEAD_BYTES_MAX:
                    raise PushUnusable(UNCLEAR)
    except TimeoutError as error:
        raise PushSilent(f"In {HEAD_WITHIN_S:g} s nothing came that says what is in it. Send faster.") from error
    if (found := _look(bytes(head))) is not None:
        return found
    raise NotTransportStream


def _look(head: bytes) -> tuple[Container, bytes, InputInfo] | None:
    container = container_of(head)
    if container is None or (info := container.read_contents(head)) is None:
        return None
    return container, head, info
