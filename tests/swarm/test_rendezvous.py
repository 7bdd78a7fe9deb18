"""Introductions: who is asked, who is told, and who dials."""

import pytest

from swarm import wire
from swarm.events import Dial
from swarm.herald import EXCHANGE_EVERY_S
from swarm.join import DIALS_BROUGHT, HANGS_S
from swarm.rendezvous import ASKED_S, INTRODUCED
from swarm.settings import NodeSettings
from swarm.units import Access, Address, LinkId, PeerId
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

FAR = Address("10.7.7.7", 4000)
HOME = Address("10.9.1.1", 4000)


def key(number: int) -> PeerId:
    return PeerId(actor(number).key)


def place(number: int) -> Address:
    return Address(f"10.8.0.{number}", 4000)


def stage_with(access: Access, friends: int = 2) -> tuple[Stage, list[LinkId]]:
    """A viewer behind that, with neighbours that it has dialled, named 1, 2, ..."""
    stage = Stage()
    stage.watch(*(place(number) for number in range(1, friends + 1)))
    stage.pass_time(0.2)
    links = []
    for number in range(1, friends + 1):
        link, _ = stage.link(dialled=key(number), address=place(number))
        port = 5000 + number if access is Access.HARD else 4000
        welcome = wire.Welcome(
            version=wire.VERSION, key=key(number), download_only=False, observed=Address(HOME.host, port)
        )
        stage.say(link, welcome, INTEREST)
        links.append(link)
    if access is Access.OPEN:
        stage.befriend(90)
    stage.pass_time(0.2)
    assert stage.member.circle.vantage.access is access
    stage.dials.clear()
    stage.sent.clear()
    return stage, links


def contact(number: int, access: Access, address: Address = FAR) -> wire.Contact:
    return wire.Contact(key(number), address, access=access)


def named(stage: Stage, link: LinkId, access: Access) -> None:
    stage.say(link, wire.Peers(tag=TAG, contacts=(contact(7, access),)))
    stage.pass_time(0.2)


def asked(stage: Stage, link: LinkId) -> list[PeerId]:
    return [message.key for message in stage.take(link) if isinstance(message, wire.Meet)]


def told(stage: Stage, link: LinkId) -> list[wire.Contact]:
    return [message.contact for message in stage.take(link) if isinstance(message, wire.Introduce)]


# -- who wants to reach somebody


@pytest.mark.parametrize("mine", [Access.CONE, Access.OPEN])
def test_who_is_behind_a_cone_is_dialled_and_told_of_it_by_the_neighbour_that_named_it(mine: Access) -> None:
    stage, (namer, other) = stage_with(mine)
    named(stage, namer, Access.CONE)
    assert stage.dials == [Dial(address=FAR, peer=key(7))]
    assert asked(stage, namer) == [key(7)]
    assert asked(stage, other) == []


def test_who_is_open_is_dialled_and_nobody_is_bothered() -> None:
    stage, (namer, _) = stage_with(Access.CONE)
    named(stage, namer, Access.OPEN)
    stage.pass_time(1.0)
    assert stage.dials == [Dial(address=FAR, peer=key(7))]
    assert asked(stage, namer) == []


def test_of_whom_nothing_is_known_is_dialled_first_and_an_introduction_asked_for_when_it_does_not_answer() -> None:
    stage, (namer, _) = stage_with(Access.CONE)
    named(stage, namer, Access.UNKNOWN)
    assert stage.dials == [Dial(address=FAR, peer=key(7))]
    assert asked(stage, namer) == []
    stage.pass_time(HANGS_S + 0.2)
    assert asked(stage, namer) == [key(7)]
    stage.pass_time(1.0)
    assert asked(stage, namer) == [], "once a dial"


def test_who_was_said_to_be_open_and_is_not_is_introduced_the_next_time() -> None:
    stage, (namer, _) = stage_with(Access.CONE)
    named(stage, namer, Access.OPEN)
    stage.node.dial_failed(FAR, stage.now)
    stage.pass_time(1.0 + HANGS_S)
    assert len(stage.dials) == 2
    assert asked(stage, namer) == [key(7)]


@pytest.mark.parametrize(
    ("mine", "theirs"), [(Access.CONE, Access.HARD), (Access.HARD, Access.CONE), (Access.HARD, Access.HARD)]
)
def test_no_dial_is_wasted_on_whom_nothing_can_reach(mine: Access, theirs: Access) -> None:
    stage, (namer, _) = stage_with(mine)
    named(stage, namer, theirs)
    stage.pass_time(2.0)
    assert stage.dials == []
    assert asked(stage, namer) == []


def test_who_is_behind_a_hard_nat_is_asked_to_dial_and_not_dialled() -> None:
    stage, (namer, _) = stage_with(Access.OPEN)
    named(stage, namer, Access.HARD)
    assert asked(stage, namer) == [key(7)]
    prospect = stage.member.book.prospects[FAR]
    assert (prospect.dialling, prospect.failures) == (True, 0)
    stage.pass_time(ASKED_S + 0.2)
    assert (prospect.dialling, prospect.failures) == (False, 1)
    assert stage.dials == []


def test_it_may_come_from_another_port_than_was_named() -> None:
    stage, (namer, _) = stage_with(Access.OPEN)
    named(stage, namer, Access.HARD)
    link = stage.meet(actor(7), Address(FAR.host, 5555))
    stage.say(link, INTEREST)
    stage.pass_time(ASKED_S + 0.2)
    assert stage.member.book.prospects[FAR].failures == 0


def test_what_is_said_of_the_links_own_addresses_keeps_nobody_from_dialling_them() -> None:
    stage, (namer, _) = stage_with(Access.CONE)
    stage.watch(FAR)
    stage.say(namer, wire.Peers(tag=TAG, contacts=(contact(7, Access.HARD),)))
    stage.pass_time(0.3)
    assert FAR in {dial.address for dial in stage.dials}


def test_the_better_of_two_claims_counts() -> None:
    stage, (namer, other) = stage_with(Access.CONE)
    stage.say(namer, wire.Peers(tag=TAG, contacts=(contact(7, Access.HARD),)))
    stage.say(other, wire.Peers(tag=TAG, contacts=(contact(7, Access.CONE),)))
    stage.pass_time(0.2)
    assert [dial.address for dial in stage.dials] == [FAR]
    assert asked(stage, other) == [key(7)]


# -- who introduces


def test_a_neighbour_is_told_where_the_asker_is_seen_and_the_asker_is_not_answered() -> None:
    stage = Stage()
    stage.watch()
    asker, other = stage.befriend(1), stage.befriend(2)
    stage.say(asker, advert(access=Access.CONE))
    stage.take(asker)
    stage.say(asker, wire.Meet(tag=TAG, key=key(2)))
    assert told(stage, other) == [wire.Contact(key(1), Address("10.9.0.1", 4000), access=Access.CONE)]
    assert stage.take(asker) == []


def test_nobody_is_introduced_to_strangers_to_itself_or_in_vain() -> None:
    stage = Stage()
    stage.watch()
    asker, other = stage.befriend(1), stage.befriend(2)
    stage.say(asker, advert(access=Access.HARD))
    stage.say(other, advert(access=Access.CONE))
    for number in (1, 2, 3):
        stage.say(asker, wire.Meet(tag=TAG, key=key(number)))
    assert told(stage, asker) == told(stage, other) == []


def test_a_neighbour_is_told_of_few_however_many_ask() -> None:
    stage = Stage()
    stage.watch()
    other = stage.befriend(1)
    askers = [stage.befriend(number) for number in range(2, 12)]
    stage.take(other)
    for _ in range(30):
        for asker in askers:
            stage.say(asker, wire.Meet(tag=TAG, key=key(1)))
    assert len(told(stage, other)) == INTRODUCED[1]


# -- who is introduced


def test_who_is_introduced_dials_at_once_though_it_has_neighbours_enough() -> None:
    stage = Stage(settings=NodeSettings(neighbours=2))
    stage.watch()
    link = stage.befriend(1)
    stage.befriend(2)
    stage.pass_time(1.0)
    stage.say(link, wire.Introduce(tag=TAG, contact=contact(7, Access.CONE)))
    stage.pass_time(0.1)
    assert stage.dials == [Dial(address=FAR, peer=key(7))]
    assert asked(stage, link) == [], "the other one dials already"


def test_who_was_given_up_for_a_while_is_dialled_when_it_wants_to_be() -> None:
    stage, (namer, _) = stage_with(Access.CONE)
    named(stage, namer, Access.UNKNOWN)
    stage.node.dial_failed(FAR, stage.now)
    stage.say(namer, wire.Introduce(tag=TAG, contact=contact(7, Access.CONE)))
    stage.pass_time(0.1)
    assert len(stage.dials) == 2


def test_who_has_neighbours_more_than_enough_does_not_dial() -> None:
    stage = Stage(settings=NodeSettings(neighbours=2))
    stage.watch()
    link, *_ = [stage.befriend(number) for number in range(1, 5)]
    stage.say(link, wire.Introduce(tag=TAG, contact=contact(7, Access.CONE)))
    stage.pass_time(0.1)
    assert stage.dials == []


def test_who_is_known_already_is_not_dialled() -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1)
    stage.befriend(7)
    for introduced in (contact(7, Access.CONE), wire.Contact(stage.node.key, FAR)):
        stage.say(link, wire.Introduce(tag=TAG, contact=introduced))
    stage.pass_time(0.2)
    assert stage.dials == []


# -- those whom only the open can feed


def befriend(stage: Stage, number: int, access: Access, *offers: wire.Offer) -> LinkId:
    return stage.befriend(number, advert(*offers, access=access))


def test_only_such_are_named_to_each_other_as_can_meet() -> None:
    stage = Stage()
    stage.watch()
    links = {access: befriend(stage, number, access) for number, access in enumerate(Access, 1)}
    for link in links.values():
        stage.take(link)
    stage.pass_time(EXCHANGE_EVERY_S[1] + 0.2)
    (peers,) = [message for message in stage.take(links[Access.HARD]) if isinstance(message, wire.Peers)]
    assert {contact.access for contact in peers.contacts} == {Access.UNKNOWN, Access.OPEN}
    stage.pass_time(EXCHANGE_EVERY_S[0])
    (peers,) = [message for message in stage.take(links[Access.CONE]) if isinstance(message, wire.Peers)]
    assert {contact.access for contact in peers.contacts} == {Access.UNKNOWN, Access.OPEN}


def test_who_is_refused_is_told_of_such_as_it_can_reach() -> None:
    stage = Stage()
    stage.watch()
    asker = befriend(stage, 1, Access.HARD)
    stage.say(asker, manifest())
    befriend(stage, 2, Access.CONE, offer(3))
    befriend(stage, 3, Access.OPEN, offer(3))
    stage.take(asker)
    stage.say(asker, subscribe(3))
    (reject,) = [message for message in stage.take(asker) if isinstance(message, wire.Reject)]
    assert [hint.key for hint in reject.hints] == [key(3)]


def test_of_too_many_neighbours_those_behind_hard_nats_are_kept() -> None:
    stage = Stage(settings=NodeSettings(neighbours=4))
    stage.watch()
    hard = [befriend(stage, number, Access.HARD) for number in range(1, 6)]
    others = [befriend(stage, number, Access.CONE, offer(number)) for number in range(6, 11)]
    stage.pass_time(3.0)
    parted = {link for link in (*hard, *others) if any(isinstance(said, wire.Bye) for said in stage.take(link))}
    assert parted
    assert parted <= set(others)


# -- what an attacker can do with it


def test_false_introductions_steer_no_more_dials_at_a_victim_than_naming_it() -> None:
    stage = Stage()
    stage.watch()
    liars = [stage.befriend(number) for number in range(1, 11)]
    for second in range(30):
        for link in liars:
            for n in range(4):
                victim = Address(f"8.8.8.{n + link}", 1000 + second % 2)
                contact = wire.Contact(PeerId(bytes([link, second, n]) * 10 + b"xx"), victim, access=Access.CONE)
                stage.say(link, wire.Introduce(tag=TAG, contact=contact))
        for dial in stage.dials[-8:]:
            stage.node.dial_failed(dial.address, stage.now)
        stage.pass_time(1.0)
    assert 0 < len(stage.dials) <= 16


def test_one_neighbour_that_introduces_for_ever_causes_few_dials() -> None:
    stage = Stage()
    stage.watch()
    liar, seconds = stage.befriend(1), 20
    for second in range(seconds):
        for n in range(8):
            contact = wire.Contact(PeerId(bytes([second, n]) * 16), Address(f"{n + 20}.{second}.1.1", 4000))
            stage.say(liar, wire.Introduce(tag=TAG, contact=contact))
        stage.pass_time(1.0)
        for dial in stage.dials:
            stage.node.dial_failed(dial.address, stage.now)
    rate, burst = DIALS_BROUGHT
    assert 0 < len(stage.dials) <= burst + rate * seconds


def test_an_asker_names_a_peer_and_never_an_address() -> None:
    stage = Stage()
    stage.watch()
    asker, other = stage.meet(actor(1), Address("8.8.8.8", 4000)), stage.befriend(2)
    stage.say(asker, INTEREST)
    stage.say(asker, wire.Peers(tag=TAG, contacts=(wire.Contact(key(1), Address("9.9.9.9", 53)),)))
    stage.take(other)
    stage.say(asker, wire.Meet(tag=TAG, key=key(2)))
    (message,) = [message for message in stage.take(other) if isinstance(message, wire.Introduce)]
    assert message.contact.address == Address("8.8.8.8", 4000), "where its link comes from, which QUIC has validated"


# -- cut off from the source


def cut_off(*, near_source: bool) -> Stage:
    """A relay that knows the source's address, and is fed by a neighbour that goes away."""
    stage = Stage()
    stage.watch()
    source = actor(50)
    link = stage.befriend(1, manifest(sources=(PeerId(source.key),)), advert(*(offer(s) for s in range(6))))
    at_source = stage.meet(source, FAR)
    stage.say(at_source, INTEREST)
    stage.pass_time(0.2)
    for message in stage.take(link):
        if isinstance(message, wire.Subscribe):
            stage.say(link, accept(message.stripe))
    for stripe in range(6):
        stage.receive(link, block(piece(7), stripe))
    if not near_source:
        stage.say(at_source, wire.Bye(tag=TAG, parents=()))
        stage.lose(at_source)
    for number in range(60, 110):
        stage.befriend(number)
    stage.dials.clear()
    stage.lose(link)
    stage.pass_time(5.0)
    return stage


def test_who_is_cut_off_dials_the_source_that_it_once_met_whatever_neighbours_it_has() -> None:
    assert FAR in [dial.address for dial in cut_off(near_source=False).dials]


def test_who_is_connected_with_the_source_does_not() -> None:
    assert FAR not in [dial.address for dial in cut_off(near_source=True).dials]


RELAY, RELAY_KEY = Address("10.7.7.7", 4000), PeerId(actor(7).key)


@pytest.mark.parametrize(
    ("settings", "dialled"),
    [
        (NodeSettings(only_addresses=frozenset({RELAY})), {(RELAY, None)}),
        (NodeSettings(only_keys=frozenset({RELAY_KEY})), {(Address("10.7.7.9", 4000), RELAY_KEY)}),
    ],
)
def test_who_wants_certain_peers_only_dials_nobody_else(
    settings: NodeSettings, dialled: set[tuple[Address, PeerId | None]]
) -> None:
    stage = Stage(settings=settings)
    stage.watch(RELAY, Address("10.7.7.8", 4000))
    stage.node.found(STREAM, [Address("10.1.1.1", 4000)], stage.now)
    link = stage.meet(actor(7), RELAY)
    contacts = [
        wire.Contact(PeerId(actor(number).key), Address(f"10.7.7.{number + 2}", 4000), 0, Access.OPEN)
        for number in (7, 8)
    ]
    stage.say(link, INTEREST, wire.Peers(tag=TAG, contacts=tuple(contacts)))
    stage.lose(link)
    stage.pass_time(60)
    assert {(dial.address, dial.peer) for dial in stage.dials} == dialled


@pytest.mark.parametrize(
    "settings", [NodeSettings(only_addresses=frozenset({RELAY})), NodeSettings(only_keys=frozenset({RELAY_KEY}))]
)
def test_who_wants_certain_peers_only_lets_nobody_else_in(settings: NodeSettings) -> None:
    stage = Stage(settings=settings)
    stage.watch()
    assert stage.meet(actor(7), RELAY) not in stage.closed
    assert stage.meet(actor(8), Address("10.7.7.8", 4000)) in stage.closed
    assert len(stage.node.connections.peers) == 1
