"""Real media for tests: what ffmpeg makes of a test picture and a tone, cut into pieces as a broadcaster does."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gateway.live import LiveWindow
from gateway.media.description import MediaDescription, Rendition
from gateway.media.parts import InitSegment, Part
from gateway.media.payload import PieceSlice
from gateway.media.splitter import PartSplitter
from tests.conftest import need_ffmpeg, need_ffprobe

FPS = 25
PART_S = 0.2
PIECES_PER_SEGMENT = 5
CAPTURE_US = 1_800_000_000_000_000
PIECE_US = 200_000

FRAGMENTED = (
    *("-f", "mp4", "-movflags", "cmaf+frag_keyframe+delay_moov+frag_discont+separate_moof"),
    *("-frag_duration", "200000", "-write_prft", "wallclock", "-output_ts_offset", "10"),
)


@cache
def encode(
    *, seconds: float = 4, size: str = "320x180", sound: bool = True, video: tuple[str, ...] = (), fps: int = FPS
) -> bytes:
    """A fragmented MP4 with a key frame a second, as ffmpeg writes it to a broadcaster's pipe."""
    command = [need_ffmpeg(), "-hide_banner", "-loglevel", "error", "-f", "lavfi"]
    command += ["-i", f"testsrc2=size={size}:rate={fps}"]
    if sound:
        command += ["-f", "lavfi", "-i", "sine=440:sample_rate=48000", "-c:a", "aac", "-b:a", "96k"]
        command += ["-metadata:s:a", "language=deu"]
    coding = video or ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-sc_threshold", "0")
    command += ["-t", str(seconds), *coding, "-g", str(fps), "-keyint_min", str(fps), *FRAGMENTED, "pipe:1"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


@dataclass(frozen=True)
class Stream:
    """A stream's init segment and all its parts, in the order of the pipe."""

    init: InitSegment
    parts: tuple[Part, ...]

    @property
    def description(self) -> MediaDescription:
        return MediaDescription(init=self.init.data, part_target_s=PART_S, segment_target_s=1.0)

    @property
    def renditions(self) -> tuple[Rendition, ...]:
        """The one that it is on air in."""
        return (Rendition(name="main", bitrate_bps=500_000, media=self.description),)

    def of_track(self, track: int) -> list[Part]:
        return [part for part in self.parts if part.track == track]


def split(data: bytes) -> Stream:
    events = PartSplitter().feed(data)
    init = next(event for event in events if isinstance(event, InitSegment))
    return Stream(init, tuple(event for event in events if isinstance(event, Part)))


@cache
def stream(*, seconds: float = 4, size: str = "320x180", sound: bool = True) -> Stream:
    return split(encode(seconds=seconds, size=size, sound=sound))


@cache
def rung(size: str, *, seconds: float = 4, sound: bool = True) -> Stream:
    """The same as one of a ladder: its key frames carry their parameter sets."""
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-sc_threshold", "0")
    return split(encode(seconds=seconds, size=size, sound=sound, video=(*coding, "-bsf:v", "dump_extra=freq=keyframe")))


def slices(source: Stream, *, segment: int = 100, discontinuity: int = 0) -> list[PieceSlice]:
    """One piece a video part; its key frames start segments."""
    lead = source.init.lead.track
    found: list[PieceSlice] = []
    segment, index = segment - 1, 0
    for part in source.parts:
        if part.track != lead:
            last = found[-1]
            found[-1] = _with_parts(last, (*last.parts, part))
            continue
        segment, index = (segment + 1, 0) if part.key else (segment, index + 1)
        found.append(PieceSlice(segment=segment, index=index, discontinuity=discontinuity, parts=(part,)))
    return found


def _with_parts(content: PieceSlice, parts: tuple[Part, ...]) -> PieceSlice:
    return PieceSlice(segment=content.segment, index=content.index, discontinuity=content.discontinuity, parts=parts)


def feed(
    window: LiveWindow,
    pieces: Sequence[PieceSlice],
    *,
    numbers: Sequence[int] | None = None,
    first: int = 1000,
    epoch: int = 7,
    capture_us: int = CAPTURE_US,
) -> None:
    """Hand pieces to a window, those in ``numbers`` and in their order; by default all, from ``first`` on."""
    for number in numbers if numbers is not None else range(first, first + len(pieces)):
        at_us = capture_us + (number - first) * PIECE_US
        window.add_piece(number, epoch, at_us, PIECE_US, pieces[number - first])


def live(seconds: float = 4, *, window_s: float = 24.0) -> LiveWindow:
    """A window with a whole stream in it: segments from 100 on, pieces from 1000 on, epoch 7."""
    window = LiveWindow(window_s)
    window.set_description(7, stream(seconds=seconds).description)
    feed(window, slices(stream(seconds=seconds)))
    return window


def probe_packets(data: bytes, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Time stamps and sizes of all packets, by the kind of their track, as ffprobe reads them from a file."""
    path = folder / "probed.mp4"
    path.write_bytes(data)
    command = [need_ffprobe(), "-v", "error", "-of", "json"]
    command += ["-show_entries", "packet=codec_type,pts_time,size", str(path)]
    result = subprocess.run(command, check=True, capture_output=True)
    assert not result.stderr
    found: dict[str, list[tuple[str, str]]] = {}
    for packet in json.loads(result.stdout)["packets"]:
        found.setdefault(packet["codec_type"], []).append((packet["pts_time"], packet["size"]))
    return found
