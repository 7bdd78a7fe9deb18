"""How a node feeds its children: one node on a stage, the test plays its neighbours."""

from dataclasses import replace

import pytest

from swarm import wire
from swarm.adverts import short
from swarm.coding import code
from swarm.events import PieceReady
from swarm.merkle import tree
from swarm.outgo import CATCH_UP_AGAIN_S, JOIN_PIECES_MAX, SOURCE_REPAIR_SAVED_S, SOURCE_REPAIR_SHARE
from swarm.pieces import SealedPiece, signed_bytes
from swarm.settings import NodeSettings
from swarm.slots import GRACE_S, RECEIVER, RELAY
from swarm.units import LinkId, PeerId, Stripe
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
    stage.say(
        child, subscribe(colour), subscribe((colour + 3) % 6 if len(stage.member.outgo.nursery.colours) < 2 else 63)
    )
    accepted, rejected = answers(stage, child)
    above = (short(PeerId(actor(1).key)), short(PeerId(actor(50).key)))
    assert accepted == accept(colour, above)
    assert isinstance(rejected, wire.Reject)


def test_who_is_above_me_cannot_be_my_child() -> None:
    stage, parent, colour = relay()
    stage.say(parent, subscribe(colour, rank=RELAY))
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
    capacity = stage.member.outgo.nursery.capacity(Stripe(0))
    children = [stage.befriend(number) for number in range(1, 1 + capacity)]
    for child in children:
        stage.say(child, subscribe(0, rank=RECEIVER))
    newcomer = stage.befriend(99)
    for link in (*children, newcomer):
        stage.take_bytes(link)
    stage.say(newcomer, subscribe(0, rank=RELAY))
    assert answers(stage, newcomer) == [accept(0)]
    told = [(child, message) for child in children for message in answers(stage, child)]
    ((moved_child, moved),) = told
    assert isinstance(moved, wire.Moved)
    assert [hint.key for hint in moved.hints] == [actor(99).key]
    stage.publish(7)
    assert numbers(stage.take_blocks(moved_child)) == [7]
    stage.pass_time(GRACE_S + 0.2)
    stage.publish(8)
    assert stage.take_blocks(moved_child) == []


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
    stage.take_bytes(first), stage.take_bytes(second)
    stage.publish(7)
    to_first, to_second = stage.take_blocks(first), stage.take_blocks(second)
    assert [data[136] for data in to_first] == [0, 1]
    assert [data[136] for data in to_second] == [1]
    assert to_first[1] is to_second[0], "built once, forwarded as it is"


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
        stage.publish(number, key=number == 1)
    child = stage.befriend(1)
    stage.say(child, subscribe(2))
    assert numbers(stage.take_blocks(child)) == list(range(80 - JOIN_PIECES_MAX, 81))


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


def test_the_sources_repair_is_bounded_whoever_asks_how_often() -> None:
    stage = source()
    stage.publish(7)
    given = 0
    for number in range(1, 30):
        asker = stage.befriend(number)
        for _ in range(100):
            stage.say(asker, want(7, count=6))
        given += sum(map(len, stage.take_blocks(asker)))
    assert 0 < given <= SOURCE_REPAIR_SAVED_S * SOURCE_REPAIR_SHARE * 800_000 / 8
