"""How far behind the window's edge players should stay, from how unevenly media arrives here.

Pure: time is an argument. A player that begins while media comes early runs dry when it later comes late: it needs a
stock as long as the spread between the two, and one part more, which it is about to load. The spread is taken within
short spells, so that neither clocks that drift apart nor a route that changes for good count. One bad spell is an
accident, two within memory are the way this network is: the second worst counts. A hold-back rises at once and falls a
step at a time after a calm while, because each change is a change of every playlist.
"""

import math
from collections import deque

SPELL_S = 5.0
SPELL_PARTS = 10
"""A spell has room for so many parts at least."""
SPELLS_KEPT = 12
CALM_S = 30.0
"""A hold-back that is longer than necessary for so long is taken back by one step."""
STEP_S = 0.1
HOLD_BACK_S_MAX = 6.0
"""What is less even than this is broken: a player behind it would not be better off."""
PARTS_MIN = 3
"""The least hold-back in parts (rfc8216bis section 4.4.3.8)."""


class Jitter:
    """Watches when a stream's media arrives. ``part_target_s`` is what its playlists promise."""

    def __init__(self, part_target_s: float) -> None:
        self.part_target_s = part_target_s
        self._spell_s = max(SPELL_S, SPELL_PARTS * part_target_s)
        self._spreads: deque[float] = deque(maxlen=SPELLS_KEPT)
        self._began_s: float | None = None
        self._least_s = math.inf
        self._most_s = -math.inf
        self._steps = 0
        self._calm_since_s = 0.0

    @property
    def hold_back_s(self) -> float:
        """Seconds behind the edge of what is here; never less than three parts."""
        return PARTS_MIN * self.part_target_s + self._steps * STEP_S

    def arrived(self, now_s: float, edge_s: float) -> None:
        """Media up to ``edge_s`` of its own timeline is here. Both in seconds, from any beginnings."""
        if self._began_s is None:
            self._calm_since_s = now_s
        if self._began_s is None or now_s - self._began_s >= self._spell_s:
            self._close_spell()
            self._began_s = now_s
        lateness_s = now_s - edge_s
        self._least_s = min(self._least_s, lateness_s)
        self._most_s = max(self._most_s, lateness_s)
        self._move(now_s, self._needed())

    def cut(self) -> None:
        """Media time does not go on where it was: what comes next cannot be compared with what came."""
        self._close_spell()
        self._least_s, self._most_s = math.inf, -math.inf

    def _close_spell(self) -> None:
        if self._most_s >= self._least_s:
            self._spreads.append(self._most_s - self._least_s)
        self._least_s, self._most_s = math.inf, -math.inf

    def _needed(self) -> int:
        """Steps above the least hold-back."""
        spreads = sorted([*self._spreads, self._most_s - self._least_s])
        wanted_s = min(self.part_target_s + (spreads[-2] if len(spreads) > 1 else 0.0), HOLD_BACK_S_MAX)
        return max(0, math.ceil((wanted_s - PARTS_MIN * self.part_target_s) / STEP_S - 1e-6))

    def _move(self, now_s: float, needed: int) -> None:
        # Half a step of play would do to keep one value; a whole one keeps a spread that swings around a border still.
        if needed >= self._steps - 1:
            self._calm_since_s = now_s
        if needed > self._steps:
            self._steps = needed
        elif now_s - self._calm_since_s >= CALM_S:
            self._steps -= 1
            self._calm_since_s = now_s
