"""The samples of a part one by one: when each is decoded and shown, and its bytes (ISO/IEC 14496-12 section 8.8.8)."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.media.boxes import Box, read_boxes
from gateway.media.errors import MediaError
from gateway.media.fragments import (
    FIRST_SAMPLE_FLAGS,
    NON_SYNC,
    SAMPLE_DURATION,
    SAMPLE_FLAGS,
    SAMPLE_SIZE,
    SAMPLE_TIME_OFFSET,
    Defaults,
    Run,
    read_columns,
    read_defaults,
    read_fragment,
)
from gateway.media.parts import Buffer, TrackInfo


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame. Times are in the track's timescale; it is shown ``offset`` after it is decoded."""

    decode_time: int
    offset: int
    key: bool
    data: memoryview


def read_samples(data: Buffer, track: TrackInfo) -> list[Sample]:
    """All samples of a part, in the order in which they are decoded; their data are views. Raises MediaError."""
    view = memoryview(data)
    fragment = read_fragment(view, track)
    traf = next(read_boxes(view, 0, len(view))).child(b"traf")
    defaults = read_defaults(traf.child(b"tfhd"), track)
    truns = [box for box in traf.children() if box.kind == b"trun"]
    samples: list[Sample] = []
    time, at = fragment.decode_time, 0
    for trun, run in zip(truns, fragment.runs, strict=True):
        if run.offset_at is not None:
            at = trun.u32(run.offset_at - trun.body)
        for duration, size, flags, offset in _rows(trun, run, defaults):
            samples.append(Sample(time, offset, not flags & NON_SYNC, view[at : at + size]))
            time, at = time + duration, at + size
    return samples


def _rows(trun: Box, run: Run, defaults: Defaults) -> Iterator[tuple[int, int, int, int]]:
    """Duration, size, flags and composition offset of each sample."""
    columns = read_columns(trun)
    flags = columns.get(SAMPLE_FLAGS)
    if flags is None:
        flags = (defaults.flags or 0,) * run.samples
        if trun.u32(0) & FIRST_SAMPLE_FLAGS:
            flags = (run.first_flags or 0, *flags[1:])
    return zip(
        columns.get(SAMPLE_DURATION) or _all(defaults.duration, run.samples),
        columns.get(SAMPLE_SIZE) or _all(defaults.size, run.samples),
        flags,
        map(_signed, columns.get(SAMPLE_TIME_OFFSET) or (0,) * run.samples),
        strict=True,
    )


def _all(default: int | None, samples: int) -> tuple[int, ...]:
    if default is None:
        raise MediaError("A fragment that does not say how long or how large its samples are.")
    return (default,) * samples


def _signed(offset: int) -> int:
    """Version 0 says unsigned, but no picture is shown a day after it is decoded."""
    return offset - (1 << 32) if offset >> 31 else offset
