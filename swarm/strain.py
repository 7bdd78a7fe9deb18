"""How far this node's machine is behind with its work, and what it does not do therefore.

Where the machine is full, dials are answered too late, count as failed and are made again; parents seem overdue, and
are changed for others that seem so next. All of it is work, so that the machine stays full long after what filled it
is gone. Therefore the pause between two dials grows with how late this node's own timers come, for a dial costs a
handshake at both ends, the dearest thing that a node does; and who is late itself blames nobody for as much and more.
"""

from math import inf

LATE_MOST_S = 2.0
"""One timer counts for no more: a machine that has slept is not behind."""

WEIGHT = 1 / 3
AT_EASE_S = 0.05
"""So late is nothing to speak of."""

REST, AT_ONCE = 5.0, 4
"""The pause from dial to dial lasts so many times as long as timers are late. So many may be made at once, after as
many pauses without: a newcomer on a busy machine has to find somebody."""

LENIENCE = 3.0
"""So many times as late may others be: what passes through several of them is late by all of their lateness."""

ANY = 1_000_000


class Strain:
    """One machine's lateness, an average of the last few timers, and until when its dials have used up its pauses."""

    __slots__ = ("_until_s", "late_s")

    def __init__(self) -> None:
        self.late_s = 0.0
        self._until_s = -inf

    def woke(self, late_s: float) -> None:
        """A timer came so late."""
        self.late_s += WEIGHT * (min(max(late_s, 0.0), LATE_MOST_S) - self.late_s)

    @property
    def lenience_s(self) -> float:
        """How much later than usual others may be before they count as late."""
        return LENIENCE * self.late_s if self.late_s > AT_EASE_S else 0.0

    def dials(self, now: float) -> int:
        """How many may be made now."""
        if self.late_s <= AT_EASE_S:
            return ANY
        pause_s = REST * self.late_s
        self._until_s = min(self._until_s, now + AT_ONCE * pause_s)  # pauses have become shorter
        return int(AT_ONCE - max(0.0, self._until_s - now) / pause_s)

    def dialled(self, now: float) -> None:
        """A dial is made."""
        if self.late_s > AT_EASE_S:
            self._until_s = max(now, self._until_s) + REST * self.late_s
