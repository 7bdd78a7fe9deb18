"""A stream's tracks as an MPEG-TS programme: which of them it carries and how, and parts as access units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.media.elementary import Aac, Avc, read_aac, read_avc
from gateway.media.mpegts import AUDIO_ADTS, CLOCK_HZ, FIRST_PID, VIDEO_H264, AccessUnit, TransportTrack
from gateway.media.parts import InitSegment, Part, TrackInfo
from gateway.media.samples import read_samples
from gateway.media.tracks import sample_entries

VIDEO_ID = 0xE0
AUDIO_ID = 0xC0


@dataclass(frozen=True, slots=True)
class Carried:
    """A track, how MPEG-TS names it, and how its samples are written there."""

    info: TrackInfo
    track: TransportTrack
    coding: Avc | Aac


class Programme:
    """The tracks that MPEG-TS can carry; the lead track is the first, which gives the clock.

    MP4 lets a picture be shown before its decode time, MPEG-TS does not: where pictures are reordered, decode times
    are moved ahead by as much as has been seen to be needed. Times of showing stay as they are.
    """

    def __init__(self, carried: Sequence[Carried]) -> None:
        self._carried = tuple(carried)
        self._ahead = dict.fromkeys((each.info.track for each in carried), 0)
        self.tracks = tuple(each.track for each in carried)

    def units(self, parts: Mapping[int, Sequence[Part]], shift: int) -> list[AccessUnit]:
        """All samples of the parts by their decode times, each ``shift`` (in 1/90000 s) later. Raises MediaError.

        The lead track's first one goes before all: it brings the clock, and a player wants the key frame first.
        """
        units = [
            unit
            for carried in self._carried
            for part in parts.get(carried.info.track, ())
            for unit in self._of_part(carried, part, shift)
        ]
        # Units of the lead track come first in the list: the sort, which is stable, keeps them before their equals.
        return sorted(units, key=lambda unit: max(unit.dts, units[0].dts))

    def _of_part(self, carried: Carried, part: Part, shift: int) -> list[AccessUnit]:
        info = carried.info
        samples = read_samples(part.data, info)
        ahead = self._ahead[info.track] = max(self._ahead[info.track], *(-sample.offset for sample in samples))
        return [
            AccessUnit(
                track=carried.track,
                pts=ticks(sample.decode_time + sample.offset, info) + shift,
                dts=ticks(sample.decode_time - ahead, info) + shift,
                key=sample.key and info.kind == "video",
                data=carried.coding.access_unit(sample.data, key=sample.key),
            )
            for sample in samples
        ]


def ticks(time: int, track: TrackInfo) -> int:
    """A time of the track's timescale in 1/90000 s, which is exact for the usual timescales, else rounded."""
    return (time * CLOCK_HZ * 2 + track.timescale) // (track.timescale * 2)


def read_programme(init: InitSegment) -> Programme:
    """The H.264 picture and all AAC sound; other sound is left out. Raises CodecError without such a picture."""
    entries = sample_entries(init.data)
    lead = init.lead
    video = TransportTrack(pid=FIRST_PID, stream_type=VIDEO_H264, stream_id=VIDEO_ID)
    found = [Carried(lead, video, read_avc(entries[lead.track]))]
    for info in init.tracks:
        coding = read_aac(entries[info.track]) if info.kind == "audio" else None
        if coding is not None:
            pid, number = FIRST_PID + len(found), len(found) - 1
            audio = TransportTrack(pid=pid, stream_type=AUDIO_ADTS, stream_id=AUDIO_ID + number, language=info.language)
            found.append(Carried(info, audio, coding))
    return Programme(found)
