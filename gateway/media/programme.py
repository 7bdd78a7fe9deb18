"""A stream's tracks as an MPEG-TS programme: which of them it carries and how, and parts as access units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.media.boxes import Box
from gateway.media.elementary import HEVC_UNITS, ElementaryCoding, Whole, read_aac, read_opus, read_picture
from gateway.media.errors import CodecError
from gateway.media.mpegts import (
    AUDIO_AC3,
    AUDIO_ADTS,
    AUDIO_EAC3,
    CLOCK_HZ,
    EXTENSION_DESCRIPTOR,
    FIRST_PID,
    PRIVATE_PES,
    VIDEO_H264,
    VIDEO_HEVC,
    AccessUnit,
    TransportTrack,
    registration,
)
from gateway.media.parts import InitSegment, Part, TrackInfo
from gateway.media.samples import read_samples
from gateway.media.tracks import sample_entries

VIDEO_ID = 0xE0
AUDIO_ID = 0xC0
PRIVATE_ID = 0xBD
OPUS_CHANNELS = 0x80
"""Tag of the extension descriptor that tells the layout of Opus."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A track, how MPEG-TS names it, and how its samples are written there."""

    info: TrackInfo
    track: TransportTrack
    coding: ElementaryCoding


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
                key=sample.key and carried is self._carried[0],
                data=carried.coding.access_unit(sample.data, key=sample.key),
            )
            for sample in samples
        ]


def ticks(time: int, track: TrackInfo) -> int:
    """A time of the track's timescale in 1/90000 s, which is exact for the usual timescales, else rounded."""
    return (time * CLOCK_HZ * 2 + track.timescale) // (track.timescale * 2)


def read_programme(init: InitSegment) -> Programme:
    """The picture in H.264 or HEVC and all sound in AAC, AC-3, E-AC-3 and Opus; other sound is left out.

    Raises CodecError when the picture, or all there is of sound alone, cannot be carried.
    """
    entries = sample_entries(init.data)
    found: list[Carried] = []
    pictures = [init.lead] if init.lead.kind == "video" else []
    for info in (*pictures, *(info for info in init.tracks if info.kind == "audio")):
        carried = _carry(info, entries[info.track], len(found), len(found) - len(pictures))
        if carried is not None:
            found.append(carried)
    if not found or found[0].info is not init.lead:
        raise CodecError("MPEG-TS cannot carry this sound: play this stream by index.m3u8.")
    return Programme(found)


def _carry(info: TrackInfo, entry: Box, place: int, sound: int) -> Carried | None:
    """A track as the ``place``-th of the programme and its ``sound``-th of sound; None for sound that cannot be.

    Raises CodecError for such a picture, MediaError.
    """
    coding, stream_type, stream_id, descriptors = _describe(info, entry, sound)
    if coding is None:
        return None
    track = TransportTrack(
        pid=FIRST_PID + place,
        stream_type=stream_type,
        stream_id=stream_id,
        language=info.language if info.kind == "audio" else "und",
        descriptors=descriptors,
    )
    return Carried(info, track, coding)


def _describe(info: TrackInfo, entry: Box, sound: int) -> tuple[ElementaryCoding | None, int, int, bytes]:
    """How a track is written, its stream_type, stream_id and descriptors."""
    if info.kind == "video":
        picture = read_picture(entry)
        return picture, VIDEO_HEVC if picture.units is HEVC_UNITS else VIDEO_H264, VIDEO_ID, b""
    if entry.kind == b"ac-3":
        return Whole(), AUDIO_AC3, PRIVATE_ID, registration(b"AC-3")
    if entry.kind == b"ec-3":
        return Whole(), AUDIO_EAC3, PRIVATE_ID, registration(b"EAC3")
    if entry.kind == b"Opus":
        opus = read_opus(entry)
        layout = bytes((EXTENSION_DESCRIPTOR, 2, OPUS_CHANNELS, opus.channels if opus else 0))
        return opus, PRIVATE_PES, PRIVATE_ID, registration(b"Opus") + layout
    return read_aac(entry), AUDIO_ADTS, AUDIO_ID + sound, b""
