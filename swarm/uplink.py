"""What this peer's uplink carries, estimated from what was really sent, and the slots that follow from it."""

from dataclasses import dataclass

INTERVAL_S = 0.5
MARGIN = 0.9
"""Share of the estimate that is given to children; the rest is the household's."""

RAISE = 1.1
"""Growth per interval while the uplink is busy and keeps up: about a fifth a second."""

BUSY = 0.7
"""Sending more than this share of the estimate proves something; less proves nothing."""

QUEUE_S_MAX = 0.3
"""A queue longer than this means that the estimate is too high."""

FLOOR_BPS = 64_000.0


@dataclass(slots=True)
class Uplink:
    """The estimate in bit/s; ``cap_bps`` is the user's limit, 0 for none."""

    estimate_bps: float
    cap_bps: float = 0.0
    _sent_bytes: int = 0
    _interval_from_s: float = 0.0

    def sent(self, size_bytes: int) -> None:
        self._sent_bytes += size_bytes

    def measure(self, queued_bytes: int, now: float) -> None:
        """Look at the last interval: grow when busy without a queue, fall to the true rate when a queue stands."""
        elapsed = now - self._interval_from_s
        if elapsed < INTERVAL_S:
            return
        rate_bps = self._sent_bytes * 8 / elapsed
        self._sent_bytes, self._interval_from_s = 0, now
        if queued_bytes * 8 > QUEUE_S_MAX * self.estimate_bps:
            self.estimate_bps = max(FLOOR_BPS, min(self.estimate_bps, rate_bps))
        elif rate_bps > BUSY * self.estimate_bps:
            self.estimate_bps *= RAISE

    def slots(self, stripe_bps: float) -> int:
        """How many times a stripe of ``stripe_bps`` (headers included) fits into the uplink."""
        usable = min(self.estimate_bps, self.cap_bps) if self.cap_bps else self.estimate_bps
        return int(usable * MARGIN / stripe_bps) if stripe_bps > 0 else 0
