"""Whether one fragmented MP4 can go on with what was coded by another init segment, of which it cannot be told.

It can when the tracks are the same, and pictures bring their own H.264 or HEVC parameter sets (section 7.3.2 of both):
a decoder takes the newest that it has read. A ladder's key frames have them. The picture's size may change; its track's
numbers, clock and defaults may not, and neither may how sound and text are coded.
"""

from collections.abc import Iterator

from gateway.media.boxes import Box
from gateway.media.elementary import read_picture
from gateway.media.errors import MediaError
from gateway.media.parts import InitSegment, Part, TrackInfo
from gateway.media.samples import read_samples
from gateway.media.tracks import sample_entries


def can_go_on(sent: InitSegment, other: InitSegment, lead: Part) -> bool:
    """Whether a stream that began with ``sent`` may go on with ``lead``, a part of ``other``'s lead track."""
    try:
        return _frames(sent) == _frames(other) and _brings_parameters(sent, other, lead)
    except MediaError:
        return False


def _frames(init: InitSegment) -> list[object]:
    """All that holds for a track's parts but the coding of the picture."""
    entries = sample_entries(init.data)
    return [(*_numbers(info), *_coding(info, entries[info.track])) for info in init.tracks]


def _numbers(info: TrackInfo) -> tuple[object, ...]:
    defaults = (info.default_duration, info.default_size, info.default_flags)
    return (info.track, info.kind, info.timescale, defaults)


def _coding(info: TrackInfo, entry: Box) -> tuple[object, ...]:
    if info.kind == "video":
        return (entry.kind, read_picture(entry).length_bytes)
    return (bytes(entry.whole()),)


def _brings_parameters(sent: InitSegment, other: InitSegment, lead: Part) -> bool:
    """Whether the first picture can be decoded by what it says itself; of a stream without one, there is no need."""
    info = other.lead
    if info.kind != "video":
        return True
    coding = read_picture(sample_entries(sent.data)[info.track])
    first = read_samples(lead.data, info)[0]
    kinds = (coding.units.kind(octet) for octet in _unit_starts(first.data, coding.length_bytes))
    return first.key and coding.units.parameters in kinds


def _unit_starts(sample: memoryview, length_bytes: int) -> Iterator[int]:
    """The first octets of a picture's NAL units (section 7.3.1). Raises MediaError."""
    at = 0
    while at < len(sample):
        start = at + length_bytes
        at = start + int.from_bytes(sample[at:start], "big")
        if at > len(sample) or at == start:
            raise MediaError("A picture whose parts do not fit it.")
        yield sample[start]
