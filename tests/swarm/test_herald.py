"""What a node tells its neighbours of itself."""

from swarm import wire
from swarm.adverts import DELAY_UNKNOWN_MS, short
from swarm.feeds import HUSHED_PIECES
from swarm.herald import ADVERT_EVERY_S, ADVERT_SOON_S, EXCHANGE_EVERY_S, EXCHANGE_PEERS, PROBE_AGAIN_S, RIDE_S
from swarm.units import Address, LinkId, PeerId
from tests.swarm.stage import (
    INTEREST,
    PIECE_S,
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


def adverts(stage: Stage, link: LinkId) -> list[wire.Advert]:
    return [message for message in stage.take(link) if isinstance(message, wire.Advert)]


def exchanged(stage: Stage, link: LinkId) -> list[wire.Peers]:
    return [message for message in stage.take(link) if isinstance(message, wire.Peers)]


def test_a_new_neighbour_is_told_at_once() -> None:
    stage = Stage()
    stage.go_on_air()
    link = stage.befriend(1)
    told, *_ = adverts(stage, link)
    assert [offered.stripe for offered in told.offers] == list(range(6))
    assert all(offered.delay_ms == 0 and offered.free > 0 and not offered.ancestors for offered in told.offers)


def test_adverts_come_in_time_to_those_fed_and_more_seldom_to_others() -> None:
    stage = Stage()
    stage.go_on_air()
    near, far = stage.befriend(1), stage.befriend(2)
    stage.say(near, subscribe(0))
    stage.pass_time(1.9)
    stage.take(near)
    stage.take(far)
    for _ in range(60):
        stage.say(near, advert())
        stage.pass_time(1.0)
    near_s, far_s = ADVERT_EVERY_S
    assert 60 / (near_s + RIDE_S) - 1 <= len(adverts(stage, near)) <= 60 / near_s + 1
    assert 60 / far_s - 1 <= len(adverts(stage, far)) <= 60 / far_s + 1


def test_an_advert_without_news_waits_for_a_block_to_the_same_neighbour() -> None:
    stage = Stage()
    stage.go_on_air()
    near = stage.befriend(1)
    stage.say(near, subscribe(0))
    stage.pass_time(3.5)
    stage.say(near, advert())
    stage.take(near)
    while not adverts(stage, near):  # it waited as long as it may, so the next is due so much earlier
        stage.pass_time(0.1)
    stage.pass_time(ADVERT_EVERY_S[0] - RIDE_S + 0.2)
    assert not adverts(stage, near)
    stage.publish(1)
    assert len(adverts(stage, near)) == 1


def test_a_change_that_matters_is_told_soon_but_not_too_often() -> None:
    stage = Stage()
    stage.go_on_air()
    links = [stage.befriend(number) for number in range(1, 20)]
    far = stage.befriend(20)
    stage.say(links[0], subscribe(0))
    stage.pass_time(3.1)
    stage.take(links[0])
    stage.take(far)
    for link in links:
        for stripe in range(6):
            stage.say(link, subscribe(stripe))
        stage.pass_time(0.1)
    told = adverts(stage, links[0])
    assert 3 <= len(told) <= 2 + 1.9 / ADVERT_SOON_S[0]
    assert all(offered.free == 0 for offered in told[-1].offers)
    assert 1 <= len(adverts(stage, far)) <= 2 + 1.9 / ADVERT_SOON_S[1]


def test_the_sources_places_are_told_to_the_far_as_soon_as_to_the_near() -> None:
    stage = Stage()
    stage.go_on_air()
    child, far = stage.befriend(1), stage.befriend(2)
    stage.pass_time(3.1)
    for stripe in (0, 1):
        stage.take(far)
        stage.say(child, subscribe(stripe))
        stage.pass_time(2 * ADVERT_SOON_S[0])
        assert adverts(stage, far)


def test_a_relay_names_its_ancestors_and_its_delay() -> None:
    stage = Stage()
    stage.watch()
    parent = stage.befriend(1, manifest(), advert(*(offer(stripe) for stripe in range(6))))
    stage.pass_time(1.6)
    colour = stage.member.outgo.nursery.colours[0]
    unfed = {offered.stripe: offered for offered in adverts(stage, parent)[-1].offers}[colour]
    assert (unfed.delay_ms, unfed.ancestors) == (DELAY_UNKNOWN_MS, ())
    stage.say(parent, accept(colour, (short(PeerId(actor(9).key)),)))
    stage.receive(parent, block(piece(round(stage.now / 0.2) - 3), colour))
    stage.pass_time(1.0)
    fed = {offered.stripe: offered for offered in adverts(stage, parent)[-1].offers}[colour]
    assert fed.ancestors == (short(PeerId(actor(1).key)), short(PeerId(actor(9).key)))
    assert 0 < fed.delay_ms < 2000


def test_what_is_whole_here_is_told() -> None:
    stage = Stage()
    stage.go_on_air()
    link = stage.befriend(1)
    stage.publish(41)
    stage.pass_time(1.2)
    assert adverts(stage, link)[-1].newest == 41


def test_neighbours_are_named_at_meeting_and_now_and_then() -> None:
    stage = Stage()
    stage.watch()
    first = stage.befriend(1)
    assert exchanged(stage, first) == [], "there is nobody else yet"
    second = stage.befriend(2)
    (named,) = exchanged(stage, second)
    assert [contact.key for contact in named.contacts] == [actor(1).key]
    stage.pass_time(EXCHANGE_EVERY_S[0] + 0.2)
    (named,) = exchanged(stage, first)
    assert [contact.key for contact in named.contacts] == [actor(2).key]


def test_no_more_than_so_many_are_named_and_never_the_asker() -> None:
    stage = Stage()
    stage.watch()
    for number in range(1, 41):
        stage.befriend(number)
    last = stage.befriend(41)
    (named,) = exchanged(stage, last)
    keys = {contact.key for contact in named.contacts}
    assert len(keys) == EXCHANGE_PEERS[0]
    assert actor(41).key not in keys


def test_a_peer_with_a_scoped_ipv6_address_can_be_named() -> None:
    stage = Stage()
    stage.watch()
    link = stage.meet(actor(1), Address("fe80::1%eth0", 4000))
    stage.say(link, INTEREST)
    other = stage.meet(actor(2), Address("fe80::2%eth0", 4000))
    stage.say(other, INTEREST)
    (named,) = exchanged(stage, other)
    assert named.contacts[0].address == Address("fe80::1", 4000)


def test_a_parent_that_has_gone_quiet_is_spoken_to_once_a_second() -> None:
    stage = Stage()
    stage.watch()
    quiet = stage.befriend(1, manifest(), advert(*(offer(stripe) for stripe in range(6))))
    stage.pass_time(0.2)
    for message in stage.take(quiet):
        if isinstance(message, wire.Subscribe):
            stage.say(quiet, accept(message.stripe))
    number = 1
    while number < 10 or not adverts(stage, quiet):  # so that the next is not due for a while
        stage.take(quiet)
        for stripe in range(6):
            stage.receive(quiet, block(piece(number), stripe))
        number += 1
        stage.pass_time(PIECE_S)
    stage.pass_time(HUSHED_PIECES * PIECE_S + 0.1)
    assert len(adverts(stage, quiet)) == 1
    stage.pass_time(PROBE_AGAIN_S - 0.3)
    assert adverts(stage, quiet) == []


def test_who_has_an_older_manifest_is_told_where_its_sources_are_that_i_know() -> None:
    stage = Stage()
    stage.watch()
    source, stranger = actor(8), actor(9)
    described = manifest(sources=(PeerId(source.key), PeerId(stranger.key)))
    link = stage.befriend(8, described)
    asker = stage.meet(actor(2))
    stage.say(asker, INTEREST)
    said = stage.take(asker)
    after = said[[isinstance(message, wire.ManifestMessage) for message in said].index(True) + 1]
    assert isinstance(after, wire.Peers)
    assert [contact.key for contact in after.contacts] == [source.key]
    assert not [m for m in stage.take(link) if isinstance(m, wire.Peers) and source.key in {c.key for c in m.contacts}]
