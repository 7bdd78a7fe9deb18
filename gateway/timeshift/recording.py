"""Records a stream while it is live: fragmented MP4 or MPEG-TS, from the newest key frame on, part by part.

MP4 goes on in a new file where the broadcast begins anew (an encoder's restart, other tracks, times that go back), for
a file has one init segment and one time line. MPEG-TS says so inside and stays one file. What the swarm lost is left
out, with times that stay true. A disk that is slower than the stream costs what it cannot take, after 10 s.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from gateway.live import LiveWindow
from gateway.live.feed import follow, is_start
from gateway.live.segments import Segment
from gateway.live.transport import TransportStreams
from gateway.timeshift.tape import Tape

OPEN_WITHIN_S = 60.0
"""Without a key frame for so long there is nothing to record."""

Watch = Callable[[], Awaitable[LiveWindow]]
"""Gives a stream's window, and counts as a request of a player's."""


class Format(StrEnum):
    """What a recording is, and how its files' names end."""

    MP4 = "mp4"
    TS = "ts"


class Outcome(StrEnum):
    """Why a recording is over: the broadcast is, or nothing has come of it for long."""

    ENDED = "ended"
    SILENT = "silent"


class Recording:
    """One stream into the files of one tape; ``transports`` makes MPEG-TS of windows."""

    def __init__(self, path: Path, form: Format, transports: TransportStreams) -> None:
        self.tape = Tape(path)
        self.form = form
        self.seconds = 0.0
        self._transports = transports
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recording")
        self._last: Segment | None = None
        self._end = 0

    async def run(self, watch: Watch) -> Outcome:
        """Record until there is nothing more. Raises OSError, MediaError when the stream does not fit into the format,
        and what ``watch`` raises. Whatever happens, what was recorded is kept."""
        try:
            while True:
                window = await watch()
                if not await window.wait_open(OPEN_WITHIN_S):
                    return Outcome.ENDED if window.is_ended else Outcome.SILENT
                if not await self._take(window, watch):
                    return Outcome.ENDED if window.is_ended else Outcome.SILENT
        finally:
            # In the thread that writes, after what it is writing.
            await asyncio.shield(self._in_thread(self.tape.close))
            self._pool.shutdown(wait=False)

    async def _take(self, window: LiveWindow, watch: Watch) -> bool:
        """Record one window; True when another has taken its place."""
        self._last = None
        async for segment, index in follow(window):
            if self.form is Format.MP4:
                await self._take_fragment(segment, index)
            else:
                await self._take_packets(window, segment, index)
            if await watch() is not window:
                return True
        return False

    async def _take_fragment(self, segment: Segment, index: int) -> None:
        slot, lead = segment.slots[index], segment.init.lead
        parts = slot.tracks[lead.track]
        if not self._goes_on(segment, parts[0].decode_time):
            if not is_start(slot):
                return
            await self._in_thread(self.tape.begin)
            await self._write(segment.init.data)
        self._last, self._end = segment, parts[-1].decode_time + parts[-1].duration
        await self._write(b"".join(slot.with_all_tracks))
        self.seconds += slot.duration_s

    async def _take_packets(self, window: LiveWindow, segment: Segment, index: int) -> None:
        data = self._transports.of(window).part(segment.msn, index)
        if not self.tape.files:
            if not is_start(segment.slots[index]):
                return
            await self._in_thread(self.tape.begin)
        if data:
            await self._write(data)
            self.seconds += segment.slots[index].duration_s

    def _goes_on(self, segment: Segment, decode_time: int) -> bool:
        """Whether a part belongs behind the last one, in the same file."""
        last = self._last
        return (
            last is not None
            and last.discontinuity == segment.discontinuity
            and last.init.data == segment.init.data
            and decode_time >= self._end
        )

    async def _write(self, data: bytes) -> None:
        await self._in_thread(lambda: self.tape.write(data))

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, work)
