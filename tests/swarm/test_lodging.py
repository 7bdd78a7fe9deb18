"""Lodging, message by message: one node whose mates on its own network are played by the test."""

from collections.abc import Callable

from swarm import wire
from swarm.adverts import short
from swarm.hosting import CATCH_UP_SAVED_S
from swarm.household import rank
from swarm.lodging import ANSWER_S, MISSES_MOST, PATIENCE_S
from swarm.units import Address, LinkId, PeerId
from tests.swarm.stage import INTEREST, STREAM, TAG, Stage, accept, actor, advert, block, manifest, offer, piece

HERE = Address("192.168.1.9", 4000)
OUTSIDE = Address("9.9.9.9", 4000)
SOON_S = 0.3


def hosting(*above: bytes, places: int = 1, gives: bool = True) -> wire.Hosting:
    return wire.Hosting(tag=TAG, places=places, gives=gives, above=above)


LODGE = wire.Lodge(tag=TAG, since=0)
LODGED = wire.Lodged(tag=TAG)
UNLODGE = wire.Unlodge(tag=TAG)


def at_home() -> Stage:
    """A node at home that watches, and knows how the stream is coded."""
    stage = Stage()
    stage.node.locate((HERE,), ())
    stage.watch(OUTSIDE)
    return stage


def befriend(stage: Stage, number: int, *said: wire.Message, inside: bool = True) -> LinkId:
    address = Address(f"192.168.1.{number}", 4000) if inside else Address(f"9.9.{number}.9", 4000)
    link = stage.meet(actor(number), address)
    stage.say(link, INTEREST, manifest(), *said)
    return link


def lodge(stage: Stage, number: int, *above: bytes) -> LinkId:
    """The node lodges with this one."""
    link = befriend(stage, number, hosting(*above))
    stage.pass_time(SOON_S)
    assert LODGE in stage.take(link)
    stage.say(link, LODGED)
    return link


def give(stage: Stage, link: LinkId, number: int, count: int = 4) -> None:
    sealed = piece(number)
    stage.receive(link, *(block(sealed, index) for index in range(count)))


def host_of(stage: Stage) -> PeerId | None:
    return stage.member.circle.household.host


def fetches(stage: Stage, link: LinkId) -> bool:
    """Whether the node has asked over this link for a stripe since last looked at."""
    return any(isinstance(said, wire.Subscribe) for said in stage.take(link))


def test_who_is_at_home_and_has_nothing_lodges_and_asks_for_no_stripe() -> None:
    stage = at_home()
    host = lodge(stage, 1)
    outside = befriend(stage, 2, advert(*map(offer, range(6))), inside=False)
    for number in range(1, 10):
        give(stage, host, number)
        stage.pass_time(0.2)
    assert host_of(stage) == actor(1).key
    assert not fetches(stage, outside)


def test_a_host_of_another_network_is_no_host() -> None:
    stage = at_home()
    link = befriend(stage, 1, hosting(), inside=False)
    stage.pass_time(SOON_S)
    assert LODGE not in stage.take(link)
    stage.say(link, LODGED)
    assert host_of(stage) is None


def test_what_the_host_sends_makes_pieces_whole() -> None:
    stage = at_home()
    link = lodge(stage, 1)
    give(stage, link, 1)
    status = stage.node.status(STREAM)
    assert status is not None
    assert status.pieces_ready == 1
    assert [peer.lodging for peer in status.peers] == ["host"]


def test_who_lodges_leaves_its_parents() -> None:
    stage = at_home()
    parent = befriend(stage, 2, advert(*map(offer, range(6)), newest=1), inside=False)
    stage.pass_time(SOON_S)
    asked = [said.stripe for said in stage.take(parent) if isinstance(said, wire.Subscribe)]
    assert asked
    stage.say(parent, *map(accept, asked))
    lodge(stage, 1)
    left = [said.stripe for said in stage.take(parent) if isinstance(said, wire.Unsubscribe)]
    assert sorted(left) == sorted(asked)


def test_beside_a_silent_host_others_are_asked_and_it_is_left_when_they_give() -> None:
    stage = at_home()
    host = lodge(stage, 1)
    give(stage, host, 1)
    outside = befriend(stage, 2, advert(*map(offer, range(6)), newest=1), inside=False)
    stage.pass_time(PATIENCE_S + 0.5)
    assert host_of(stage) == actor(1).key
    assert fetches(stage, outside)
    for number in (2, 3):
        give(stage, outside, number)
    stage.pass_time(0.2)
    assert host_of(stage) is None
    assert UNLODGE in stage.take(host)


def test_a_host_that_goes_on_after_a_pause_is_kept_and_the_others_are_left() -> None:
    stage = at_home()
    host = lodge(stage, 1)
    give(stage, host, 1)
    outside = befriend(stage, 2, advert(*map(offer, range(6)), newest=1), inside=False)
    stage.pass_time(60.0)
    asked = [said.stripe for said in stage.take(outside) if isinstance(said, wire.Subscribe)]
    stage.say(outside, *map(accept, dict.fromkeys(asked)))
    stage.pass_time(0.1)
    give(stage, host, 2)
    stage.pass_time(0.2)
    assert host_of(stage) == actor(1).key
    assert any(isinstance(said, wire.Unsubscribe) for said in stage.take(outside))
    assert UNLODGE not in stage.take(host)


def test_old_blocks_are_no_sign_that_a_host_gives() -> None:
    stage = at_home()
    host = lodge(stage, 1)
    give(stage, host, 1)
    outside = befriend(stage, 2, advert(*map(offer, range(6)), newest=1), inside=False)
    for _ in range(5):
        stage.pass_time(0.2)
        give(stage, host, 1)
    assert fetches(stage, outside)


def test_a_host_that_is_ever_farther_behind_is_left() -> None:
    stage = at_home()
    host = lodge(stage, 1)
    outside = befriend(stage, 2, inside=False)
    for number in range(1, 40):
        give(stage, host, number)
        stage.say(outside, advert(newest=2 * number))
        stage.pass_time(0.2)
    assert host_of(stage) is None


def test_hosts_that_fail_one_after_the_other_are_not_looked_for_any_more() -> None:
    stage = at_home()
    lodged = 0
    for number in range(1, 21):
        link = befriend(stage, number, hosting())
        stage.pass_time(0.5)
        if LODGE in stage.take(link):
            lodged += 1
            stage.say(link, LODGED)
            stage.say(link, UNLODGE)
    assert 5 <= lodged <= 6


def test_a_host_that_takes_me_in_and_throws_me_out_rests_for_longer_each_time() -> None:
    stage = at_home()
    link = befriend(stage, 1, hosting())
    lodged = 0
    for _ in range(200):
        stage.pass_time(0.3)
        if LODGE in stage.take(link):
            lodged += 1
            stage.say(link, LODGED)
            stage.pass_time(0.1)
            stage.say(link, UNLODGE)
    assert 2 <= lodged <= 5


def test_a_host_that_has_moved_to_another_network_is_left() -> None:
    stage = at_home()
    lodge(stage, 1)
    stage.node.locate((Address("10.8.0.5", 4000),), ())
    stage.pass_time(0.2)
    assert host_of(stage) is None


def test_a_lodger_that_seemed_dead_is_told_that_it_lodges_here_no_more() -> None:
    stage = at_home()
    inside, outside = befriend(stage, 1), befriend(stage, 2, inside=False)
    give(stage, outside, 1)
    stage.say(inside, LODGE)
    stage.take(inside)
    stage.node.link_silent(inside, stage.now)
    stage.drain()
    assert UNLODGE in stage.take(inside)
    give(stage, outside, 2)
    assert stage.take_blocks(inside) == []


def test_who_can_relay_does_not_lodge_with_one_that_cannot() -> None:
    stage = at_home()
    link = lodge(stage, 1)
    stage.say(link, hosting(gives=False))
    stage.pass_time(0.2)
    assert host_of(stage) is None


def test_nobody_far_away_is_taken_in_whatever_its_address() -> None:
    stage = at_home()
    inside, outside = befriend(stage, 1), befriend(stage, 2, inside=False)
    give(stage, outside, 1)
    stage.measure(inside, rtt_s=0.3)
    stage.say(inside, LODGE)
    assert UNLODGE in stage.take(inside)


def test_all_lodgers_together_are_caught_up_within_a_budget() -> None:
    stage = at_home()
    outside = befriend(stage, 200, inside=False)
    size = 0
    for number in range(1, 30):
        sealed = piece(number, key=number == 1, payload=bytes(30_000))
        stage.receive(outside, *(block(sealed, index) for index in range(4)))
        stage.pass_time(0.2)
    blocks = 0
    for number in range(1, 100):
        inside = befriend(stage, number)
        stage.say(inside, LODGE)
        sent = stage.take_blocks(inside)
        blocks += len(sent)
        size += sum(map(len, sent))
        stage.say(inside, UNLODGE)
    assert blocks > 0
    assert size < 1.5 * CATCH_UP_SAVED_S * 30_000 / 0.2


def test_a_host_that_keeps_blocks_back_is_left() -> None:
    stage = at_home()
    host = lodge(stage, 1)
    befriend(stage, 2, advert(newest=1), inside=False)
    for number in range(1, int(MISSES_MOST) + 12):
        give(stage, host, number, count=3)
        stage.pass_time(0.2)
    assert host_of(stage) is None


def test_a_host_that_does_not_answer_is_not_asked_again_at_once() -> None:
    stage = at_home()
    link = befriend(stage, 1, hosting())
    stage.pass_time(ANSWER_S + 1.0)
    assert stage.take(link).count(LODGE) == 1
    stage.say(link, LODGED)
    assert UNLODGE in stage.take(link)
    assert host_of(stage) is None


def test_a_refusal_and_a_lost_link_leave_it_without_a_host() -> None:
    ends: tuple[Callable[[Stage, LinkId], None], ...]
    ends = (lambda stage, link: stage.say(link, UNLODGE), lambda stage, link: stage.lose(link))
    for end in ends:
        stage = at_home()
        link = lodge(stage, 1)
        end(stage, link)
        assert host_of(stage) is None


def test_of_two_that_have_the_stream_one_lodges_with_the_other() -> None:
    me = short(PeerId(Stage().identity.key))
    mine = rank(me, TAG, gives=True)
    ranks = {number: rank(short(PeerId(actor(number).key)), TAG, gives=True) for number in range(1, 40)}
    before = next(number for number, theirs in ranks.items() if theirs < mine)
    behind = next(number for number, theirs in ranks.items() if theirs > mine)
    for number, lodges in ((before, True), (behind, False)):
        stage = at_home()
        outside = befriend(stage, 50, inside=False)
        give(stage, outside, 1)
        link = befriend(stage, number, hosting())
        stage.pass_time(0.2)
        assert any(isinstance(said, wire.Lodge) for said in stage.take(link)) is lodges


def test_who_has_the_stream_says_so_at_home_only() -> None:
    stage = at_home()
    inside, outside = befriend(stage, 1), befriend(stage, 2, inside=False)
    give(stage, outside, 1)
    stage.pass_time(0.2)
    said = [message for message in stage.take(inside) if isinstance(message, wire.Hosting)]
    assert said
    assert said[-1].places > 0
    assert said[-1].above == ()
    assert not any(isinstance(message, wire.Hosting) for message in stage.take(outside))


def test_a_lodger_gets_what_has_come_and_what_comes_and_no_more_than_it_needs() -> None:
    stage = at_home()
    inside, outside = befriend(stage, 1), befriend(stage, 2, inside=False)
    give(stage, outside, 1)
    stage.pass_time(0.1)
    stage.take(inside)
    stage.say(inside, LODGE)
    sent = stage.take_bytes(inside)
    assert wire.encode(LODGED) in sent
    assert [data for data in sent if data[0] == wire.BLOCK] == [block(piece(1), index) for index in range(4)]
    give(stage, outside, 2, count=6)
    assert stage.take_blocks(inside) == [block(piece(2), index) for index in range(4)]
    stage.say(inside, UNLODGE)
    give(stage, outside, 3)
    assert stage.take_blocks(inside) == []


def test_who_lodges_says_with_whom_and_hosts_others_but_not_its_own_host() -> None:
    stage = at_home()
    host = lodge(stage, 1, b"root")
    inside = befriend(stage, 2)
    give(stage, host, 1)
    stage.pass_time(0.2)
    said = [message for message in stage.take(inside) if isinstance(message, wire.Hosting)]
    assert said[-1].above == (short(PeerId(actor(1).key)), b"root")
    stage.say(inside, LODGE)
    assert LODGED in stage.take(inside)
    stage.say(host, LODGE)
    assert UNLODGE in stage.take(host)


def test_nobody_lodges_where_nothing_comes_or_from_outside() -> None:
    stage = at_home()
    inside, outside = befriend(stage, 1), befriend(stage, 2, inside=False)
    stage.say(inside, LODGE)
    assert UNLODGE in stage.take(inside)
    give(stage, outside, 1)
    stage.say(outside, LODGE)
    give(stage, inside, 2)
    assert stage.take_blocks(outside) == []


def test_a_circle_of_hosts_is_left() -> None:
    stage = at_home()
    host = lodge(stage, 1)
    befriend(stage, 2, inside=False)
    stage.say(host, hosting(short(PeerId(stage.identity.key))))
    stage.pass_time(0.3)
    assert host_of(stage) is None


def test_the_source_hosts_too() -> None:
    stage = Stage()
    stage.node.locate((HERE,), ())
    stage.go_on_air()
    link = befriend(stage, 1)
    stage.publish(1)
    stage.pass_time(0.5)
    stage.say(link, LODGE)
    stage.take(link)
    stage.publish(2)
    assert len(stage.take_blocks(link)) == 4


def test_catching_up_is_not_had_again_and_again() -> None:
    stage = at_home()
    inside, outside = befriend(stage, 1), befriend(stage, 2, inside=False)
    give(stage, outside, 1)
    for blocks in (4, 0, 0):
        stage.say(inside, LODGE, UNLODGE)
        assert len(stage.take_blocks(inside)) == blocks


def test_what_stays_in_the_house_is_not_on_the_lines_books() -> None:
    stage = at_home()
    inside, outside = befriend(stage, 1), befriend(stage, 2, inside=False)
    pacer = stage.node.pacer
    for rtt_s, near in ((0.01, True), (0.3, False), (0.01, True)):
        stage.measure(inside, rtt_s=rtt_s)
        stage.measure(outside, rtt_s=rtt_s)
        assert pacer.stays(Address("192.168.1.1", 4000)) is near
        assert not pacer.stays(Address("9.9.2.9", 4000))
    stage.lose(inside)
    assert not pacer.stays(Address("192.168.1.1", 4000))
