"""What was seen of a player: the clock in its picture, read again and again, and the figures that follow from that.

Every player is measured in the same way, by what it shows: the test picture carries the time of its capture
(gateway/ingest/clock_code.py), so that the time of looking less the time shown is the true delay from capture to
screen. Nothing that a player says about itself is believed.
"""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LOOK_EVERY_S = 0.05
"""How often the picture is looked at."""

STALL_S = 0.5
"""A picture that stands still for longer has stalled."""

BLIND_S = 0.4
"""Nobody looked for longer than this: the machine was busy with something else, and nothing is said of the player."""

SETTLE_S = 5.0
"""Players hurry or wait at first; delays count from so many seconds after the first frame on."""

PLAYED_SHARE_MIN = 0.8
"""The clock has to pass at least so much of the time for a player to count as playing."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look at a picture: when, and the capture time that it showed (both Unix seconds); None without a clock."""

    at_s: float
    clock_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How a player did. Times in seconds; None where nothing was shown. ``played_s`` is of the stream's own time."""

    plays: bool
    played_s: float
    first_frame_s: float | None
    stalls: int
    stalled_s: float
    delay_median_s: float | None
    delay_p95_s: float | None
    blind_s: float


def take_figures(sightings: Sequence[Sighting], began_s: float) -> Figures:
    """The figures of a player that was told at ``began_s`` to play; sightings in the order of time."""
    first = next((index for index, seen in enumerate(sightings) if seen.clock_s is not None), None)
    blind_s = sum(gap for gap in _gaps(sightings) if gap > BLIND_S)
    if first is None:
        return Figures(
            plays=False,
            played_s=0.0,
            first_frame_s=None,
            stalls=0,
            stalled_s=0.0,
            delay_median_s=None,
            delay_p95_s=None,
            blind_s=blind_s,
        )
    shown = sightings[first:]
    stills = stand_stills(shown)
    settled_s = shown[0].at_s + SETTLE_S
    delays_s = [seen.at_s - seen.clock_s for seen in shown if seen.clock_s is not None and seen.at_s >= settled_s]
    played_s, passed_s = _played_s(shown), shown[-1].at_s - shown[0].at_s
    return Figures(
        plays=played_s >= PLAYED_SHARE_MIN * passed_s and len(delays_s) > 1,
        played_s=played_s,
        first_frame_s=shown[0].at_s - began_s,
        stalls=len(stills),
        stalled_s=sum(stills),
        delay_median_s=statistics.median(delays_s) if delays_s else None,
        delay_p95_s=statistics.quantiles(delays_s, n=20)[-1] if len(delays_s) > 1 else None,
        blind_s=blind_s,
    )


def stand_stills(shown: Sequence[Sighting]) -> list[float]:
    """How long each stall lasted. A picture without a clock, as black as a screen can be, stands still too."""
    stills: list[float] = []
    clock_s, since_s = shown[0].clock_s, shown[0].at_s
    for before, seen in itertools.pairwise(shown):
        if seen.at_s - before.at_s > BLIND_S:
            since_s = seen.at_s
        if seen.clock_s is not None and seen.clock_s != clock_s:
            if seen.at_s - since_s > STALL_S:
                stills.append(seen.at_s - since_s)
            clock_s, since_s = seen.clock_s, seen.at_s
    if shown[-1].at_s - since_s > STALL_S:
        stills.append(shown[-1].at_s - since_s)
    return stills


def _gaps(sightings: Sequence[Sighting]) -> list[float]:
    return [after.at_s - before.at_s for before, after in itertools.pairwise(sightings)]


def _played_s(shown: Sequence[Sighting]) -> float:
    """How much the clock has passed. Who catches up passes more than all of the time."""
    clocks = [seen.clock_s for seen in shown if seen.clock_s is not None]
    return clocks[-1] - clocks[0]
