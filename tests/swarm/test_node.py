"""The whole node from outside: links, introductions, bans, and whatever else a peer may try."""

from dataclasses import replace

import pytest

from swarm import wire
from swarm.bans import BAN_S, BANS_MAX
from swarm.errors import LocalError
from swarm.events import ManifestReady, PieceReady
from swarm.handshake import ANSWER_S
from swarm.identity import Identity
from swarm.links import IDLE_S
from swarm.settings import NodeSettings
from swarm.units import Access, Address, PeerId, StreamId
from tests.swarm.stage import (
    INTEREST,
    OWNER,
    STREAM,
    WALL_S,
    Stage,
    actor,
    advert,
    block,
    manifest,
    offer,
    piece,
    rendition,
    subscribe,
)

HOME = Address("10.1.1.1", 4000)
LOWER = min(map(actor, range(1, 20)), key=lambda who: who.key)
HIGHER = max(map(actor, range(1, 20)), key=lambda who: who.key)


def peers(stage: Stage) -> set[bytes]:
    return set(stage.node.connections.peers)


# -- introductions


def test_a_good_hello_opens_a_link() -> None:
    stage = Stage()
    link = stage.meet(actor(1))
    welcome, ping = stage.take(link)
    assert isinstance(welcome, wire.Welcome)
    assert isinstance(ping, wire.Ping)
    assert welcome.key == stage.node.key
    assert link not in stage.closed


def test_a_bad_proof_closes_the_link_and_bans_nobody() -> None:
    stage = Stage()
    link, info = stage.link()
    stage.say(link, replace(stage.hello(actor(1), info), proof=bytes(64)))
    assert link in stage.closed
    assert stage.node.faults == {"ProofError": 1}
    assert stage.meet(actor(1)) not in stage.closed, "anybody could have had the true owner of a key banned"


def test_a_proof_replayed_on_another_link_is_refused() -> None:
    stage = Stage()
    link, info = stage.link()
    proof = stage.hello(actor(1), info)
    stage.say(link, proof)
    other, _ = stage.link()
    stage.say(other, proof)
    assert other in stage.closed
    assert link not in stage.closed


def test_another_version_is_refused() -> None:
    stage = Stage()
    link, info = stage.link()
    stage.say(link, replace(stage.hello(actor(1), info), version=wire.VERSION + 1))
    assert link in stage.closed


def test_a_second_hello_closes_the_link() -> None:
    stage = Stage()
    link, info = stage.link()
    stage.say(link, stage.hello(actor(1), info), stage.hello(actor(1), info))
    assert link in stage.closed


@pytest.mark.parametrize("message", [INTEREST, wire.Ping(sent_us=1), advert()], ids=lambda m: type(m).__name__)
def test_nothing_else_is_heard_before_the_introduction(message: wire.Message) -> None:
    stage = Stage()
    stage.watch()
    link, _ = stage.link()
    stage.say(link, message)
    assert link in stage.closed


def test_who_says_nothing_is_closed_in_time() -> None:
    stage = Stage()
    link, _ = stage.link()
    stage.pass_time(ANSWER_S)
    assert link not in stage.closed
    stage.pass_time(1.0)
    assert link in stage.closed


def test_the_dialler_says_hello_and_takes_only_the_pinned_key() -> None:
    stage = Stage()
    link, _ = stage.link(dialled=PeerId(actor(1).key))
    assert isinstance(stage.take(link)[0], wire.Hello)
    stage.say(link, stage.welcome(actor(2)))
    assert link in stage.closed


def test_a_node_does_not_talk_to_itself() -> None:
    stage = Stage()
    stage.watch(HOME)
    link, _ = stage.link(dialled=stage.node.key, address=HOME)
    other, info = stage.link(address=HOME)
    stage.say(other, stage.hello(stage.identity, info))
    stage.say(link, stage.welcome(stage.identity))
    assert {link, other} <= stage.closed.keys()
    assert not peers(stage)


@pytest.mark.parametrize("mine_first", [True, False])
@pytest.mark.parametrize("who", [LOWER, HIGHER], ids=["to a lower key", "to a higher key"])
def test_of_two_links_dialled_at_once_the_lower_keys_stays(who: Identity, mine_first: bool) -> None:
    stage = Stage()
    lower_dials = stage.node.key < who.key
    mine, _ = stage.link(dialled=PeerId(who.key), address=HOME)
    theirs, info = stage.link(address=HOME)
    if mine_first:
        stage.say(mine, stage.welcome(who))
    stage.say(theirs, stage.hello(who, info))
    if not mine_first:
        stage.say(mine, stage.welcome(who))
    assert set(stage.closed) == {theirs if lower_dials else mine}
    assert peers(stage) == {who.key}


def test_a_dial_that_gets_through_after_the_other_ones_is_not_needed_any_more() -> None:
    stage = Stage()
    stage.watch(HOME)
    stage.pass_time(0.2)
    theirs = stage.meet(LOWER, HOME)
    stage.say(theirs, INTEREST)
    mine, _ = stage.link(dialled=PeerId(LOWER.key), address=HOME)
    assert set(stage.closed) == {mine}
    assert stage.take(mine) == [], "the other end never learns that there was a choice"
    assert not stage.member.book.prospects[HOME].dialling


def test_who_reached_this_node_and_hung_up_at_once_is_no_failed_dial() -> None:
    stage = Stage()
    stage.watch(HOME)
    stage.pass_time(0.2)
    stage.befriend(1)
    link, _ = stage.link(address=HOME)
    stage.lose(link)
    assert stage.member.book.prospects[HOME].failures == 0


def test_a_node_finds_out_what_stands_before_it() -> None:
    stage = Stage()
    stage.watch()
    verdicts = []
    for number in (1, 2):
        link, _ = stage.link(dialled=PeerId(actor(number).key), address=Address(f"10.5.0.{number}", 4000))
        stage.say(link, stage.welcome(actor(number)))
        verdicts.append(stage.member.circle.vantage.access)
    stage.meet(actor(3))
    verdicts.append(stage.member.circle.vantage.access)
    assert verdicts == [Access.UNKNOWN, Access.CONE, Access.OPEN]


def test_a_peer_that_dials_again_replaces_its_old_link() -> None:
    stage = Stage()
    old, new = stage.meet(actor(1)), stage.meet(actor(1))
    assert old in stage.closed
    assert new not in stage.closed
    stage.say(new, wire.Ping(sent_us=5))
    assert any(isinstance(message, wire.Pong) for message in stage.take(new))


def test_links_are_bounded() -> None:
    stage = Stage(settings=NodeSettings(links_max=3))
    links = [stage.meet(actor(number)) for number in range(1, 6)]
    assert [link in stage.closed for link in links] == [False, False, False, True, True]


def test_a_dial_that_finds_no_room_leaves_its_address_free_for_later() -> None:
    stage = Stage(settings=NodeSettings(links_max=1))
    stage.watch(HOME)
    stage.befriend(1)
    link, _ = stage.link(dialled=PeerId(actor(2).key), address=HOME)
    assert link in stage.closed
    assert not stage.member.book.prospects[HOME].dialling


# -- a broken link harms nobody else


def test_garbage_closes_its_link_and_no_other() -> None:
    stage = Stage()
    bad, good = stage.meet(actor(1)), stage.meet(actor(2))
    stage.receive(bad, b"\xffgarbage")
    stage.say(good, wire.Ping(sent_us=5))
    assert set(stage.closed) == {bad}
    assert wire.Pong(sent_us=5, wall_us=int((stage.now + WALL_S) * 1e6)) in stage.take(good)
    assert stage.node.faults == {"MalformedMessage": 1}


def test_garbage_does_not_ban() -> None:
    stage = Stage()
    stage.receive(stage.meet(actor(1)), b"\xff")
    assert stage.meet(actor(1)) not in stage.closed


def test_what_comes_after_the_end_of_a_link_is_ignored() -> None:
    stage = Stage()
    link = stage.meet(actor(1))
    stage.receive(link, b"\xff", b"\xff", wire.encode(INTEREST))
    stage.lose(link)
    stage.measure(link)
    assert stage.node.faults == {"MalformedMessage": 1}
    assert not peers(stage)


def forged_block(number: int, index: int = 0) -> bytes:
    sealed = piece(number)
    return block(replace(sealed, header_bytes=sealed.header_bytes[:-1] + b"\0"), index)


def test_a_forged_block_bans_and_goes_nowhere() -> None:
    stage = Stage()
    stage.watch()
    child, liar = stage.befriend(1, manifest()), stage.befriend(2)
    stage.pass_time(1.0)
    for stripe in range(6):
        stage.say(child, subscribe(stripe))
    stage.take_bytes(child)
    for index in range(6):
        stage.receive(liar, forged_block(7, index))
    assert liar in stage.closed
    assert stage.take_blocks(child) == []
    assert not [news for news in stage.news if isinstance(news, PieceReady)]
    assert stage.member.circle.window.get(7) is None
    assert stage.meet(actor(2)) in stage.closed, "banned"
    assert child not in stage.closed


def test_a_ban_ends() -> None:
    stage = Stage()
    stage.watch()
    stage.receive(stage.befriend(2), forged_block(7))
    stage.pass_time(BAN_S + 1)
    assert stage.meet(actor(2)) not in stage.closed


def test_bans_are_bounded() -> None:
    stage = Stage()
    for number in range(BANS_MAX + 10):
        stage.node.connections.bans.ban(PeerId(number.to_bytes(32, "big")), stage.now)
    assert len(stage.node.connections.bans) == BANS_MAX


def test_the_address_of_a_banned_peer_does_not_use_up_the_dials() -> None:
    stage = Stage()
    stage.watch(HOME)
    stage.receive(stage.befriend(2), forged_block(7))
    link, _ = stage.link(dialled=PeerId(actor(2).key), address=HOME)
    stage.say(link, stage.welcome(actor(2)))
    assert link in stage.closed
    assert not stage.member.book.prospects[HOME].dialling


def test_swarms_that_the_node_is_not_in_are_ignored() -> None:
    stage = Stage()
    link = stage.meet(actor(1))
    stage.take_bytes(link)
    stage.say(link, INTEREST, manifest(), advert(offer(0)), subscribe(0))
    stage.receive(link, block(piece(7), 0))
    assert stage.take_bytes(link) == []
    assert link not in stage.closed


def test_who_never_said_that_it_is_in_the_swarm_is_ignored() -> None:
    stage = Stage()
    stage.watch()
    link = stage.meet(actor(1))
    stage.say(link, manifest(), advert(offer(0)), subscribe(0))
    stage.receive(link, block(piece(7), 0), forged_block(8))
    assert not [news for news in stage.news if isinstance(news, ManifestReady)]
    assert link not in stage.closed


def test_a_link_without_a_common_swarm_makes_room_after_a_while() -> None:
    stage = Stage()
    stage.watch()
    idle, mate = stage.meet(actor(1)), stage.befriend(2)
    stage.pass_time(IDLE_S - 1)
    assert idle not in stage.closed
    stage.pass_time(2.0)
    assert idle in stage.closed
    assert mate not in stage.closed


# -- commands


def test_publishing_needs_a_broadcast() -> None:
    stage = Stage()
    with pytest.raises(LocalError):
        stage.publish(1)
    stage.watch()
    with pytest.raises(LocalError):
        stage.publish(1)


def test_who_watches_a_stream_cannot_broadcast_it() -> None:
    stage = Stage()
    stage.watch()
    with pytest.raises(LocalError):
        stage.go_on_air()


def test_epochs_of_a_broadcast_only_grow() -> None:
    stage = Stage()
    stage.go_on_air(epoch=5)
    with pytest.raises(LocalError):
        stage.go_on_air(epoch=4)


def test_a_piece_that_cannot_be_described_is_the_callers_mistake() -> None:
    stage = Stage()
    stage.go_on_air()
    with pytest.raises(LocalError):
        stage.publish(-1)


def test_there_is_a_status_of_what_the_node_is_in() -> None:
    stage = Stage()
    assert stage.node.status(STREAM) is None
    stage.go_on_air()
    stage.publish(1)
    status = stage.node.status(STREAM)
    assert status is not None
    assert (status.pieces_ready, status.peers) == (1, ())
    assert stage.node.status(STREAM, rendition=1) is None


def test_one_rendition_is_left_while_the_others_are_kept() -> None:
    stage = Stage()
    for number in (0, 1, 2):
        stage.node.join(STREAM, number, (), stage.now)
    stage.node.leave(STREAM, stage.now, 1)
    assert [stage.node.status(STREAM, number) is not None for number in (0, 1, 2)] == [True, False, True]
    stage.node.leave(STREAM, stage.now)
    assert all(stage.node.status(STREAM, number) is None for number in (0, 1, 2))


def test_several_renditions_are_several_swarms() -> None:
    stage = Stage()
    pair = (rendition(number=0), rendition(number=1))
    stage.node.broadcast(OWNER, title="show", epoch=1, renditions=pair, now=stage.now)
    assert stage.node.status(STREAM, rendition=1) is not None
    stage.node.leave(STREAM, stage.now)
    assert stage.node.status(STREAM) is None
    assert stage.node.status(STREAM, rendition=1) is None


@pytest.mark.parametrize("who", [LOWER, HIGHER], ids=["a lower key", "a higher key"])
def test_after_leaving_the_same_peer_can_be_met_again_from_the_other_side(who: Identity) -> None:
    stage = Stage()
    assert LOWER.key < stage.node.key < HIGHER.key
    stage.watch(HOME)
    link = stage.meet(who, HOME)
    stage.node.leave(STREAM, stage.now)
    stage.drain()
    assert link in stage.closed
    assert not peers(stage)
    stage.watch(HOME)
    again, _ = stage.link(dialled=PeerId(who.key), address=HOME)
    stage.say(again, stage.welcome(who))
    assert again not in stage.closed
    assert INTEREST in stage.take(again)


def test_leaving_one_stream_keeps_the_links_of_another() -> None:
    stage = Stage()
    stage.watch()
    stage.node.join(StreamId(actor(8).key), 0, (), stage.now)
    link = stage.befriend(1)
    stage.node.leave(STREAM, stage.now)
    stage.drain()
    assert any(isinstance(message, wire.Bye) for message in stage.take(link))
    assert link not in stage.closed


def test_shutting_down_says_good_bye_and_closes_everything() -> None:
    stage = Stage()
    stage.watch()
    mate, stranger = stage.befriend(1), stage.meet(actor(2))
    stage.node.shut_down(stage.now)
    stage.drain()
    assert {mate, stranger} <= stage.closed.keys()
    assert any(isinstance(message, wire.Bye) for message in stage.take(mate))
    assert stage.node.next_timer() is None


def test_without_swarms_and_links_no_timer_is_wanted() -> None:
    stage = Stage()
    assert stage.node.next_timer() is None
    stage.watch()
    assert stage.node.next_timer() is not None


def test_joining_again_adds_addresses() -> None:
    stage = Stage()
    stage.watch()
    stage.watch(HOME)
    stage.pass_time(0.2)
    assert [dial.address for dial in stage.dials] == [HOME]


def test_every_dial_in_vain_is_repeated_later() -> None:
    stage = Stage()
    stage.watch(HOME)
    for _ in range(4):
        stage.node.dial_failed(HOME, stage.now)
        stage.pass_time(5.0)
    assert len(stage.dials) == 5
