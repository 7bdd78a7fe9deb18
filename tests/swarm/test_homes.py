"""What a peer may say of where it can be dialled, and how it is named to others by that."""

from swarm import wire
from swarm.connections import LOOK_EVERY_S
from swarm.homes import HomeTeller, credible_homes
from swarm.messages import Home
from swarm.naming import contact_for, may_meet
from swarm.peers import Mate, Peer
from swarm.traversal import Vantage
from swarm.units import Access, Address, LinkId, PeerId
from tests.swarm.stage import TAG, Stage, actor, advert

V4, V6 = Address("8.1.1.1", 4000), Address("2a00:1::1", 4000)
OPEN, CONE, HARD, UNKNOWN = Access.OPEN, Access.CONE, Access.HARD, Access.UNKNOWN


def mate(number: int, seen: Address, *homes: Home, access: Access = UNKNOWN) -> Mate:
    peer = Peer(LinkId(number), PeerId(actor(number).key), seen, True, False, 0.0, homes=homes)
    return Mate(peer, advert(access=access))


def address_for(one: Mate, other: Mate) -> Address | None:
    contact = contact_for(one, other)
    return contact.address if contact is not None else None


def test_of_its_own_family_a_peer_may_say_the_port_alone() -> None:
    elsewhere = Home(Address("8.2.2.2", 4000), OPEN)
    forwarded = Home(Address(V4.host, 7000), OPEN)
    assert credible_homes([elsewhere], V4) == (Home(V4, OPEN),)
    assert credible_homes([forwarded], V4) == (forwarded,)
    assert credible_homes([Home(Address(V4.host, 7000), CONE)], V4) == (Home(V4, CONE),)


def test_of_the_other_family_it_may_say_one_address_that_leads_as_far() -> None:
    assert credible_homes([Home(V6, CONE)], V4) == (Home(V6, CONE),)
    assert credible_homes([Home(V6, CONE), Home(Address("2a00:2::2", 1), OPEN)], V4) == (Home(V6, CONE),)
    for host in ("::1", "fd00::1", "ff02::1", "fe80::1"):
        assert credible_homes([Home(Address(host, 4000), OPEN)], V4) == ()
    assert credible_homes([Home(Address(V6.host, 0), OPEN)], V4) == ()


def test_a_peer_is_named_in_a_family_that_both_speak_and_by_ipv6_first() -> None:
    both, other_both = mate(1, V4, Home(V6, CONE)), mate(2, Address("2a00:2::2", 1), Home(Address("8.2.2.2", 1), CONE))
    old, new = mate(3, Address("8.3.3.3", 1)), mate(4, Address("2a00:4::4", 1))
    assert address_for(both, other_both) == V6
    assert address_for(both, old) == V4
    assert address_for(both, new) == V6
    assert address_for(old, new) is None
    assert not may_meet(old, new)


def test_the_family_in_which_two_can_meet_goes_first() -> None:
    one = mate(1, V6, Home(V6, HARD), Home(V4, OPEN))
    other = mate(2, Address("2a00:2::2", 1), Home(Address("2a00:2::2", 1), HARD), Home(Address("8.2.2.2", 1), CONE))
    assert address_for(one, other) == V4
    assert address_for(one, mate(3, Address("2a00:3::3", 1), access=HARD)) == V6, "it may try where it has no other"
    assert not may_meet(one, mate(3, Address("2a00:3::3", 1), access=HARD))


def test_who_has_one_address_only_tells_nobody() -> None:
    vantage = Vantage()
    teller = HomeTeller(vantage)
    vantage.told(Address("8.7.7.7", 1), V4)
    assert teller.have_changed()
    assert not teller.have_changed()
    assert teller.news() == ()
    vantage.located((V6,), ())
    assert teller.have_changed()
    assert teller.news() == (wire.Homes(homes=(Home(V6, UNKNOWN), Home(V4, UNKNOWN))),)


def test_a_forwarded_port_is_told_and_opens_a_hard_nat() -> None:
    vantage = Vantage()
    for number in range(3):
        vantage.told(Address(f"8.7.{number}.7", 1), Address(V4.host, 5000 + number))
    assert vantage.access is HARD
    vantage.located((), (Address(V4.host, 7000),))
    assert vantage.access is OPEN
    teller = HomeTeller(vantage)
    assert teller.have_changed()
    assert teller.news() == (wire.Homes(homes=(Home(Address(V4.host, 7000), OPEN),)),)


def test_a_port_forwarded_behind_a_second_nat_opens_nothing() -> None:
    vantage = Vantage()
    vantage.located((), (Address("100.64.0.2", 7000),))
    for number in range(3):
        vantage.told(Address(f"8.7.{number}.7", 1), Address(V4.host, 5000 + number))
    assert vantage.access is HARD
    assert not vantage.is_forwarded


def test_a_mate_is_named_by_what_it_has_told() -> None:
    stage = Stage()
    stage.watch()
    teller = stage.befriend(1)
    stage.say(teller, wire.Homes(homes=(Home(V6, UNKNOWN),)))
    newcomer = stage.meet(actor(2), address=Address("2a00:2::2", 4000))
    stage.say(newcomer, wire.Interest(tag=TAG, epoch=0, revision=0))
    named = [m.contacts for m in stage.take(newcomer) if isinstance(m, wire.Peers)]
    assert [contact.address for contacts in named for contact in contacts] == [V6]


def test_a_peer_of_two_addresses_is_dialled_at_both_once_and_ipv6_stays() -> None:
    stage = Stage()
    stage.watch(V6, V4)
    stage.pass_time(0.2)
    assert {dial.address for dial in stage.dials} == {V6, V4}
    links = []
    for address in (V6, V4):
        link, _ = stage.link(dialled=PeerId(actor(1).key), address=address)
        observed = Address("2a00:9::9", 4000) if address.is_v6 else Address("8.9.9.9", 4000)
        welcome = wire.Welcome(version=wire.VERSION, key=PeerId(actor(1).key), download_only=False, observed=observed)
        stage.say(link, welcome, wire.Interest(tag=TAG, epoch=0, revision=0))
        links.append(link)
    assert links[0] not in stage.closed
    assert links[1] in stage.closed
    stage.dials.clear()
    stage.pass_time(LOOK_EVERY_S + 0.1)
    told = {home.address.host for m in stage.take(links[0]) if isinstance(m, wire.Homes) for home in m.homes}
    assert told == {"2a00:9::9", "8.9.9.9"}, "the link that went has told where this node is seen"
    stage.pass_time(60.0)
    assert stage.dials == []


def test_the_acceptor_of_both_welcomes_the_second_before_it_ends_it() -> None:
    stage = Stage()
    stage.watch()
    first = stage.meet(actor(1), address=V6)
    second = stage.meet(actor(1), address=V4)
    assert first not in stage.closed
    assert second in stage.closed
    (welcome,) = (m for m in stage.take(second) if isinstance(m, wire.Welcome))
    assert welcome.observed == V4


def test_who_tells_of_another_family_later_is_named_those_who_speak_it() -> None:
    stage = Stage()
    stage.watch()
    old = stage.befriend(1)
    both = stage.meet(actor(2), address=V6)
    stage.say(both, wire.Interest(tag=TAG, epoch=0, revision=0))
    assert not [m for m in stage.take(both) if isinstance(m, wire.Peers)], "nobody here speaks IPv6"
    stage.say(both, wire.Homes(homes=(Home(V6, UNKNOWN), Home(V4, UNKNOWN))))
    stage.pass_time(1.5)
    (named,) = (m for m in stage.take(both) if isinstance(m, wire.Peers))
    assert [contact.key for contact in named.contacts] == [actor(1).key]
    assert old not in stage.closed
