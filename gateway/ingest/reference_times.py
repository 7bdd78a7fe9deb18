"""How late a pushed MP4 comes by its own producer's clock: its `prft` boxes (ISO/IEC 14496-12 section 8.16.5).

ffmpeg passes these boxes over, and its output has times of its own. Both run equally fast, though: what is read here is
how much later than by the producer's clock a fragment was whole, which holds for the output as well.
"""

from collections import deque

from gateway.media.boxes import LARGE_HEADER_BYTES, read_header
from gateway.media.errors import MediaError
from gateway.media.parts import InitSegment, Prft
from gateway.media.splitter import BOX_BYTES_MAX, read_prft
from gateway.media.tracks import read_init

WINDOW_US = 5_000_000


class ReferenceTimes:
    """Fed with the bytes of a push as they come, with the wall clock of each in microseconds."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._kept: bytearray | None = None
        self._kind = b""
        self._ftyp = b""
        self._init: InitSegment | None = None
        self._open: Prft | None = None
        self._whole_us = 0
        # (arrival, delay) with growing delays: the first is the smallest of the window.
        self._delays: deque[tuple[int, int]] = deque()
        self._broken = self._news = False

    def feed(self, data: bytes, now_us: int) -> int | None:
        """Bytes that came at ``now_us``. The smallest delay of the last seconds, in microseconds, when it is news.

        What is damaged is for ffmpeg to complain of.
        """
        if self._broken:
            return None
        self._news = False
        try:
            self._walk(self._head + data, now_us)
        except MediaError:
            self._broken = True
        return self._delays[0][1] if self._news and self._delays else None

    def _walk(self, data: bytes, now_us: int) -> None:
        self._head = b""
        at = 0
        while at < len(data):
            if not self._left and not self._open_box(data, at):
                self._head = data[at:]
                return
            taken = min(self._left, len(data) - at)
            if self._kept is not None:
                self._kept += data[at : at + taken]
            at += taken
            self._left -= taken
            if not self._left:
                self._close_box(now_us)

    def _open_box(self, data: bytes, at: int) -> bool:
        """Whether the next box's header is there."""
        header = read_header(bytearray(data[at : at + LARGE_HEADER_BYTES]), 0, len(data) - at)
        if header is None:
            return False
        self._kind, _, self._left = header
        wanted = self._kind in (b"prft", b"ftyp", b"moov") and self._left <= BOX_BYTES_MAX
        self._kept = bytearray() if wanted else None
        return True

    def _close_box(self, now_us: int) -> None:
        if self._kind == b"mdat":
            self._whole_us = self._whole_us or now_us
        if self._kept is None:
            return
        box = bytes(self._kept)
        if self._kind == b"ftyp":
            self._ftyp = box
        elif self._kind == b"moov":
            self._init = read_init(self._ftyp + box)
        else:
            self._note(read_prft(box))

    def _note(self, prft: Prft) -> None:
        """The fragment before ends where this one of the same track begins."""
        track = self._init.track(prft.track) if self._init is not None else None
        if self._init is None or track is None or track.track != self._init.lead.track:
            return
        before, self._open = self._open, prft
        whole_us, self._whole_us = self._whole_us, 0
        if before is None or not whole_us:
            return
        length_us = (prft.media_time - before.media_time) * 1_000_000 // track.timescale
        if length_us <= 0:
            self._delays.clear()  # the producer began anew
            return
        self._news = True
        delay_us = whole_us - before.wallclock_us - length_us
        while self._delays and self._delays[-1][1] >= delay_us:
            self._delays.pop()
        self._delays.append((whole_us, delay_us))
        while self._delays[0][0] < whole_us - WINDOW_US:
            self._delays.popleft()
