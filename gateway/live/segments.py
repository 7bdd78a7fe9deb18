"""Segments of the live window, and the bytes that players get of them.

A slot is one piece's place in its segment: filled for good, or a gap for good. Playlists count slots as parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gateway.media.hls import PartLine, SegmentLine
from gateway.media.muxing import mux_buffers
from gateway.media.parts import Buffer, InitSegment, Part
from gateway.media.payload import Record
from gateway.media.text_track import read_cues
from gateway.media.webvtt import Cue


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One piece in its place: its parts by track, none for a gap. ``duration_s`` is that of the lead track.

    ``tracks`` and ``durations_s`` have the same keys: track_IDs. ``main`` are those of them that the muxed variant has.
    ``number`` is the piece's, where it is known, ``record`` the piece as it was signed, which a gap has when
    its key is not here.
    """

    duration_s: float
    key: bool = False
    tracks: Mapping[int, Sequence[Part]] = field(default_factory=dict)
    durations_s: Mapping[int, float] = field(default_factory=dict)
    main: frozenset[int] = frozenset()
    number: int | None = None
    record: Record | None = None

    @property
    def gap(self) -> bool:
        return not self.tracks

    @property
    def size_bytes(self) -> int:
        """Of the media itself, all tracks."""
        return sum(len(part.data) for parts in self.tracks.values() for part in parts)

    @cached_property
    def muxed(self) -> tuple[Buffer, ...]:
        """Picture and first sound as one stream, made once and on demand; none for a gap."""
        parts = [part for track, of_track in self.tracks.items() if track in self.main for part in of_track]
        return tuple(mux_buffers(parts, self.number)) if parts else ()

    @cached_property
    def with_all_tracks(self) -> tuple[Buffer, ...]:
        """The same with every language."""
        if self.main >= self.tracks.keys():
            return self.muxed
        return tuple(mux_buffers([part for of_track in self.tracks.values() for part in of_track], self.number))

    def buffers(self, track: int | None) -> Sequence[Buffer]:
        """What a player gets: of one track, or of all for None. Empty when nothing is here."""
        return self.muxed if track is None else tuple(part.data for part in self.tracks.get(track, ()))

    def line(self, track: int | None, *, picture: bool) -> PartLine:
        """The slot in the playlist of a track, or of all; ``picture``: it can only be begun at key frames."""
        if track is None:
            return PartLine(duration_s=self.duration_s, independent=self.key, gap=self.gap)
        return PartLine(
            duration_s=self.durations_s.get(track, self.duration_s),
            independent=self.key or not picture,
            gap=track not in self.tracks,
        )


def gap_slot(duration_s: float) -> Slot:
    """The place of a piece that never came."""
    return Slot(duration_s=duration_s)


def make_slot(
    parts: Sequence[Part], init: InitSegment, number: int | None = None, record: Record | None = None
) -> Slot | None:
    """A piece's parts by tracks; None when none is of the lead track. Parts of unknown tracks are left out.

    The lead track comes first, in what is muxed too: Shaka takes a fragment's first decode time for the picture's.
    """
    lead = init.lead
    ordered = (lead, *(info for info in init.tracks if info is not lead))
    tracks = {info.track: parts_of(parts, info.track) for info in ordered}
    tracks = {track: of_track for track, of_track in tracks.items() if of_track}
    if lead.track not in tracks:
        return None
    durations_s = {
        info.track: sum(part.duration for part in tracks[info.track]) / info.timescale
        for info in init.tracks
        if info.track in tracks
    }
    return Slot(
        duration_s=durations_s[lead.track],
        key=tracks[lead.track][0].key,
        tracks=tracks,
        durations_s=durations_s,
        main=frozenset(info.track for info in init.main),
        number=number,
        record=record,
    )


def parts_of(parts: Sequence[Part], track: int) -> list[Part]:
    """Those of one track."""
    return [part for part in parts if part.track == track]


@dataclass(slots=True, kw_only=True)
class Segment:
    """Slots from one key frame to the next. ``capture_us`` is the wall clock of its first frame.

    ``outage_s`` is the length of a segment of which no piece came.
    """

    msn: int
    epoch: int
    discontinuity: int
    capture_us: int
    init: InitSegment
    slots: list[Slot] = field(default_factory=list)
    complete: bool = False
    outage_s: float = 0.0
    _lines: dict[int | None, SegmentLine] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        return sum(slot.duration_s for slot in self.slots) or self.outage_s

    @property
    def size_bytes(self) -> int:
        """Of the media itself, all tracks."""
        return sum(slot.size_bytes for slot in self.slots)

    @property
    def gap(self) -> bool:
        """Nothing of it can be played."""
        return all(slot.gap for slot in self.slots)

    @property
    def lead_start(self) -> int | None:
        """Where it starts on the lead track's timeline, in its timescale; None when no piece of it came."""
        lead, before_s = self.init.lead, 0.0
        for slot in self.slots:
            if lead.track in slot.tracks:
                return slot.tracks[lead.track][0].decode_time - round(before_s * lead.timescale)
            before_s += slot.duration_s
        return None

    def span(self, track: int) -> tuple[int, int] | None:
        """Start and length of what is here of a track, in its timescale, gaps inside included; None for nothing."""
        parts = [part for slot in self.slots for part in slot.tracks.get(track, ())]
        return (
            (parts[0].decode_time, parts[-1].decode_time + parts[-1].duration - parts[0].decode_time) if parts else None
        )

    def track_bytes(self, track: int) -> int:
        """Of one track's media."""
        return sum(len(part.data) for slot in self.slots for part in slot.tracks.get(track, ()))

    def buffers(self, track: int | None) -> list[Buffer]:
        """All that is here of the segment."""
        return [buffer for slot in self.slots for buffer in slot.buffers(track)]

    def cues(self, track: int, index: int | None = None) -> list[Cue]:
        """What a track of text shows in the segment, or in one of its parts. Raises MediaError."""
        slots = self.slots if index is None else self.slots[index : index + 1]
        return sorted({cue for slot in slots for part in slot.tracks.get(track, ()) for cue in read_cues(part.data)})

    def line(self, track: int | None) -> SegmentLine:
        """The segment in the playlist of a track, or of all; remembered once it is complete."""
        known = self._lines.get(track)
        if known is not None:
            return known
        info = None if track is None else self.init.track(track)
        picture = info is None or info.kind == "video"
        parts = tuple(slot.line(track, picture=picture) for slot in self.slots)
        line = SegmentLine(
            msn=self.msn,
            epoch=self.epoch,
            discontinuity=self.discontinuity,
            date_us=self.capture_us,
            duration_s=sum(part.duration_s for part in parts) or self.outage_s,
            parts=parts,
            complete=self.complete,
            gap=all(part.gap for part in parts),
        )
        if self.complete:
            self._lines[track] = line
        return line
