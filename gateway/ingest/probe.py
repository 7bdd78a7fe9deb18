"""What is in an input, as ``ffmpeg -i`` tells it: ffprobe does not come with the Python package's ffmpeg."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.ingest.complaints import plain_reason
from gateway.ingest.errors import InputUnreadable
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess
from gateway.media.errors import CodecError, NoVideo

COPYABLE_PIXELS = ("yuv420p", "yuvj420p")
"""8 bit 4:2:0 is what browsers and televisions decode."""

TEXT_CODECS = ("ansi", "bintext", "xbin", "idf")
"""ffmpeg takes a text file for a picture of letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputVideo:
    """The first video stream; ``fps`` is None when ffmpeg cannot tell."""

    codec: str
    pixels: str = ""
    fps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputAudio:
    """One audio stream. ``adts``: AAC as in a transport stream, each frame with a header of its own."""

    codec: str
    adts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InputText:
    """Subtitles that are text: which of the input's subtitle streams, and their language by ISO 639-2/T."""

    number: int
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputInfo:
    """``duration_s`` is None for what has no end, ``bitrate_bps`` when it is not known."""

    video: InputVideo
    audios: tuple[InputAudio, ...] = ()
    texts: tuple[InputText, ...] = ()
    duration_s: float | None = None
    bitrate_bps: int | None = None


AUDIOS_MAX = 8
TEXTS_MAX = 6
"""Languages that are taken; an input may have more."""

SUBTITLE_CODECS = ("subrip", "srt", "mov_text", "webvtt", "ass", "ssa", "text")
"""The others are pictures of letters."""

ADTS_TAG = "/ 0x000F"
"""The stream type of AAC in a transport stream (ISO/IEC 13818-1 table 2-34), which ffmpeg prints as a tag."""

_STREAM = re.compile(r"^\s*Stream #\d+:\d+(?:\[\w+\])?(?:\((\w+)\))?.*?: (Video|Audio|Subtitle): (.*)$")
_DURATION = re.compile(r"^\s*Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_BITRATE = re.compile(r"bitrate: (\d+) kb/s")
_FPS = re.compile(r"([\d.]+)(k?) fps")
_COMMA = re.compile(r",\s*(?![^(]*\))")
"""A comma outside of brackets."""


async def probe(ffmpeg: Ffmpeg, name: str, input_arguments: list[str]) -> InputInfo:
    """Look into an input. Raises InputUnreadable, NoVideo, CodecError."""
    arguments = ["-hide_banner", "-nostdin", *input_arguments]
    async with await FfmpegProcess.start(ffmpeg, arguments) as process:
        await process.wait()
        return read_probe(name, process.stderr)


def read_probe(name: str, lines: Iterable[str]) -> InputInfo:
    """What ``ffmpeg -i`` said of the input called ``name``. Raises as `probe`."""
    lines = list(lines)
    streams = [match.groups() for line in lines if (match := _STREAM.match(line))]
    if not streams:
        raise InputUnreadable(f"{name} cannot be read: {plain_reason(lines)}. Choose another input.")
    pictures = [text for _, kind, text in streams if kind == "Video" and "attached pic" not in text]
    sounds = [text for _, kind, text in streams if kind == "Audio"]
    subtitles = [(language, text) for language, kind, text in streams if kind == "Subtitle"]
    if not pictures:
        raise NoVideo(f"{name} has no video. Sound alone cannot be broadcast yet: choose an input with a picture.")
    video = _read_video(pictures[0])
    if video.codec in TEXT_CODECS:
        raise InputUnreadable(f"{name} cannot be read: it is a text, not a video. Choose another input.")
    if video.codec in ("none", "unknown"):
        raise CodecError(f"ffmpeg does not know the video codec of {name}. Convert it to H.264 first.")
    return InputInfo(
        video=video,
        audios=tuple(InputAudio(codec=_codec(sound), adts=ADTS_TAG in sound) for sound in sounds[:AUDIOS_MAX]),
        texts=_read_texts(subtitles),
        duration_s=_read_duration(lines),
        bitrate_bps=_read_bitrate(lines),
    )


def _read_texts(subtitles: Sequence[tuple[str | None, str]]) -> tuple[InputText, ...]:
    texts = [
        InputText(number=number, language=language or "und")
        for number, (language, text) in enumerate(subtitles)
        if _codec(text) in SUBTITLE_CODECS
    ]
    return tuple(texts[:TEXTS_MAX])


def _codec(text: str) -> str:
    return re.split(r"[\s,(]", text, maxsplit=1)[0]


def _read_video(text: str) -> InputVideo:
    columns = _COMMA.split(text)
    pixels = _codec(columns[1]) if len(columns) > 1 else ""
    rate = _FPS.search(text)
    fps = float(rate[1]) * (1000 if rate[2] else 1) if rate else None
    return InputVideo(codec=_codec(text), pixels=pixels, fps=fps if fps and fps <= 240 else None)


def _read_duration(lines: Iterable[str]) -> float | None:
    found = next((match for line in lines if (match := _DURATION.match(line))), None)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


def _read_bitrate(lines: Iterable[str]) -> int | None:
    found = next((match for line in lines if (match := _BITRATE.search(line))), None)
    return int(found[1]) * 1000 if found else None
