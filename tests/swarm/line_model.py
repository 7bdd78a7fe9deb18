"""An uplink and the children behind it, as plain arithmetic: what an estimate and a pacer are tried against."""

from dataclasses import dataclass, field

from swarm.pacer import DATAGRAM_BYTES, Pacer
from swarm.uplink import INTERVAL_S, Uplink

STEP_S = 0.005
STRIPE_BPS = 60_000.0
PIECE_S = 0.2
SETTLE_S = 0.5
"""A new child comes so long after its slot was offered."""

GRACE_S = 1.5
"""A child that was told to move is fed for so long."""

WAIT_S = 0.3
"""What has waited for longer is dropped."""

LINKS = 8
"""Children share so many links, and each link has its place in the order in which a piece goes out."""


@dataclass(slots=True)
class LinkModel:
    """What a driver counts of one link since the last look, and its smoothed round trip (RFC 6298) less the least."""

    sent_bytes: int = 0
    dropped_bytes: int = 0
    excess_s: float = 0.0


@dataclass(slots=True)
class Household:
    """One line with a buffer of ``buffer_s``, ``cross_bps`` of which others take first, and children for every slot.

    Every piece puts one block for each child into the queue at once; a pacer and the buffer let them out.
    """

    uplink: Uplink
    rate_bps: float
    buffer_s: float
    pacer: Pacer = field(default_factory=Pacer)
    cross_bps: float = 0.0
    most_children: int = 10_000
    now: float = 0.0
    sent_bytes: int = 0
    children: int = 0
    told_to_move: int = 0
    _queue: list[tuple[float, int]] = field(default_factory=list)
    _links: list[LinkModel] = field(default_factory=lambda: [LinkModel() for _ in range(LINKS)])
    _buffered_bits: float = 0.0
    _next_piece_s: float = 0.0
    _next_look_s: float = INTERVAL_S
    _leaving: list[tuple[float, int]] = field(default_factory=list)
    _coming: list[tuple[float, int]] = field(default_factory=list)

    def run(self, seconds: float) -> float:
        """Let time pass; the estimate at the end, in bit/s."""
        end_s = self.now + seconds
        while self.now < end_s:
            self._step()
            self.now += STEP_S
        return self.uplink.estimate_bps

    def _step(self) -> None:
        if self.now >= self._next_piece_s:
            self._next_piece_s += PIECE_S
            fed = self.children + sum(count for _, count in self._leaving)
            datagrams = round(fed * STRIPE_BPS * PIECE_S / 8 / DATAGRAM_BYTES)
            self._queue += [(self.now + WAIT_S, i * LINKS // datagrams) for i in range(datagrams)]
        self._send()
        if self.now >= self._next_look_s:
            self._next_look_s += INTERVAL_S
            self._look()
        self.uplink.measure(self.now)
        self._staff()

    def _send(self) -> None:
        free_bps = max(1.0, self.rate_bps - self.cross_bps)
        self._buffered_bits = max(0.0, self._buffered_bits - free_bps * STEP_S)
        while self._queue and self._buffered_bits < free_bps * self.buffer_s and self.pacer.allowance(self.now):
            expires_s, number = self._queue.pop(0)
            link = self._links[number]
            if expires_s < self.now:
                link.dropped_bytes += DATAGRAM_BYTES
                continue
            self.pacer.spent(DATAGRAM_BYTES, self.now)
            self._buffered_bits += DATAGRAM_BYTES * 8
            self.sent_bytes += DATAGRAM_BYTES
            link.sent_bytes += DATAGRAM_BYTES
            link.excess_s += (self._buffered_bits / free_bps - link.excess_s) / 8

    def _look(self) -> None:
        """Tell the estimate what a driver would."""
        for number, link in enumerate(self._links):
            queued = DATAGRAM_BYTES * sum(other == number for _, other in self._queue)
            self.uplink.note(link.sent_bytes, link.dropped_bytes, queued, excess_s=link.excess_s, now=self.now)
            link.sent_bytes = link.dropped_bytes = 0

    def _staff(self) -> None:
        slots = min(self.uplink.slots(STRIPE_BPS), self.most_children)
        while self._coming and self._coming[0][0] <= self.now:
            self.children += self._coming.pop(0)[1]
        self._leaving = [(at_s, count) for at_s, count in self._leaving if at_s > self.now]
        if (surplus := self.children - slots) > 0:
            self.children -= surplus
            self.told_to_move += surplus
            self._leaving.append((self.now + GRACE_S, surplus))
        expected = self.children + sum(count for _, count in self._coming)
        if slots > expected:
            self._coming.append((self.now + SETTLE_S, slots - expected))
