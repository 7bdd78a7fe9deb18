"""ffmpeg's command lines, made with ffmpeg-python. Input of any kind; output always fragmented MP4 on stdout.

How the output comes to be one regular part after another:

* ``frag_duration`` is a whole number of frames, less a hair, so that the picture always cuts and sound never does.
* Sound is mapped before the picture: of each cut ffmpeg writes the sound's part first, so that the picture's part is
  the last of a piece and nobody has to wait to see whether sound follows.
* Languages of sound all go into the output, each under the name that the input gives it.
* Subtitles go into outputs of their own, as SubRip: a muxer that waits for their next cue would hold the picture up.
* ``output_ts_offset`` lifts the encoders' priming and reordering above zero, where decode times can be written.
* No ``-fflags nobuffer`` on what is probed: ffmpeg would throw away what it has read while probing, which is the
  first key frame of a push and the first frame of the test picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import ffmpeg

from gateway.ingest.probe import COPYABLE_PIXELS, InputAudio, InputInfo
from gateway.ingest.sources import (
    DeviceSource,
    Encoding,
    FileSource,
    SlateSource,
    Source,
    TestSource,
    UrlSource,
    name_of,
)
from gateway.ingest.test_picture import SAMPLE_RATE
from gateway.ladder import AUDIO
from gateway.media.errors import CodecError

Option = str | int | float
Options = dict[str, Option]

MOVFLAGS = "cmaf+frag_keyframe+delay_moov+frag_discont+separate_moof"
SLATE_FPS = 10
SLATE_BPS = 200_000
HAIR_US = 1000
TS_OFFSET_S = 1
PART_S_MIN = Fraction(1, 10)
"""Shorter parts cost more headers than they win; 25 frames a second have none of just 0.1 s."""
SOUND_RATE_HZ = 48_000
MAIN = "main"
"""The name of a stream's one rendition."""
NETWORK_TIMEOUT_US = 10_000_000
COPIED_GUESS_BPS = 4_000_000
PICTURE_BITS_PER_PIXEL = 2.0
"""What x264 makes of the test picture in a second, which is far below the allowed rate: 0.46 Mbit/s at 640x360."""

NTSC = {23.98: Fraction(24000, 1001), 29.97: Fraction(30000, 1001), 59.94: Fraction(60000, 1001)}
"""ffmpeg prints these rates with two decimals; the exact ones do not drift."""


class Pad(Protocol):
    """A stream of ffmpeg-python's graph; it has no types of its own."""

    def __getitem__(self, selector: str) -> "Pad": ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One rendition of what ffmpeg writes. ``estimate_bps`` is what it takes before that has been measured."""

    name: str
    estimate_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One ffmpeg to run; its pictures are the renditions in ``outputs``, the lowest first, its sound is that of all.

    ``part_s`` is the length of a part, ``copied`` says that the picture keeps its own key frames, ``texts`` are the
    languages of the subtitles, in the order of the pipes that they go into. ``audio_rung``: the last one in ``outputs``
    is the sound alone.
    """

    arguments: tuple[str, ...]
    outputs: tuple[Output, ...]
    part_s: float
    copied: bool
    texts: tuple[str, ...] = ()
    audio_rung: bool = False

    @property
    def estimate_bps(self) -> int:
        """All renditions together."""
        return sum(output.estimate_bps for output in self.outputs)


def picture_job(source: TestSource, encoding: Encoding, *, video: int, audio: int) -> Job:
    """The test picture, raw, from two inherited pipes: file descriptors of yuv420p frames and of mono samples."""
    # Raw frames need no probing; a decoder that runs in several threads would hold frames back.
    unprobed: Options = {"probesize": 32, "analyzeduration": 0, "threads": 1}
    size = f"{source.width}x{source.height}"
    picture = ffmpeg.input(f"pipe:{video}", f="rawvideo", pix_fmt="yuv420p", s=size, framerate=source.fps, **unprobed)
    sound = ffmpeg.input(f"pipe:{audio}", f="s16le", ar=SAMPLE_RATE, ac=1, guess_layout_max=1, **unprobed)
    fps = Fraction(source.fps)
    options = _encode_video(encoding, fps) | _encode_audio(encoding) | _rhythm(encoding, fps)
    outputs = tuple(
        replace(output, estimate_bps=min(output.estimate_bps, picture_bps + encoding.audio_bps))
        for output, picture_bps in zip(_outputs(encoding), _picture_bps(source, encoding), strict=True)
    )
    outputs += _audio_output(encoding)
    return Job(
        arguments=_compile((sound["a:0"], *_pictures(picture, encoding)), options),
        outputs=outputs,
        part_s=_part_s(encoding, fps),
        copied=False,
        audio_rung=encoding.audio_rung,
    )


def slate_job(source: SlateSource, encoding: Encoding) -> Job:
    """A still picture and silence, in real time."""
    fps = Fraction(SLATE_FPS)
    picture = ffmpeg.input(f"file:{source.picture}", f="image2", loop=1, framerate=SLATE_FPS, re=None)
    silence = ffmpeg.input(f"anullsrc=r={SOUND_RATE_HZ}:cl=stereo", f="lavfi", re=None)
    options = _encode_video(encoding, fps) | _encode_audio(encoding) | _rhythm(encoding, fps)
    return Job(
        arguments=_compile((silence["a:0"], *_pictures(picture, encoding)), options),
        outputs=tuple(replace(o, estimate_bps=SLATE_BPS) for o in _outputs(encoding)) + _audio_output(encoding),
        part_s=_part_s(encoding, fps),
        copied=False,
        audio_rung=encoding.audio_rung,
    )


def input_job(source: Source, info: InputInfo, encoding: Encoding, texts: Sequence[int] = ()) -> Job:
    """A file, a URL or a device that has been probed; ``texts`` are inherited file descriptors, one for each of the
    input's subtitles. Raises CodecError when it may only be copied and cannot be."""
    looped = isinstance(source, FileSource) and source.loop
    if looped and encoding.coding == "auto":
        # The filter that a copy needs does not live through the loop in ffmpeg 5.1.
        audios = (replace(audio, codec="aac in ADTS") if audio.adts else audio for audio in info.audios)
        info = replace(info, audios=tuple(audios))
    return _job(_open(source, info), info, encoding, name_of(source), texts)


def push_job(info: InputInfo, encoding: Encoding, demuxer: str = "mpegts") -> Job:
    """What comes on standard input, by ffmpeg's name of its container. Raises as `input_job`."""
    # Half a second is enough for a key frame's parameters; the picture's rate is not waited for.
    pushed = ffmpeg.input("pipe:0", f=demuxer, probesize=2_000_000, analyzeduration=500_000, fpsprobesize=0)
    return _job(pushed, info, encoding, "The pushed stream")


def probe_arguments(source: Source) -> list[str]:
    """The part of ``ffmpeg -i`` that opens this input."""
    path, options = _locate(source)
    flags = [word for name, value in options.items() for word in (f"-{name}", str(value))]
    return [*flags, "-i", path]


def _job(opened: Pad, info: InputInfo, encoding: Encoding, name: str, texts: Sequence[int] = ()) -> Job:
    copyable = info.video.codec == "h264" and info.video.pixels in ("", *COPYABLE_PIXELS)
    copy_video = not encoding.ladder and _copies(copyable, encoding)
    if encoding.coding == "copy" and not (copy_video and all(audio.codec == "aac" for audio in info.audios)):
        sound = "".join(f" and {audio.codec}" for audio in info.audios)
        raise CodecError(
            f"{name} is {info.video.codec}{sound}: only 8-bit H.264 and AAC can be copied. Let it be encoded."
        )
    fps = _exact(info.video.fps)
    options: Options = {"c:v": "copy"} if copy_video else _encode_video(encoding, fps)
    if not copy_video and fps is not None:
        options["r"] = str(fps)  # an uneven input becomes even, and with it the parts
    for number, audio in enumerate(info.audios):
        copied_audio = audio.codec == "aac" and encoding.coding != "encode"
        options |= _copy_audio(audio, number) if copied_audio else _encode_audio(encoding, number)
    pads = tuple(opened[f"a:{number}"] for number in range(len(info.audios))) + _pictures(opened, encoding)
    copied = (Output(name=MAIN, estimate_bps=info.bitrate_bps or COPIED_GUESS_BPS),)
    subtitles = list(zip(info.texts, texts, strict=False))
    # Where there is no sound, there is no rung of it.
    alone = _audio_output(encoding, len(info.audios)) if info.audios else ()
    return Job(
        arguments=_compile(
            pads,
            options | _rhythm(encoding, fps),
            [_subtitles(opened, text.number, pipe) for text, pipe in subtitles],
        ),
        outputs=(copied if copy_video else _outputs(encoding, len(info.audios))) + alone,
        part_s=_part_s(encoding, fps),
        copied=copy_video,
        texts=tuple(text.language for text, _ in subtitles),
        audio_rung=bool(alone),
    )


def _copies(fit: bool, encoding: Encoding) -> bool:
    return fit and encoding.coding != "encode"


def _open(source: Source, info: InputInfo) -> Pad:
    path, options = _locate(source)
    # What has an end is not live: it is read at its own speed.
    if info.duration_s is not None or isinstance(source, FileSource):
        options["re"] = ""
    if isinstance(source, FileSource) and source.loop:
        options["stream_loop"] = -1
    flags = {name: None if value == "" else value for name, value in options.items()}
    opened: Pad = ffmpeg.input(path, **flags)
    return opened


def _locate(source: Source) -> tuple[str, Options]:
    """The input's address, and the options that open it."""
    match source:
        case FileSource(path=path):
            return f"file:{path}", {}
        case DeviceSource(path=path):
            return str(path), {"f": "v4l2", "probesize": 32, "analyzeduration": 0}
        case UrlSource(url=url) if url.startswith(("rtsp:", "rtsps:")):
            return url, {"rtsp_transport": "tcp", "timeout": NETWORK_TIMEOUT_US}
        case UrlSource(url=url) if url.startswith(("http:", "https:", "rtmp:", "rtmps:", "tcp:")):
            return url, {"rw_timeout": NETWORK_TIMEOUT_US}
        case UrlSource(url=url):
            return url, {}
        case TestSource() | SlateSource():
            raise ValueError("the test picture and the slate have command lines of their own")


def _encode_video(encoding: Encoding, fps: Fraction | None) -> Options:
    """x264 without reordering and lookahead, one key frame a segment, at the same frames on all rungs."""
    options: Options = {
        "c:v": "libx264",
        "preset": encoding.preset,
        "tune": "zerolatency",
        "pix_fmt": "yuv420p",
        "sc_threshold": 0,
    }
    if not encoding.ladder:
        options |= {"vf": "scale=trunc(iw/2)*2:trunc(ih/2)*2"} | _rate("", encoding.video_bps)
    for number, rung in enumerate(encoding.ladder):
        # A rung above the input's own size is not blown up.
        options[f"filter:v:{number}"] = f"scale=-2:min({rung.height}\\,trunc(ih/2)*2)"
        options |= _rate(f":{number}", rung.video_bps)
    if encoding.ladder:
        # Players that keep the first rung's decoder find the parameters of another one in its key frames.
        options["bsf:v"] = "dump_extra=freq=keyframe"
    if fps is None:
        return options | {"force_key_frames": f"expr:gte(t,n_forced*{encoding.segment_s})", "g": 9999}
    gop = math.ceil(fps * Fraction(encoding.segment_s).limit_denominator(1000))
    return options | {"g": gop, "keyint_min": gop}


def _rate(selector: str, video_bps: int) -> Options:
    return {
        f"b:v{selector}": video_bps,
        f"maxrate:v{selector}": video_bps,
        f"bufsize:v{selector}": video_bps // 2,
    }


def _pictures(opened: Pad, encoding: Encoding) -> tuple[Pad, ...]:
    """The one picture, once for each rung."""
    return (opened["v:0"],) * max(len(encoding.ladder), 1)


def _outputs(encoding: Encoding, sounds: int = 1) -> tuple[Output, ...]:
    """The renditions of a picture that is encoded here, each with so many tracks of sound."""
    sound_bps = sounds * encoding.audio_bps
    rungs = [Output(name=rung.name, estimate_bps=rung.video_bps + sound_bps) for rung in encoding.ladder]
    return tuple(rungs) or (Output(name=MAIN, estimate_bps=encoding.video_bps + sound_bps),)


def _audio_output(encoding: Encoding, sounds: int = 1) -> tuple[Output, ...]:
    """The rendition without a picture, if it is asked for."""
    return (Output(name=AUDIO, estimate_bps=sounds * encoding.audio_bps),) if encoding.audio_rung else ()


def _picture_bps(source: TestSource, encoding: Encoding) -> list[int]:
    """What the test picture takes on each rung."""
    heights = [rung.height for rung in encoding.ladder] or [source.height]
    areas = [source.width * height * height // source.height for height in heights]
    return [int(PICTURE_BITS_PER_PIXEL * area) for area in areas]


def _encode_audio(encoding: Encoding, number: int = 0) -> Options:
    return {
        f"c:a:{number}": "aac",
        f"b:a:{number}": encoding.audio_bps,
        f"ar:a:{number}": SOUND_RATE_HZ,
        f"ac:a:{number}": 2,
    }


def _copy_audio(audio: InputAudio, number: int) -> Options:
    # The filter that ffmpeg inserts by itself comes too late for a delayed `moov`, which would lack the configuration.
    options: Options = {f"c:a:{number}": "copy"}
    return options | {f"bsf:a:{number}": "aac_adtstoasc"} if audio.adts else options


def _subtitles(opened: Pad, number: int, pipe: int) -> Pad:
    """One of the input's subtitles on the stream's timeline, each cue as soon as it is read."""
    written: Pad = ffmpeg.output(
        opened[f"s:{number}"], f"pipe:{pipe}", f="srt", **{"c:s": "srt"}, output_ts_offset=TS_OFFSET_S, flush_packets=1
    )
    return written


def _rhythm(encoding: Encoding, fps: Fraction | None) -> Options:
    return {
        "f": "mp4",
        "movflags": MOVFLAGS,
        "frag_duration": round(_part_s(encoding, fps) * 1e6) - HAIR_US,
        "write_prft": "wallclock",
        "output_ts_offset": TS_OFFSET_S,
        "flush_packets": 1,
        "max_muxing_queue_size": 4096,
    }


def _part_s(encoding: Encoding, fps: Fraction | None) -> float:
    """The whole number of frames that comes nearest to the part's wanted length, within what is sensible."""
    if fps is None:
        return encoding.part_s
    return float(max(round(encoding.part_s * fps), math.ceil(PART_S_MIN * fps)) / fps)


def _exact(fps: float | None) -> Fraction | None:
    """The frame rate as a fraction; None where it is not known, or no rate that a player shows."""
    if fps is None or not 1 <= fps <= 120:
        return None
    return NTSC.get(fps, Fraction(fps).limit_denominator(1001))


def _compile(pads: tuple[Pad, ...], options: Options, others: Sequence[Pad] = ()) -> tuple[str, ...]:
    graph = ffmpeg.output(*pads, "pipe:1", **options)
    if others:
        graph = ffmpeg.merge_outputs(graph, *others)
    arguments: list[str] = graph.global_args("-hide_banner", "-nostats", "-loglevel", "warning").compile()
    return tuple(arguments[1:])
