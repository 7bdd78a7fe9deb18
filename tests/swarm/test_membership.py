"""One swarm as a node lives in it: manifests, meeting, leaving, dialling."""

from swarm import wire
from swarm.colours import COLOURS_MAX
from swarm.events import ManifestReady, Unreachable
from swarm.herald import MANIFEST_AGAIN_S
from swarm.membership import BYE_LINGER_S
from swarm.settings import NodeSettings
from swarm.units import Address, LinkId, PeerId, Stripe
from swarm.wire import Contact
from tests.swarm.stage import (
    INTEREST,
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

HOME = Address("10.1.1.1", 4000)


def manifests(stage: Stage, link: LinkId) -> list[wire.ManifestMessage]:
    return [message for message in stage.take(link) if isinstance(message, wire.ManifestMessage)]


def epochs(stage: Stage) -> list[tuple[int, int]]:
    return [(n.manifest.epoch, n.manifest.revision) for n in stage.news if isinstance(n, ManifestReady)]


def interest(epoch: int, revision: int) -> wire.Interest:
    return wire.Interest(tag=TAG, epoch=epoch, revision=revision)


# -- manifests


def test_who_has_an_older_manifest_is_sent_the_newer_one_as_it_came() -> None:
    stage = Stage()
    stage.watch()
    stage.befriend(1, manifest(epoch=3, revision=2))
    link = stage.meet(actor(2))
    stage.say(link, interest(3, 1))
    assert manifests(stage, link) == [manifest(epoch=3, revision=2)]


def test_who_has_the_same_or_a_newer_one_is_not() -> None:
    stage = Stage()
    stage.watch()
    stage.befriend(1, manifest(epoch=3, revision=2))
    for number, version in ((2, (3, 2)), (3, (4, 0))):
        link = stage.meet(actor(number))
        stage.say(link, interest(*version))
        assert manifests(stage, link) == []


def test_a_new_manifest_goes_to_all_but_who_sent_it() -> None:
    stage = Stage()
    stage.watch()
    sender, other = stage.befriend(1), stage.befriend(2)
    stage.say(sender, manifest())
    assert manifests(stage, other) == [manifest()]
    assert manifests(stage, sender) == []


def test_asking_for_the_manifest_again_and_again_brings_one_a_second() -> None:
    stage = Stage()
    stage.go_on_air()
    link = stage.meet(actor(1))
    for _ in range(100):
        stage.say(link, INTEREST)
    assert len(manifests(stage, link)) == 1
    stage.pass_time(3 * MANIFEST_AGAIN_S)
    assert len(manifests(stage, link)) == 1


def test_who_leaves_and_comes_back_at_once_is_told_again_that_i_am_here() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1)
    stage.take(link)
    stage.say(link, INTEREST)
    assert INTEREST not in stage.take(link), "it knows that already"
    stage.say(link, wire.Bye(tag=TAG, parents=()), INTEREST)
    assert INTEREST in stage.take(link)


def test_who_comes_back_on_the_same_link_gets_the_manifest_after_all() -> None:
    stage = Stage()
    stage.go_on_air()
    link = stage.befriend(1)
    assert len(manifests(stage, link)) == 1
    stage.say(link, wire.Bye(tag=TAG, parents=()), INTEREST)
    stage.pass_time(MANIFEST_AGAIN_S + 0.6)
    assert len(manifests(stage, link)) == 1


def test_only_newer_manifests_are_news() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1)
    for epoch, revision in ((2, 1), (2, 1), (1, 9), (2, 3), (2, 2), (3, 1)):
        stage.say(link, manifest(epoch=epoch, revision=revision))
    assert epochs(stage) == [(2, 1), (2, 3), (3, 1)]


def test_a_forged_manifest_bans() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1)
    good = manifest()
    stage.say(link, wire.ManifestMessage(tag=TAG, data=good.data[:-1] + bytes([good.data[-1] ^ 1])))
    assert link in stage.closed
    assert epochs(stage) == []
    assert stage.meet(actor(1)) in stage.closed


def test_a_manifest_without_our_rendition_is_left_alone_and_its_bringer_too() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1, manifest())
    stage.say(link, manifest(epoch=2, number=5))
    assert link not in stage.closed
    assert epochs(stage) == [(1, 1)]


def test_a_source_takes_no_manifest_of_its_stream_from_others() -> None:
    stage = Stage()
    stage.go_on_air(epoch=2)
    stage.befriend(1, manifest(epoch=9))
    stage.publish(7)
    assert stage.member.circle.manifest_version == (2, 1)


def test_describing_a_broadcast_anew_is_a_new_revision_and_a_restart_a_new_epoch() -> None:
    stage = Stage()
    stage.go_on_air(epoch=4)
    stage.go_on_air(epoch=4)
    stage.go_on_air(epoch=5)
    assert epochs(stage) == [(4, 1), (4, 2), (5, 1)]


def test_a_source_can_change_its_coding_on_air() -> None:
    stage = Stage()
    stage.go_on_air(k=4, n=6)
    child = stage.befriend(1)
    stage.say(child, subscribe(5))
    stage.publish(7)
    stage.go_on_air(epoch=2, k=1, n=1)
    stage.publish(8)
    stage.say(child, subscribe(0), subscribe(5))
    blocks = stage.take_blocks(child)
    assert [data[136] for data in blocks] == [5, 0]


# -- meeting and leaving


def test_interest_is_answered_with_interest_once() -> None:
    stage = Stage()
    stage.watch()
    link = stage.meet(actor(1))
    stage.take(link)
    for _ in range(5):
        stage.say(link, INTEREST)
    said = [message for message in stage.take(link) if isinstance(message, wire.Interest)]
    assert said == [INTEREST]


def test_who_says_good_bye_is_a_mate_no_longer() -> None:
    stage = Stage()
    stage.go_on_air()
    link = stage.befriend(1)
    stage.say(link, subscribe(0), wire.Bye(tag=TAG, parents=()))
    assert stage.member.outgo.nursery.used == 0
    stage.pass_time(BYE_LINGER_S + 0.2)
    assert not stage.member.circle.mates


def test_children_learn_from_a_good_bye_who_fed_me() -> None:
    stage = Stage()
    stage.watch()
    parent = stage.befriend(1, manifest(), advert(*(offer(stripe) for stripe in range(6))))
    stage.pass_time(0.2)
    asked = [message.stripe for message in stage.take(parent) if isinstance(message, wire.Subscribe)]
    stage.say(parent, *(accept(stripe) for stripe in asked))
    other = stage.befriend(2)
    stage.node.leave(STREAM, stage.now)
    stage.drain()
    (bye,) = [message for message in stage.take(other) if isinstance(message, wire.Bye)]
    assert {(stripe, contact.key) for stripe, contact in bye.parents} == {(s, actor(1).key) for s in asked}


def test_bytes_of_mates_that_are_gone_still_count() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1, manifest())
    stage.receive(link, block(piece(7), 0))
    before = stage.node.status(STREAM)
    stage.lose(link)
    after = stage.node.status(STREAM)
    assert before is not None
    assert after is not None
    assert 0 < before.bytes_in == after.bytes_in
    assert 0 < before.bytes_out == after.bytes_out


def test_a_peer_that_dialled_before_the_node_joined_is_greeted_once_it_is_named() -> None:
    stage = Stage()
    early = stage.meet(actor(1), HOME)
    stage.watch()
    stage.take(early)
    stage.befriend(2, wire.Peers(tag=TAG, contacts=(Contact(PeerId(actor(1).key), HOME),)))
    stage.pass_time(2.0)
    assert [message for message in stage.take(early) if isinstance(message, wire.Interest)] == [INTEREST]
    assert stage.dials == []


# -- colours


def test_colours_are_few_and_grow_by_adopting_what_nobody_relays() -> None:
    stage = Stage()
    stage.watch()
    every = [offer(stripe) for stripe in range(6)]
    link = stage.befriend(1, advert(*every), manifest(sources=(PeerId(actor(1).key),)))
    first = stage.member.outgo.nursery.colours
    for _ in range(60):
        asked = [message.stripe for message in stage.take(link) if isinstance(message, wire.Subscribe)]
        stage.say(link, *map(accept, asked), advert(*every))
        stage.pass_time(0.5)
    colours = stage.member.outgo.nursery.colours
    assert set(first) <= set(colours)
    assert len(first) < len(colours) == COLOURS_MAX


def test_an_uplink_too_small_for_a_stripe_relays_nothing() -> None:
    stage = Stage(settings=NodeSettings(upload_cap_bps=1000.0))
    stage.watch()
    stage.befriend(1, manifest())
    stage.pass_time(2.0)
    assert stage.member.outgo.nursery.colours == ()


def test_one_stripe_alone_is_a_swarm_too() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1, manifest(k=1, n=1), advert(offer(0)))
    stage.pass_time(1.0)
    assert [m.stripe for m in stage.take(link) if isinstance(m, wire.Subscribe)] == [Stripe(0)]
    stage.say(link, accept(0))
    stage.receive(link, block(piece(7, k=1, n=1), 0))
    assert stage.node.status(STREAM) is not None


# -- dialling


def test_the_addresses_of_the_link_are_dialled_at_once() -> None:
    stage = Stage()
    stage.watch(HOME)
    assert [(dial.address, dial.peer) for dial in stage.dials] == [(HOME, None)]


def test_who_is_named_is_dialled_with_its_key_pinned_and_oneself_never() -> None:
    stage = Stage()
    stage.watch()
    me, other = Contact(stage.node.key, HOME), Contact(PeerId(actor(5).key), HOME._replace(port=5))
    stage.befriend(1, wire.Peers(tag=TAG, contacts=(me, other)))
    stage.pass_time(0.3)
    assert [(dial.address, dial.peer) for dial in stage.dials] == [(other.address, other.key)]


def test_with_neighbours_enough_nobody_is_dialled() -> None:
    stage = Stage(settings=NodeSettings(neighbours=2))
    stage.watch()
    stage.befriend(1)
    contacts = tuple(Contact(PeerId(actor(n).key), HOME._replace(port=n)) for n in range(10, 30))
    stage.befriend(2, wire.Peers(tag=TAG, contacts=contacts))
    stage.pass_time(2.0)
    assert stage.dials == []


def test_when_nobody_answers_the_user_is_told_now_and_then() -> None:
    stage = Stage()
    stage.watch(HOME)
    for _ in range(20):
        stage.node.dial_failed(HOME, stage.now)
        stage.pass_time(1.0)
    told = [news for news in stage.news if isinstance(news, Unreachable)]
    assert 2 <= len(told) <= 4
    assert told[0] == Unreachable(stream=STREAM, tried=1)


def test_a_peer_that_has_nothing_of_the_stream_counts_as_tried_in_vain() -> None:
    stage = Stage()
    stage.watch(HOME)
    link, _ = stage.link(dialled=PeerId(actor(1).key), address=HOME)
    stage.say(link, stage.welcome(actor(1)))
    stage.pass_time(20.0)
    assert link in stage.closed
    assert [news for news in stage.news if isinstance(news, Unreachable)]
    assert len(stage.dials) > 1, "it may be on air later"


def test_a_peer_that_left_is_dialled_again_after_a_pause() -> None:
    stage = Stage()
    stage.watch(HOME)
    link, _ = stage.link(dialled=PeerId(actor(1).key), address=HOME)
    stage.say(link, stage.welcome(actor(1)), INTEREST)
    stage.lose(link)
    assert len(stage.dials) == 1
    stage.pass_time(1.0)
    assert len(stage.dials) == 2
