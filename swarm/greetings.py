"""Who has been told that this node is in the swarm, over which link: a peer is greeted once a link, and answers."""

from collections.abc import Iterable

from swarm import wire
from swarm.circle import Circle
from swarm.join import AddressBook
from swarm.peers import Mate, Peer
from swarm.units import LinkId, PeerId


class Greetings:
    """What is said to peers before they are mates."""

    def __init__(self, circle: Circle, book: AddressBook) -> None:
        self._circle = circle
        self._book = book
        self._greeted: dict[PeerId, LinkId] = {}

    def interest(self) -> wire.Interest:
        """That I am in this swarm, and what I have of its description."""
        epoch, revision = self._circle.manifest_version
        return wire.Interest(tag=self._circle.tag, epoch=epoch, revision=revision)

    def greet(self, peer: Peer) -> None:
        """Tell a peer that I am in this swarm; if it is too, it answers."""
        self.greeted(peer)
        self._circle.say(self._circle.mates.get(peer.key) or Mate(peer), self.interest())

    def greet_named(self, peers: Iterable[Peer]) -> None:
        """Tell peers whose address a neighbour or the link has named, though the link to them was up before."""
        for peer in peers:
            named = peer.key not in self._circle.mates and peer.address in self._book.prospects
            if named and self._greeted.get(peer.key) != peer.link:
                self.greet(peer)

    def greeted(self, peer: Peer) -> None:
        """A peer has been told over this link that I am in this swarm."""
        self._greeted[peer.key] = peer.link

    def forget(self, key: PeerId) -> None:
        """The link to a peer is down: over another one it is greeted anew."""
        self._greeted.pop(key, None)
