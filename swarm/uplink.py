"""What this peer's uplink carries, estimated from what was really sent, and the slots that follow from it."""

from dataclasses import dataclass

INTERVAL_S = 0.5
MARGIN = 0.9
"""Share of the estimate that is given to children; the rest is the household's."""

RAISE = 1.1
"""Growth per interval while the uplink is busy and keeps up: about a fifth a second."""

BUSY = 0.7
"""Sending more than this share of the estimate proves something; less proves nothing."""

QUEUE_S_MAX = 0.2
"""A queue longer than this, or anything dropped because it waited too long, means that the uplink is full."""

FLOOR_BPS = 64_000.0


@dataclass(slots=True)
class Uplink:
    """The estimate in bit/s; ``cap_bps`` is the user's limit, 0 for none."""

    estimate_bps: float
    cap_bps: float = 0.0
    _sent_bytes: int = 0
    _dropped_bytes: int = 0
    _interval_from_s: float = 0.0

    def note(self, sent_bytes: int, dropped_bytes: int) -> None:
        """Count what a link has put on the line, and what it has dropped unsent."""
        self._sent_bytes += sent_bytes
        self._dropped_bytes += dropped_bytes

    def measure(self, queued_bytes: int, now: float) -> None:
        """Look at the last interval: grow when busy and keeping up, fall to the true rate when full."""
        elapsed = now - self._interval_from_s
        if elapsed < INTERVAL_S:
            return
        rate_bps = max(FLOOR_BPS, self._sent_bytes * 8 / elapsed)
        full = self._dropped_bytes > 0 or queued_bytes * 8 > QUEUE_S_MAX * rate_bps
        self._sent_bytes, self._dropped_bytes, self._interval_from_s = 0, 0, now
        if full:
            self.estimate_bps = min(self.estimate_bps, rate_bps)
        elif rate_bps > BUSY * self.estimate_bps:
            self.estimate_bps *= RAISE

    def slots(self, stripe_bps: float) -> int:
        """How many times a stripe of ``stripe_bps`` (headers included) fits into the uplink."""
        usable = min(self.estimate_bps, self.cap_bps) if self.cap_bps else self.estimate_bps
        return int(usable * MARGIN / stripe_bps) if stripe_bps > 0 else 0
