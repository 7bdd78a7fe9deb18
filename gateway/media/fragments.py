"""What one `moof` says: whose samples, when, how long, and where its data lies (ISO/IEC 14496-12 section 8.8)."""

import struct
from dataclasses import dataclass

from gateway.media.boxes import Box, read_boxes
from gateway.media.errors import MediaError
from gateway.media.parts import Buffer, TrackInfo

# tfhd, section 8.8.7
BASE_DATA_OFFSET = 0x01
DESCRIPTION_INDEX = 0x02
DEFAULT_DURATION = 0x08
DEFAULT_SIZE = 0x10
DEFAULT_FLAGS = 0x20
DEFAULT_BASE_IS_MOOF = 0x020000

# trun, section 8.8.8
DATA_OFFSET = 0x01
FIRST_SAMPLE_FLAGS = 0x04
SAMPLE_DURATION = 0x100
SAMPLE_SIZE = 0x200
SAMPLE_FLAGS = 0x400
SAMPLE_TIME_OFFSET = 0x800

NON_SYNC = 0x010000
"""sample_is_non_sync_sample, section 8.8.3.1."""

SAMPLES_MAX = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds for samples that do not say it themselves; None: said nowhere."""

    duration: int | None
    size: int | None
    flags: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One `trun`. ``offset_at`` is where its data_offset stands; None when it continues the run before."""

    offset_at: int | None
    samples: int
    duration: int | None
    size_bytes: int | None
    first_flags: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A part's layout; positions count from the part's first byte."""

    track: int
    decode_time: int
    runs: tuple[Run, ...]
    mfhd: tuple[int, int]
    traf: tuple[int, int]
    tfhd_flags_at: int
    moof_bytes: int
    mdat_body: int

    @property
    def samples(self) -> int:
        return sum(run.samples for run in self.runs)

    @property
    def duration(self) -> int:
        """In the track's timescale. Raises MediaError when it is said nowhere."""
        return sum(_known(run.duration) for run in self.runs)

    @property
    def key(self) -> bool:
        """Whether the first sample can be decoded without those before."""
        return not (self.runs[0].first_flags or 0) & NON_SYNC


def read_fragment(data: Buffer, track: TrackInfo | None = None) -> Fragment:
    """Read a `moof` with one `traf`, followed by its `mdat`; ``track`` gives the defaults of its `trex`.

    Raises MediaError unless all samples lie inside the `mdat`.
    """
    view = memoryview(data)
    boxes = list(read_boxes(view, 0, len(view)))
    if [box.kind for box in boxes] != [b"moof", b"mdat"]:
        raise MediaError("A part must be one moof and one mdat.")
    moof, mdat = boxes
    trafs = [box for box in moof.children() if box.kind == b"traf"]
    if len(trafs) != 1:
        raise MediaError(f"A fragment with {len(trafs)} tracks: write with -movflags +separate_moof.")
    return _read_traf(moof, trafs[0], mdat, track)


def read_time(traf: Box) -> tuple[int, int]:
    """A `traf`'s track_ID and the decode time of its first sample. Raises MediaError."""
    return traf.child(b"tfhd").u32(4), _read_decode_time(traf.child(b"tfdt"))


def begins_at_key(moof: Box, track: TrackInfo) -> bool:
    """Whether a `moof`, of however many tracks, has samples of this one and the first needs none before it.

    Raises MediaError.
    """
    for traf in moof.children():
        if traf.kind == b"traf" and (tfhd := traf.child(b"tfhd")).u32(4) == track.track:
            run = _read_run(traf.child(b"trun"), read_defaults(tfhd, track))
            return not (run.first_flags or 0) & NON_SYNC
    return False


def track_of(moof: Box) -> int:
    """The track_ID of a `moof`'s first `traf`. Raises MediaError."""
    return moof.child(b"traf", b"tfhd").u32(4)


def _read_traf(moof: Box, traf: Box, mdat: Box, track: TrackInfo | None) -> Fragment:
    tfhd = traf.child(b"tfhd")
    if tfhd.u32(0) & BASE_DATA_OFFSET:
        raise MediaError("Fragments with absolute offsets: write with -movflags +cmaf or +default_base_moof.")
    defaults = read_defaults(tfhd, track)
    runs = tuple(_read_run(box, defaults) for box in traf.children() if box.kind == b"trun")
    if not sum(run.samples for run in runs) or runs[0].offset_at is None:
        raise MediaError("A fragment without samples.")
    mfhd = moof.child(b"mfhd")
    fragment = Fragment(
        track=tfhd.u32(4),
        decode_time=_read_decode_time(traf.child(b"tfdt")),
        runs=runs,
        mfhd=(mfhd.start, mfhd.end),
        traf=(traf.start, traf.end),
        tfhd_flags_at=tfhd.body,
        moof_bytes=moof.end,
        mdat_body=mdat.body,
    )
    _check_data(moof, mdat, fragment.runs)
    return fragment


def read_defaults(tfhd: Box, track: TrackInfo | None) -> Defaults:
    """What holds for all samples of a `traf`: its own word, else the track's. Raises MediaError."""
    flags = tfhd.u32(0)
    at = 8 + (4 if flags & DESCRIPTION_INDEX else 0)
    values: dict[int, int | None] = {
        DEFAULT_DURATION: track.default_duration if track else None,
        DEFAULT_SIZE: track.default_size if track else None,
        DEFAULT_FLAGS: track.default_flags if track else None,
    }
    for field in values:
        if flags & field:
            values[field] = tfhd.u32(at)
            at += 4
    return Defaults(duration=values[DEFAULT_DURATION], size=values[DEFAULT_SIZE], flags=values[DEFAULT_FLAGS])


def _read_run(trun: Box, defaults: Defaults) -> Run:
    flags, samples = trun.u32(0) & 0xFFFFFF, trun.u32(4)
    first_flags = defaults.flags
    if flags & FIRST_SAMPLE_FLAGS:
        first_flags = trun.u32(12 if flags & DATA_OFFSET else 8)
    table = read_columns(trun)
    if flags & SAMPLE_FLAGS and table.get(SAMPLE_FLAGS):
        first_flags = table[SAMPLE_FLAGS][0]
    return Run(
        offset_at=trun.body + 8 if flags & DATA_OFFSET else None,
        samples=samples,
        duration=_total(table.get(SAMPLE_DURATION), defaults.duration, samples),
        size_bytes=_total(table.get(SAMPLE_SIZE), defaults.size, samples),
        first_flags=first_flags,
    )


def read_columns(trun: Box) -> dict[int, tuple[int, ...]]:
    """What a `trun` says of each sample, by the columns' flags. Raises MediaError."""
    flags, samples = trun.u32(0) & 0xFFFFFF, trun.u32(4)
    at = 8 + (4 if flags & DATA_OFFSET else 0) + (4 if flags & FIRST_SAMPLE_FLAGS else 0)
    columns = [f for f in (SAMPLE_DURATION, SAMPLE_SIZE, SAMPLE_FLAGS, SAMPLE_TIME_OFFSET) if flags & f]
    if samples > SAMPLES_MAX:
        raise MediaError(f"A fragment of {samples} samples: {SAMPLES_MAX} are the limit.")
    rows = trun.octets(at, samples * len(columns) * 4)
    words = struct.unpack(f">{len(rows) // 4}I", rows)
    return {column: words[i :: len(columns)] for i, column in enumerate(columns)}


def _total(column: tuple[int, ...] | None, default: int | None, samples: int) -> int | None:
    if column is not None:
        return sum(column)
    return None if default is None else default * samples


def _read_decode_time(tfdt: Box) -> int:
    """Signed, although the standard says unsigned: ffmpeg writes an encoder's priming before zero."""
    wide = tfdt.u8(0) == 1
    value, bits = (tfdt.u64(4), 64) if wide else (tfdt.u32(4), 32)
    return value - (1 << bits) if wide and value >> 63 else value


def _check_data(moof: Box, mdat: Box, runs: tuple[Run, ...]) -> None:
    """Every sample must lie inside the `mdat`; positions in a run count from the `moof`."""
    at = 0
    for run in runs:
        if run.offset_at is not None:
            at = moof.start + moof.u32(run.offset_at - moof.body)
        end = at + (run.size_bytes or 0)
        if not mdat.body <= at <= end <= mdat.end:
            raise MediaError("A fragment's samples lie outside of its data.")
        at = end


def _known(duration: int | None) -> int:
    if duration is None:
        raise MediaError("A fragment that does not say how long its samples are.")
    return duration
