"""The links of one node without the node: what each of its calls tells the caller and the swarms."""

from math import inf
from random import Random

import pytest

from swarm import handshake
from swarm.connections import LOOK_EVERY_S, Connections
from swarm.errors import MalformedMessage, ProofError
from swarm.events import Close, Dial, LinkInfo, Output, Send
from swarm.members import Members
from swarm.pacer import Pacer
from swarm.reading import READER
from swarm.relocation import ANSWER_S
from swarm.settings import NodeSettings
from swarm.strain import Strain
from swarm.traversal import Vantage
from swarm.units import Address, LinkId, PeerId
from swarm.uplink import Uplink
from tests.swarm.stage import STREAM, WALL_S, actor

ME, THERE = actor(1), Address("8.1.1.1", 4000)
FIRST, SECOND = LinkId(1), LinkId(2)
NOW = 100.0


class Scene:
    """A node's links and its swarms, with nobody who reads messages."""

    def __init__(self) -> None:
        settings, uplink, vantage = NodeSettings(), Uplink(8e6, 0.0, now=NOW), Vantage()
        self.out: list[Output] = []
        self.members = Members(
            me=ME, settings=settings, uplink=uplink, vantage=vantage, strain=Strain(), rng=Random(1),
            wall_offset_s=WALL_S, reader=READER, out=self.out,
        )  # fmt: skip
        self.connections = Connections(
            me=ME, settings=settings, members=self.members, uplink=uplink, pacer=Pacer(),
            vantage=vantage, rng=Random(1), wall_offset_s=WALL_S, out=self.out, now=NOW,
        )  # fmt: skip

    def come(self, link: LinkId, number: int) -> None:
        """Somebody dials this node and proves its key."""
        info = LinkInfo(dialled=False, address=THERE._replace(port=4000 + link), binding=b"%d" % link, peer=None)
        self.connections.link_up(link, info, NOW)
        seen = LinkInfo(dialled=True, address=info.address, binding=info.binding, peer=PeerId(ME.key))
        hello = handshake.hello(actor(number), seen, download_only=False)
        self.connections.introduce(hello, link, self.connections.links[link], NOW)

    def reasons(self) -> list[str]:
        return [output.reason for output in self.out if isinstance(output, Close)]


def test_who_has_proved_its_key_is_a_peer_until_its_link_is_down() -> None:
    scene = Scene()
    scene.come(FIRST, 2)
    peer = scene.connections.peers[PeerId(actor(2).key)]
    assert scene.connections.links[FIRST].peer is peer
    assert scene.connections.link_down(FIRST, NOW)
    assert not scene.connections.links
    assert not scene.connections.peers


def test_a_link_that_was_closed_here_is_no_news_when_the_driver_loses_it() -> None:
    scene = Scene()
    scene.come(FIRST, 2)
    scene.connections.close_all("enough", NOW)
    assert scene.reasons() == ["enough"]
    assert not scene.connections.link_down(FIRST, NOW)


def test_a_link_that_is_replaced_takes_nobody_along_when_it_is_down() -> None:
    scene = Scene()
    scene.come(FIRST, 2)
    scene.come(SECOND, 2)
    assert scene.reasons() == ["replaced by another link"]
    assert not scene.connections.link_down(FIRST, NOW)
    assert scene.connections.peers[PeerId(actor(2).key)].link == SECOND


def test_only_a_broken_proof_of_somebody_known_bans() -> None:
    scene = Scene()
    scene.come(FIRST, 2)
    scene.come(SECOND, 3)
    scene.connections.end(FIRST, scene.connections.links[FIRST], MalformedMessage("nonsense"), NOW)
    scene.connections.end(SECOND, scene.connections.links[SECOND], ProofError("forged"), NOW)
    assert scene.connections.bans.keys() == {PeerId(actor(3).key)}
    assert scene.reasons() == ["nonsense", "forged"]


def test_an_introduction_that_does_not_hold_changes_nothing() -> None:
    scene = Scene()
    info = LinkInfo(dialled=False, address=THERE, binding=b"1", peer=None)
    scene.connections.link_up(FIRST, info, NOW)
    elsewhere = LinkInfo(dialled=True, address=THERE, binding=b"2", peer=PeerId(ME.key))
    with pytest.raises(ProofError):
        scene.connections.introduce(
            handshake.hello(actor(2), elsewhere, download_only=False), FIRST, scene.connections.links[FIRST], NOW
        )
    assert scene.connections.links[FIRST].peer is None
    assert not scene.out


def test_an_address_is_busy_from_the_dial_to_the_end_of_its_link() -> None:
    scene = Scene()
    member = scene.members.enter(STREAM, 0, None, NOW)
    member.told([THERE], NOW)
    member.tick(NOW, 0, scene.connections.busy_addresses)
    dial = next(output for output in scene.out if isinstance(output, Dial))
    assert scene.connections.busy_addresses() == {THERE}
    info = LinkInfo(dialled=True, address=dial.address, binding=b"1", peer=PeerId(actor(2).key))
    scene.connections.link_up(FIRST, info, NOW)
    assert scene.connections.busy_addresses() == {THERE}
    scene.connections.link_down(FIRST, NOW)
    assert scene.connections.busy_addresses() == set()


def test_time_is_wanted_only_while_there_are_links() -> None:
    scene = Scene()
    assert scene.connections.next_timer() == inf
    scene.come(FIRST, 2)
    assert scene.connections.next_timer() == NOW
    scene.connections.tick(NOW)
    assert scene.connections.next_timer() == NOW + LOOK_EVERY_S
    scene.connections.moved(NOW)
    assert scene.connections.next_timer() == NOW + ANSWER_S
    scene.connections.tick(NOW + ANSWER_S)
    assert scene.connections.next_timer() == inf


def test_after_a_move_every_peer_is_asked_for_a_sign_of_life() -> None:
    scene = Scene()
    scene.come(FIRST, 2)
    scene.come(SECOND, 3)
    scene.out.clear()
    scene.connections.moved(NOW)
    assert [output.link for output in scene.out if isinstance(output, Send)] == [FIRST, SECOND]
