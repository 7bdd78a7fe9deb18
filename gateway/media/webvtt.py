"""Subtitles as text: cues out of SubRip as ffmpeg writes it, and cues as the WebVTT segments of HLS.

WebVTT: W3C Candidate Recommendation of 2019-04-04, sections 4.1 and 4.2.2; in HLS: RFC 8216 section 3.5. The times of a
cue are media times, those of the stream's decode times.
"""

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CUE_CHARS_MAX = 2_000
"""What is longer is cut: nobody reads it."""
PENDING_CHARS_MAX = 65_536
"""Text without an empty line; beyond that it is no SubRip."""

_TIMING = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{3}) --> (\d+):(\d\d):(\d\d)[,.](\d{3})", re.ASCII)
_MARKUP = re.compile(r"<(/?)([a-zA-Z]+)[^<>]*>|\{\\[^{}]*\}")
_KEPT = frozenset({"b", "i", "u"})


@dataclass(frozen=True, slots=True, order=True)
class Cue:
    """A text with the microseconds of media time between which it is shown; ``text`` is a WebVTT cue payload."""

    begin_us: int
    end_us: int
    text: str

    def overlaps(self, begin_us: int, end_us: int) -> bool:
        """Whether it is shown somewhere in between."""
        return self.begin_us < end_us and begin_us < self.end_us


class SubRipReader:
    """Takes the output of ffmpeg's SubRip muxer in pieces of any size."""

    def __init__(self) -> None:
        self._pending = ""

    def feed(self, data: bytes) -> list[Cue]:
        """The cues that are whole now. What is no cue is left out."""
        self._pending += data.decode("utf-8", "replace").replace("\r", "")
        *blocks, self._pending = self._pending.split("\n\n")
        self._pending = self._pending[-PENDING_CHARS_MAX:]
        return [cue for block in blocks if (cue := _read_block(block)) is not None]


def _read_block(block: str) -> Cue | None:
    lines = block.strip("\n").split("\n")
    for number, line in enumerate(lines):
        if match := _TIMING.match(line):
            values = [int(value) for value in match.groups()]
            begin_us, end_us = _us(*values[:4]), _us(*values[4:])
            text = to_payload("\n".join(lines[number + 1 :]))
            return Cue(begin_us, end_us, text) if text and begin_us < end_us else None
    return None


def to_payload(text: str) -> str:
    """SubRip's text as a cue payload: bold, italics and underlining stay, all else that looks like markup goes."""
    payload, open_tags, at = [], [], 0
    text = text[:CUE_CHARS_MAX]
    for match in _MARKUP.finditer(text):
        payload.append(html.escape(text[at : match.start()], quote=False))
        at = match.end()
        name = (match[2] or "").lower()
        if name in _KEPT and not match[1]:
            open_tags.append(name)
            payload.append(f"<{name}>")
        elif name in _KEPT and open_tags and open_tags[-1] == name:
            payload.append(f"</{open_tags.pop()}>")
    payload.append(html.escape(text[at:], quote=False))
    payload += [f"</{name}>" for name in reversed(open_tags)]
    lines = (line.strip() for line in "".join(payload).split("\n"))
    return "\n".join(line for line in lines if line)


def render_segment(cues: Iterable[Cue]) -> bytes:
    """A segment of HLS: the cues that are shown in it, each with all of its time, so that a player which finds one
    again in the next segment knows it."""
    # Cue times are media times as they are: both clocks of the map begin at zero.
    head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"
    return "\n".join([head, *_render_cues(cues)]).encode()


def _render_cues(cues: Iterable[Cue]) -> Iterator[str]:
    for cue in sorted(cues):
        yield f"{_clock(cue.begin_us)} --> {_clock(cue.end_us)}\n{cue.text}\n"


def _clock(time_us: int) -> str:
    seconds, ms = divmod(max(time_us, 0) // 1000, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"


def _us(hours: int, minutes: int, seconds: int, ms: int) -> int:
    return (((hours * 60 + minutes) * 60 + seconds) * 1000 + ms) * 1000
