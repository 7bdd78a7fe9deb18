"""Which tracker is asked, and when: tiers of mirrors (BEP 12), and patience with those that fail.

The trackers of one tier stand for each other: one of them is asked, a random one at first, the next one when it fails,
and the one that answered stays in front. Tiers stand beside each other: peers that use different trackers would not
find each other if only one of all were asked.

    due -> asked -> answered: rests for the interval that it names, within bounds
                 -> failed: the tier's next tracker at once, or after the last one a pause that doubles
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from swarm.discovery.announces import Answer
from swarm.tracker_url import TrackerUrl

INTERVAL_S: Final = (60.0, 3600.0)
"""Bounds of what a tracker may ask for: it shall neither be a victim nor keep us away for a day."""

NORMAL_INTERVAL_S: Final = 1800.0
"""Where it names none."""

PAUSE_S: Final = (15.0, 1800.0)
"""After a failure of the whole tier: the first pause and the longest; doubled each time."""

BLUR: Final = 0.1
"""So much earlier or later, lest all who came together ask together for ever."""

DOUBLINGS_MAX: Final = 10


@dataclass(slots=True)
class Tier:
    """One or more trackers that stand for each other. ``rng`` shuffles them and blurs the times."""

    trackers: list[TrackerUrl]
    rng: Random
    next_s: float = float("-inf")
    soonest_s: float = float("-inf")
    """Before this it is not asked, however much is wanted."""
    failures: int = 0
    _turn: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        assert self.trackers
        self.rng.shuffle(self.trackers)

    @property
    def tracker(self) -> TrackerUrl:
        """Whom to ask next."""
        return self.trackers[self._turn]

    def due(self, now: float, hungry: Callable[[], bool]) -> bool:
        """Whether it is to be asked now; who is ``hungry`` has nobody, and asks as soon as the tracker allows."""
        return now >= self.next_s or (not self.failures and now >= self.soonest_s and hungry())

    def answered(self, answer: Answer, now: float) -> None:
        """The tracker in turn has answered: it stays in front."""
        self.trackers.insert(0, self.trackers.pop(self._turn))
        self._turn = self.failures = 0
        least = min(INTERVAL_S[1], max(INTERVAL_S[0], answer.min_interval_s))
        interval = min(INTERVAL_S[1], max(least, answer.interval_s or NORMAL_INTERVAL_S))
        self.soonest_s = now + least
        self.next_s = now + max(least, self._blurred(interval))

    def failed(self, now: float) -> None:
        """The tracker in turn gave no good answer: the next one now, or all again after a pause."""
        self._turn = (self._turn + 1) % len(self.trackers)
        if self._turn:
            self.next_s = now
            return
        pause = min(PAUSE_S[1], PAUSE_S[0] * 2 ** min(DOUBLINGS_MAX, self.failures))
        self.failures += 1
        self.next_s = now + self._blurred(pause)

    def _blurred(self, seconds: float) -> float:
        return seconds * self.rng.uniform(1 - BLUR, 1 + BLUR)
