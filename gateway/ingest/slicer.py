"""Groups parts into pieces: a part of picture, with the parts of sound that came since the part of picture before.

Without a picture the first sound is in its place, and every piece may begin a segment.

With a ladder there is a picture for each rendition, all cut at the same frames: each cut makes a piece of every
rendition, of the same number and the same time, each with its own picture and with the same sound. A last rendition
may be of that sound alone.

A segment begins at a key frame, but only once the segment before has lasted as long as it should: an input with many
key frames does not get many tiny segments, and the segments' numbers never run ahead of the clock that they started
from. A segment without a key frame goes on, up to `INDEX_MAX`; then one begins without.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.ingest.capture_clock import CaptureClock
from gateway.ingest.numbering import Numbering
from gateway.media.errors import MediaError, NoVideo
from gateway.media.parts import InitSegment, Part, TrackInfo
from gateway.media.payload import PARTS_MAX, PieceSlice, pack
from gateway.media.rungs import as_track, pictures

HELD_MAX = 128
"""Parts of picture that wait at the start until the capture clock has settled."""
INDEX_MAX = 1023
"""Pieces in a segment, beyond which a gateway takes a broadcaster for broken: over three minutes."""
SHORT_BY_US = 5_000
"""Rounding of timestamps does not make a segment too short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicedPiece:
    """What the swarm spreads, a payload for each rendition. ``key``: a segment and so a viewer can start here.

    Times are of the first frame.
    """

    number: int
    epoch: int
    key: bool
    capture_us: int
    duration_us: int
    payloads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Cut:
    """One piece to be: its parts in each rendition, and where its picture begins and ends in media time."""

    key: bool
    media_us: int
    duration_us: int
    renditions: tuple[tuple[Part, ...], ...]


class Slicer:
    """Slices one epoch, from its init segment to its end. The wall clock is passed in, in microseconds."""

    def __init__(
        self,
        init: InitSegment,
        numbering: Numbering,
        *,
        segment_s: float,
        texts: Callable[[int, int], tuple[Part, ...]],
        audio_rung: bool = False,
        clock: CaptureClock | None = None,
    ) -> None:
        """``init`` is that of all renditions together, ``texts`` gives the parts of text for a start and a duration in
        media time; with ``audio_rung`` all but the picture is a rendition too, the last one. ``clock`` knows this
        epoch's times of capture. Raises NoVideo when there is neither picture nor sound. The numbering has begun this
        epoch."""
        if init.lead.kind == "text":
            raise NoVideo("There is neither picture nor sound in this input.")
        self._init = init
        self._lead = init.lead
        self._numbering = numbering
        self._segment_us = round(segment_s * 1e6) - SHORT_BY_US
        self._texts = texts
        self._audio_rung = audio_rung
        self._clock = clock or CaptureClock()
        self._sound: list[Part] = []
        self._tracks = pictures(init) or (init.lead.track,)
        self._pictures: dict[int, Part] = {}
        self._held: list[_Cut] = []
        self._segment_start_us: int | None = None
        self._numbering.begin_segment()

    def add(self, part: Part, arrival_us: int) -> list[SlicedPiece]:
        """The pieces that this part completes. Raises MediaError when sound comes without end and without picture."""
        if part.track not in self._tracks:
            self._add_sound(part)
            return []
        if part.track in self._pictures:
            raise MediaError("The pictures of the ladder have come out of step.")
        self._pictures[part.track] = part
        if len(self._pictures) < len(self._tracks):
            return []
        cut = self._cut()
        if cut is None:
            return []
        self._clock.observe(arrival_us, cut.media_us + cut.duration_us)
        self._held.append(cut)
        return self.settle(arrival_us)

    @property
    def waiting(self) -> bool:
        """Whether pieces are held until the capture clock has settled: call `settle` after a while."""
        return bool(self._held)

    def settle(self, now_us: int) -> list[SlicedPiece]:
        """The pieces that were held, if the first burst is over."""
        settled = self._clock.settled(now_us) or len(self._held) >= HELD_MAX
        return self._release() if settled else []

    def finish(self) -> list[SlicedPiece]:
        """What is left at the end of the input, so that none of its picture and sound is lost."""
        if self._sound and (self._held or self._segment_start_us is not None):
            self._held.append(self._last_sound())
        return self._release()

    def _add_sound(self, part: Part) -> None:
        if len(self._sound) >= PARTS_MAX - 1:
            if self._segment_start_us is not None or self._held:
                raise MediaError("The picture (or the first sound) of this input has stopped, the rest still comes.")
            self._sound.pop(0)  # sound from before the first picture
        self._sound.append(part)

    def _cut(self) -> _Cut | None:
        """The piece whose picture has come in all renditions; None before the first key frame."""
        of_rendition = [self._pictures[track] for track in self._tracks]
        sound = tuple(self._sound)
        self._pictures.clear()
        self._sound.clear()
        first = of_rendition[0]
        media_us = _us(first.decode_time, self._lead)
        key = all(part.key for part in of_rendition)
        if self._segment_start_us is None and not key:
            return None
        start = self._starts_segment(key, media_us)
        if start:
            self._segment_start_us = media_us
        duration_us = _us(first.decode_time + first.duration, self._lead) - media_us
        others = (*sound, *self._texts(media_us, duration_us))
        renditions = tuple((as_track(part, self._lead.track), *others) for part in of_rendition)
        if self._audio_rung:
            renditions = (*renditions, others)
        return _Cut(key=start, media_us=media_us, duration_us=duration_us, renditions=renditions)

    def _starts_segment(self, key: bool, media_us: int) -> bool:
        if not key or self._segment_start_us is None:
            return key
        return media_us < self._segment_start_us or media_us - self._segment_start_us >= self._segment_us

    def _last_sound(self) -> _Cut:
        first = self._sound[0]
        track = self._init.track(first.track) or self._lead
        duration_us = sum(_us(part.duration, track) for part in self._sound if part.track == first.track)
        renditions = (tuple(self._sound),) * (len(self._tracks) + self._audio_rung)
        self._sound.clear()
        return _Cut(key=False, media_us=_us(first.decode_time, track), duration_us=duration_us, renditions=renditions)

    def _release(self) -> list[SlicedPiece]:
        pieces = [self._number(cut) for cut in self._held]
        self._held.clear()
        return pieces

    def _number(self, cut: _Cut) -> SlicedPiece:
        numbering = self._numbering
        # Who watches goes on even if no key frame ever comes again.
        if cut.key or numbering.index > INDEX_MAX:
            numbering.begin_segment()
        contents = [
            PieceSlice(
                segment=numbering.segment,
                index=numbering.index,
                discontinuity=numbering.discontinuity,
                parts=parts,
            )
            for parts in cut.renditions
        ]
        return SlicedPiece(
            number=numbering.take(),
            epoch=numbering.epoch,
            key=cut.key,
            capture_us=self._clock.capture_us(cut.media_us),
            duration_us=cut.duration_us,
            payloads=tuple(pack(content) for content in contents),
        )


def _us(ticks: int, track: TrackInfo) -> int:
    return ticks * 1_000_000 // track.timescale
