"""What this peer's uplink carries, learnt from what was really sent, and the slots that follow from it.

The line is full when most of the links that carry data say so: messages wait or are dropped, or the round trip has
grown by more than LEDBAT's target (RFC 6817). What it carried then is its true rate. Until the first such moment the
estimate grows fast, as in TCP's slow start; later it returns quickly to the rate at which the line was full the last
time and goes beyond it slowly, as CUBIC does (RFC 9438).
"""

from dataclasses import dataclass, field

from swarm.status import UplinkStatus

INTERVAL_S = 0.5
INTERVAL_LEAST_S = 0.4
"""Measurements that come a little early still make an interval."""

FIRST_GUESS_BPS = 3_000_000.0
"""Where an uplink begins that nothing is known of. Too little starves those who join together with this peer; too much
lasts for a second, because a slow line shows at once."""

MARGIN = 0.9
"""Share of the estimate that is given to children; the rest is the household's."""

BUSY = 0.7
"""Sending more than this share of the estimate proves something; less proves nothing."""

START_RAISE_PER_S = 1.0
RAISE_PER_S = 0.2
PROBE_PER_S = 0.05
CREEP_PER_S = 0.02
"""Growth a second: until the line has been full once, later, near the known ceiling, and beyond it."""

START_LEAP, LEAP = 1.6, 1.25
"""The estimate never grows beyond this multiple of what has been sent in the last second."""

NEAR = 0.9
BEYOND = 1.12
FORGET = 1.06
"""Shares of the ceiling: growth is careful from the first on, and creeps beyond the second, where the children take
the whole line; sending more than the third proves that the ceiling is no more."""

HOLD_S = 2.5
HOLD_MOST_S = 5.0
"""No growth for so long after the line was full: children that have to move are fed for a while. The longer time
holds when the same ceiling is met again, because then there is little to find."""

SAME = 0.15
"""Ceilings that differ by less are the same one."""

DELAY_S = 0.1
"""Round trip beyond a link's smallest that shows a full line: the most that RFC 6817 allows."""

DRAIN_S = 0.01
"""Delay that shrinks by more in an interval is on its way out, and calls for no further fall."""

QUEUE_S = 0.24
QUEUE_MOST_S = 0.4
"""Time that the line needs for what waits, on average over two looks, beyond which it is no burst of one piece; one
look alone, which may meet a newcomer's first blocks, counts no more than the second."""

SOME, MOST = 0.25, 0.75
"""The line is full when so many of the links that carry data had to drop some, or when so many are delayed. One link
that reads too slowly says nothing of the line, unless it is the only one."""

CARRIES_BYTES = 2048
"""A link that sent less in an interval knows nothing of the line."""

YIELD = 0.95
"""Share of the measured rate that is used when only the delay shows that the line is full, so that it drains."""

GIVE_WAY = 0.85
"""Share of the estimate that is kept each interval when it is not this node that fills the line."""

YIELD_LEAST = 0.25
"""Delay alone, which others may cause, never takes more than the rest of the best rate of the last minutes."""

BEST_FADES_PER_S = 0.01
FLOOR_BPS = 64_000.0
MOST_BPS = 1e12
RETRY_S = 30.0
RETRY_MOST_S = 600.0
"""An uplink with no room for one child learns nothing any more: after so long it tries one, each time later."""

STEADY = 0.06
"""The slots follow a fall of the estimate only when it is larger than this share: jitter moves no child."""


@dataclass(slots=True)
class _Interval:
    """What the links have told since the last look."""

    since_s: float
    noted_s: float
    sent_bytes: int = 0
    links: int = 0
    queued_bytes: int = 0
    longest_bytes: int = 0
    carrying: int = 0
    starved: int = 0
    dropping: int = 0
    delayed: int = 0
    excesses_s: list[float] = field(default_factory=list)


class Uplink:
    """The estimate in bit/s. ``guess_bps`` is what the line carried another day, 0 when nothing is known.

    ``cap_bps`` is the user's limit, 0 for none. While ``paused`` there are no slots at all.
    """

    def __init__(self, guess_bps: float = 0.0, cap_bps: float = 0.0, *, now: float = 0.0) -> None:
        self.estimate_bps = max(FLOOR_BPS, guess_bps or FIRST_GUESS_BPS)
        self.cap_bps = cap_bps
        self.paused = False
        self.full = False
        """Whether the line was full in the last interval: a bad moment for what can wait."""
        self.ceiling_bps = guess_bps
        """The rate at which the line was full the last time; 0 while that is unknown."""
        self._starting = not guess_bps
        self._steady_bps = self.estimate_bps
        self._best_bps = 0.0
        self._hold_s = HOLD_S
        self._grow_from_s = now
        self._excess_s = 0.0
        self._rate_bps = 0.0
        self._unit_bps = 0.0
        self._retry_s = RETRY_S
        self._retry_at_s = now + RETRY_S
        self._queued_s = 0.0
        self._starved = 0
        self._seen = _Interval(now, now)

    @property
    def line_bps(self) -> float:
        """The rate at which the line was full the last time; the estimate while that is unknown."""
        return self.ceiling_bps or self.estimate_bps

    @property
    def proven(self) -> bool:
        """Whether the line has shown its limits, now or another day."""
        return not self._starting

    def note(
        self, sent_bytes: int, dropped_bytes: int, queued_bytes: int, *, excess_s: float = 0.0, now: float
    ) -> None:
        """Count what a link has put on the line and dropped unsent since the last time, and what waits on it.

        ``excess_s`` is its round trip less the smallest that it ever had, 0 when unknown.
        """
        seen = self._seen
        seen.noted_s = now
        seen.sent_bytes += sent_bytes
        if not sent_bytes:
            seen.starved += bool(dropped_bytes or queued_bytes)  # nobody reads at the other end, or all starve
            return
        seen.links += 1
        seen.queued_bytes += queued_bytes
        seen.longest_bytes = max(seen.longest_bytes, queued_bytes)
        if sent_bytes < CARRIES_BYTES and not dropped_bytes:
            return
        seen.carrying += 1
        seen.dropping += dropped_bytes > 0
        seen.delayed += excess_s > DELAY_S
        seen.excesses_s.append(excess_s)

    def status(self, sent_bytes: int) -> UplinkStatus:
        """The line as it is now, with what has gone over it since the node began."""
        return UplinkStatus(
            line_bps=self.line_bps,
            proven=self.proven,
            cap_bps=self.cap_bps,
            paused=self.paused,
            sent_bytes=sent_bytes,
        )

    def measure(self, now: float) -> None:
        """Look at the last interval, once all links have told of it; call it at any time, often."""
        seen = self._seen
        elapsed_s = seen.noted_s - seen.since_s
        if elapsed_s < INTERVAL_LEAST_S or now <= seen.noted_s:
            return
        self._seen = _Interval(seen.noted_s, seen.noted_s)
        self._judge(seen, elapsed_s)
        if not (1 - STEADY) * self._steady_bps <= self.estimate_bps <= self._steady_bps:
            self._steady_bps = self.estimate_bps

    def slots(self, stripe_bps: float) -> int:
        """How many times a stripe of ``stripe_bps`` (headers included) fits into the uplink."""
        return self._fit(self._steady_bps, stripe_bps)

    def slots_of_source(self, stripe_bps: float, wanted: int) -> int:
        """As ``slots``, for one whom all depend on: as many as ``wanted`` until the line has shown that it is full."""
        return min(wanted, self._fit(MOST_BPS if self._starting else self._steady_bps, stripe_bps))

    def _fit(self, line_bps: float, stripe_bps: float) -> int:
        if self.paused or stripe_bps <= 0:
            return 0
        self._unit_bps = stripe_bps
        usable_bps = min(line_bps, self.cap_bps or MOST_BPS)
        return int(usable_bps * MARGIN / stripe_bps)

    def _judge(self, seen: _Interval, elapsed_s: float) -> None:
        """Full because something waits, or because of delay alone, or not: then there may be more."""
        busy_bps, before_bps = seen.sent_bytes * 8 / elapsed_s, self._rate_bps
        self._rate_bps = busy_bps
        # Pieces beat against the intervals: what is not limited by the line is averaged over two of them.
        rate_bps = (busy_bps + before_bps) / 2
        self._best_bps = max(rate_bps, self._best_bps * (1 - BEST_FADES_PER_S * elapsed_s))
        excess_s = _median(seen.excesses_s)
        grown_s, self._excess_s = excess_s - self._excess_s, excess_s
        # Who has been sent nothing yet at one look may just have been given something to send.
        starved, self._starved = min(seen.starved, self._starved), seen.starved
        waiting = self._waits(seen, busy_bps) or _most_drop(seen, starved)
        delayed = seen.delayed >= max(seen.carrying * MOST, 1)
        self.full = waiting or delayed
        if waiting:
            carried_bps = max(busy_bps, before_bps)  # a short outage is no slower line
            self._meet_ceiling(carried_bps, carried_bps, elapsed_s)
        elif delayed:
            self._be_delayed(rate_bps, grown_s, elapsed_s)
        elif seen.noted_s >= self._grow_from_s:
            if rate_bps > FORGET * self.ceiling_bps:
                self.ceiling_bps = 0.0
            self._try_more(rate_bps, elapsed_s)
        elif rate_bps > self.estimate_bps:
            self._grow(rate_bps, elapsed_s)

    def _be_delayed(self, rate_bps: float, grown_s: float, elapsed_s: float) -> None:
        """Nothing waits here: the line's own buffer fills, or drains."""
        if grown_s < -DRAIN_S:
            # The last fall was enough. The line sends what comes and what its buffer loses: that is its rate.
            drained_bps = rate_bps * elapsed_s / max(elapsed_s + grown_s, elapsed_s / 2)
            self.ceiling_bps = min(self.ceiling_bps, max(self.estimate_bps, drained_bps))
            self._grow_from_s = max(self._grow_from_s, self._seen.since_s + HOLD_S)
            return
        # What the buffer took, as the growth of the delay tells, has not left the line.
        line_bps = rate_bps * elapsed_s / (elapsed_s + max(0.0, grown_s))
        # Less was sent than the line is thought to carry: somebody else fills it, so give way bit by bit.
        gentle_bps = 0.0 if rate_bps > BUSY * self.estimate_bps else GIVE_WAY * self.estimate_bps
        self._meet_ceiling(line_bps, max(YIELD * line_bps, gentle_bps, YIELD_LEAST * self._best_bps), elapsed_s)

    def _waits(self, seen: _Interval, rate_bps: float) -> bool:
        """Whether more waits, now and half a second ago, than the burst of one piece explains."""
        queued_s = _fair_queue(seen) * 8 / max(rate_bps, FLOOR_BPS)
        before_s, self._queued_s = self._queued_s, queued_s
        return min(before_s, QUEUE_MOST_S) + min(queued_s, QUEUE_MOST_S) > 2 * QUEUE_S

    def _meet_ceiling(self, rate_bps: float, fall_to_bps: float, elapsed_s: float) -> None:
        """The line was full at this rate, which is more or less than was thought."""
        now = self._seen.since_s
        if now >= self._grow_from_s:
            same = abs(rate_bps - self.ceiling_bps) < SAME * self.ceiling_bps
            self._hold_s = min(HOLD_MOST_S, 2 * self._hold_s) if same else HOLD_S
        self.ceiling_bps = rate_bps
        if rate_bps > self.estimate_bps:
            self._grow(rate_bps, elapsed_s)
        else:
            self.estimate_bps = min(self.estimate_bps, max(fall_to_bps, FLOOR_BPS))
            self._grow_from_s = max(self._grow_from_s, now + self._hold_s)
            self._starting = False

    def _try_more(self, rate_bps: float, elapsed_s: float) -> None:
        """Nothing stands in the way of growing; but only what is used proves that there is more."""
        room_bps = self._unit_bps if self._unit_bps <= MARGIN * self.estimate_bps else 0.0
        enough_bps = max(room_bps, MARGIN * self.estimate_bps - room_bps)  # one more would not fit: that is all of it
        if rate_bps > BUSY * min(self.estimate_bps, enough_bps):
            leap = START_LEAP if self._starting else LEAP
            self._grow(leap * rate_bps + room_bps / MARGIN, elapsed_s)
        if room_bps:
            self._retry_at_s = self._seen.since_s + self._retry_s
        elif self._seen.since_s >= self._retry_at_s:
            self._retry_s = min(RETRY_MOST_S, 2 * self._retry_s)
            self.estimate_bps = max(self.estimate_bps, 1.01 * self._unit_bps / MARGIN)

    def _grow(self, most_bps: float, elapsed_s: float) -> None:
        raise_per_s = START_RAISE_PER_S if self._starting else RAISE_PER_S
        if self.ceiling_bps and self.estimate_bps >= NEAR * self.ceiling_bps:
            raise_per_s = PROBE_PER_S if self.estimate_bps < BEYOND * self.ceiling_bps else CREEP_PER_S
        raise_to = self.estimate_bps * (1 + raise_per_s * elapsed_s)
        self.estimate_bps = max(self.estimate_bps, min(raise_to, most_bps, self.cap_bps or MOST_BPS))


def _median(values: list[float]) -> float:
    """The lower one of two; 0 of none."""
    return sorted(values)[(len(values) - 1) // 2] if values else 0.0


def _fair_queue(seen: _Interval) -> float:
    """Bytes that wait on all links, as if the longest queue were like the others: it may be its own reader's fault."""
    if seen.links < 2:
        return seen.queued_bytes
    return (seen.queued_bytes - seen.longest_bytes) * seen.links / (seen.links - 1)


def _most_drop(seen: _Interval, starved: int) -> bool:
    """Whether so many links had to drop something, or could send nothing at all, that it is the line's fault."""
    dropping = seen.dropping >= max(min(2, seen.carrying), seen.carrying * SOME, 1)
    return dropping or 0 < seen.carrying < seen.dropping + starved
