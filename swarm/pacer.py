"""How fast a node may put bytes on the wire: one token bucket over all of its links.

It enforces the user's cap, so it counts what the line carries: every datagram with its IP and UDP headers. What is
written against its word (control is never held back) is owed, and paid before anything else may go. What does not
cross the line, because it stays in the house, counts nowhere.
"""

import math

from swarm.units import Address

DATAGRAM_BYTES = 1500
"""Less room than a whole datagram needs is no room: a sliver would only invite debt."""

BURST_S = 0.02
BURST_BYTES_MIN = 2 * DATAGRAM_BYTES

UNLIMITED_BYTES = 1 << 40


class Pacer:
    """``rate_bps`` may change at any time; 0 or infinity is no limit.

    As long as callers spend no more than ``allowance`` tells, any window of T seconds carries at most
    ``rate_bps * T / 8 + burst_bytes``; the longest debt adds its own size once.
    """

    __slots__ = ("_accrual_bps", "_level_bytes", "_near", "_rate_bps", "_since_s", "total_bytes")

    def __init__(self, rate_bps: float = 0.0) -> None:
        self._near: set[Address] = set()
        self._rate_bps = self._accrual_bps = _finite(rate_bps)
        self._level_bytes = self.burst_bytes
        self._since_s = -math.inf
        self.total_bytes = 0
        """All that ever went out: what a monthly budget counts."""

    @property
    def rate_bps(self) -> float:
        """The limit in bit/s, 0 for none."""
        return self._rate_bps

    @rate_bps.setter
    def rate_bps(self, rate_bps: float) -> None:
        rate_bps = _finite(rate_bps)
        if rate_bps == self._rate_bps:
            return
        # The moment of the change is unknown here: what has passed since the last look earns the slower rate.
        self._accrual_bps = min(self._accrual_bps, rate_bps) if self._rate_bps else rate_bps
        self._rate_bps = rate_bps
        self._level_bytes = min(self._level_bytes, self.burst_bytes)

    def sort(self, address: Address, *, near: bool) -> None:
        """What is sent to an address stays in the house from now on, or does not."""
        (self._near.add if near else self._near.discard)(address)

    def stays(self, address: Address) -> bool:
        """Whether what is sent to an address stays in the house."""
        return address in self._near

    @property
    def burst_bytes(self) -> float:
        """What may go at once after a pause."""
        return max(BURST_BYTES_MIN, self._rate_bps * BURST_S / 8)

    def allowance(self, now: float) -> int:
        """Bytes that may be put on the wire now: none, or room for a datagram at least."""
        if not self._rate_bps:
            return UNLIMITED_BYTES
        self._accrue(now)
        # The last byte may hide in the clock's rounding.
        return int(self._level_bytes) if self._level_bytes > DATAGRAM_BYTES - 1 else 0

    def spent(self, size_bytes: int, now: float) -> None:
        """So many bytes went out, headers included; more than the allowance becomes debt."""
        self.total_bytes += size_bytes
        if self._rate_bps:
            self._accrue(now)
            self._level_bytes -= size_bytes

    def ready_s(self, now: float) -> float:
        """When ``allowance`` is positive again; ``now`` when it is."""
        if self.allowance(now):
            return now
        wait_s = (DATAGRAM_BYTES - self._level_bytes) * 8 / self._rate_bps
        return max(math.nextafter(now, math.inf), now + wait_s)

    def _accrue(self, now: float) -> None:
        earned = max(0.0, now - self._since_s) * self._accrual_bps / 8
        self._level_bytes = min(self.burst_bytes, self._level_bytes + earned)
        self._since_s = max(now, self._since_s)
        self._accrual_bps = self._rate_bps


def _finite(rate_bps: float) -> float:
    return rate_bps if 0 < rate_bps < math.inf else 0.0
