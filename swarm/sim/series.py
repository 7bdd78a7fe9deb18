"""A broadcast second by second, for the plot."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from swarm.sim.report import DEADLINE_S, TAIL_S, due, quantile
from swarm.sim.scenarios import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """The pieces captured within one second; ``at_s`` is its begin, ``viewers`` how many were there at its end."""

    at_s: int
    viewers: int
    delay_p50_s: float
    delay_p99_s: float
    within_1s: float
    within_2s: float


def seconds_of(stage: Stage, audience: Sequence[tuple[float, int]]) -> list[Second]:
    """All seconds in which a piece was due somewhere. ``audience``: how many viewers there were at a time."""
    world = stage.world
    waits: dict[int, list[float]] = {}
    for host in stage.honest():
        for number, delay_s in due(world, host, 0.0):
            waits.setdefault(int(world.published[number]), []).append(delay_s)
    times = [at for at, _ in audience]
    return [
        Second(
            at_s=at,
            viewers=audience[bisect_right(times, at + 1.0) - 1][1],
            delay_p50_s=quantile(found, 0.5),
            delay_p99_s=quantile(found, 0.99),
            within_1s=sum(delay <= 1.0 for delay in found) / len(found),
            within_2s=sum(delay <= DEADLINE_S for delay in found) / len(found),
        )
        for at, found in sorted(waits.items())
        if at + 1 <= stage.seconds - TAIL_S
    ]


def most_finite(values: Sequence[float]) -> float:
    """The greatest value that is finite, 0 without any."""
    return max((value for value in values if value < inf), default=0.0)
