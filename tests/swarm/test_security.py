"""What an attacker can do at most: the rows of docs/security.md that no single module's tests cover."""

from dataclasses import replace
from random import Random

import pytest

from swarm import wire
from swarm.bans import BAN_S
from swarm.door import CROWD_SHARE
from swarm.errors import LocalError
from swarm.events import Equivocation, PieceReady
from swarm.evidence import check_evidence
from swarm.join import DIALS_BROUGHT
from swarm.limits import CATCH_UP_SAVED_S, CATCH_UP_SHARE, GROSS, RATES, REPAIR_SAVED_S
from swarm.membership import TICK_SOON_S
from swarm.settings import NodeSettings
from swarm.standing import DEMOTION_S
from swarm.units import Address, LinkId, PeerId
from swarm.window import EVIDENCE_MAX
from tests.swarm.stage import (
    INTEREST,
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
    rendition,
    subscribe,
)

HOME = Address("10.1.1.1", 4000)
BITRATE_BPS = rendition().bitrate_bps
FILL = bytes(BITRATE_BPS // 8 // 5)
"""A piece of the full announced size."""


def key(number: int) -> PeerId:
    return PeerId(actor(number).key)


def on_air(pieces: int) -> Stage:
    """A source that has published so many whole pieces."""
    stage = Stage()
    stage.go_on_air()
    for number in range(1, pieces + 1):
        stage.node.publish(
            STREAM, 0, FILL, number=number, key=number == 1, capture_us=0, duration_us=200_000, now=stage.now
        )
    stage.drain()
    return stage


def size(blocks: list[bytes]) -> int:
    return sum(map(len, blocks))


# -- floods


@pytest.mark.parametrize(
    "message",
    [advert(offer(0)), INTEREST, subscribe(0), wire.Peers(tag=TAG, contacts=()), wire.Ping(sent_us=1), manifest()],
    ids=lambda message: type(message).__name__,
)
def test_a_flood_of_messages_is_dropped_then_ends_the_link_and_bans_nobody(message: wire.Message) -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1)
    kind = wire.encode(message)[0]
    for _ in range(int(RATES[kind].burst * (GROSS - 1))):
        stage.say(link, message)
    assert link not in stage.closed
    assert stage.node.excess[RATES[kind].name] > RATES[kind].burst
    for _ in range(int(RATES[kind].burst * 2)):
        stage.say(link, message)
    assert "too many messages" in stage.closed[link]
    assert stage.node.faults == {"Flooding": 1}
    assert stage.meet(actor(1)) not in stage.closed


def test_what_a_flooder_sends_does_not_use_up_what_others_may_send() -> None:
    stage = Stage()
    flooder, honest = stage.meet(actor(1)), stage.meet(actor(2))
    stage.say(flooder, *[wire.Ping(sent_us=1)] * 100)
    stage.take(honest)
    stage.say(honest, wire.Ping(sent_us=2))
    assert len(stage.take(honest)) == 1


def test_a_flood_of_adverts_forces_few_ticks() -> None:
    stage = Stage()
    stage.watch()
    links = [stage.befriend(number, manifest()) for number in range(1, 21)]
    stage.pass_time(1.0)
    ticks = set()
    for step in range(300):
        stage.say(links[step % len(links)], advert(offer(0)))
        stage.pass_time(0.002)
        ticks.add(stage.member._ticked_s)
    assert not stage.node.excess
    assert len(ticks) <= 0.6 / TICK_SOON_S + 2


def test_an_honest_relay_in_trouble_is_far_from_any_limit() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1, manifest())
    for second in range(30):
        for _ in range(4):
            stage.say(link, advert(offer(0), newest=second))
        for number in range(80):
            stage.say(link, wire.Want(tag=TAG, number=number, held=0, count=2), wire.Sorry(tag=TAG, number=number))
        for stripe in range(16):
            stage.say(link, subscribe(stripe), wire.Reject(tag=TAG, stripe=subscribe(stripe).stripe, hints=()))
        stage.say(link, wire.Ping(sent_us=1), wire.Peers(tag=TAG, contacts=()))
        stage.pass_time(1.0 if second % 2 else 1.5)
    assert stage.node.excess.keys() <= {"peers"}
    assert link not in stage.closed


# -- bytes on request


def test_wants_bring_a_mate_no_more_than_the_stream_itself_would() -> None:
    stage = Stage(settings=NodeSettings(uplink_guess_bps=1e9))
    stage.watch()
    feeder = stage.befriend(1, manifest())
    for number in range(1, 41):
        sealed = piece(number, payload=FILL)
        stage.receive(feeder, *(block(sealed, index) for index in range(6)))
    stage.pass_time(1.0)
    greedy = stage.befriend(2)
    given, seconds = 0, 20
    for step in range(seconds * 50):
        stage.say(greedy, wire.Want(tag=TAG, number=step % 40 + 1, held=0, count=6))
        given += size(stage.take_blocks(greedy))
        stage.pass_time(0.02)
    assert greedy not in stage.closed
    assert 0 < given <= (REPAIR_SAVED_S + seconds + 1) * stage.member.circle.bitrate_bps / 8


def test_coming_and_going_brings_a_mate_one_catch_up_and_then_little() -> None:
    stage = on_air(40)
    flapping = stage.befriend(1)
    given, seconds = 0, 60
    for _ in range(seconds):
        for stripe in range(6):
            stage.say(flapping, subscribe(stripe), wire.Unsubscribe(tag=TAG, stripe=subscribe(stripe).stripe))
        given += size(stage.take_blocks(flapping))
        stage.pass_time(1.0)
    bitrate = stage.member.circle.bitrate_bps
    whole = 40 * len(FILL) * 6 / 4
    assert given >= whole, "one catch-up is everybody's"
    assert given <= (CATCH_UP_SAVED_S + CATCH_UP_SHARE * seconds + 3) * bitrate / 8
    assert given <= whole + CATCH_UP_SHARE * seconds * bitrate / 8 * 1.5


# -- addresses and links


def test_a_neighbour_cannot_steer_our_dials_to_a_victim() -> None:
    stage = Stage()
    stage.watch()
    liars = [stage.befriend(number) for number in range(1, 11)]
    for second in range(30):
        for link in liars:
            contacts = tuple(
                wire.Contact(PeerId(bytes([link, second, n]) * 10 + b"xx"), Address(f"8.8.8.{n + link}", 1000 + second))
                for n in range(1, 33)
            )
            stage.say(link, wire.Peers(tag=TAG, contacts=contacts))
        for dial in stage.dials[-8:]:
            stage.node.dial_failed(dial.address, stage.now)
        stage.pass_time(1.0)
    assert 0 < len(stage.dials) <= 16


def test_one_neighbour_fills_neither_the_book_nor_the_dials() -> None:
    stage = Stage()
    stage.watch(HOME)
    liar, honest = stage.befriend(1), stage.befriend(2)
    seconds = 20
    for second in range(seconds):
        contacts = tuple(
            wire.Contact(PeerId(bytes([second, n]) * 16), Address(f"{n + 20}.{second}.1.1", 4000)) for n in range(32)
        )
        stage.say(liar, wire.Peers(tag=TAG, contacts=contacts))
        for dial in stage.dials:
            stage.node.dial_failed(dial.address, stage.now)
        stage.pass_time(1.0)
    rate, burst = DIALS_BROUGHT
    assert len([dial for dial in stage.dials if dial.address != HOME]) <= burst + rate * seconds + 8
    true = wire.Contact(key(30), Address("10.7.7.7", 4000))
    stage.say(honest, wire.Peers(tag=TAG, contacts=(true,)))
    assert true.address in stage.member.book.prospects


def sybils(stage: Stage, count: int) -> list[LinkId]:
    """Mates from one address prefix that do nothing."""
    links = []
    for number in range(1, count + 1):
        links.append(stage.meet(actor(1000 + number), Address(f"8.8.8.{number}", 4000)))
        stage.say(links[-1], INTEREST)
    return links


def test_sybils_of_one_prefix_get_a_share_of_the_links_only() -> None:
    stage = Stage(settings=NodeSettings(links_max=64))
    stage.watch()
    held = [link for link in sybils(stage, 64) if link not in stage.closed]
    assert len(held) == 64 // CROWD_SHARE


def test_sybils_of_a_few_prefixes_cannot_lock_others_out() -> None:
    stage = Stage(settings=NodeSettings(links_max=16))
    stage.watch()
    held = []
    for prefix in range(4):
        for host in range(4):
            held.append(stage.meet(actor(100 * prefix + host + 1000), Address(f"8.8.{prefix}.{host}", 4000)))
            stage.say(held[-1], INTEREST)
            stage.pass_time(0.1)
    assert not stage.closed
    stage.pass_time(6.0)
    honest = [stage.meet(actor(number), Address(f"9.{number}.1.1", 4000)) for number in range(1, 6)]
    assert not set(honest) & stage.closed.keys()
    assert len(stage.node.connections.links) == 16


def test_parents_children_and_dialled_links_never_make_way() -> None:
    stage = Stage(settings=NodeSettings(links_max=8, uplink_guess_bps=50e6))
    stage.watch()
    everything = [offer(stripe) for stripe in range(6)]
    parent = stage.meet(actor(1), Address("8.8.8.1", 4000))
    stage.say(parent, INTEREST, manifest(), advert(*everything))
    stage.pass_time(0.3)
    asked = [message.stripe for message in stage.take(parent) if isinstance(message, wire.Subscribe)]
    stage.say(parent, *map(accept, asked))
    child = stage.meet(actor(2), Address("8.8.8.2", 4000))
    stage.say(child, INTEREST, *(subscribe(stripe) for stripe in range(6)))
    dialled, _ = stage.link(dialled=key(3), address=Address("8.8.9.3", 4000))
    stage.say(dialled, stage.welcome(actor(3)))
    stage.say(dialled, INTEREST)
    for round_ in range(30):
        stage.say(parent, advert(*everything))
        stage.say(child, advert())
        for host in range(8):
            link = stage.meet(actor(5000 + 10 * round_ + host), Address(f"7.{round_}.{host}.1", 4000))
            if link not in stage.closed:
                stage.say(link, INTEREST)
        stage.pass_time(1.0)
    assert not {parent, child, dialled} & stage.closed.keys()
    assert len(stage.node.connections.links) <= 8


def test_a_link_that_was_dialled_from_here_makes_way_for_nobody() -> None:
    stage = Stage(settings=NodeSettings(links_max=1))
    stage.watch()
    link, _ = stage.link(dialled=key(3), address=Address("8.8.9.3", 4000))
    stage.say(link, stage.welcome(actor(3)))
    stage.say(link, INTEREST)
    stage.pass_time(30.0)
    assert stage.meet(actor(4), Address("9.9.9.9", 4000)) in stage.closed
    assert link not in stage.closed


# -- claims


def test_only_the_manifest_makes_a_source() -> None:
    stage = Stage()
    stage.watch()
    stage.befriend(1, advert(offer(0)))
    stage.befriend(2)
    stage.befriend(3, manifest(sources=(key(2), key(9))), advert(offer(0)))
    status = stage.node.status(STREAM)
    assert status is not None
    assert {peer.key: peer.is_source for peer in status.peers} == {key(1): False, key(2): True, key(3): False}
    stage.befriend(9)
    status = stage.node.status(STREAM)
    assert status is not None
    assert {peer.key for peer in status.peers if peer.is_source} == {key(2), key(9)}
    stage.befriend(4, manifest(epoch=2, sources=(key(1),)))
    status = stage.node.status(STREAM)
    assert status is not None
    assert [peer.key for peer in status.peers if peer.is_source] == [key(1)]


def test_a_broadcaster_names_itself_and_whom_it_is_told_to() -> None:
    stage = Stage()
    stage.node.broadcast(OWNER, title="show", epoch=1, renditions=(rendition(),), now=stage.now, others=(key(5),))
    assert stage.member.circle.sources == (stage.node.key, key(5))


def test_who_was_found_out_is_served_last_for_a_minute_and_keeps_no_place() -> None:
    stage = Stage(settings=NodeSettings(source_multiple=1.4))
    stage.go_on_air()
    boaster = stage.befriend(1, advert(offer(0), slots=60), subscribe(0))
    nursery = stage.member.outgo.nursery
    (before,) = nursery._children[subscribe(0).stripe].values()
    stage.member.demote(key(1), stage.now + DEMOTION_S)
    (after,) = nursery._children[subscribe(0).stripe].values()
    assert before.key == after.key
    rank = after.rank
    stage.say(boaster, advert(offer(0), slots=60))
    (again,) = nursery._children[subscribe(0).stripe].values()
    assert again.rank == rank == 12, "its adverts do not help it"
    stage.lose(boaster)
    boaster = stage.befriend(1, advert(offer(0), slots=60), subscribe(0))
    (back,) = nursery._children[subscribe(0).stripe].values()
    assert back.rank == rank, "nor does a new link"
    for _ in range(int(DEMOTION_S) + 1):
        stage.pass_time(1.0)
        stage.say(boaster, advert(offer(0), slots=60))
    (in_the_end,) = nursery._children[subscribe(0).stripe].values()
    assert in_the_end.rank < rank


def test_nobody_is_banned_for_what_others_say() -> None:
    stage = Stage()
    stage.watch()
    victim = wire.Contact(key(7), Address("10.7.7.7", 4000))
    link = stage.befriend(1, manifest())
    stripe = subscribe(0).stripe
    stage.say(
        link,
        wire.Peers(tag=TAG, contacts=(victim,)),
        wire.Reject(tag=TAG, stripe=stripe, hints=(victim,)),
        wire.Moved(tag=TAG, stripe=stripe, hints=(victim,)),
        wire.Bye(tag=TAG, parents=((stripe, victim),)),
    )
    sealed = piece(7)
    forged = replace(sealed, header_bytes=sealed.header_bytes[:-1] + bytes([sealed.header_bytes[-1] ^ 1]))
    stage.receive(link, block(forged, 0))
    assert link in stage.closed
    assert stage.node.connections.bans == {key(1): stage.now + BAN_S}
    assert stage.meet(actor(7), victim.address) not in stage.closed


# -- replay


def test_old_blocks_are_dropped_before_anything_dear_is_done_and_prove_nothing() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1, manifest(epoch=3))
    for number in (200, 201):
        stage.receive(link, block(piece(number, epoch=3), 0))
    before = len(list(stage.member.circle.window.entries()))
    for number, epoch in ((7, 3), (201, 2), (9999, 3)):
        old = piece(number, epoch=epoch)
        broken = replace(old, header_bytes=old.header_bytes[:-1] + bytes([old.header_bytes[-1] ^ 1]))
        stage.receive(link, block(old, 0), block(broken, 1))
    assert link not in stage.closed
    assert not stage.node.faults
    assert len(list(stage.member.circle.window.entries())) == before


# -- equivocation


def told(stage: Stage) -> list[Equivocation]:
    return [news for news in stage.news if isinstance(news, Equivocation)]


def test_two_roots_for_one_piece_are_told_once_with_the_proof_and_the_first_is_kept() -> None:
    stage = Stage()
    stage.watch()
    ours, theirs = stage.befriend(1, manifest()), stage.befriend(2)
    first, second, third = (piece(7, payload=text) for text in (b"first", b"second", b"third"))
    stage.receive(ours, block(first, 0))
    for sealed in (second, second, third):
        for index in range(6):
            stage.receive(theirs, block(sealed, index))
    (news,) = told(stage)
    assert (news.stream, news.rendition, news.number) == (STREAM, 0, 7)
    assert news.headers == (first.header_bytes, second.header_bytes)
    assert check_evidence(STREAM, 0, news.headers)
    assert not stage.closed
    stage.receive(ours, *(block(first, index) for index in range(1, 6)))
    assert [news.payload for news in stage.news if isinstance(news, PieceReady)] == [b"first"]
    status = stage.node.status(STREAM)
    assert status is not None
    assert status.equivocations == 1


def test_a_source_that_equivocates_for_ever_is_not_reported_for_ever() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1, manifest())
    for number in range(1, 2 * EVIDENCE_MAX):
        stage.receive(link, block(piece(number, payload=b"a"), 0), block(piece(number, payload=b"b"), 0))
    assert len(told(stage)) == EVIDENCE_MAX
    status = stage.node.status(STREAM)
    assert status is not None
    assert status.equivocations == 2 * EVIDENCE_MAX - 1
    stage.say(link, manifest(epoch=2))
    stage.receive(link, *(block(piece(500, epoch=2, payload=payload), 0) for payload in (b"a", b"b")))
    assert len(told(stage)) == EVIDENCE_MAX + 1


# -- commands that fail


def test_a_broadcast_that_cannot_be_described_leaves_nothing_behind() -> None:
    stage = Stage()
    for wrong in (
        rendition(k=9, n=6, number=1),
        replace(rendition(number=1), name="two\nlines"),
        rendition(number=256),
    ):
        with pytest.raises(LocalError):
            stage.node.broadcast(OWNER, title="show", epoch=1, renditions=(rendition(), wrong), now=stage.now)
        assert stage.node.status(STREAM) is None
        assert stage.node.outputs() == []
        assert stage.node.next_timer() is None
    stage.go_on_air()
    with pytest.raises(LocalError):
        stage.node.broadcast(OWNER, title="show", epoch=0, renditions=(rendition(number=1), rendition()), now=stage.now)
    assert stage.node.status(STREAM, rendition=1) is None
    assert stage.node.outputs() == []
    assert stage.member.circle.manifest_version == (1, 1)


def test_a_rendition_out_of_range_cannot_be_joined() -> None:
    stage = Stage()
    with pytest.raises(LocalError, match="0 to 255"):
        stage.node.join(STREAM, 256, (), stage.now)


def test_children_of_the_old_coding_are_told_to_move() -> None:
    stage = Stage()
    stage.go_on_air(k=4, n=6)
    child = stage.befriend(1, subscribe(5), subscribe(0))
    stage.take(child)
    stage.go_on_air(epoch=2, k=2, n=3)
    moved = [message.stripe for message in stage.take(child) if isinstance(message, wire.Moved)]
    assert sorted(moved) == [0, 5]
    assert stage.member.outgo.nursery.used == 0


def test_the_same_attack_twice_has_the_same_outcome() -> None:
    def outcome() -> list[bytes]:
        stage, rng = Stage(seed=4), Random(9)
        stage.watch()
        for number in range(1, 30):
            address = Address(f"8.{rng.randrange(256)}.{rng.randrange(256)}.1", 4000)
            link = stage.meet(actor(number), address)
            contacts = tuple(wire.Contact(key(100 + n), Address(f"9.{n}.{number}.1", 4000)) for n in range(30))
            stage.say(link, INTEREST, wire.Peers(tag=TAG, contacts=contacts))
            stage.pass_time(0.5)
        return [str(dial).encode() for dial in stage.dials]

    assert outcome() == outcome() != []
