"""What is in an input, as ``ffmpeg -i`` tells it: ffprobe does not come with the Python package's ffmpeg."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.ingest.complaints import plain_reason
from gateway.ingest.errors import InputUnclear, InputUnreadable
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess
from gateway.media.errors import CodecError, NoVideo

SIDE_MAX = 8192
"""A decoder keeps several pictures in memory: one of 8K takes 50 MB, and nothing larger is broadcast."""

TEXT_CODECS = ("ansi", "bintext", "xbin", "idf")
"""ffmpeg takes a text file for a picture of letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputVideo:
    """The first video stream; ``fps`` is None when ffmpeg cannot tell, the size 0 when it is not known."""

    codec: str
    pixels: str = ""
    fps: float | None = None
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InputAudio:
    """One audio stream. ``adts``: AAC as in a transport stream, each frame with a header of its own. ``number`` says
    which of the input's it is, where not all are taken."""

    codec: str
    adts: bool = False
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputText:
    """Subtitles that are text: which of the input's subtitle streams, and their language by ISO 639-2/T."""

    number: int
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputInfo:
    """``video`` is None for sound alone, ``duration_s`` for what has no end, ``bitrate_bps`` when it is not known.
    ``programmes`` counts those of a transport stream; 0 where ffmpeg names none."""

    video: InputVideo | None
    audios: tuple[InputAudio, ...] = ()
    texts: tuple[InputText, ...] = ()
    duration_s: float | None = None
    bitrate_bps: int | None = None
    format: str = ""
    programmes: int = 0


AUDIOS_MAX = 8
TEXTS_MAX = 6
"""Languages that are taken; an input may have more."""

SUBTITLE_CODECS = ("subrip", "srt", "mov_text", "webvtt", "ass", "ssa", "text")
"""The others are pictures of letters."""

ADTS_TAG = "/ 0x000F"
"""The stream type of AAC in a transport stream (ISO/IEC 13818-1 table 2-34), which ffmpeg prints as a tag."""

_STREAM = re.compile(r"^\s*Stream #\d+:\d+(?:\[\w+\])?(?:\((\w+)\))?.*?: (Video|Audio|Subtitle): (.*)$")
_INPUT = re.compile(r"^Input #0, (\S+), from")
_OPENED = re.compile(r"^Input #0, |[Cc]ould not find codec parameters")
_PROGRAMME = re.compile(r"^\s*Program \d+")
_DURATION = re.compile(r"^\s*Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_BITRATE = re.compile(r"bitrate: (\d+) kb/s")
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})\b")
_FPS = re.compile(r"([\d.]+)(k?) fps")
_COMMA = re.compile(r",\s*(?![^(]*\))")
"""A comma outside of brackets."""


async def probe(
    ffmpeg: Ffmpeg, name: str, input_arguments: list[str], *, environment: Mapping[str, str] | None = None
) -> InputInfo:
    """Look into an input. Raises InputUnreadable, NoVideo, CodecError; InputUnclear where more may be seen later."""
    arguments = ["-hide_banner", "-nostdin", *input_arguments]
    async with await FfmpegProcess.start(ffmpeg, arguments, environment=environment) as process:
        await process.wait()
        return read_probe(name, process.stderr)


def read_probe(name: str, lines: Iterable[str]) -> InputInfo:
    """What ``ffmpeg -i`` said of the input called ``name``. Raises as `probe`."""
    lines = list(lines)
    streams = [match.groups() for line in lines if (match := _STREAM.match(line))]
    if not streams:
        opened = any(_OPENED.search(line) for line in lines)
        raise (InputUnclear if opened else InputUnreadable)(
            f"{name} cannot be read: {plain_reason(lines)}. Choose another input."
        )
    pictures = [text for _, kind, text in streams if kind == "Video" and "attached pic" not in text]
    sounds = [text for _, kind, text in streams if kind == "Audio"]
    subtitles = [(language, text) for language, kind, text in streams if kind == "Subtitle"]
    if not pictures and not sounds:
        raise NoVideo(f"{name} has neither picture nor sound. Choose another input.")
    return InputInfo(
        video=_find_video(name, pictures),
        audios=tuple(InputAudio(codec=_codec(sound), adts=ADTS_TAG in sound) for sound in sounds[:AUDIOS_MAX]),
        texts=_read_texts(subtitles),
        duration_s=_read_duration(lines),
        bitrate_bps=_read_bitrate(lines),
        format=next((match[1] for line in lines if (match := _INPUT.match(line))), ""),
        programmes=sum(_PROGRAMME.match(line) is not None for line in lines),
    )


def _find_video(name: str, pictures: Sequence[str]) -> InputVideo | None:
    """The first picture. Raises InputUnreadable and CodecError for one that cannot be broadcast."""
    if not pictures:
        return None
    video = _read_video(pictures[0])
    if video.codec in TEXT_CODECS:
        raise InputUnreadable(f"{name} cannot be read: it is a text, not a video. Choose another input.")
    if video.codec in ("none", "unknown"):
        raise CodecError(f"ffmpeg does not know the video codec of {name}. Convert it to H.264 first.")
    if max(video.width, video.height) > SIDE_MAX:
        raise CodecError(f"{name} is {video.width}x{video.height}: {SIDE_MAX} is the longest side that can be sent.")
    return video


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
    pixels = "" if pixels == "none" else pixels  # no key frame has come
    rate = _FPS.search(text)
    fps = float(rate[1]) * (1000 if rate[2] else 1) if rate else None
    size = next((match for column in columns if (match := _SIZE.match(column))), None)
    return InputVideo(
        codec=_codec(text),
        pixels=pixels,
        fps=fps if fps and fps <= 240 else None,
        width=int(size[1]) if size else 0,
        height=int(size[2]) if size else 0,
    )


def _read_duration(lines: Iterable[str]) -> float | None:
    found = next((match for line in lines if (match := _DURATION.match(line))), None)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


def _read_bitrate(lines: Iterable[str]) -> int | None:
    found = next((match for line in lines if (match := _BITRATE.search(line))), None)
    return int(found[1]) * 1000 if found else None
