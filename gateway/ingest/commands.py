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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import ffmpeg

from gateway.ingest.coding import (
    SOUND_RATE_HZ,
    TS_OFFSET_S,
    check_copy,
    copies_picture,
    copy_picture,
    encode_audio,
    encode_picture,
    exact_rate,
    machine_options,
    plan_part_s,
    rhythm,
    sound_options,
)
from gateway.ingest.encoders import Options, encoder_named
from gateway.ingest.opening import Pad, open_input
from gateway.ingest.probe import SIDE_MAX, InputAudio, InputInfo
from gateway.ingest.sources import Encoding, FileSource, SlateSource, Source, TestSource, name_of
from gateway.ingest.test_picture import SAMPLE_RATE
from gateway.ladder import AUDIO

SLATE_FPS = 10
SLATE_BPS = 200_000
MAIN = "main"
"""The name of a stream's one rendition."""
PUSH_LOOK_S = 0.5
"""Enough for a key frame's parameters; of MPEG-TS ffmpeg looks at so much in any case."""
PLAIN_LOOK_S = 0.1
"""The same of what comes by WebRTC: Opus says all in the tables, and pictures come in the order in which they show."""
COPIED_GUESS_BPS = 4_000_000
COPIED_SOUND_BPS = 192_000
PICTURE_BITS_PER_PIXEL = 2.0
"""What x264 makes of the test picture in a second, which is far below the allowed rate: 0.46 Mbit/s at 640x360."""


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
    is the sound alone. ``coding`` is the encoder of the picture, ``copy`` or ``none``.
    """

    arguments: tuple[str, ...]
    outputs: tuple[Output, ...]
    part_s: float
    copied: bool
    texts: tuple[str, ...] = ()
    audio_rung: bool = False
    coding: str = "libx264"

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
    options = encode_picture(encoding, fps) | encode_audio(encoding) | rhythm(plan_part_s(encoding, fps))
    outputs = tuple(
        replace(output, estimate_bps=min(output.estimate_bps, picture_bps + encoding.audio_bps))
        for output, picture_bps in zip(_outputs(encoding), _picture_bps(source, encoding), strict=True)
    )
    outputs += _audio_output(encoding)
    return Job(
        arguments=_compile((sound["a:0"], *_pictures(picture, encoding)), options, machine=machine_options(encoding)),
        outputs=outputs,
        part_s=plan_part_s(encoding, fps),
        copied=False,
        audio_rung=encoding.audio_rung,
        coding=encoder_named(encoding.encoder).name,
    )


def slate_job(source: SlateSource, encoding: Encoding) -> Job:
    """A still picture and silence, in real time."""
    fps = Fraction(SLATE_FPS)
    picture = ffmpeg.input(f"file:{source.picture}", f="image2", loop=1, framerate=SLATE_FPS, re=None)
    silence = ffmpeg.input(f"anullsrc=r={SOUND_RATE_HZ}:cl=stereo", f="lavfi", re=None)
    options = encode_picture(encoding, fps) | encode_audio(encoding) | rhythm(plan_part_s(encoding, fps))
    return Job(
        arguments=_compile((silence["a:0"], *_pictures(picture, encoding)), options, machine=machine_options(encoding)),
        outputs=tuple(replace(o, estimate_bps=SLATE_BPS) for o in _outputs(encoding)) + _audio_output(encoding),
        part_s=plan_part_s(encoding, fps),
        copied=False,
        audio_rung=encoding.audio_rung,
        coding=encoder_named(encoding.encoder).name,
    )


def input_job(source: Source, info: InputInfo, encoding: Encoding, texts: Sequence[int] = ()) -> Job:
    """A file, a URL or a device that has been probed; ``texts`` are inherited file descriptors, one for each of the
    input's subtitles. Raises CodecError when it may only be copied and cannot be."""
    looped = isinstance(source, FileSource) and source.loop
    if looped and encoding.coding == "auto":
        # The filter that a copy needs does not live through the loop in ffmpeg 5.1.
        audios = (replace(audio, codec="aac in ADTS") if audio.adts else audio for audio in info.audios)
        info = replace(info, audios=tuple(audios))
    return _job(open_input(source, info), info, encoding, name_of(source), texts)


def push_job(info: InputInfo, encoding: Encoding, demuxer: str = "mpegts", *, look_s: float = PUSH_LOOK_S) -> Job:
    """What comes on standard input, by ffmpeg's name of its container, looked at for so long. Raises as `input_job`."""
    # The picture's rate is not waited for.
    plain = bool(info.audios) and all(audio.codec == "opus" for audio in info.audios)
    # A longer look has been asked for because a short one was not enough.
    looked_us = round((PLAIN_LOOK_S if plain and look_s <= PUSH_LOOK_S else look_s) * 1e6)
    limits: Options = {"probesize": 2_000_000, "analyzeduration": looked_us, "max_pixels": SIDE_MAX**2}
    pushed = ffmpeg.input("pipe:0", f=demuxer, fpsprobesize=0, **limits)
    return _job(pushed, info, encoding, "The pushed stream")


def _job(opened: Pad, info: InputInfo, encoding: Encoding, name: str, texts: Sequence[int] = ()) -> Job:
    check_copy(info, encoding, name)
    sounds = len(info.audios)
    fps = exact_rate(info.video.fps) if info.video else None
    copied = info.video is not None and copies_picture(info.video, encoding)
    options, pads, outputs = _picture(opened, info, encoding, fps, copied=copied)
    for number, audio in enumerate(info.audios):
        options |= sound_options(audio, encoding, number)
    part_s = plan_part_s(encoding, fps, sound_alone=info.video is None)
    subtitles = list(zip(info.texts, texts, strict=False))
    # Where there is no sound, there is no rung of it; where there is nothing else, it is no rung.
    alone = _audio_output(encoding, sounds) if sounds and info.video else ()
    return Job(
        arguments=_compile(
            (*(opened[f"a:{_place(audio, number)}"] for number, audio in enumerate(info.audios)), *pads),
            options | rhythm(part_s),
            [_subtitles(opened, text.number, pipe) for text, pipe in subtitles],
            machine=() if copied or info.video is None else machine_options(encoding),
        ),
        outputs=outputs + alone,
        part_s=part_s,
        copied=copied,
        texts=tuple(text.language for text, _ in subtitles),
        audio_rung=bool(alone),
        coding="none" if info.video is None else "copy" if copied else encoder_named(encoding.encoder).name,
    )


def _place(audio: InputAudio, number: int) -> int:
    return number if audio.number is None else audio.number


def _picture(
    opened: Pad, info: InputInfo, encoding: Encoding, fps: Fraction | None, *, copied: bool
) -> tuple[Options, tuple[Pad, ...], tuple[Output, ...]]:
    """The options, the streams and the renditions of an input's picture, if it has one."""
    sounds = len(info.audios)
    if info.video is None:
        usual_bps = sounds * max(encoding.audio_bps, COPIED_SOUND_BPS)
        return {}, (), (Output(name=MAIN, estimate_bps=info.bitrate_bps or usual_bps),)
    if copied:
        copy = (Output(name=MAIN, estimate_bps=info.bitrate_bps or COPIED_GUESS_BPS),)
        return copy_picture(info.video), (opened["v:0"],), copy
    options = encode_picture(encoding, fps)
    if fps is not None:
        options["r"] = str(fps)  # an uneven input becomes even, and with it the parts
    if encoding.skip_s:
        options["ss"] = encoding.skip_s
    return options, _pictures(opened, encoding), _outputs(encoding, sounds)


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


def _subtitles(opened: Pad, number: int, pipe: int) -> Pad:
    """One of the input's subtitles on the stream's timeline, each cue as soon as it is read."""
    written: Pad = ffmpeg.output(
        opened[f"s:{number}"], f"pipe:{pipe}", f="srt", **{"c:s": "srt"}, output_ts_offset=TS_OFFSET_S, flush_packets=1
    )
    return written


def _compile(
    pads: tuple[Pad, ...], options: Options, others: Sequence[Pad] = (), *, machine: tuple[str, ...] = ()
) -> tuple[str, ...]:
    graph = ffmpeg.output(*pads, "pipe:1", **options)
    if others:
        graph = ffmpeg.merge_outputs(graph, *others)
    arguments: list[str] = graph.global_args("-hide_banner", "-nostats", "-loglevel", "warning", *machine).compile()
    return tuple(arguments[1:])
