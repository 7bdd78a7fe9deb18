"""One RTP stream put into order: what is missing is asked for again, and given up after a while."""

from dataclasses import dataclass

from gateway.ingest.webrtc.rtp import ReceptionReport, RtpPacket, SenderReport

AHEAD_MAX = 2048
"""Packets. What is further ahead than this begins anew."""
ASK_AFTER_S = 0.01
"""Packets that overtake each other on the way are no loss."""
ASK_AGAIN_S = 0.1
ASKS_MAX = 8
ASKED_AT_ONCE_MAX = 128


@dataclass(slots=True)
class _Gap:
    """A packet that has not come: since when, and when it was asked for."""

    since_s: float
    asked_s: float | None = None
    asks: int = 0


class Reordering:
    """Fed with packets as they come; gives them out in order, None in place of what is lost."""

    def __init__(self, *, wait_s: float) -> None:
        """``wait_s``: so long the stream waits for a packet that is missing."""
        self._wait_s = wait_s
        self._next: int | None = None
        self._held: dict[int, RtpPacket] = {}
        self._gaps: dict[int, _Gap] = {}
        self.highest = 0

    def add(self, packet: RtpPacket, now: float) -> list[RtpPacket | None]:
        """Take a packet; what comes out with it."""
        number = self._unwrap(packet.sequence)
        if self._next is None:
            self._next = self.highest = number
        if number < self._next:
            return []
        out: list[RtpPacket | None] = []
        if number - self._next >= AHEAD_MAX:
            self._held.clear()
            self._gaps.clear()
            self._next = number
            out.append(None)
        for missing in range(max(self.highest + 1, self._next), number):
            self._gaps[missing] = _Gap(now)
        self.highest = max(self.highest, number)
        self._gaps.pop(number, None)
        self._held[number] = packet
        return out + self.release(now)

    def release(self, now: float) -> list[RtpPacket | None]:
        """What can go out by this time."""
        out: list[RtpPacket | None] = []
        while self._held and self._next is not None:
            if self._next in self._held:
                out.append(self._held.pop(self._next))
                self._next += 1
            elif now - self._gaps[self._next].since_s >= self._wait_s:
                while self._next not in self._held:
                    self._gaps.pop(self._next, None)
                    self._next += 1
                out.append(None)
            else:
                break
        return out

    def to_ask(self, now: float) -> list[int]:
        """Sequence numbers to ask for now."""
        asked = []
        for number, gap in self._gaps.items():
            last_s, wait_s = (gap.since_s, ASK_AFTER_S) if gap.asked_s is None else (gap.asked_s, ASK_AGAIN_S)
            if now - last_s >= wait_s and gap.asks < ASKS_MAX:
                gap.asked_s, gap.asks = now, gap.asks + 1
                asked.append(number & 0xFFFF)
                if len(asked) == ASKED_AT_ONCE_MAX:
                    break
        return asked

    def _unwrap(self, sequence: int) -> int:
        """The number of which ``sequence`` is the lower 16 bits, next to what is expected."""
        expected = self._next if self._next is not None else sequence
        ahead = (sequence - expected) & 0xFFFF
        return expected + (ahead if ahead < 0x8000 else ahead - 0x10000)


class Reception:
    """What a receiver report says of one stream (RFC 3550 sections 6.4.1, A.3 and A.8)."""

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self._first: int | None = None
        self._received = 0
        self._expected_before = 0
        self._received_before = 0
        self._transit: int | None = None
        self._jitter = 0.0
        self._report: tuple[int, float] | None = None

    def packet(self, packet: RtpPacket, now: float) -> None:
        """A packet has come."""
        if self._first is None:
            self._first = packet.sequence
        self._received += 1
        transit = (round(now * self._clock_hz) - packet.timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            moved = (transit - self._transit + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            self._jitter += (abs(moved) - self._jitter) / 16
        self._transit = transit

    def sender_report(self, report: SenderReport, now: float) -> None:
        """The sender's own report has come: by our next one it learns the round trip."""
        self._report = (report.ntp >> 16 & 0xFFFFFFFF, now)

    def report(self, ssrc: int, highest: int, now: float) -> ReceptionReport:
        """The block for this moment; ``highest`` is the extended sequence number."""
        expected = highest - self._first + 1 if self._first is not None else 0
        expected_since, received_since = expected - self._expected_before, self._received - self._received_before
        self._expected_before, self._received_before = expected, self._received
        missed = expected_since - received_since
        last, came_s = self._report or (0, now)
        return ReceptionReport(
            ssrc=ssrc,
            fraction_lost=min(255, (missed << 8) // expected_since) if expected_since > 0 and missed > 0 else 0,
            lost=expected - self._received,
            highest=highest,
            jitter=int(self._jitter),
            last_report=last,
            delay=round((now - came_s) * 65536) if self._report else 0,
        )
