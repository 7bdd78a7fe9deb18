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
"""A link on which more waits than it sends in so long, or on which something waited in vain, is full."""

QUEUE_BYTES_MIN = 16 * 1024
"""Less than this may wait on any link: a piece's blocks come all at once."""

FLOOR_BPS = 64_000.0


@dataclass(slots=True)
class Uplink:
    """The estimate in bit/s; ``cap_bps`` is the user's limit, 0 for none."""

    estimate_bps: float
    cap_bps: float = 0.0
    _sent_bytes: int = 0
    _links: int = 0
    _full_links: int = 0
    _interval_from_s: float = 0.0

    def note(self, sent_bytes: int, dropped_bytes: int, queued_bytes: int) -> None:
        """Count what a link has put on the line and dropped unsent since the last time, and what waits on it."""
        self._sent_bytes += sent_bytes
        self._links += bool(sent_bytes or dropped_bytes or queued_bytes)
        patient_bytes = max(QUEUE_BYTES_MIN, sent_bytes * QUEUE_S_MAX / INTERVAL_S)
        self._full_links += bool(dropped_bytes) or queued_bytes > patient_bytes

    def measure(self, now: float) -> None:
        """Look at the last interval: grow when busy and keeping up, fall to the true rate when full.

        The uplink is full when two links are, or the only one: a single child that reads too slowly, or not at all,
        says nothing of the line.
        """
        elapsed = now - self._interval_from_s
        if elapsed < INTERVAL_S:
            return
        rate_bps = max(FLOOR_BPS, self._sent_bytes * 8 / elapsed)
        full = 0 < min(2, self._links) <= self._full_links
        self._sent_bytes, self._links, self._full_links, self._interval_from_s = 0, 0, 0, now
        if full:
            self.estimate_bps = min(self.estimate_bps, rate_bps)
        elif rate_bps > BUSY * self.estimate_bps:
            self.estimate_bps *= RAISE

    def slots(self, stripe_bps: float) -> int:
        """How many times a stripe of ``stripe_bps`` (headers included) fits into the uplink."""
        usable = min(self.estimate_bps, self.cap_bps) if self.cap_bps else self.estimate_bps
        return int(usable * MARGIN / stripe_bps) if stripe_bps > 0 else 0
