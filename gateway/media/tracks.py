"""Init segments: what `moov` says of the tracks (ISO/IEC 14496-12 section 8), and the init segment of one track."""

from collections.abc import Collection

from gateway.media.boxes import Box, make_box, read_boxes
from gateway.media.codecs import read_coding
from gateway.media.errors import MediaError
from gateway.media.fragments import Defaults
from gateway.media.parts import InitSegment, Kind, TrackInfo

TRACKS_MAX = 16

KINDS: dict[bytes, Kind] = {
    b"vide": "video",
    b"soun": "audio",
    b"text": "text",
    b"subt": "text",
    b"sbtl": "text",
}
NO_DEFAULTS = Defaults(duration=0, size=0, flags=0)


def read_init(data: bytes) -> InitSegment:
    """Read `ftyp` and `moov`. Raises CodecError for a codec that HLS cannot carry, MediaError for what is damaged."""
    moov = _moov(data)
    defaults = _read_defaults(moov)
    traks = [box for box in moov.children() if box.kind == b"trak"]
    if len(traks) > TRACKS_MAX:
        raise MediaError(f"{len(traks)} tracks: {TRACKS_MAX} are the limit. Choose some by -map.")
    tracks = tuple(filter(None, (_read_track(trak, defaults) for trak in traks)))
    if not tracks:
        raise MediaError("This input has neither video nor audio.")
    if len({track.track for track in tracks}) != len(tracks):
        raise MediaError("This MP4 is damaged: two tracks with the same number.")
    return InitSegment(data=data, tracks=tracks)


def track_init(init: bytes, *tracks: int) -> bytes:
    """The init segment with the `trak` and `trex` of these tracks only. Raises MediaError when one is not there."""
    view = memoryview(init)
    found: set[int] = set()
    top = []
    for box in read_boxes(view, 0, len(view)):
        if box.kind != b"moov":
            top.append(box.whole())
            continue
        kept = [child for child in box.children() if child.kind != b"trak" or track_id(child) in tracks]
        found |= {track_id(child) for child in kept if child.kind == b"trak"}
        content = [_only_trex(child, tracks) if child.kind == b"mvex" else child.whole() for child in kept]
        top.append(memoryview(make_box(b"moov", *content)))
    if missing := set(tracks) - found:
        raise MediaError(f"There is no track {min(missing)}.")
    return b"".join(top)


def main_init(init: InitSegment) -> bytes:
    """The init segment of the main tracks, for players that take one stream only."""
    main = init.main
    return init.data if len(main) == len(init.tracks) else track_init(init.data, *(info.track for info in main))


def sample_entries(init: bytes) -> dict[int, Box]:
    """The sample entry of each track_ID, which says how its samples are coded. Raises MediaError."""
    traks = [box for box in _moov(init).children() if box.kind == b"trak"]
    return {track_id(trak): _entry(trak) for trak in traks if trak.child(b"mdia", b"hdlr").octets(8, 4) in KINDS}


def _entry(trak: Box) -> Box:
    entry = next(trak.child(b"mdia", b"minf", b"stbl", b"stsd").children(8), None)
    if entry is None:
        raise MediaError("This MP4 is damaged: a track without a codec.")
    return entry


def _moov(data: bytes) -> Box:
    view = memoryview(data)
    moov = next((box for box in read_boxes(view, 0, len(view)) if box.kind == b"moov"), None)
    if moov is None:
        raise MediaError("An init segment without moov.")
    return moov


def _only_trex(mvex: Box, tracks: Collection[int]) -> bytes:
    kept = [box.whole() for box in mvex.children() if box.kind != b"trex" or box.u32(4) in tracks]
    return make_box(b"mvex", *kept)


def _read_defaults(moov: Box) -> dict[int, Defaults]:
    mvex = moov.find(b"mvex")
    if mvex is None:
        raise MediaError("This MP4 is not fragmented: write with -movflags +cmaf.")
    return {
        box.u32(4): Defaults(duration=box.u32(12), size=box.u32(16), flags=box.u32(20))
        for box in mvex.children()
        if box.kind == b"trex"
    }


def track_id(trak: Box) -> int:
    """A track's number. Raises MediaError."""
    tkhd = trak.child(b"tkhd")
    return tkhd.u32(track_id_at(trak) - tkhd.body)


def track_id_at(trak: Box) -> int:
    """Where the track's number stands, counted as the box is (section 8.3.2). Raises MediaError."""
    tkhd = trak.child(b"tkhd")
    return tkhd.body + (20 if tkhd.u8(0) == 1 else 12)


def _read_track(trak: Box, all_defaults: dict[int, Defaults]) -> TrackInfo | None:
    """None for what is neither video nor audio nor text, a timecode for instance."""
    mdia = trak.child(b"mdia")
    kind = KINDS.get(mdia.child(b"hdlr").octets(8, 4))
    if kind is None:
        return None
    timescale, language = _read_mdhd(mdia.child(b"mdhd"))
    coding = read_coding(_entry(trak))
    number = track_id(trak)
    defaults = all_defaults.get(number, NO_DEFAULTS)
    return TrackInfo(
        track=number,
        kind=kind,
        codec=coding.codec,
        timescale=timescale,
        language=language,
        width=coding.width,
        height=coding.height,
        channels=coding.channels,
        sample_rate=coding.sample_rate,
        default_duration=defaults.duration or 0,
        default_size=defaults.size or 0,
        default_flags=defaults.flags or 0,
    )


def _read_mdhd(mdhd: Box) -> tuple[int, str]:
    """Timescale and language, whose letters are written in five bits each."""
    at = 20 if mdhd.u8(0) == 1 else 12
    timescale, packed = mdhd.u32(at), mdhd.u16(at + (12 if mdhd.u8(0) == 1 else 8))
    if not timescale:
        raise MediaError("This MP4 is damaged: a track without a timescale.")
    letters = "".join(chr(0x60 + (packed >> shift & 0x1F)) for shift in (10, 5, 0))
    return timescale, letters if letters.isalpha() and letters.isascii() else "und"
