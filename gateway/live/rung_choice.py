"""Which rung of a ladder a gateway plays for its players: the highest that the swarm carries to it in time.

Pure: times and observations in, decisions out. A rung is known by its place, 0 for the lowest. A player on this
machine sees the speed of loopback and can choose nothing; what the swarm carries shows in when the pieces come.

    steady --late or lost pieces--> the next lower one is played
           --silence--> the next lower one is tried beside, below the lowest the next higher --it comes--> played
           --calm for a while--> the next higher one is tried beside --it stays in time--> played
                                                                     --either is in trouble--> given up for a while

A rung that has failed rests before it is tried again, twice as long each time.
"""

from collections import deque
from dataclasses import dataclass, field

LOOK_S = 4.0
"""What is longer ago says nothing about now."""

LATE_S = 0.45
"""A piece is late when it comes so much later after its capture than the quickest do: what players hold back, less the
time to act. In a swarm that is well, even the slowest of a hundred pieces are quicker."""

AHEAD_S = 1.0
RISING_S = 0.15
"""A piece later than this counts as late already when, growing on as in the last second, it would be so soon."""

FALLING_S = 0.05
"""What is late but falls by so much a second is being made up for: a queue runs empty after a trial."""

SLACK_PER_S = 0.01
"""The quickest pieces of an hour ago are no measure: clocks drift, and ways through the swarm become longer."""

BEGINNING_S = 1.5
"""When a rung begins to come, its last pieces come all at once, late and in any order: they say nothing."""

SKIPPED_MAX = 24
"""More numbers than these are not missing: the broadcaster counts anew."""

LATE_WEIGHT = 1
LOST_WEIGHT = 2
TROUBLE = 3
"""Late and lost pieces of the last ``LOOK_S``, weighted, that are more than an accident."""

TRIAL_TROUBLE = 2
"""The same while a higher rung is tried: what it costs is to be over before it is seen."""

SILENT_S = 1.2
SILENT_PIECES = 3
"""When no piece has come for so long, and for so many pieces' time, something is wrong."""

BITS_S = 0.9
BITS_PIECES = 4
"""When for so long bits of pieces have come and no whole one, too much is wanted of the swarm."""

JOIN_S = 5.0
"""A rung that is tried may take so long to send its first piece."""

UNTRIED_AFTER_S = 3.0
UP_AFTER_S = 10.0
"""Calm that must have lasted before a higher rung is tried: one that has never failed, and one that has."""

TRIAL_S = 4.0
TRIAL_PIECES = 4
LOWER_PIECES = 2
"""What must have come of a higher rung, and of a lower one, before it is played."""

CALM_AGAIN_S = 3.0
DRAIN_S = 2.0
"""After a rung was left, what it had in the queues still delays the others for so long."""

REST_S = 15.0
REST_MAX_S = 300.0
PROVEN_S = 60.0
"""A rung that was played for so long has not failed any more."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to play, and what to receive beside it, if anything.

    ``in_haste``: what was played before comes too late to be waited for.
    """

    play: int
    trial: int | None = None
    in_haste: bool = False


@dataclass(slots=True)
class _Rung:
    """What is known of one rung; ``faults`` are times and weights."""

    faults: deque[tuple[float, int]] = field(default_factory=deque)
    excesses: deque[tuple[float, float]] = field(default_factory=deque)
    """When pieces came in the last second, and how much later than the quickest do."""
    since_s: float = 0.0
    first_s: float | None = None
    came_s: float | None = None
    pieces: int = 0
    newest: int = -1
    rest_s: float = 0.0
    rest_until_s: float = 0.0

    def begin(self, now: float) -> None:
        """It is received from now on: what was seen before says nothing."""
        self.since_s = now
        self.faults.clear()
        self.excesses.clear()
        self.first_s = self.came_s = None
        self.pieces = 0
        self.newest = -1

    def is_late(self, excess_s: float, now: float) -> bool:
        """Whether a piece that comes so much later than the quickest is late, or those behind it will be."""
        self.excesses.append((now, excess_s))
        while self.excesses[0][0] < now - AHEAD_S:
            self.excesses.popleft()
        growth_s = excess_s - self.excesses[0][1]
        if growth_s <= -FALLING_S:
            return False
        return excess_s > LATE_S or (excess_s > RISING_S and excess_s + growth_s > LATE_S)

    def fail(self, now: float) -> None:
        self.rest_s = min(max(2 * self.rest_s, REST_S), REST_MAX_S)
        self.rest_until_s = now + self.rest_s


class RungChoice:
    """The decisions for one stream. ``now`` is in seconds, of any clock that only grows."""

    def __init__(self, rungs: int, now: float, *, play: int = 0, piece_s: float = 0.2) -> None:
        self._piece_s = piece_s
        self._silent_s = max(SILENT_S, SILENT_PIECES * piece_s)
        self._bits_s = max(BITS_S, BITS_PIECES * piece_s)
        self._rungs = [_Rung(since_s=now) for _ in range(rungs)]
        self._play = play
        self._trial: int | None = None
        self._in_haste = False
        self._since_s = now
        self._calm_s = now
        self._drained_s = now
        self._base_s: float | None = None
        self._base_at_s = now

    @property
    def wish(self) -> Wish:
        """The last decision."""
        return Wish(self._play, self._trial, self._in_haste)

    def arrived(self, rung: int, number: int, delay_s: float, now: float) -> None:
        """A piece is whole; ``delay_s`` after its capture, by clocks that need not agree."""
        state = self._rungs[rung]
        excess_s = delay_s - self._base(delay_s, now)
        late = state.is_late(excess_s, now)
        if state.first_s is None:
            state.first_s = now
        if now - state.first_s > BEGINNING_S:
            self._note_overdue(state, number - state.newest - 1, excess_s, now)
            if late:
                self._fault(state, LATE_WEIGHT, now)
        state.came_s = now
        state.pieces += 1
        state.newest = max(state.newest, number)

    def bits_arrived(self, rung: int, now: float) -> None:
        """Something of pieces has come lately; whether whole ones did is known already."""
        came_s = self._rungs[rung].came_s
        if came_s is not None and now - came_s > self._bits_s:
            self._fault(self._rungs[rung], TROUBLE, now)

    def lost(self, rung: int, now: float) -> None:
        """A piece will not come."""
        self._fault(self._rungs[rung], LOST_WEIGHT, now)

    def decide(self, now: float) -> Wish:
        """What to do from now on; ask after each observation, and twice a second without any."""
        troubled = self._in_trouble(self._play, now)
        if troubled or self._rungs[self._play].came_s is None:
            self._calm_s = now
        if self._trial is None:
            self._begin_trial(troubled, now)
        elif self._trial > self._play:
            self._judge_higher(self._trial, troubled, now)
        else:
            self._judge_lower(self._trial, now)
        if now - self._since_s > PROVEN_S and self._trial is None:
            self._rungs[self._play].rest_s = 0.0
        return self.wish

    def _begin_trial(self, troubled: bool, now: float) -> None:
        if troubled and self._play > 0:
            # Both beside each other would be too much where one is already. In silence the stream itself may pause.
            if self._faulty(self._play, now):
                self._go_down(now)
            else:
                self._try(self._play - 1, now)
        elif self._play + 1 < len(self._rungs):
            higher = self._rungs[self._play + 1]
            after_s = UP_AFTER_S if higher.rest_s else UNTRIED_AFTER_S
            calm = not troubled and now - self._calm_s >= after_s
            # Where nothing comes of the lowest, its swarm may be out of reach, and the other's not.
            if now >= higher.rest_until_s and (calm or self._is_silent(self._play, now)):
                self._try(self._play + 1, now)

    def _judge_higher(self, trial: int, troubled: bool, now: float) -> None:
        state = self._rungs[trial]
        if self._is_silent(self._play, now):
            if self._keeps_up(trial, LOWER_PIECES):
                self._settle(trial, now)
                return
            troubled = False
        hurt = max(self._faults(self._play, now), self._faults(trial, now)) >= TRIAL_TROUBLE
        if troubled or hurt or self._is_silent(trial, now):
            state.fail(now)
            self._rungs[self._play].faults.clear()
            self._drained_s = now + DRAIN_S
            self._settle(self._play, now)
        elif state.first_s is not None and now - state.first_s >= TRIAL_S and self._keeps_up(trial, TRIAL_PIECES):
            self._settle(trial, now)

    def _judge_lower(self, trial: int, now: float) -> None:
        if now - self._calm_s >= CALM_AGAIN_S:
            self._settle(self._play, now)
            return
        if self._faulty(self._play, now):
            self._go_down(now)
        elif self._in_trouble(self._play, now) and self._keeps_up(trial, LOWER_PIECES):
            self._rungs[self._play].fail(now)
            self._settle(trial, now)

    def _keeps_up(self, trial: int, pieces: int) -> bool:
        """Whether it has shown itself, and is not behind what is played."""
        state = self._rungs[trial]
        return state.pieces >= pieces and state.newest + 1 >= self._rungs[self._play].newest

    def _in_trouble(self, rung: int, now: float) -> bool:
        return self._is_silent(rung, now) or self._faulty(rung, now)

    def _is_silent(self, rung: int, now: float) -> bool:
        state = self._rungs[rung]
        return now - state.came_s > self._silent_s if state.came_s is not None else now - state.since_s > JOIN_S

    def _faulty(self, rung: int, now: float) -> bool:
        return self._faults(rung, now) >= TROUBLE

    def _faults(self, rung: int, now: float) -> int:
        """The weight of what went wrong of late."""
        faults = self._rungs[rung].faults
        while faults and faults[0][0] < now - LOOK_S:
            faults.popleft()
        return sum(weight for _, weight in faults)

    def _go_down(self, now: float) -> None:
        """Play the next lower one; what comes of the rung that is left says nothing about it."""
        self._rungs[self._play].fail(now)
        if self._trial is None:
            self._rungs[self._play - 1].begin(now)
        self._drained_s = now + DRAIN_S
        self._settle(self._play - 1, now)
        self._in_haste = True

    def _try(self, rung: int, now: float) -> None:
        self._trial = rung
        self._since_s = now
        self._rungs[rung].begin(now)

    def _settle(self, rung: int, now: float) -> None:
        """Play this one, and try nothing."""
        self._play = rung
        self._trial = None
        self._in_haste = False
        self._since_s = self._calm_s = now

    def _note_overdue(self, state: _Rung, skipped: int, excess_s: float, now: float) -> None:
        """Pieces that are missing before the one that came: the earlier they were due, the later they are."""
        in_time = max(int((LATE_S - excess_s) / self._piece_s), 0)
        if in_time < skipped <= SKIPPED_MAX:
            self._fault(state, min((skipped - in_time) * LATE_WEIGHT, TROUBLE), now)

    def _fault(self, state: _Rung, weight: int, now: float) -> None:
        if now < self._drained_s:
            return
        state.faults.append((now, weight))
        if len(state.faults) > TROUBLE:
            state.faults.popleft()

    def _base(self, delay_s: float, now: float) -> float:
        """The delay of the quickest pieces."""
        if self._base_s is None:
            self._base_s = delay_s
        slack_s = SLACK_PER_S * max(now - self._base_at_s, 0.0)
        self._base_s = min(self._base_s + slack_s, delay_s)
        self._base_at_s = now
        return self._base_s
