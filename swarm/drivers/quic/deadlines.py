"""One timer for many links, re-armed lazily.

A QUIC timer moves with every packet, mostly to later. So a heap entry is kept when its link's timer moves back, and
looked at again when it comes up; only a timer that moves forward costs a new entry. What is stale falls out then.
"""

from heapq import heappop, heappush

from swarm.drivers.quic.link import QuicLink

NEVER = float("inf")


class Deadlines:
    """``link.wake_s`` is the earliest live entry of a link, ``NEVER`` when it has none."""

    __slots__ = ("_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, QuicLink]] = []
        self._serial = 0

    def arm(self, link: QuicLink, at_s: float) -> None:
        """Make sure that ``link`` comes up at ``at_s`` or before."""
        if at_s >= link.wake_s:
            return
        link.wake_s = at_s
        self._serial += 1
        heappush(self._heap, (at_s, self._serial, link))

    def disarm(self, link: QuicLink) -> None:
        link.wake_s = NEVER

    def next_s(self) -> float:
        """When ``due`` should be called next, ``NEVER`` when nothing is armed."""
        heap = self._heap
        while heap and heap[0][0] != heap[0][2].wake_s:
            heappop(heap)
        return heap[0][0] if heap else NEVER

    def due(self, now: float) -> list[QuicLink]:
        """Links whose time has come, each once; they are disarmed."""
        links: list[QuicLink] = []
        while self.next_s() <= now:
            link = heappop(self._heap)[2]
            link.wake_s = NEVER
            links.append(link)
        return links
