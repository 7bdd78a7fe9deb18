"""How late a broadcast may be: what a broadcaster chooses by one word, in place of lengths of parts and segments.

Shorter parts are sooner at the viewers, and cost the swarm more headers and packets. A longer hold-back outlives longer
pauses of the network. Whoever watches gets all of it with the stream's description.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Latency(StrEnum):
    """The presets, the quickest first."""

    ULTRA = "ultra"
    LOW = "low"
    NORMAL = "normal"
    ROBUST = "robust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Milliseconds of a part, seconds of a segment, and how far behind the newest part players are to stay at least;
    0 leaves that to what is measured where they are."""

    part_ms: int
    segment_s: float
    hold_back_s: float


PACES: Mapping[Latency, Pace] = {
    Latency.ULTRA: Pace(part_ms=100, segment_s=1.0, hold_back_s=0.0),
    Latency.LOW: Pace(part_ms=200, segment_s=1.0, hold_back_s=0.0),
    Latency.NORMAL: Pace(part_ms=400, segment_s=2.0, hold_back_s=2.0),
    Latency.ROBUST: Pace(part_ms=1000, segment_s=4.0, hold_back_s=6.0),
}
