"""From the bytes that ffmpeg writes to descriptions and pieces: splitter, slicer and what is measured of them."""

import logging
import math
from collections import deque
from collections.abc import Callable

from gateway.ingest.commands import Job
from gateway.ingest.numbering import Numbering
from gateway.ingest.slicer import SlicedPiece, Slicer
from gateway.ingest.sources import Encoding
from gateway.ingest.subtitles import Subtitles
from gateway.media.description import SEGMENT_TARGET_S_MAX, MediaDescription, Rendition
from gateway.media.errors import MediaError
from gateway.media.fragments import read_fragment
from gateway.media.parts import InitSegment, Part, Prft
from gateway.media.rungs import rung_inits
from gateway.media.splitter import PartSplitter

logger = logging.getLogger(__name__)

MEASURED_US = 10_000_000
"""A bitrate is that of the last ten seconds."""
MEASURED_US_MIN = 1_500_000
"""Less than this says nothing: one key frame more or less counts for too much."""
SEGMENT_SLACK_S = 0.4
"""Segments may be so much longer than described before the description is corrected."""
PRFT_AGE_US_MAX = 2_000_000


OnDescription = Callable[[int, tuple[Rendition, ...]], None]
"""Takes the epoch and its renditions, the lowest first: before the epoch's first piece, and again when it had to be
corrected."""
OnPiece = Callable[[SlicedPiece], None]


class RateMeter:
    """Bits per second of media time, of the last `MEASURED_US`."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, int]] = deque()
        self._bytes = 0
        self._us = 0

    def add(self, size_bytes: int, duration_us: int) -> None:
        self._pieces.append((size_bytes, duration_us))
        self._bytes += size_bytes
        self._us += duration_us
        while self._us - self._pieces[0][1] > MEASURED_US:
            old_bytes, old_us = self._pieces.popleft()
            self._bytes -= old_bytes
            self._us -= old_us

    @property
    def rate_bps(self) -> int | None:
        """None before there is enough to measure."""
        return round(self._bytes * 8e6 / self._us) if self._us >= MEASURED_US_MIN else None


class Assembly:
    """One epoch: the life of one ffmpeg. The wall clock is passed in, in microseconds."""

    def __init__(
        self,
        job: Job,
        encoding: Encoding,
        numbering: Numbering,
        *,
        on_description: OnDescription,
        on_piece: OnPiece,
        clock: bool = False,
    ) -> None:
        """``clock``: the picture carries the machine-readable clock."""
        self._job = job
        self._encoding = encoding
        self._numbering = numbering
        self._on_description = on_description
        self._on_piece = on_piece
        self._clock = clock
        self._splitter = PartSplitter()
        self._subtitles = Subtitles(job.texts)
        self._slicer: Slicer | None = None
        self._init: InitSegment | None = None
        self._newest: Part | None = None
        self._segment_target_s = encoding.segment_s
        self._segment_us = self._whole_us = 0
        self._written_us: int | None = None
        self._meter = RateMeter()
        self.pieces = 0
        self.size_bytes = 0

    @property
    def bitrate_bps(self) -> int:
        """Measured once there is enough, estimated before."""
        return self._meter.rate_bps or self._job.estimate_bps

    @property
    def fps(self) -> float:
        """Frames per second in the newest part of picture; 0 before there is one."""
        if self._newest is None or self._init is None or not self._newest.duration:
            return 0.0
        samples = read_fragment(self._newest.data, self._init.lead).samples
        return samples * self._init.lead.timescale / self._newest.duration

    @property
    def segment_s(self) -> float:
        """Length of the last whole segment, which is the distance of the key frames that are used; 0 before."""
        return self._whole_us / 1e6

    def feed(self, data: bytes, now_us: int) -> None:
        """Bytes from ffmpeg. Raises MediaError."""
        for event in self._splitter.feed(data):
            match event:
                case InitSegment():
                    self._begin(event, now_us)
                case Prft():
                    self._written_us = event.wallclock_us
                case Part():
                    self._slice(event, now_us)

    def feed_text(self, number: int, data: bytes) -> None:
        """Bytes from ffmpeg's output of the subtitles with this number."""
        self._subtitles.feed(number, data)

    @property
    def waiting(self) -> bool:
        """Whether pieces are held back for a moment: call `settle` when nothing else comes meanwhile."""
        return self._slicer is not None and self._slicer.waiting

    def settle(self, now_us: int) -> None:
        if self._slicer is not None:
            self._give_out(self._slicer.settle(now_us))

    def finish(self) -> None:
        """The end of the input: what is left goes out."""
        if self._slicer is not None:
            self._give_out(self._slicer.finish())

    def _begin(self, init: InitSegment, now_us: int) -> None:
        if self._slicer is not None:
            raise MediaError("This input changed its tracks. Send it again.")
        self._numbering.begin_epoch(now_us / 1e6)
        self._init = init = self._subtitles.describe(init)
        self._slicer = Slicer(
            init,
            self._numbering,
            segment_s=self._encoding.segment_s,
            texts=self._subtitles.parts,
            audio_rung=self._job.audio_rung,
        )
        self._describe()

    def _describe(self) -> None:
        assert self._init is not None
        inits = rung_inits(self._init, audio_rung=self._job.audio_rung)
        renditions = [
            Rendition(
                name=output.name,
                bitrate_bps=output.estimate_bps,
                media=MediaDescription(
                    init=init,
                    part_target_s=self._job.part_s,
                    segment_target_s=self._segment_target_s,
                    clock=self._clock,
                    hold_back_s=self._encoding.hold_back_s,
                ),
            )
            for output, init in zip(self._job.outputs, inits, strict=True)
        ]
        self._on_description(self._numbering.epoch, tuple(renditions))

    def _slice(self, part: Part, now_us: int) -> None:
        assert self._slicer is not None
        assert self._init is not None
        if part.track == self._init.lead.track:
            self._newest = part
        self._give_out(self._slicer.add(part, self._arrival_us(now_us)))

    def _arrival_us(self, now_us: int) -> int:
        """When ffmpeg wrote the part, by its own stamp: that does not count how long we took to look."""
        written_us = self._written_us
        return written_us if written_us is not None and 0 <= now_us - written_us < PRFT_AGE_US_MAX else now_us

    def _give_out(self, pieces: list[SlicedPiece]) -> None:
        for piece in pieces:
            size_bytes = sum(map(len, piece.payloads))
            self._meter.add(size_bytes, piece.duration_us)
            self.pieces += 1
            self.size_bytes += size_bytes
            self._watch_segments(piece)
            self._on_piece(piece)

    def _watch_segments(self, piece: SlicedPiece) -> None:
        """A copied input may have its key frames further apart than promised: say so as soon as it is seen."""
        if piece.key:
            self._whole_us = self._segment_us
        self._segment_us = piece.duration_us + (0 if piece.key else self._segment_us)
        length_s = self._segment_us / 1e6
        if length_s > self._segment_target_s + SEGMENT_SLACK_S and self._segment_target_s < SEGMENT_TARGET_S_MAX:
            self._segment_target_s = min(float(math.ceil(length_s)) * 2, SEGMENT_TARGET_S_MAX)
            logger.warning(
                "No key frame for %.1f s: viewers begin and go on later than they could. Send one every %g s "
                "(ffmpeg: -g, OBS: keyframe interval), or let it be encoded.",
                length_s, self._encoding.segment_s,
            )  # fmt: skip
            self._describe()
