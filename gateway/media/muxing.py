"""Parts of several tracks as one stream, for players that want a single one: one `moof` with a `traf` per track.

Only the boxes in front are made anew; the samples stay where they lie until somebody joins the buffers.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.media.boxes import HEADER_BYTES, make_box
from gateway.media.errors import MediaError
from gateway.media.fragments import DEFAULT_BASE_IS_MOOF, Fragment, read_fragment
from gateway.media.parts import Buffer, Part

SEQUENCE_AT = HEADER_BYTES + 4
"""Of an `mfhd`: behind its header, version and flags."""

_U32 = struct.Struct(">I")
_HEADER = struct.Struct(">I4s")


@dataclass(frozen=True, slots=True)
class _Source:
    """A part, how it is laid out, and its samples."""

    view: memoryview
    fragment: Fragment

    @property
    def samples(self) -> memoryview:
        return self.view[self.fragment.mdat_body :]


def mux(parts: Sequence[Part], number: int | None = None) -> bytes:
    """Parts of the same time slice as one `moof` and one `mdat`; see `mux_buffers`. Raises MediaError."""
    return b"".join(mux_buffers(parts, number))


def mux_buffers(parts: Sequence[Part], number: int | None = None) -> list[Buffer]:
    """The same, as buffers to be written one after the other: samples are not copied.

    A track's second part goes into a second `moof`: a `traf` per track is what all players can read. ``number`` becomes
    the fragment's sequence number (ISO/IEC 14496-12 section 8.8.5), which VLC wants consecutive; without it the first
    part's stays. Raises MediaError when a part is damaged or there is none.
    """
    if not parts:
        raise MediaError("There is no part to write.")
    rounds: list[dict[int, _Source]] = []
    for part in parts:
        view = memoryview(part.data)
        source = _Source(view, read_fragment(view))
        track = source.fragment.track
        free = next((r for r in rounds if track not in r), None)
        if free is None:
            rounds.append(free := {})
        free[track] = source
    return [buffer for sources in rounds for buffer in _mux_round(list(sources.values()), number)]


def _mux_round(sources: list[_Source], number: int | None) -> list[Buffer]:
    start, end = sources[0].fragment.mfhd
    mfhd = bytearray(sources[0].view[start:end])
    if number is not None:
        _U32.pack_into(mfhd, SEQUENCE_AT, number & 0xFFFFFFFF)
    moof_bytes = HEADER_BYTES + len(mfhd) + sum(_traf_bytes(source.fragment) for source in sources)
    data_at = moof_bytes + HEADER_BYTES
    trafs = []
    for source in sources:
        trafs.append(_move_traf(source, data_at))
        data_at += len(source.samples)
    mdat = _HEADER.pack(data_at - moof_bytes, b"mdat")
    return [make_box(b"moof", bytes(mfhd), *trafs) + mdat, *(source.samples for source in sources)]


def _traf_bytes(fragment: Fragment) -> int:
    start, end = fragment.traf
    return end - start


def _move_traf(source: _Source, data_at: int) -> bytes:
    """The `traf` with offsets that fit samples which begin ``data_at`` bytes after the new `moof`."""
    fragment = source.fragment
    start, end = fragment.traf
    traf = bytearray(source.view[start:end])
    flags_at = fragment.tfhd_flags_at - start
    flags: int = _U32.unpack_from(traf, flags_at)[0]
    _U32.pack_into(traf, flags_at, flags | DEFAULT_BASE_IS_MOOF)
    shift = data_at - fragment.mdat_body
    for run in fragment.runs:
        if run.offset_at is not None:
            offset: int = _U32.unpack_from(traf, run.offset_at - start)[0]
            _U32.pack_into(traf, run.offset_at - start, offset + shift)
    return bytes(traf)
