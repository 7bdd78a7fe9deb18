"""What there is of a stream to go back to: its shelf, and behind it the live window."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from gateway.live import LiveWindow
from gateway.media.hls import SegmentLine, render_plain
from gateway.media.multivariant import Bandwidth, render_past_index
from gateway.media.parts import Buffer
from gateway.media.tracks import main_init
from gateway.timeshift.backfill import Backfill
from gateway.timeshift.shelf import Shelf

UNKNOWN = Bandwidth(peak_bps=1, average_bps=1)

FROM = "from"
"""In a playlist's query: the number of its oldest segment."""

LIVE_EDGE_TARGETS = 3
"""Players begin so many target durations before the end: how far they go back is theirs to choose."""


class Past(NamedTuple):
    """``window`` is None when nobody of the stream can be reached."""

    shelf: Shelf
    window: LiveWindow | None
    backfill: Backfill | None = None

    def go_back(self, now: float) -> None:
        """Somebody is interested in it: let more come from neighbours."""
        if self.backfill is not None and self.window is not None:
            self.backfill.go_on(now)

    async def wait_longer(self, timeout_s: float) -> None:
        """Wait until the stretch that is being fetched is here, or nobody has it; not longer than that."""
        if self.backfill is not None:
            await self.backfill.wait(timeout_s)

    def lines(self) -> list[SegmentLine]:
        """All whole segments, numbered without a hole."""
        kept = self.shelf.lines()
        newer = self.window.whole_lines() if self.window is not None else []
        first = kept[-1].msn + 1 if kept else 0
        lines = [*kept, *(line for line in newer if line.msn >= first)]
        holes = [at for at, (one, other) in enumerate(pairwise(lines), 1) if other.msn != one.msn + 1]
        return lines[holes[-1] :] if holes else lines

    def opening(self, lines: Sequence[SegmentLine]) -> str:
        """The multivariant playlist for a player that begins now.

        It names a media playlist that begins with the oldest of these segments for good: what is fetched from before
        that is for those who begin later, because a playlist may not grow at its front (RFC 8216 section 6.2.1).
        """
        window = self.window if self.window is not None and self.window.is_open else None
        init = self.shelf.init(lines[-1].epoch)
        tracks = init.main if init is not None else window.tracks if window is not None else ()
        bandwidth = self.shelf.bandwidth() or (window.bandwidth if window is not None else UNKNOWN)
        return render_past_index(tracks, bandwidth=bandwidth, uri=f"window.m3u8?{FROM}={lines[0].msn}")

    def playlist(self, lines: Sequence[SegmentLine]) -> str:
        """These segments as a media playlist, which begins near its end while the broadcast goes on."""
        window = self.window
        promised_s = window.rhythm.target_duration_s if window is not None and window.is_open else 1
        target_s = max(promised_s, math.floor(max(line.duration_s for line in lines) + 0.5))
        ended = window is None or window.is_ended
        start_s = None if ended else -float(LIVE_EDGE_TARGETS * target_s)
        return render_plain(lines, target_duration_s=target_s, ended=ended, start_s=start_s)

    def init(self, epoch: int) -> bytes | None:
        """An epoch's init segment."""
        kept = self.shelf.init(epoch)
        if kept is not None:
            return main_init(kept)
        return self.window.init(epoch, None) if self.window is not None else None

    async def segment(self, msn: int, track: int | None) -> Sequence[Buffer]:
        """A whole segment's bytes; empty when it is not here."""
        buffers = self.window.segment(msn, track) if self.window is not None else ()
        if buffers:
            return buffers
        segment = await self.shelf.segment(msn)
        return segment.buffers(track) if segment is not None else ()
