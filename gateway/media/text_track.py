"""Tracks of text in MP4: WebVTT in samples (ISO/IEC 14496-30 section 7), which DASH players take as it is.

A sample holds the cues that are shown during all of its time, and there is one for each moment, empty or not. A cue's
identifier names its times, so that the whole cue can be found again in each of its samples.
"""

import re
import struct
from collections.abc import Sequence
from itertools import pairwise

from gateway.media.boxes import Box, make_box, read_boxes
from gateway.media.errors import MediaError
from gateway.media.fragments import (
    DATA_OFFSET,
    DEFAULT_BASE_IS_MOOF,
    SAMPLE_DURATION,
    SAMPLE_SIZE,
    read_columns,
    read_fragment,
)
from gateway.media.parts import Buffer, InitSegment, Part
from gateway.media.tracks import TRACKS_MAX, read_init
from gateway.media.webvtt import CUE_CHARS_MAX, Cue

TIMESCALE = 1_000_000
CUES_MAX = 8
"""Shown at once; of more the last ones are."""

_U32 = struct.Struct(">I")
_IDENTITY = struct.Struct(">9I")
_TIMES = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)
UNITY = _IDENTITY.pack(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
LANGUAGE = re.compile("[a-z]{3}")


def with_texts(init: InitSegment, languages: Sequence[str]) -> InitSegment:
    """The init segment with a track of text for each language (ISO 639-2/T), numbered on behind the others.

    Raises MediaError when there are too many.
    """
    room = max(TRACKS_MAX - len(init.tracks), 0)
    first = max(info.track for info in init.tracks) + 1
    numbered = list(enumerate(languages[:room], first))
    top = []
    for box in read_boxes(memoryview(init.data), 0, len(init.data)):
        if box.kind != b"moov":
            top.append(bytes(box.whole()))
            continue
        traks = [_trak(number, language) for number, language in numbered]
        others = [child.whole() for child in box.children() if child.kind != b"mvex"]
        top.append(make_box(b"moov", *others, *traks, _with_defaults(box.child(b"mvex"), numbered)))
    return read_init(b"".join(top))


def make_text_part(track: int, cues: Sequence[Cue], begin_us: int, end_us: int) -> Part:
    """What is shown from one media time to another, in samples without a gap. Raises MediaError for no time at all."""
    if begin_us >= end_us:
        raise MediaError("A part of text that takes no time.")
    shown = sorted(cue for cue in cues if cue.overlaps(begin_us, end_us))
    edges = {time_us for cue in shown for time_us in (cue.begin_us, cue.end_us) if begin_us < time_us < end_us}
    times = sorted({begin_us, end_us} | edges)
    samples = [_sample(shown, begin, end) for begin, end in pairwise(times)]
    lengths = [end - begin for begin, end in pairwise(times)]
    return Part(
        track=track,
        key=True,
        decode_time=begin_us,
        duration=end_us - begin_us,
        data=_fragment(track, begin_us, samples, lengths),
    )


def read_cues(data: Buffer) -> list[Cue]:
    """The cues of a part of text. Raises MediaError when it is damaged."""
    view, found = memoryview(data), set[Cue]()
    fragment = read_fragment(view)
    moof, mdat = read_boxes(view, 0, len(view))
    at, begin_us = mdat.body, fragment.decode_time
    for run in (box for box in moof.child(b"traf").children() if box.kind == b"trun"):
        columns = read_columns(run)
        for duration, size in zip(columns.get(SAMPLE_DURATION, ()), columns.get(SAMPLE_SIZE, ()), strict=False):
            found.update(_read_sample(view, at, at + size, begin_us, begin_us + duration))
            at, begin_us = at + size, begin_us + duration
    return sorted(found)


def _sample(cues: Sequence[Cue], begin_us: int, end_us: int) -> bytes:
    shown = [cue for cue in cues if cue.overlaps(begin_us, end_us)][-CUES_MAX:]
    return b"".join(map(_cue_box, shown)) or make_box(b"vtte")


def _cue_box(cue: Cue) -> bytes:
    name = f"{cue.begin_us}-{cue.end_us}".encode("ascii")
    return make_box(b"vttc", make_box(b"iden", name), make_box(b"payl", cue.text.encode()))


def _read_sample(view: memoryview, start: int, end: int, begin_us: int, end_us: int) -> list[Cue]:
    if end > len(view):
        raise MediaError("A text sample that is cut off.")
    boxes = [box for box in read_boxes(view, start, end) if box.kind == b"vttc"]
    return [cue for box in boxes[:CUES_MAX] if (cue := _read_cue(box, begin_us, end_us)) is not None]


def _read_cue(box: Box, begin_us: int, end_us: int) -> Cue | None:
    payload, name = box.find(b"payl"), box.find(b"iden")
    text = payload.octets(0).decode("utf-8", "replace")[: 2 * CUE_CHARS_MAX] if payload is not None else ""
    # An empty line would end the cue, and an arrow begin another one.
    text = "\n".join(line for line in text.replace("\r", "").split("\n") if line and "-->" not in line)
    times = _TIMES.fullmatch(name.octets(0).decode("ascii", "replace")) if name is not None else None
    if times is not None and int(times[1]) < int(times[2]):
        begin_us, end_us = int(times[1]), int(times[2])
    return Cue(begin_us, end_us, text) if text else None


def _fragment(track: int, begin_us: int, samples: Sequence[bytes], lengths: Sequence[int]) -> bytes:
    mfhd = make_box(b"mfhd", bytes(4), _U32.pack(1))
    tfhd = make_box(b"tfhd", _U32.pack(DEFAULT_BASE_IS_MOOF), _U32.pack(track))
    tfdt = make_box(b"tfdt", _U32.pack(1 << 24), struct.pack(">q", begin_us))
    table = b"".join(struct.pack(">II", length, len(sample)) for length, sample in zip(lengths, samples, strict=True))
    flags = _U32.pack(DATA_OFFSET | SAMPLE_DURATION | SAMPLE_SIZE)

    def moof(data_at: int) -> bytes:
        trun = make_box(b"trun", flags, struct.pack(">II", len(samples), data_at), table)
        return make_box(b"moof", mfhd, make_box(b"traf", tfhd, tfdt, trun))

    return moof(len(moof(0)) + 8) + make_box(b"mdat", *samples)


def _with_defaults(mvex: Box, numbered: Sequence[tuple[int, str]]) -> bytes:
    own = [make_box(b"trex", bytes(4), struct.pack(">5I", number, 1, 0, 0, 0)) for number, _ in numbered]
    return make_box(b"mvex", *(child.whole() for child in mvex.children()), *own)


def _trak(number: int, language: str) -> bytes:
    """ISO/IEC 14496-12 section 8.3; the sample entry is that of ISO/IEC 14496-30 section 7.5."""
    letters = language if LANGUAGE.fullmatch(language) else "und"
    packed = sum((ord(letter) - 0x60) << shift for letter, shift in zip(letters, (10, 5, 0), strict=True))
    tkhd = make_box(b"tkhd", _U32.pack(3), struct.pack(">5I", 0, 0, number, 0, 0), bytes(16), UNITY, bytes(8))
    mdhd = make_box(b"mdhd", bytes(4), struct.pack(">4IHH", 0, 0, TIMESCALE, 0, packed, 0))
    hdlr = make_box(b"hdlr", bytes(8), b"text", bytes(12), b"Subtitles\0")
    dinf = make_box(b"dinf", make_box(b"dref", bytes(4), _U32.pack(1), make_box(b"url ", _U32.pack(1))))
    entry = make_box(b"wvtt", bytes(6), b"\0\1", make_box(b"vttC", b"WEBVTT"))
    tables = [make_box(kind, bytes(8)) for kind in (b"stts", b"stsc")]
    tables += [make_box(b"stsz", bytes(12)), make_box(b"stco", bytes(8))]
    stbl = make_box(b"stbl", make_box(b"stsd", bytes(4), _U32.pack(1), entry), *tables)
    minf = make_box(b"minf", make_box(b"nmhd", bytes(4)), dinf, stbl)
    return make_box(b"trak", tkhd, make_box(b"mdia", mdhd, hdlr, minf))
