"""What waits to be written to one link: four classes, the most urgent first, and nothing sent that is late.

Live data loses its worth while it waits. So a message is kept here, where it can still be dropped, until the
transport has room, and an entry past its time is dropped when its turn comes. The queue is bounded: when it is
full the oldest of the least urgent class goes. Control messages are never dropped; a link whose control messages
alone fill the queue is dead, and ``push`` says so.
"""

from collections import deque
from collections.abc import Sequence

from swarm.events import Urgency

QUEUE_BYTES_MAX = 4 << 20

ALL_CLASSES = tuple(Urgency)
CONTROL_ONLY = (Urgency.CONTROL,)
DROPPABLE = tuple(urgency for urgency in Urgency if urgency is not Urgency.CONTROL)


class SendQueue:
    """``queued_bytes`` counts what waits now, ``control_bytes`` the control messages among it.

    ``dropped_bytes`` counts what was given up since the link came up.
    """

    __slots__ = ("_classes", "_limit_bytes", "control_bytes", "dropped_bytes", "queued_bytes")

    def __init__(self, limit_bytes: int = QUEUE_BYTES_MAX) -> None:
        self._limit_bytes = limit_bytes
        self._classes: tuple[deque[tuple[bytes, float | None]], ...] = tuple(deque() for _ in Urgency)
        self.queued_bytes = 0
        self.control_bytes = 0
        self.dropped_bytes = 0

    def __bool__(self) -> bool:
        return self.queued_bytes > 0

    def push(self, data: bytes, urgency: Urgency, expires_s: float | None) -> bool:
        """Append; False when control messages alone exceed the limit, which means that the link is lost."""
        self._classes[urgency].append((data, expires_s))
        self.queued_bytes += len(data)
        if urgency is Urgency.CONTROL:
            self.control_bytes += len(data)
        return self.queued_bytes <= self._limit_bytes or self._make_room()

    def take(self, now: float, budget_bytes: int, classes: Sequence[Urgency] = ALL_CLASSES) -> list[bytes]:
        """Messages to write now, in order of urgency, until ``budget_bytes`` is used up.

        The last one may exceed the budget: a message is written whole. Late ones met on the way are dropped.
        """
        taken: list[bytes] = []
        for urgency in classes:
            entries = self._classes[urgency]
            while entries and budget_bytes > 0:
                data, expires_s = entries.popleft()
                self._leaves(len(data), urgency)
                if expires_s is not None and expires_s < now:
                    self.dropped_bytes += len(data)
                    continue
                taken.append(data)
                budget_bytes -= len(data)
        return taken

    def most_urgent_data(self) -> Urgency | None:
        """The class of the first message that is not control; None when there is none."""
        for urgency in DROPPABLE:
            if self._classes[urgency]:
                return urgency
        return None

    def _leaves(self, size_bytes: int, urgency: Urgency) -> None:
        self.queued_bytes -= size_bytes
        if urgency is Urgency.CONTROL:
            self.control_bytes -= size_bytes

    def _make_room(self) -> bool:
        for urgency in reversed(DROPPABLE):
            entries = self._classes[urgency]
            while entries and self.queued_bytes > self._limit_bytes:
                size_bytes = len(entries.popleft()[0])
                self._leaves(size_bytes, urgency)
                self.dropped_bytes += size_bytes
        return self.queued_bytes <= self._limit_bytes
