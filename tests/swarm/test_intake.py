"""How a node finds, keeps and leaves parents: one node on a stage, the test plays its neighbours."""

from collections.abc import Iterable

import pytest

from swarm import wire
from swarm.adverts import short
from swarm.feeds import UNROOTED_PIECES
from swarm.intake import ADRIFT_PIECES, LEAVES_WAIT_PIECES
from swarm.settings import NodeSettings
from swarm.stripes import ANSWER_S, MUTE_DROP_S, OVERDUE_DROP_S, OVERDUE_LOOK_S, REST_S
from swarm.units import LinkId, PeerId, Stripe
from swarm.wire import Contact
from tests.swarm.stage import PIECE_S, TAG, Stage, accept, actor, advert, block, manifest, offer, piece

ALL = tuple(range(6))
LEAF = NodeSettings(download_only=True)


def offers(stripes: Iterable[int] = ALL, *, delay_ms: int = 50) -> wire.Advert:
    return advert(*(offer(stripe, delay_ms=delay_ms) for stripe in stripes))


def place(stripe: int, *, free: int) -> wire.Offer:
    """A near parent without room, where every child would make way, or a far one with room."""
    delay_ms = 400 if free else 10
    return wire.Offer(stripe=Stripe(stripe), delay_ms=delay_ms, free=free, lowest_rank=99, ancestors=())


def asked(stage: Stage, link: LinkId) -> list[wire.Subscribe]:
    return [message for message in stage.take(link) if isinstance(message, wire.Subscribe)]


def told_to_stop(stage: Stage, link: LinkId) -> list[int]:
    return [message.stripe for message in stage.take(link) if isinstance(message, wire.Unsubscribe)]


def parents(stage: Stage) -> dict[int, PeerId]:
    return {feed.stripe: feed.parent for feed in stage.member.feeds.by_stripe if feed.parent is not None}


def viewer(settings: NodeSettings = LEAF, k: int = 4, n: int = 6) -> tuple[Stage, LinkId]:
    """A node and its first neighbour, who has the manifest and offers every stripe."""
    stage = Stage(settings=settings)
    stage.watch()
    link = stage.befriend(1, manifest(k=k, n=n), offers(range(n)))
    stage.pass_time(0.2)
    return stage, link


def fed_viewer() -> tuple[Stage, LinkId]:
    """Fed by its first neighbour, who has sent one piece."""
    stage, link = viewer()
    for request in asked(stage, link):
        stage.say(link, accept(request.stripe))
    deliver(stage, link, 7)
    stage.take_bytes(link)
    return stage, link


def deliver(stage: Stage, link: LinkId, number: int, without: Iterable[int] = ()) -> None:
    """The neighbour sends its blocks of one piece, on the stripes on which it is the parent."""
    peer = stage.node.connections.links[link].peer
    assert peer is not None
    sealed = piece(number)
    for stripe, parent in parents(stage).items():
        if parent == peer.key and stripe not in without:
            stage.receive(link, block(sealed, stripe))


@pytest.mark.parametrize(("k", "n", "count"), [(4, 6, 5), (6, 6, 6), (1, 1, 1), (1, 8, 2), (5, 6, 6)])
def test_as_many_stripes_are_asked_for_as_rebuild_and_one_spare(k: int, n: int, count: int) -> None:
    stage, link = viewer(k=k, n=n)
    stripes = [request.stripe for request in asked(stage, link)]
    assert len(stripes) == len(set(stripes)) == count


def test_a_newcomer_asks_for_all_since_the_key_frame() -> None:
    stage, link = viewer()
    assert {request.since for request in asked(stage, link)} == {0}
    assert stage.member.outgo.nursery.colours == ()


def test_a_relay_asks_for_its_colours_among_the_first() -> None:
    stage, link = viewer(NodeSettings())
    colours = stage.member.outgo.nursery.colours
    assert colours
    assert set(colours) <= {request.stripe for request in asked(stage, link)}


def test_a_leaf_drives_nobody_out_while_there_is_room_elsewhere() -> None:
    stage = Stage(settings=LEAF)
    stage.watch()
    full = stage.befriend(1, advert(*(place(stripe, free=0) for stripe in ALL)))
    roomy = stage.befriend(2, advert(*(place(stripe, free=3) for stripe in ALL)))
    stage.say(roomy, manifest())
    stage.pass_time(0.2)
    assert len(asked(stage, roomy)) == 5
    assert not asked(stage, full)


def test_what_nobody_can_give_is_lacking() -> None:
    stage = Stage(settings=LEAF)
    stage.watch()
    stage.befriend(1, manifest(), offers(range(3)))
    stage.pass_time(0.2)
    assert stage.member.intake.lacking & 0b111000


def test_a_parent_that_says_it_is_fed_and_sends_nothing_is_demoted() -> None:
    stage, link = viewer()
    other = stage.befriend(2, offers())
    mute, *rest = asked(stage, link)
    stage.say(link, accept(mute.stripe))
    for request in rest:
        stage.say(link, wire.Reject(tag=TAG, stripe=request.stripe, hints=()))
    for number in range(7, 16):
        stage.receive(other, block(piece(number), (mute.stripe + 1) % 6))
        stage.say(link, offers())
        stage.pass_time(0.2)
    circle = stage.member.circle
    assert circle.standing.is_demoted(PeerId(actor(1).key), stage.now)
    assert not circle.standing.is_demoted(PeerId(actor(2).key), stage.now)


def test_a_source_that_sends_nothing_is_no_free_rider() -> None:
    """All that it may spend at once is spent on catching others up: what is new it sends."""
    stage, link = viewer()
    other = stage.befriend(2, offers())
    peer = stage.node.connections.links[link].peer
    assert peer is not None
    stage.member.circle.mates[peer.key].is_source = True
    mute, *_ = asked(stage, link)
    stage.say(link, accept(mute.stripe))
    for number in range(7, 16):
        stage.receive(other, block(piece(number), (mute.stripe + 1) % 6))
        stage.say(link, offers())
        stage.pass_time(0.2)
    assert not stage.member.circle.standing.is_demoted(peer.key, stage.now)
    stage.pass_time(5.0)
    assert mute.stripe in {request.stripe for request in asked(stage, link)}


def test_what_is_not_needed_to_rebuild_is_asked_for_as_a_spare() -> None:
    stage = Stage(settings=LEAF)
    stage.watch()
    link = stage.befriend(1, manifest(), offers(range(4)))
    stage.pass_time(0.2)
    for request in asked(stage, link):
        stage.say(link, accept(request.stripe))
    stage.say(link, offers())
    stage.pass_time(0.2)
    (spare,) = asked(stage, link)
    assert spare.spare


def test_acceptance_makes_a_parent() -> None:
    stage, link = viewer()
    first, *_ = asked(stage, link)
    stage.say(link, accept(first.stripe, (short(PeerId(actor(9).key)),)))
    assert parents(stage) == {first.stripe: actor(1).key}
    assert stage.member.feeds.ancestors(first.stripe) == (short(PeerId(actor(1).key)), short(PeerId(actor(9).key)))


def test_an_acceptance_that_nobody_asked_for_is_turned_down() -> None:
    stage, _ = viewer()
    pusher = stage.befriend(2)
    stage.take_bytes(pusher)
    for stripe in ALL:
        stage.say(pusher, accept(stripe))
    assert parents(stage) == {}
    assert told_to_stop(stage, pusher) == list(ALL)


def test_an_acceptance_of_a_stripe_that_does_not_exist_is_turned_down() -> None:
    stage, link = viewer()
    stage.take_bytes(link)
    stage.say(link, accept(63))
    assert told_to_stop(stage, link) == [63]


def test_an_answer_out_of_time_is_still_taken_while_there_is_no_parent() -> None:
    stage, link = viewer()
    first, *_ = asked(stage, link)
    stage.pass_time(ANSWER_S[1] + 0.3)
    stage.say(link, accept(first.stripe))
    assert first.stripe in parents(stage)


def test_a_parent_below_me_is_refused() -> None:
    stage, link = viewer()
    first, *_ = asked(stage, link)
    stage.say(link, accept(first.stripe, (short(stage.node.key),)))
    assert parents(stage) == {}
    assert told_to_stop(stage, link) == [first.stripe]


def test_a_loop_that_a_parents_advert_tells_of_is_left_at_once() -> None:
    stage, link = fed_viewer()
    looped = next(iter(parents(stage)))
    stage.say(link, advert(offer(looped, ancestors=(short(stage.node.key),))))
    assert looped not in parents(stage)
    assert told_to_stop(stage, link) == [looped]


def test_who_refuses_is_not_asked_again_for_a_while() -> None:
    stage, link = viewer()
    first, *_ = asked(stage, link)
    stage.say(link, wire.Reject(tag=TAG, stripe=first.stripe, hints=()))
    for _ in range(4):
        stage.pass_time(0.5)
        stage.say(link, offers())
    assert first.stripe not in [request.stripe for request in asked(stage, link)]
    stage.pass_time(REST_S[0] - 1.5)
    stage.say(link, offers())
    stage.pass_time(0.2)
    assert first.stripe in [request.stripe for request in asked(stage, link)]


def test_the_hint_of_who_refuses_is_dialled() -> None:
    stage, link = viewer()
    first, *_ = asked(stage, link)
    elsewhere = Contact(PeerId(actor(5).key), stage.node.connections.links[link].info.address._replace(port=5))
    stage.say(link, wire.Reject(tag=TAG, stripe=first.stripe, hints=(elsewhere,)))
    stage.pass_time(0.3)
    assert [(dial.address, dial.peer) for dial in stage.dials] == [(elsewhere.address, elsewhere.key)]


def test_the_silent_are_given_up_and_others_asked() -> None:
    stage, link = viewer()
    stripes = {request.stripe for request in asked(stage, link)}
    second = stage.befriend(2, offers())
    stage.pass_time(ANSWER_S[1] + 0.3)
    assert {request.stripe for request in asked(stage, second)} >= stripes


def test_a_parent_whose_link_is_down_is_replaced() -> None:
    stage, link = fed_viewer()
    second = stage.befriend(2, offers())
    before = set(parents(stage))
    stage.take_bytes(second)
    stage.lose(link)
    assert parents(stage) == {}
    stage.pass_time(0.2)
    assert {request.stripe for request in asked(stage, second)} >= before


def test_who_was_asked_and_is_gone_is_waited_for_no_more() -> None:
    stage, link = viewer()
    stage.lose(link)
    assert all(feed.asked is None for feed in stage.member.feeds.by_stripe)


def test_a_parent_that_needs_the_place_feeds_until_another_accepts() -> None:
    stage, link = fed_viewer()
    second = stage.befriend(2, offers())
    stripe = Stripe(next(iter(parents(stage))))
    stage.take_bytes(second)
    stage.say(link, wire.Moved(tag=TAG, stripe=stripe, hints=()))
    stage.pass_time(0.2)
    assert parents(stage)[stripe] == actor(1).key
    assert [request.stripe for request in asked(stage, second)] == [stripe]
    stage.take_bytes(link)
    stage.say(second, accept(stripe))
    assert parents(stage)[stripe] == actor(2).key
    assert told_to_stop(stage, link) == [stripe]


def test_a_move_that_is_not_the_parents_to_order_changes_nothing() -> None:
    stage, _ = fed_viewer()
    liar = stage.befriend(2, offers())
    stage.say(liar, *(wire.Moved(tag=TAG, stripe=Stripe(stripe), hints=()) for stripe in range(64)))
    assert not any(feed.leaving for feed in stage.member.feeds.by_stripe)


def test_the_parents_of_who_says_good_bye_are_dialled() -> None:
    stage, link = fed_viewer()
    above = Contact(PeerId(actor(5).key), stage.node.connections.links[link].info.address._replace(port=5))
    stripe = Stripe(next(iter(parents(stage))))
    stage.say(link, wire.Bye(tag=TAG, parents=((stripe, above),)))
    stage.pass_time(1.0)
    assert [dial.address for dial in stage.dials] == [above.address]
    assert parents(stage) == {}


def test_a_mute_parent_is_dropped_when_others_deliver() -> None:
    stage, link = fed_viewer()
    mute = next(iter(parents(stage)))
    stage.member.feeds.by_stripe[mute].renew(stage.now)
    for number in range(8, 8 + round((MUTE_DROP_S + 0.4) / 0.2)):
        deliver(stage, link, number, without=[mute])
        stage.pass_time(0.2)
    assert mute not in parents(stage)
    assert mute in told_to_stop(stage, link)


def test_an_overdue_parent_gets_a_rival_first_and_is_dropped_then() -> None:
    stage, link = fed_viewer()
    second = stage.befriend(2)
    late = next(iter(parents(stage)))
    number = 8

    def go_on(seconds: float) -> None:
        nonlocal number
        for _ in range(round(seconds / 0.2)):
            deliver(stage, link, number, without=[late])
            stage.say(second, offers())
            number += 1
            stage.pass_time(0.2)

    go_on(OVERDUE_LOOK_S[1] + 0.4)
    assert late in parents(stage)
    assert late in [request.stripe for request in asked(stage, second)]
    go_on(OVERDUE_DROP_S)
    assert late not in parents(stage)


def test_a_source_that_pauses_makes_nobody_overdue() -> None:
    stage, link = fed_viewer()
    before = parents(stage)
    for _ in range(40):
        stage.say(link, offers())
        stage.pass_time(0.5)
    assert parents(stage) == before
    assert told_to_stop(stage, link) == []


def test_a_parent_far_slower_than_another_is_replaced() -> None:
    stage, _ = fed_viewer()
    slow = next(iter(parents(stage)))
    feeds = stage.member.feeds.by_stripe
    for stripe in parents(stage):
        feeds[stripe].delay_s = 0.3
    feeds[slow].delay_s = 2.0
    second = stage.befriend(2)
    for _ in range(10):
        stage.say(second, offers())
        stage.pass_time(0.5)
    assert slow in [request.stripe for request in asked(stage, second)]


def test_the_missing_pieces_are_asked_for_when_a_parent_is_replaced() -> None:
    stage, link = fed_viewer()
    for number in (8, 9, 11):
        deliver(stage, link, number)
    second = stage.befriend(2, offers())
    stage.take_bytes(second)
    stage.lose(link)
    stage.pass_time(0.2)
    assert {request.since for request in asked(stage, second)} == {10}


def test_a_new_coding_lays_all_stripes_anew() -> None:
    stage, link = fed_viewer()
    before = parents(stage)
    stage.say(link, manifest(epoch=2, k=2, n=3))
    assert sorted(told_to_stop(stage, link)) == sorted(before)
    stage.say(link, offers(range(3)))
    stage.pass_time(0.2)
    assert len(asked(stage, link)) == 3


def test_a_new_epoch_of_the_same_coding_keeps_the_parents() -> None:
    stage, link = fed_viewer()
    before = parents(stage)
    stage.say(link, manifest(epoch=2))
    sealed = piece(3, epoch=2)
    for stripe in before:
        stage.receive(link, block(sealed, stripe))
    for _ in range(10):
        stage.say(link, offers())
        stage.pass_time(0.5)
    assert parents(stage) == before


def test_after_an_epoch_with_lower_numbers_a_parent_can_be_overdue_again() -> None:
    stage, link = fed_viewer()
    late = next(iter(parents(stage)))
    stage.say(link, manifest(epoch=2))
    for number in range(1, 25):
        sealed = piece(number, epoch=2)
        for stripe in parents(stage):
            if stripe != late or number == 1:
                stage.receive(link, block(sealed, stripe))
        stage.pass_time(0.2)
    assert late not in parents(stage)


def test_old_blocks_sent_again_do_not_hide_that_nothing_new_comes() -> None:
    stage, link = fed_viewer()
    seen_s = stage.member.feeds.last_block_s
    stage.pass_time(1.0)
    stage.receive(link, block(piece(7), next(iter(parents(stage)))))
    assert stage.member.feeds.last_block_s == seen_s


SOURCE = PeerId(actor(50).key)
ROOTED = (short(PeerId(actor(51).key)), short(SOURCE))
CUT = (short(PeerId(actor(51).key)),)


def chained(ancestors: tuple[bytes, ...], *, delay_ms: int = 50) -> wire.Advert:
    return advert(*(offer(stripe, ancestors=ancestors, delay_ms=delay_ms) for stripe in ALL))


def viewer_of_a_source(settings: NodeSettings = LEAF) -> tuple[Stage, LinkId]:
    """Fed by its first neighbour, to whom everything comes from the source."""
    stage = Stage(settings=settings)
    stage.watch()
    link = stage.befriend(1, manifest(sources=(SOURCE,)), chained(ROOTED))
    stage.pass_time(0.2)
    for request in asked(stage, link):
        stage.say(link, accept(request.stripe, ROOTED))
    deliver(stage, link, 7)
    stage.take_bytes(link)
    return stage, link


@pytest.mark.parametrize(("above", "expected"), [(ROOTED, False), (CUT, True)])
def test_below_a_cut_another_parent_is_looked_for(above: tuple[bytes, ...], expected: bool) -> None:
    stage, link = viewer_of_a_source()
    second = stage.befriend(2, chained(ROOTED, delay_ms=300))
    for _ in range(4):
        for stripe in parents(stage):
            stage.member.feeds.by_stripe[stripe].delay_s = 0.1
        stage.say(link, chained(above))
        stage.pass_time(UNROOTED_PIECES[1] * PIECE_S / 3)
    assert bool(asked(stage, second)) is expected


def test_who_is_cut_off_too_is_no_way_out() -> None:
    stage, link = viewer_of_a_source()
    second = stage.befriend(2, chained(CUT))
    for _ in range(4):
        stage.say(link, chained(CUT))
        stage.pass_time(UNROOTED_PIECES[1] * PIECE_S / 3)
    assert asked(stage, second) == []


def test_a_source_that_the_manifest_names_no_more_is_left_for_the_new_one() -> None:
    stage = Stage(settings=LEAF)
    stage.watch()
    former = stage.befriend(50, manifest(sources=(SOURCE,)), offers())
    stage.pass_time(0.2)
    for request in asked(stage, former):
        stage.say(former, accept(request.stripe))
    deliver(stage, former, 7)
    coming = stage.befriend(52, offers())
    stage.say(coming, manifest(epoch=2, sources=(PeerId(actor(52).key),)))
    stage.pass_time(0.2)
    assert {request.stripe for request in asked(stage, coming)} == set(parents(stage))


@pytest.mark.parametrize(("settings", "waits"), [(LEAF, True), (NodeSettings(), False)])
def test_when_all_are_cut_off_those_who_relay_turn_to_the_source_first(settings: NodeSettings, waits: bool) -> None:
    stage, link = viewer_of_a_source(settings)
    source = stage.befriend(50, offers(delay_ms=0))
    stage.pass_time(ADRIFT_PIECES * PIECE_S + 0.05)
    stage.take_bytes(source)
    stage.lose(link)
    stage.pass_time(0.3)
    assert bool(asked(stage, source)) is not waits
    stage.pass_time(LEAVES_WAIT_PIECES * PIECE_S)
    assert bool(asked(stage, source)) or not waits
