"""The machine changes its network: what still works stays, what does not is dialled anew at once."""

from math import inf

from swarm import wire
from swarm.messages import Home
from swarm.relocation import ANSWER_S, RENEW_EVERY_S, Relocation
from swarm.units import Access, Address, LinkId, PeerId
from tests.swarm.stage import INTEREST, Stage, actor

FIRST, SECOND = Address("8.1.1.1", 4000), Address("8.2.2.2", 4000)
SECOND_V6 = Address("2a00:2::2", 4000)


def dialled(stage: Stage, number: int, address: Address) -> LinkId:
    link, _ = stage.link(dialled=PeerId(actor(number).key), address=address)
    stage.say(link, stage.welcome(actor(number)), INTEREST)
    return link


def test_links_are_in_doubt_until_they_answer_or_the_time_is_over() -> None:
    relocation = Relocation()
    relocation.begin([LinkId(1), LinkId(2)], 10.0)
    relocation.heard(LinkId(1))
    assert relocation.next_timer == 10.0 + ANSWER_S
    assert relocation.lost(10.0) == set()
    assert relocation.renewed(10.0) is None
    assert relocation.lost(10.0 + ANSWER_S) == {LinkId(2)}
    assert relocation.lost(99.0) == set()
    assert relocation.next_timer == 10.0 + ANSWER_S + RENEW_EVERY_S
    assert relocation.renewed(10.0 + ANSWER_S) is None
    assert relocation.renewed(10.0 + ANSWER_S + RENEW_EVERY_S) == LinkId(1)
    assert relocation.next_timer == inf
    assert relocation.renewed(99.0) is None


def test_every_neighbour_is_asked_at_once_and_who_answers_stays() -> None:
    stage = Stage()
    stage.watch(FIRST)
    stage.pass_time(0.2)
    link = dialled(stage, 1, FIRST)
    stage.take(link)
    stage.node.moved(stage.now)
    stage.drain()
    (ping,) = (message for message in stage.take(link) if isinstance(message, wire.Ping))
    stage.say(link, wire.Pong(sent_us=ping.sent_us, wall_us=0))
    stage.dials.clear()
    stage.pass_time(ANSWER_S + 0.1)
    assert link not in stage.closed
    assert [dial.address for dial in stage.dials] == []
    stage.pass_time(RENEW_EVERY_S)
    assert [(dial.address, dial.peer) for dial in stage.dials] == [(FIRST, PeerId(actor(1).key))]
    again = dialled(stage, 1, FIRST)
    assert link in stage.closed
    assert again not in stage.closed
    assert stage.node.network_status().v4.seen == Address("10.9.9.9", 1), "a new link tells where this node is now"


def test_who_does_not_answer_is_dialled_at_once_at_all_its_addresses() -> None:
    stage = Stage()
    stage.watch(FIRST)
    stage.pass_time(0.2)
    quiet, told = dialled(stage, 1, FIRST), dialled(stage, 2, SECOND)
    came = stage.befriend(3)
    stage.say(told, wire.Homes(homes=(Home(SECOND_V6, Access.UNKNOWN),)))
    stage.node.moved(stage.now)
    stage.drain()
    stage.dials.clear()
    stage.pass_time(ANSWER_S + 0.1)
    assert {quiet, told, came} <= stage.closed.keys()
    assert {dial.address for dial in stage.dials} == {FIRST, SECOND, SECOND_V6}


def test_what_was_seen_of_this_node_elsewhere_counts_no_more() -> None:
    stage = Stage()
    stage.watch(FIRST)
    stage.befriend(1)
    before = stage.member.circle.vantage.access
    assert before is Access.OPEN
    stage.node.moved(stage.now)
    assert stage.member.circle.vantage.access is Access.UNKNOWN
