"""What a fragmented MP4 stream is made of, as everything else here sees it.

The words are those of ISO/IEC 14496-12 (the file format) and ISO/IEC 23000-19 (CMAF, whose chunk is our part).
"""

from dataclasses import dataclass
from typing import Literal

Buffer = bytes | memoryview
"""Media bytes: owned, or a slice of a piece's payload."""

Kind = Literal["video", "audio", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One `moof` with one `traf`, and its `mdat`: 100-250 ms of one track.

    ``decode_time`` and ``duration`` are in units of the track's timescale; ``key`` says that it starts with a sync
    sample. ``data`` has neither `styp` nor `prft` in front.
    """

    track: int
    key: bool
    decode_time: int
    duration: int
    data: Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Prft:
    """ProducerReferenceTime (ISO/IEC 14496-12 section 8.16.5): when the encoder saw the next part's first frame.

    ``wallclock_us`` is microseconds since 1970, ``media_time`` is in the track's timescale.
    """

    track: int
    wallclock_us: int
    media_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackInfo:
    """One track of an init segment. ``codec`` is the string of RFC 6381; what a track does not have is 0.

    ``language`` is ISO 639-2/T ("und" when unknown), ``sample_rate`` in Hz. The defaults are those of its `trex`.
    """

    track: int
    kind: Kind
    codec: str
    timescale: int
    language: str = "und"
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate: int = 0
    default_duration: int = 0
    default_size: int = 0
    default_flags: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InitSegment:
    """`ftyp` and `moov`, and what they say of the tracks."""

    data: bytes
    tracks: tuple[TrackInfo, ...]

    def track(self, number: int) -> TrackInfo | None:
        """The track with this track_ID, or None."""
        return next((track for track in self.tracks if track.track == number), None)

    @property
    def main(self) -> tuple[TrackInfo, ...]:
        """What players get that take one stream only: the lead track and the first one of sound."""
        sound = next((track for track in self.tracks if track.kind == "audio"), self.lead)
        return tuple(track for track in self.tracks if track in (self.lead, sound))

    @property
    def lead(self) -> TrackInfo:
        """The track that the others follow: the first video track, else the first one."""
        return next((track for track in self.tracks if track.kind == "video"), self.tracks[0])


Event = InitSegment | Part | Prft
