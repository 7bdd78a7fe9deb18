"""The ladder of a broadcast: in which sizes one picture is sent, each with its bitrate, and whether sound alone is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

RUNGS_MAX = 6
HEIGHT_MIN = 90
HEIGHT_MAX = 4320
AUDIO = "audio"
"""The name of the rung that is sound alone."""

USUAL_BPS = ((2160, 14_000_000), (1440, 8_000_000), (1080, 5_000_000), (720, 2_500_000), (480, 1_200_000),
             (360, 700_000), (240, 350_000), (144, 150_000))  # fmt: skip
"""Height in lines, and what H.264 needs for a picture with movement in it; in between it goes with the area."""

_RUNG = re.compile(r"(\d{2,4})p")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One size of the picture: ``height`` in lines, ``video_bps`` in bit/s. ``name`` is what players ask for."""

    height: int
    video_bps: int

    @property
    def name(self) -> str:
        return f"{self.height}p"

    @property
    def width(self) -> int:
        """Of a picture of 16:9, even."""
        return round(self.height * 16 / 18) * 2


def read_ladder(words: Iterable[str]) -> tuple[Rung, ...]:
    """``720p``, ``360p``, ``audio``: the rungs with a picture, the lowest first. Raises ValueError."""
    named = [word.strip() for word in words]
    heights = sorted({_read_height(word) for word in named if word != AUDIO})
    if named and not heights:
        raise ValueError(f"{AUDIO} alone is no ladder: name a size beside it, such as 360p,{AUDIO}")
    if len(heights) > RUNGS_MAX:
        raise ValueError(f"a ladder has at most {RUNGS_MAX} rungs, not {len(heights)}")
    return tuple(Rung(height=height, video_bps=usual_bps(height)) for height in heights)


def has_audio_rung(words: Iterable[str]) -> bool:
    """Whether these words ask for sound alone too."""
    return any(word.strip() == AUDIO for word in words)


def usual_bps(height: int) -> int:
    """The bitrate of a picture of so many lines."""
    lines, bps = min(USUAL_BPS, key=lambda row: abs(row[0] - height))
    return round(bps * (height / lines) ** 2)


def _read_height(word: str) -> int:
    match = _RUNG.fullmatch(word)
    height = int(match[1]) if match else 0
    if not HEIGHT_MIN <= height <= HEIGHT_MAX or height % 2:
        raise ValueError(f"{word}: a rung is an even height in lines with a p, such as 720p, or {AUDIO}")
    return height
