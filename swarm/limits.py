"""How much a peer may ask of this node: messages by kind, and bytes on request.

Every kind of control message has a rate that honest peers stay below even in bad moments. What is beyond it is
dropped unread and counted; who sends far beyond it, for long, loses the link. Neither is proof of anything, so
nobody is banned here. Each limit is one number, moved forward by what is used (the generic cell rate algorithm,
ITU-T I.371): no list, no timer.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from typing import Final

from swarm.errors import Flooding

GROSS: Final = 10
"""So many times the rate and its burst is no bad moment any more."""

REPAIR_SAVED_S: Final = 4.0
REPAIR_SHARE: Final = 1.0
"""Repair to one mate: at most this share of the stream's bitrate, saved for so long."""

CATCH_UP_SAVED_S: Final = 12.0
CATCH_UP_SHARE: Final = 0.5
"""Catching up to one mate: one whole join (8 s of all stripes, parity included), then at most this share."""


PAST_SAVED_S: Final = 8.0
PAST_SHARE: Final = 2.0
"""Old pieces to one mate: at most twice as fast as the stream itself."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages of one kind: ``burst`` at once, ``per_s`` in the long run."""

    name: str
    per_s: float
    burst: float


_ANSWERS: Final = (64.0, 256.0)
RATES: Final = {
    3: Rate("interest", 2.0, 20.0),
    4: Rate("manifest", 1.0, 10.0),
    5: Rate("advert", 5.0, 20.0),
    6: Rate("peers", 0.5, 6.0),
    7: Rate("subscribe", 40.0, 160.0),
    8: Rate("accept", *_ANSWERS),
    9: Rate("reject", *_ANSWERS),
    10: Rate("unsubscribe", *_ANSWERS),
    11: Rate("moved", *_ANSWERS),
    13: Rate("want", 150.0, 400.0),
    14: Rate("sorry", 150.0, 400.0),
    15: Rate("bye", 0.5, 10.0),
    16: Rate("ping", 2.0, 20.0),
    17: Rate("pong", 2.0, 20.0),
    18: Rate("meet", 4.0, 40.0),
    19: Rate("introduce", 4.0, 40.0),
    20: Rate("homes", 0.5, 10.0),
    21: Rate("tombstone", 0.5, 4.0),
    22: Rate("key request", 1.0, 10.0),
    23: Rate("key grant", 2.0, 20.0),
    24: Rate("key refusal", 2.0, 20.0),
    25: Rate("hosting", 4.0, 20.0),
    26: Rate("lodge", 2.0, 10.0),
    27: Rate("lodged", 2.0, 10.0),
    28: Rate("unlodge", 2.0, 10.0),
}
"""By the message's type byte; for one peer in one swarm."""


@lru_cache(maxsize=1024)
def _spans_s(kind: int, swarms: int) -> tuple[float, float, float] | None:
    """For messages of a kind in so many swarms: the time that one stands for, and how far ahead of the time they may
    be before some are dropped, and before it is gross; None for a kind without a rate."""
    rate = RATES.get(kind)
    if rate is None:
        return None
    step_s = 1 / (rate.per_s * swarms)
    # Half a message's time of slack is more than the rounding of many additions.
    longest_s = (rate.burst * swarms - 0.5) * step_s
    return step_s, longest_s, longest_s + step_s * (0.5 - 0.5 / GROSS)


@dataclass(slots=True)
class Meter:
    """What one peer has sent lately, by kind: until when it is used up, at the rate and at the gross one."""

    _until_s: dict[int, tuple[float, float]] = field(default_factory=dict)

    def admits(self, kind: int, now: float, swarms: int = 1) -> bool:
        """Whether a message of this kind, from a peer with ``swarms`` swarms in common, is to be read.

        Kinds without a rate are admitted. Raises Flooding for a gross excess that goes on.
        """
        spans_s = _spans_s(kind, swarms)
        if spans_s is None:
            return True
        step_s, longest_s, gross_most_s = spans_s
        spent_s, gross_s = self._until_s.get(kind, (now, now))
        gross_s = max(now, gross_s)
        if gross_s - now > gross_most_s:
            raise Flooding(f"too many messages: {RATES[kind].name}")
        ahead_s = max(now, spent_s)
        admitted = ahead_s - now <= longest_s
        self._until_s[kind] = (ahead_s + step_s if admitted else spent_s, gross_s + step_s / GROSS)
        return admitted


@dataclass(slots=True)
class Budget:
    """Bytes that one mate may have at its wish: ``saved_s`` of its rate at most, full at the start."""

    saved_s: float
    share: float
    _level_bytes: float = inf
    _since_s: float = 0.0

    def left(self, bitrate_bps: float, now: float) -> float:
        """Bytes left now, in a stream of this bitrate; below 0 when the last answer took more."""
        rate = self.share * bitrate_bps / 8
        earned = rate * max(0.0, now - self._since_s)
        self._level_bytes = min(self.saved_s * bitrate_bps / 8, self._level_bytes + earned)
        self._since_s = now
        return self._level_bytes

    def spend(self, size_bytes: int) -> None:
        """So many bytes were given."""
        self._level_bytes -= size_bytes


@dataclass(slots=True)
class Budgets:
    """What one mate may ask of one swarm's bytes."""

    repair: Budget = field(default_factory=lambda: Budget(REPAIR_SAVED_S, REPAIR_SHARE))
    catch_up: Budget = field(default_factory=lambda: Budget(CATCH_UP_SAVED_S, CATCH_UP_SHARE))
    past: Budget = field(default_factory=lambda: Budget(PAST_SAVED_S, PAST_SHARE))
