"""One swarm under this household's roof: the host's side and the lodger's side, as the rest of the swarm sees them."""

from swarm import wire
from swarm.circle import Circle
from swarm.hosting import Lodgers
from swarm.intake import Intake
from swarm.lodging import Lodging
from swarm.peers import Mate
from swarm.units import PeerId
from swarm.window import Entry

Message = wire.Hosting | wire.Lodge | wire.Lodged | wire.Unlodge


class Roof:
    """Who lodges with this node, and with whom it lodges."""

    def __init__(self, circle: Circle, intake: Intake) -> None:
        self._circle = circle
        self._lodging = Lodging(circle, intake)
        self._lodgers = Lodgers(circle)
        self._lodged = False

    def receive(self, mate: Mate, message: Message, now: float) -> None:
        """What a mate says about it."""
        match message:
            case wire.Hosting():
                mate.hosting = message
            case wire.Lodge():
                self._lodgers.take_in(mate, message.since, now)
            case wire.Lodged():
                self._lodging.lodged(mate, now)
            case wire.Unlodge():
                self.gone(mate.peer.key, now)

    def gone(self, key: PeerId, now: float) -> None:
        """A mate has left, or wants nothing more to do with me."""
        self._lodging.gone(key, now)
        self._lodgers.gone(key)

    def silent(self, key: PeerId, now: float) -> None:
        """A mate acknowledges nothing any more."""
        self._lodging.gone(key, now)
        self._lodgers.silent(key)

    def tick(self, now: float) -> bool:
        """Whether this node has begun, or ceased, to fetch the stream from outside since the last time."""
        near = self._circle.housemates()
        self._circle.household.near = len(near)
        self._lodgers.tick(near, now)
        if not self._circle.is_source:
            self._lodging.tick(near, now)
        before, self._lodged = self._lodged, self._circle.household.lodges
        return before != self._lodged

    def arrived(self, key: PeerId, number: int, now: float) -> None:
        """A block of this piece came from a mate."""
        self._lodging.arrived(key, number, now)

    def forward(self, entry: Entry, index: int, sender: PeerId, now: float) -> None:
        """A block came that is new and that its piece needs."""
        self._lodgers.forward(entry, index, sender, now)

    def made(self, entry: Entry, now: float) -> None:
        """A piece was made here."""
        self._lodgers.made(entry, now)

    def missed(self, now: float) -> None:
        """A piece has to be asked for."""
        self._lodging.missed(now)
