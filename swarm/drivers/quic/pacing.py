"""Whose message goes next when the node's pacer, not the links, is what limits.

Urgency then counts over all links together: a stripe's block to any child goes before a catch-up to any other.
"""

from swarm.drivers.quic.link import QuicLink

HEADERS_BYTES = 28
"""IPv4 (20) and UDP (8) headers of each datagram: the user's cap is about the line, and the line carries them."""


class Turns:
    """Links with data to write, those first that have waited longest since their last message."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[QuicLink, None] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def join(self, link: QuicLink) -> None:
        """Wait for a turn; who waits already keeps its place."""
        self._waiting.setdefault(link)

    def take(self) -> QuicLink | None:
        """The link whose next message is the most urgent one; it goes to the end of the line.

        None when no link that waits can write at the moment: each will be served when its peer acknowledges.
        """
        best, best_urgency = None, None
        for link in [link for link in self._waiting if not link.has_data]:
            del self._waiting[link]
        for link in self._waiting:
            urgency = link.queue.most_urgent_data()
            if (best_urgency is None or (urgency is not None and urgency < best_urgency)) and link.writable:
                best, best_urgency = link, urgency
        if best is not None:
            del self._waiting[best]
            self._waiting[best] = None
        return best

    def leave_all(self) -> list[QuicLink]:
        """Nobody waits any longer; those who did."""
        links = list(self._waiting)
        self._waiting.clear()
        return links
