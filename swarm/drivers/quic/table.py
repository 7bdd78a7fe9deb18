"""Which links there are, under which connection ids they are reached, and how many more may come."""

from dataclasses import dataclass

from swarm.drivers.quic.connection import Connection
from swarm.drivers.quic.link import QuicLink
from swarm.units import Address, LinkId, PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many connections there may be, and how many of them strangers' that did not finish their handshake.

    There may be half as many again of those who have shown that they are where they say.
    """

    connections: int = 256
    half_open: int = 64


class LinkTable:
    """A link is live from ``add`` to ``retire``, then lingers and can still be routed to until ``forget``."""

    __slots__ = ("_all", "_limits", "_numbers", "_routes", "_strangers", "live")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._numbers = 0
        self._all: set[LinkId] = set()
        self._strangers: set[LinkId] = set()
        self._routes: dict[bytes, QuicLink] = {}
        self.live: dict[LinkId, QuicLink] = {}

    def __len__(self) -> int:
        """Links that hold memory, lingering ones included."""
        return len(self._all)

    @property
    def has_room(self) -> bool:
        return len(self._all) < self._limits.connections

    @property
    def admits_strangers(self) -> bool:
        return self.has_room and len(self._strangers) < self._limits.half_open

    @property
    def admits_validated(self) -> bool:
        """Whether there is a place for a stranger whose address is validated."""
        return self.has_room and 2 * len(self._strangers) < 3 * self._limits.half_open

    def add(
        self, connection: Connection, address: Address, *, dialled: bool, expected: PeerId | None, now: float
    ) -> QuicLink:
        self._numbers += 1
        number = LinkId(self._numbers)
        link = QuicLink(number, connection, address, dialled=dialled, expected=expected, now=now)
        self._all.add(number)
        self.live[number] = link
        if not dialled:
            self._strangers.add(number)
        self.learn_ids(link)
        return link

    def route(self, destination: bytes) -> QuicLink | None:
        """The link that a destination connection id leads to."""
        return self._routes.get(destination)

    def learn_ids(self, link: QuicLink) -> None:
        """Take over what the connection issued and what its peer retired."""
        connection = link.connection
        for known in connection.ids:
            link.ids.add(known)
            self._routes[known] = link
        for known in connection.retired:
            link.ids.discard(known)
            self._routes.pop(known, None)
        connection.ids.clear()
        connection.retired.clear()

    def introduce(self, link: QuicLink) -> None:
        """The handshake is done: the other end is no stranger any more."""
        self._strangers.discard(link.id)

    def retire(self, link: QuicLink) -> bool:
        """From live to lingering; False when it was not live."""
        self._strangers.discard(link.id)
        return self.live.pop(link.id, None) is not None

    def forget(self, link: QuicLink) -> None:
        """Drop all trace. A second time changes nothing."""
        self.retire(link)
        self._all.discard(link.id)
        for known in link.ids:
            self._routes.pop(known, None)
        link.ids.clear()
