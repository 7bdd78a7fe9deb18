"""Wall clock time that does not jump: it runs as the monotonic clock does, and is corrected slowly.

A machine's clock is set now and then, by hours when it was wrong from the start. A stream on air goes on undisturbed:
its capture times follow the clock by five milliseconds a second, which no player notices. The next epoch begins at the
clock's own time again.
"""

RATE = 0.005


class SteadyClock:
    """Begins at the wall clock's time; times are microseconds, both clocks are passed in."""

    def __init__(self, wall_us: int, monotonic_us: int) -> None:
        self._steady_us = float(wall_us)
        self._monotonic_us = monotonic_us

    def read(self, wall_us: int, monotonic_us: int) -> int:
        """The time now."""
        passed_us = max(monotonic_us - self._monotonic_us, 0)
        self._monotonic_us += passed_us
        self._steady_us += passed_us
        most_us = RATE * passed_us
        self._steady_us += min(max(wall_us - self._steady_us, -most_us), most_us)
        return round(self._steady_us)
