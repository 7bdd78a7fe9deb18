"""Init segments of one track each as a single one, its tracks numbered from 1 (ISO/IEC 14496-12 section 8)."""

import struct
from collections.abc import Sequence

from gateway.media.boxes import Box, make_box, read_boxes
from gateway.media.errors import MediaError
from gateway.media.parts import InitSegment
from gateway.media.tracks import track_id, track_id_at

_U32 = struct.Struct(">I")
TREX_TRACK_AT = 4


def merge_inits(inits: Sequence[InitSegment]) -> bytes:
    """One init segment with the only track of each, in this order: the first one becomes track 1.

    File type and movie header are those of the first. Raises MediaError when an init segment has several tracks.
    """
    if any(len(init.tracks) != 1 for init in inits) or not inits:
        raise MediaError("Only init segments of one track can be joined.")
    traks, trexs = [], []
    for number, init in enumerate(inits, 1):
        moov = _find(init.data, b"moov")
        (trak,) = (box for box in moov.children() if box.kind == b"trak" and track_id(box) == init.lead.track)
        traks.append(_with_number(trak, track_id_at(trak), number))
        trex = next((box for box in moov.child(b"mvex").children() if box.kind == b"trex"), None)
        if trex is None:
            raise MediaError("This MP4 is not fragmented: write with -movflags +cmaf.")
        trexs.append(_with_number(trex, trex.body + TREX_TRACK_AT, number))
    head, header = _find(inits[0].data, b"ftyp"), _find(inits[0].data, b"moov").child(b"mvhd")
    moov_bytes = make_box(b"moov", header.whole(), *traks, make_box(b"mvex", *trexs))
    return bytes(head.whole()) + moov_bytes


def _find(data: bytes, kind: bytes) -> Box:
    found = next((box for box in read_boxes(memoryview(data), 0, len(data)) if box.kind == kind), None)
    if found is None:
        raise MediaError(f"An init segment without {kind.decode()}.")
    return found


def _with_number(box: Box, at: int, number: int) -> bytes:
    data = bytearray(box.whole())
    _U32.pack_into(data, at - box.start, number)
    return bytes(data)
