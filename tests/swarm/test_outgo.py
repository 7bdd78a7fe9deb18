"""How a node feeds its children: one node on a stage, the test plays its neighbours."""

from dataclasses import replace

import pytest

from swarm import wire
from swarm.adverts import short
from swarm.coding import code
from swarm.events import PieceReady, Send, Urgency
from swarm.merkle import tree
from swarm.outgo import CATCH_UP_AGAIN_S, FIRST_PIECE_MORE, JOIN_PIECES_MAX, MUTE_S, SPARED_S
from swarm.pieces import SealedPiece, signed_bytes
from swarm.settings import NodeSettings
from swarm.slots import GRACE_S
from swarm.units import Address, LinkId, PeerId, Stripe
from tests.swarm.stage import (
    OWNER,
    STREAM,
    TAG,
    Stage,
    accept,
    actor,
    advert,
    block,
    manifest,
    offer,
    piece,
    subscribe,
)

WEIGHTY = bytes(20_000)


def numbers(blocks: list[bytes]) -> list[int]:
    return [int.from_bytes(data[13:21], "big") for data in blocks]


def answers(stage: Stage, link: LinkId) -> list[wire.Message]:
    said = stage.take(link)
    return [message for message in said if isinstance(message, wire.Accept | wire.Reject | wire.Moved | wire.Sorry)]


def source(settings: NodeSettings | None = None) -> Stage:
    stage = Stage(settings=settings)
    stage.go_on_air()
    return stage


def relay() -> tuple[Stage, LinkId, Stripe]:
    """A viewer that relays one colour, its parent on that stripe, and the colour."""
    stage = Stage()
    stage.watch()
    link = stage.befriend(1, manifest(), advert(*(offer(stripe) for stripe in range(6))))
    stage.pass_time(0.2)
    colour = stage.member.outgo.nursery.colours[0]
    stage.say(link, accept(colour, (short(PeerId(actor(50).key)),)))
    stage.take_bytes(link)
    return stage, link, colour


def want(number: int, *, held: int = 0, count: int = 4) -> wire.Want:
    return wire.Want(tag=TAG, number=number, held=held, count=count)


RELAYS_IT = advert(offer(0), slots=32)


def full(stage: Stage) -> list[LinkId]:
    """Children that relay nothing, on all slots of the source's first stripe; what was said to them is gone."""
    links = [stage.befriend(number) for number in range(1, 1 + stage.member.outgo.nursery.free(Stripe(0)))]
    for link in links:
        stage.say(link, subscribe(0))
        stage.take_bytes(link)
    assert stage.member.outgo.nursery.free(Stripe(0)) == 0
    return links


def weighty(stage: Stage, number: int, *, key: bool = True) -> None:
    """Publish a piece as heavy as the announced bitrate makes it."""
    stage.node.publish(STREAM, 0, WEIGHTY, number=number, key=key, capture_us=0, duration_us=200_000, now=stage.now)
    stage.drain()


def all_repair(stage: Stage, number: int) -> int:
    """Ask with ever new neighbours until one of them gets nothing; the bytes that were given."""
    given = 0
    for asker in range(200, 300):
        link = stage.befriend(asker)
        stage.take_bytes(link)
        for _ in range(20):
            stage.say(link, want(number, count=6))
        said = stage.take_bytes(link)
        blocks = [data for data in said if data[0] == wire.BLOCK]
        given += sum(map(len, blocks))
        if not blocks:
            assert said == [wire.encode(wire.Sorry(tag=TAG, number=number))] * 20
            return given
    raise AssertionError("repair without end")


# -- children


def test_the_source_offers_every_stripe_and_names_no_ancestors() -> None:
    stage = source()
    child = stage.befriend(1)
    stage.take_bytes(child)
    for stripe in range(6):
        stage.say(child, subscribe(stripe))
    assert answers(stage, child) == [accept(stripe) for stripe in range(6)]


def test_a_relay_accepts_for_its_colours_only_and_names_who_is_above() -> None:
    stage, _, colour = relay()
    child = stage.befriend(2)
    stage.take_bytes(child)
    assert 5 not in stage.member.outgo.nursery.colours
    stage.say(child, subscribe(colour), subscribe(5))
    accepted, rejected = answers(stage, child)
    ancestors = (short(PeerId(actor(1).key)), short(PeerId(actor(50).key)))
    parent = wire.Contact(PeerId(actor(1).key), Address("10.9.0.1", 4000), colours=0b111111)
    assert accepted == wire.Accept(tag=TAG, stripe=colour, ancestors=ancestors, above=(parent,))
    assert isinstance(rejected, wire.Reject)


def test_who_is_above_me_cannot_be_my_child() -> None:
    stage, parent, colour = relay()
    stage.say(parent, subscribe(colour))
    assert [type(message) for message in answers(stage, parent)] == [wire.Reject]


def test_a_refusal_names_others_that_relay_it_and_never_the_asker() -> None:
    stage = source(NodeSettings(source_multiple=0.0))
    relays = {PeerId(actor(number).key) for number in range(2, 9)}
    for number in range(2, 9):
        stage.befriend(number, advert(offer(3)))
    asker = stage.befriend(1, advert(offer(3)))
    stage.take_bytes(asker)
    stage.say(asker, subscribe(3))
    (refusal,) = answers(stage, asker)
    assert isinstance(refusal, wire.Reject)
    assert len(refusal.hints) == wire.HINTS_MAX
    assert {hint.key for hint in refusal.hints} <= relays


def test_the_source_keeps_within_its_multiple() -> None:
    stage = source(NodeSettings(source_multiple=2.0))
    total = stage.member.outgo.nursery.total
    assert 0 < total * stage.member.circle.stripe_bps <= 2.0 * 800_000


def test_who_only_downloads_accepts_nobody() -> None:
    stage = Stage(settings=NodeSettings(download_only=True))
    stage.watch()
    child = stage.befriend(1, manifest())
    stage.pass_time(1.0)
    stage.take_bytes(child)
    for stripe in range(6):
        stage.say(child, subscribe(stripe))
    assert {type(message) for message in answers(stage, child)} == {wire.Reject}


def test_a_displaced_child_is_told_who_takes_over_and_fed_for_a_while() -> None:
    stage = source()
    children = full(stage)
    newcomer = stage.befriend(99, RELAYS_IT)
    stage.say(newcomer, subscribe(0))
    assert answers(stage, newcomer) == [accept(0)]
    ((moved_child, moved),) = [(child, message) for child in children for message in answers(stage, child)]
    assert isinstance(moved, wire.Moved)
    assert [hint.key for hint in moved.hints] == [actor(99).key]
    stage.publish(7)
    assert numbers(stage.take_blocks(moved_child)) == [7]
    stage.pass_time(GRACE_S + 0.2)
    stage.publish(8)
    assert stage.take_blocks(moved_child) == []


def test_a_child_displaced_by_one_that_does_not_relay_it_is_not_sent_there() -> None:
    stage = source()
    children = full(stage)
    newcomer = stage.befriend(99, advert(offer(3), slots=32))
    stage.say(newcomer, subscribe(0))
    assert answers(stage, newcomer) == [accept(0)]
    (moved,) = [message for child in children for message in answers(stage, child)]
    assert moved == wire.Moved(tag=TAG, stripe=Stripe(0), hints=())


def test_the_word_of_one_who_was_found_to_give_nothing_drives_nobody_out() -> None:
    stage = source()
    children = full(stage)
    newcomer = stage.befriend(99, RELAYS_IT)
    stage.member.circle.standing.demote(PeerId(actor(99).key), stage.now + 60.0)
    stage.say(newcomer, subscribe(0))
    assert [type(message) for message in answers(stage, newcomer)] == [wire.Reject]
    assert [message for child in children for message in answers(stage, child)] == []


def test_a_child_that_begins_to_relay_is_not_driven_out_by_another_one() -> None:
    stage = source()
    children = full(stage)
    for child in children:
        stage.say(child, RELAYS_IT)
    newcomer = stage.befriend(99, RELAYS_IT)
    stage.say(newcomer, subscribe(0))
    assert [type(message) for message in answers(stage, newcomer)] == [wire.Reject]


def test_a_child_that_says_nothing_any_more_makes_room() -> None:
    stage = source()
    mute, alive = stage.befriend(1), stage.befriend(2)
    stage.say(mute, subscribe(0))
    stage.say(alive, subscribe(0))
    stage.pass_time(MUTE_S / 2)
    stage.say(alive, advert())
    stage.pass_time(MUTE_S / 2 + 0.2)
    assert list(stage.member.outgo.nursery.children(Stripe(0))) == [actor(2).key]


def test_when_the_coding_changes_every_child_is_told_and_can_ask_anew() -> None:
    stage = source()
    child = stage.befriend(1)
    stage.say(child, subscribe(0), subscribe(3))
    stage.take_bytes(child)
    stage.go_on_air(epoch=2)
    assert answers(stage, child) == [], "another epoch alone changes nothing"
    stage.go_on_air(epoch=3, k=5, n=8)
    moved = [wire.Moved(tag=TAG, stripe=Stripe(stripe), hints=()) for stripe in (0, 3)]
    assert answers(stage, child) == moved
    assert stage.member.outgo.nursery.used == 0
    stage.say(child, subscribe(7))
    assert answers(stage, child) == [accept(7)]


def test_a_child_that_has_enough_gets_no_more() -> None:
    stage = source()
    child = stage.befriend(1)
    stage.say(child, subscribe(0), wire.Unsubscribe(tag=TAG, stripe=Stripe(0)))
    stage.take_bytes(child)
    stage.publish(7)
    assert stage.take_blocks(child) == []


def test_a_child_whose_link_is_down_holds_no_slot() -> None:
    stage = source()
    child = stage.befriend(1)
    stage.say(child, subscribe(0))
    stage.lose(child)
    assert stage.member.outgo.nursery.used == 0
    stage.publish(7)


# -- blocks


def test_each_stripe_goes_to_its_children_as_one_block_a_piece() -> None:
    stage = source()
    first, second = stage.befriend(1), stage.befriend(2)
    stage.say(first, subscribe(0), subscribe(1))
    stage.say(second, subscribe(1))
    stage.publish(7)
    to_first, to_second = stage.take_blocks(first), stage.take_blocks(second)
    assert [data[136] for data in to_first] == [0, 1]
    assert [data[136] for data in to_second] == [1]
    assert to_first[1] is to_second[0], "built once, forwarded as it is"


def test_blocks_for_those_that_relay_go_before_those_for_the_others() -> None:
    stage = source()
    leaf, relaying = stage.befriend(1), stage.befriend(2, advert(offer(0), slots=32))
    stage.say(leaf, subscribe(0))
    stage.say(relaying, subscribe(0))
    stage.node.publish(STREAM, 0, b"payload", number=7, key=True, capture_us=0, duration_us=200_000, now=stage.now)
    sent = [(order.link, order.urgency) for order in stage.node.outputs() if isinstance(order, Send)]
    assert sent == [(relaying, Urgency.TRUNK), (leaf, Urgency.STRIPE)]


def test_a_block_is_forwarded_as_it_came_and_not_back() -> None:
    stage, parent, colour = relay()
    child, sender = stage.befriend(2), stage.befriend(3)
    stage.say(child, subscribe(colour))
    stage.say(sender, subscribe(colour))
    stage.take_bytes(child), stage.take_bytes(sender)
    data = block(piece(7), colour)
    stage.receive(sender, data)
    assert stage.take_blocks(child) == [data]
    assert stage.take_blocks(sender) == []
    stage.receive(parent, data)
    assert stage.take_blocks(child) == [], "once only"


def test_a_colours_block_that_did_not_come_is_made_from_the_others() -> None:
    stage, parent, colour = relay()
    child = stage.befriend(2)
    stage.say(child, subscribe(colour))
    stage.take_bytes(child)
    sealed = piece(7)
    others = [index for index in range(6) if index != colour][:4]
    stage.receive(parent, *(block(sealed, index) for index in others))
    assert stage.take_blocks(child) == [block(sealed, colour)]


def test_a_piece_of_fewer_blocks_than_there_are_stripes_is_relayed_as_far_as_it_goes() -> None:
    stage, parent, _ = relay()
    child = stage.befriend(2)
    member = stage.member
    member.outgo.nursery.colours = tuple(Stripe(stripe) for stripe in range(6))
    for stripe in range(6):
        stage.say(child, subscribe(stripe))
    small = piece(7, k=1, n=2)
    stage.take_bytes(child)
    stage.receive(parent, block(small, 0))
    assert stage.take_blocks(child) == [block(small, 0), block(small, 1)]
    assert parent not in stage.closed


def broken_piece(number: int) -> SealedPiece:
    """Signed by the source, but its parity is of another payload."""
    sealed = piece(number, payload=b"abcdefgh" * 5)
    blocks = sealed.blocks[:4] + code(4, 6).encode(b"ABCDEFGH" * 5)[4:]
    root, paths = tree(blocks)
    header = replace(sealed.header, root=root)
    header = replace(header, signature=OWNER.sign(signed_bytes(header, STREAM)))
    return SealedPiece(header, header.encode(), blocks, paths)


def test_a_source_that_signs_a_broken_code_gets_no_relay_banned() -> None:
    stage, parent, colour = relay()
    child = stage.befriend(2)
    stage.say(child, subscribe(colour))
    sealed = broken_piece(7)
    others = [index for index in range(6) if index != colour][:4]
    stage.receive(parent, *(block(sealed, index) for index in others))
    late = stage.befriend(3)
    stage.say(late, subscribe(colour), want(7, held=0, count=6))
    assert not {parent, child, late} & stage.closed.keys()
    assert [news.number for news in stage.news if isinstance(news, PieceReady)] == [7]


# -- catching up


def test_a_joiner_gets_everything_since_the_last_key_frame() -> None:
    stage = source()
    for number in range(1, 9):
        stage.publish(number, key=number in {1, 6})
    child = stage.befriend(1)
    stage.say(child, subscribe(2))
    assert numbers(stage.take_blocks(child)) == [6, 7, 8]


def test_a_joiner_gets_no_more_than_so_many_pieces_though_the_key_frame_is_long_ago() -> None:
    stage = source()
    for number in range(1, 81):
        weighty(stage, number, key=number == 1)
    child = stage.befriend(1)
    stage.say(child, subscribe(2))
    assert numbers(stage.take_blocks(child)) == list(range(80 - JOIN_PIECES_MAX, 81))


@pytest.mark.parametrize(("since", "more"), [(0, FIRST_PIECE_MORE), (6, 0)])
def test_a_newcomer_gets_some_blocks_more_of_its_first_piece(since: int, more: int) -> None:
    stage, parent, colour = relay()
    for number in (5, 6, 7, 8):
        sealed = piece(number, key=number == 6)
        stage.receive(parent, *(block(sealed, index) for index in range(4)))
    child = stage.befriend(2)
    stage.take_bytes(child)
    stage.say(child, subscribe(colour, since=since))
    blocks = stage.take_blocks(child)
    assert numbers(blocks) == [6] * (1 + more) + [7, 8]
    assert len(set(blocks)) == len(blocks)


def test_a_child_that_moved_gets_what_it_lacks() -> None:
    stage = source()
    for number in range(1, 9):
        stage.publish(number)
    child = stage.befriend(1)
    stage.say(child, subscribe(2, since=4))
    assert numbers(stage.take_blocks(child)) == [4, 5, 6, 7, 8]


def test_asking_again_and_again_does_not_bring_the_past_again_and_again() -> None:
    stage = source()
    for number in range(1, 9):
        stage.publish(number, key=number == 1)
    child = stage.befriend(1)
    for _ in range(50):
        stage.say(child, subscribe(2), wire.Unsubscribe(tag=TAG, stripe=Stripe(2)))
    assert len(stage.take_blocks(child)) == 8
    stage.pass_time(CATCH_UP_AGAIN_S)
    stage.say(child, subscribe(2))
    assert len(stage.take_blocks(child)) == 8


def test_who_cannot_keep_up_is_not_given_the_past_too() -> None:
    stage = source()
    stage.publish(1)
    child = stage.befriend(1)
    stage.measure(child, queued_bytes=1_000_000)
    stage.say(child, subscribe(2))
    assert stage.take_blocks(child) == []


# -- repair


def test_a_want_is_answered_with_blocks_that_the_asker_lacks() -> None:
    stage = source()
    stage.publish(7)
    child = stage.befriend(1)
    stage.take_bytes(child)
    stage.say(child, want(7, held=0b001011, count=2))
    given = [data[136] for data in stage.take_blocks(child)]
    assert len(set(given)) == 2
    assert set(given) <= {2, 4, 5}


def test_who_rebuilt_a_piece_can_give_blocks_that_it_never_got() -> None:
    stage, parent, _ = relay()
    sealed = piece(7)
    stage.receive(parent, *(block(sealed, index) for index in range(4)))
    asker = stage.befriend(2)
    stage.take_bytes(asker)
    stage.say(asker, want(7, held=0b001111, count=2))
    assert sorted(stage.take_blocks(asker)) == sorted([block(sealed, 4), block(sealed, 5)])


@pytest.mark.parametrize("message", [want(99), want(7, held=0b111111)], ids=["unknown piece", "nothing lacking"])
def test_who_cannot_help_says_sorry(message: wire.Want) -> None:
    stage = source()
    stage.publish(7)
    child = stage.befriend(1)
    stage.take_bytes(child)
    stage.say(child, message)
    assert answers(stage, child) == [wire.Sorry(tag=TAG, number=message.number)]


def test_who_cannot_keep_up_gets_no_repair() -> None:
    stage = source()
    stage.publish(7)
    child = stage.befriend(1)
    stage.measure(child, queued_bytes=1_000_000)
    stage.take_bytes(child)
    stage.say(child, want(7))
    assert answers(stage, child) == [wire.Sorry(tag=TAG, number=7)]


def test_who_feeds_nobody_lends_nothing() -> None:
    stage = source(NodeSettings(source_multiple=0.0))
    stage.publish(7)
    asker = stage.befriend(1)
    stage.take_bytes(asker)
    stage.say(asker, want(7))
    assert stage.take_bytes(asker) == [wire.encode(wire.Sorry(tag=TAG, number=7))]


def test_the_sources_repair_is_bounded_whoever_asks_how_often() -> None:
    stage = source(NodeSettings(source_multiple=1.0))
    weighty(stage, 7)
    assert 0 < all_repair(stage, 7) <= SPARED_S * 800_000 / 8
    stage.pass_time(1.0)
    assert 0 < all_repair(stage, 7) <= 1.1 * 800_000 / 8, "what a second has brought"


def test_what_the_source_gives_its_children_it_does_not_give_for_repair() -> None:
    given = []
    for children in (0, 3):
        stage = source(NodeSettings(source_multiple=1.0))
        child = stage.befriend(1)
        for stripe in range(children):
            stage.say(child, subscribe(stripe))
        assert stage.member.outgo.nursery.used == children
        weighty(stage, 7)
        given.append(all_repair(stage, 7))
    idle, busy = given
    assert 0 < busy < idle / 2


def test_a_relays_repair_is_bounded_by_its_uplink() -> None:
    stage, parent, _ = relay()
    sealed = piece(7, payload=WEIGHTY)
    stage.receive(parent, *(block(sealed, index) for index in range(4)))
    slots, stripe_bps = stage.member.outgo.nursery.total, stage.member.circle.stripe_bps
    assert 0 < all_repair(stage, 7) <= SPARED_S * slots * stripe_bps / 8


def test_a_newcomer_at_the_source_is_caught_up_within_the_same_budget() -> None:
    stage = source(NodeSettings(source_multiple=1.0))
    weighty(stage, 7)
    all_repair(stage, 7)
    child = stage.befriend(1)
    stage.take_bytes(child)
    stage.say(child, subscribe(0))
    assert stage.take_blocks(child) == []
    weighty(stage, 8)
    assert numbers(stage.take_blocks(child)) == [8], "its stripe comes all the same"
