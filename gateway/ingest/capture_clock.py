"""When was it captured? Maps an input's media time to the wall clock by watching when parts arrive.

A part that ends at media time t cannot arrive before t was captured, so the smallest ``arrival - t`` seen is nearest
to the truth: what exceeds it is waiting in buffers, bursts and a busy machine. The smallest of the last seconds is the
target; the mapping glides towards it, slowly enough that consecutive pieces stay continuous for a player:

* downwards by at most 5 % of the media time that passed: what looked late was late by accident;
* upwards by at most 1 %: the encoder's clock may run slower than ours, but one late part proves nothing;
* a gap of more than a second is no drift: the input paused or its timestamps leapt. The mapping follows at once.

The first parts of an input often come in one burst, the oldest first and latest. Before the first piece is given out
the burst is therefore observed whole (`CaptureClock.settled`), so that the stream's first capture times are true too.

What remains is the way through the encoder and to us: a constant that no arrival time can show. An encoder may tell it
itself, by the time of day beside its frames (`stamp`) or by how old they were when they came (`delay`). That is taken
for the capture as long as it says no more than `STAMP_AGE_US` ago, and nothing that lies ahead of the arrival.
"""

from collections import deque

WINDOW_US = 5_000_000
DOWN_RATE = 0.05
UP_RATE = 0.01
LEAP_US = 1_000_000
SETTLE_US = 150_000
"""A burst of an input's first parts, which waited in front of a starting encoder, is over after this."""
STAMP_AGE_US = 60_000_000
"""An encoder whose clock says more is taken for one that is set wrongly."""
STAMP_AHEAD_US = 1_000_000
"""So far ahead of the arrival a stamp is that of writing and not of capture: the arrival then counts, without delay."""
STAMP_LASTS_US = 20_000_000
"""Media time without another stamp, after which the last one says nothing any more."""


class CaptureClock:
    """Maps media time to wall clock, both in microseconds. The wall clock is passed in."""

    def __init__(self) -> None:
        # (media end, offset) with growing offsets: the first is the smallest of the window.
        self._lowest: deque[tuple[int, int]] = deque()
        self._offset_us = 0.0
        self._media_us: int | None = None
        self._first_arrival_us: int | None = None
        self._stamped_us: int | None = None
        self._delay_us: int | None = None
        self._said_at_us: int | None = None

    @property
    def encoder_delay_us(self) -> int | None:
        """From the encoder's time to the earliest arrival; None while the encoder says none that can be believed."""
        if not self._lowest:
            return None
        lowest_us = self._lowest[0][1]
        if self._stamped_us is not None:
            delay_us = lowest_us - self._stamped_us
        elif self._delay_us is not None:
            delay_us = self._delay_us
        else:
            return None
        return max(delay_us, 0) if -STAMP_AHEAD_US <= delay_us <= STAMP_AGE_US else None

    def stamp(self, media_us: int, wall_us: int) -> None:
        """The encoder's time of day of the frame at ``media_us``."""
        self._stamped_us = wall_us - media_us
        self._said_at_us = None

    def delay(self, delay_us: int) -> None:
        """How much later than by the encoder's clock its frames come, at the least."""
        self._delay_us = delay_us
        self._said_at_us = None

    def settled(self, now_us: int) -> bool:
        """Whether the first burst has been observed, so that ``capture_us`` may be asked."""
        return self._first_arrival_us is not None and now_us - self._first_arrival_us >= SETTLE_US

    def observe(self, arrival_us: int, media_end_us: int) -> None:
        """A part that ends at ``media_end_us`` was complete at ``arrival_us``."""
        if self._first_arrival_us is None:
            self._first_arrival_us = arrival_us
        if self._lowest and media_end_us < self._lowest[-1][0] - WINDOW_US:
            self._lowest.clear()  # the input's timestamps went back: what was seen before says nothing any more
        offset_us = arrival_us - media_end_us
        while self._lowest and self._lowest[-1][1] >= offset_us:
            self._lowest.pop()
        self._lowest.append((media_end_us, offset_us))
        while self._lowest[0][0] < media_end_us - WINDOW_US:
            self._lowest.popleft()
        self._forget(media_end_us)

    def capture_us(self, media_us: int) -> int:
        """Wall clock of the frame at ``media_us``. Ask in the order of the pieces, after ``observe``."""
        target_us = self._lowest[0][1] - (self.encoder_delay_us or 0)
        if self._media_us is None or abs(target_us - self._offset_us) > LEAP_US:
            self._offset_us = target_us
        else:
            passed_us = max(media_us - self._media_us, 0)
            change_us = max(target_us - self._offset_us, -DOWN_RATE * passed_us)
            self._offset_us += min(change_us, UP_RATE * passed_us)
        self._media_us = media_us
        return round(media_us + self._offset_us)

    def _forget(self, media_us: int) -> None:
        """What the encoder said last counts for a while."""
        if self._said_at_us is None or media_us < self._said_at_us:
            self._said_at_us = media_us
        elif media_us - self._said_at_us > STAMP_LASTS_US:
            self._stamped_us = self._delay_us = None
