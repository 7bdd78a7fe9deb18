"""From the bytes that ffmpeg writes to descriptions and pieces: splitter, slicer and what is measured of them."""

import logging
import math
from collections import deque
from collections.abc import Callable

from gateway.ingest.capture_clock import CaptureClock
from gateway.ingest.coding import is_usual
from gateway.ingest.commands import Job
from gateway.ingest.encoder_time import read_encoder_time
from gateway.ingest.encoders import X264
from gateway.ingest.numbering import Numbering
from gateway.ingest.probe import SIDE_MAX
from gateway.ingest.progress import Progress
from gateway.ingest.slicer import SlicedPiece, Slicer
from gateway.ingest.sources import Encoding
from gateway.ingest.subtitles import Subtitles
from gateway.ingest.vitals import Vitals, Worker, vitals_of
from gateway.media.boxes import read_boxes
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
LEAP_S = 60
"""No picture stands so long: its time has leapt."""
PRFT_AGE_US_MAX = 2_000_000


class EncodeInstead(Exception):
    """The picture cannot stay as it came, for the reason given; ``seen_s`` of it, since its newest key frame, are on
    air."""

    def __init__(self, reason: str, seen_s: float = 0.0) -> None:
        super().__init__(reason)
        self.seen_s = seen_s


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
        self._capture = CaptureClock()
        self._splitter = PartSplitter()
        self._subtitles = Subtitles(job.texts)
        self._slicer: Slicer | None = None
        self._init: InitSegment | None = None
        self._newest: Part | None = None
        self._segment_target_s = encoding.segment_s
        self._segment_us = self._whole_us = 0
        self._age_us = 0
        self._meter = RateMeter()
        self._key_us: int | None = None
        self._worker: Worker | None = None
        self.gop_s = self.gop_s_max = 0.0
        self.pieces = 0
        self.size_bytes = 0
        self.media_us = 0
        """How long all pieces together play."""

    @property
    def bitrate_bps(self) -> int:
        """Measured once there is enough, estimated before."""
        return self._meter.rate_bps or self._job.estimate_bps

    @property
    def fps(self) -> float:
        """Frames per second in the newest part of picture; 0 before there is one."""
        if self._newest is None or self._init is None or not self._newest.duration:
            return 0.0
        if self._init.lead.kind != "video":
            return 0.0
        samples = read_fragment(self._newest.data, self._init.lead).samples
        return samples * self._init.lead.timescale / self._newest.duration

    @property
    def segment_s(self) -> float:
        """Length of the last whole segment, which is the distance of the key frames that are used; 0 before."""
        return self._whole_us / 1e6

    @property
    def init(self) -> InitSegment | None:
        """Of all renditions together; None before there is one."""
        return self._init

    @property
    def copied(self) -> bool:
        """Whether the picture is as it came."""
        return self._job.copied

    @property
    def encoder_delay_s(self) -> float | None:
        """From the encoder's own clock to here; None when it does not tell."""
        delay_us = self._capture.encoder_delay_us
        return delay_us / 1e6 if delay_us is not None else None

    @property
    def vitals(self) -> Vitals:
        return vitals_of(self, self._worker)

    @property
    def progress(self) -> Progress | None:
        """What ffmpeg told of its work last."""
        return self._worker.progress if self._worker is not None else None

    def watch(self, worker: Worker) -> None:
        """What feeds this."""
        self._worker = worker

    def delay(self, delay_us: int) -> None:
        """How much later than by the sender's clock its frames come."""
        self._capture.delay(delay_us)

    @property
    def warning(self) -> str:
        """What the broadcaster could do better; empty when there is nothing."""
        length_s = max(self._segment_us, self._whole_us) / 1e6
        if length_s <= self._encoding.segment_s + SEGMENT_SLACK_S:
            return ""
        return (
            f"No key frame for {length_s:.1f} s: viewers begin and go on later than "
            f"they could. Send one every {self._encoding.segment_s:g} s (ffmpeg: -g, OBS: keyframe interval), or set "
            "encode_long_gop."
        )

    @property
    def failed_encoder(self) -> str:
        """The encoder in hardware that failed, if this is encoded in its place; empty otherwise."""
        return self._encoding.failed_encoder if self.coding == X264.name else ""

    @property
    def coding(self) -> str:
        """What the picture is coded by here: an encoder's name, ``copy`` as it came, ``none`` for sound alone."""
        return self._job.coding

    def feed(self, data: bytes, now_us: int, wall_us: int | None = None) -> None:
        """Bytes from ffmpeg. Its stamps are of the machine's clock, which shows ``wall_us`` if that is not ``now_us``.

        Raises MediaError, and EncodeInstead when a copied picture turns out to be unfit.
        """
        for event in self._splitter.feed(data):
            match event:
                case InitSegment():
                    self._begin(event, now_us)
                case Prft():
                    self._age_us = (now_us if wall_us is None else wall_us) - event.wallclock_us
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
        if max(init.lead.width, init.lead.height) > SIDE_MAX:
            raise MediaError(f"{init.lead.width}x{init.lead.height}: {SIDE_MAX} is the longest side that can be sent.")
        if self._slicer is not None:
            self._give_out(self._slicer.finish())
        elif self._job.copied and not is_usual(init.lead.codec):
            raise EncodeInstead(f"few players show its coding, {init.lead.codec}")
        self._numbering.begin_epoch(now_us / 1e6)
        self._init = init = self._subtitles.describe(init)
        self._slicer = Slicer(
            init,
            self._numbering,
            segment_s=self._encoding.segment_s,
            texts=self._subtitles.parts,
            audio_rung=self._job.audio_rung,
            clock=self._capture,
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
            if part.duration > LEAP_S * self._init.lead.timescale:
                raise MediaError("The timestamps of this input leap by minutes. Send it again.")
            self._newest = part
            if part.key:
                self._take_key(part, self._init.lead.timescale)
        self._give_out(self._slicer.add(part, self._arrival_us(now_us)))

    def _take_key(self, part: Part, timescale: int) -> None:
        """A key frame: its distance from the one before, and the time of day that an encoder wrote beside it."""
        at_us = part.decode_time * 1_000_000 // timescale
        if self._key_us is not None and at_us > self._key_us:
            self.gop_s = (at_us - self._key_us) / 1e6
            self.gop_s_max = max(self.gop_s_max, self.gop_s)
        self._key_us = at_us
        if self.copied and (wall_us := _encoder_time(part)) is not None:
            self._capture.stamp(at_us, wall_us)

    def _arrival_us(self, now_us: int) -> int:
        """When ffmpeg wrote the part, by its own stamp: that does not count how long we took to look."""
        return now_us - self._age_us if 0 <= self._age_us < PRFT_AGE_US_MAX else now_us

    def _give_out(self, pieces: list[SlicedPiece]) -> None:
        for piece in pieces:
            size_bytes = sum(map(len, piece.payloads))
            self._meter.add(size_bytes, piece.duration_us)
            self.pieces += 1
            self.size_bytes += size_bytes
            self.media_us += piece.duration_us
            self._on_piece(piece)
            self._watch_segments(piece)

    def _watch_segments(self, piece: SlicedPiece) -> None:
        """A copied input may have its key frames further apart than promised: say so as soon as it is seen."""
        if piece.key:
            self._whole_us = self._segment_us
        self._segment_us = piece.duration_us + (0 if piece.key else self._segment_us)
        length_s = self._segment_us / 1e6
        if length_s > self._segment_target_s + SEGMENT_SLACK_S and self._segment_target_s < SEGMENT_TARGET_S_MAX:
            self._segment_target_s = min(float(math.ceil(length_s)) * 2, SEGMENT_TARGET_S_MAX)
            if self._job.copied and self._encoding.encode_long_gop:
                raise EncodeInstead(f"no key frame for {length_s:.1f} s", length_s)
            logger.warning("%s", self.warning)
            self._describe()


def _encoder_time(part: Part) -> int | None:
    """A part is one `moof` and one `mdat`."""
    data = memoryview(part.data)
    _, mdat = read_boxes(data, 0, len(data))
    return read_encoder_time(data[mdat.body : mdat.end])
