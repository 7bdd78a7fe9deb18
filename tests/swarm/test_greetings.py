"""A peer is told once a link that this node is in the swarm, and only if somebody has named it."""

from swarm import wire
from swarm.greetings import Greetings
from swarm.join import AddressBook
from swarm.peers import Mate, Peer
from swarm.units import Address, LinkId, PeerId
from tests.swarm.stage import INTEREST, Stage

NAMED, UNNAMED = Address("8.1.1.1", 4000), Address("8.2.2.2", 4000)


def peer(link: int, address: Address = NAMED) -> Peer:
    return Peer(LinkId(link), PeerId(bytes(32)), address, True, False, 100.0)


def scene() -> tuple[Stage, Greetings]:
    stage, book = Stage(), AddressBook()
    stage.watch()
    book.add_link([NAMED])
    return stage, Greetings(stage.member.circle, book)


def heard(stage: Stage, link: int) -> list[wire.Message]:
    stage.drain()
    return stage.take(LinkId(link))


def test_who_is_named_is_greeted_once_a_link() -> None:
    stage, greetings = scene()
    greetings.greet_named([peer(1), peer(2, UNNAMED)])
    greetings.greet_named([peer(1)])
    assert heard(stage, 1) == [INTEREST]
    assert heard(stage, 2) == []
    greetings.greet_named([peer(3)])
    assert heard(stage, 3) == [INTEREST]


def test_who_was_told_with_the_hello_is_not_greeted_again_until_its_link_is_gone() -> None:
    stage, greetings = scene()
    greetings.greeted(peer(1))
    greetings.greet_named([peer(1)])
    assert heard(stage, 1) == []
    greetings.forget(peer(1).key)
    greetings.greet_named([peer(1)])
    assert heard(stage, 1) == [INTEREST]


def test_a_mate_knows_already() -> None:
    stage, greetings = scene()
    stage.member.circle.mates[peer(1).key] = Mate(peer(1))
    greetings.greet_named([peer(1)])
    assert heard(stage, 1) == []
