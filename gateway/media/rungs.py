"""The renditions of a ladder out of one MP4 that has a picture for each: every rendition is a picture with all sound,
and one more may be the sound alone.

In its rendition each picture goes under the number of the first one, so that players find the same tracks in all.
"""

import struct
from dataclasses import replace

from gateway.media.boxes import Box, make_box, read_boxes
from gateway.media.parts import InitSegment, Part
from gateway.media.tracks import track_id, track_id_at, track_init

_U32 = struct.Struct(">I")


def pictures(init: InitSegment) -> tuple[int, ...]:
    """The tracks with a picture: one for each rendition, in their order."""
    return tuple(track.track for track in init.tracks if track.kind == "video")


def rung_inits(init: InitSegment, *, audio_rung: bool = False) -> tuple[bytes, ...]:
    """Each rendition's init segment; with ``audio_rung`` the last one has no picture. Raises MediaError."""
    tracks = pictures(init)
    inits = tuple(_keep(init.data, tracks, track) for track in tracks) if len(tracks) > 1 else (init.data,)
    others = (track.track for track in init.tracks if track.kind != "video")
    return (*inits, track_init(init.data, *others)) if audio_rung else inits


def as_track(part: Part, track: int) -> Part:
    """The part under another track's number. Raises MediaError."""
    if part.track == track:
        return part
    data = bytearray(part.data)
    moof = next(read_boxes(memoryview(part.data), 0, len(part.data)))
    _U32.pack_into(data, moof.child(b"traf", b"tfhd").body + 4, track)
    return replace(part, track=track, data=bytes(data))


def _keep(data: bytes, tracks: tuple[int, ...], kept: int) -> bytes:
    """The init segment without the other pictures."""
    others = set(tracks) - {kept}
    view = memoryview(data)
    top = []
    for box in read_boxes(view, 0, len(view)):
        if box.kind != b"moov":
            top.append(bytes(box.whole()))
            continue
        children = [child for child in box.children() if child.kind != b"trak" or track_id(child) not in others]
        content = [_renumbered(child, others, kept, tracks[0]) for child in children]
        top.append(make_box(b"moov", *content))
    return b"".join(top)


def _renumbered(child: Box, others: set[int], kept: int, number: int) -> bytes:
    if child.kind == b"mvex":
        boxes = [box for box in child.children() if box.kind != b"trex" or box.u32(4) not in others]
        return make_box(b"mvex", *(_with_number(box, box.body + 4, kept, number) for box in boxes))
    if child.kind == b"trak":
        return _with_number(child, track_id_at(child), kept, number)
    return bytes(child.whole())


def _with_number(box: Box, at: int, kept: int, number: int) -> bytes:
    """A copy of the box, in which the track's number stands at ``at``, counted as the box itself is."""
    data = bytearray(box.whole())
    if box.kind in (b"trak", b"trex") and _U32.unpack_from(data, at - box.start)[0] == kept:
        _U32.pack_into(data, at - box.start, number)
    return bytes(data)
