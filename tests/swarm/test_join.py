"""Addresses worth dialling."""

from collections.abc import Iterable
from random import Random

import pytest

from swarm.join import (
    BROUGHT_MAX,
    BROUGHT_PER_CROWD,
    DIALS_AT_ONCE,
    DIALS_BROUGHT,
    DIALS_HANGING,
    FAILURES_PER_CROWD,
    FAILURES_S,
    HANGS_S,
    KNOWN_MAX,
    KNOWN_PER_CROWD,
    RETRY_S,
    TRIES_MAX,
    AddressBook,
)
from swarm.prefixes import crowd, dialable
from swarm.units import Access, Address, PeerId
from swarm.wire import Contact
from tests.swarm.neighbours import key

HOME = Address("10.1.1.1", 4000)
KEY = PeerId(b"k" * 32)


def address(number: int) -> Address:
    return Address(f"10.2.{number >> 8}.{number & 255}", 4000)


def contact(number: int) -> Contact:
    return Contact(key(number), address(number))


def bringer(number: int, host: str = "10.3.0.1") -> Contact:
    return Contact(key(1000 + number), Address(host, 4000))


def world(number: int, host: int = 1) -> Contact:
    """A contact in the global address prefix of this number."""
    return Contact(key(number * 256 + host), Address(f"8.{number >> 8}.{number & 255}.{host}", 4000))


def named(book: AddressBook, contacts: Iterable[Contact], by: int = 0, now: float = 0.0) -> None:
    book.add(contacts, bringer(by), now)


def due(
    book: AddressBook, now: float = 0.0, wanted: int = 20, connected: tuple[Address, ...] = (), seed: int = 1
) -> list[Address]:
    return [found.address for found in book.due(lambda: set(connected), wanted, now, rng=Random(seed))]


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "ff02::1", "fe80::1"],
)
def test_what_cannot_be_dialled_is_refused(host: str) -> None:
    book = AddressBook()
    named(book, [Contact(key(1), Address(host, 4000))])
    book.add_link([Address(host, 4000)])
    assert not book.prospects


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    assert not dialable(Address("10.0.0.1", port))


@pytest.mark.parametrize("host", ["10.0.0.1", "127.0.0.1", "192.0.2.1", "::1", "2001:db8::1", "fe80::1%eth0"])
def test_what_can_be_a_peers_is_taken(host: str) -> None:
    assert dialable(Address(host, 4000))


def test_the_book_is_bounded() -> None:
    book = AddressBook()
    for number in range(2 * KNOWN_MAX):
        named(book, [contact(number)], by=number)
    assert len(book.prospects) == KNOWN_MAX


def test_the_users_link_finds_room_in_a_full_book() -> None:
    book = AddressBook()
    for number in range(KNOWN_MAX):
        named(book, [contact(number)], by=number)
    book.add_link([HOME])
    assert HOME in book.prospects


def test_the_links_addresses_are_never_dropped() -> None:
    book = AddressBook()
    book.add_link([HOME])
    for _ in range(2000):
        book.failed(HOME, 0.0)
    assert book.prospects[HOME].next_s == RETRY_S[1]


def test_what_a_neighbour_named_is_dropped_after_three_failures() -> None:
    book = AddressBook()
    named(book, [contact(1)])
    for _ in range(3):
        assert address(1) in book.prospects
        book.failed(address(1), 0.0)
    assert address(1) not in book.prospects


def test_what_a_neighbour_named_before_belongs_to_the_link_once_the_user_names_it() -> None:
    book = AddressBook()
    named(book, [Contact(key(6), HOME)])
    book.add_link([HOME])
    prospect = book.prospects[HOME]
    assert (prospect.from_link, prospect.key) == (True, None), "a neighbour's word pins nothing there"


def test_a_neighbour_does_not_pin_a_key_on_the_links_address() -> None:
    book = AddressBook()
    book.add_link([HOME])
    book.failed(HOME, 0.0)
    named(book, [Contact(key(6), HOME)])
    assert book.prospects[HOME].key is None


def test_a_key_that_failed_gives_way_to_a_newer_one() -> None:
    book = AddressBook()
    named(book, [contact(1)])
    named(book, [Contact(key(2), address(1))])
    assert book.prospects[address(1)].key == key(1)
    book.failed(address(1), 0.0)
    named(book, [Contact(key(2), address(1))])
    assert book.prospects[address(1)].key == key(2)


def test_pauses_double_up_to_a_bound() -> None:
    book, now, pauses = AddressBook(), 0.0, []
    book.add_link([HOME])
    for _ in range(9):
        assert due(book, now) == [HOME]
        book.failed(HOME, now)
        assert due(book, now + 0.4) == []
        pauses.append(book.prospects[HOME].next_s - now)
        now = book.prospects[HOME].next_s
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30, 30])


def test_an_address_is_not_dialled_twice_at_once() -> None:
    book = AddressBook()
    book.add_link([HOME])
    assert due(book) == [HOME]
    assert due(book, 99.0) == []
    book.reached(HOME, KEY)
    assert due(book, 99.0, connected=(HOME,)) == []
    assert due(book, 99.0) == [HOME]


def test_dials_at_once_are_bounded_and_no_more_than_wanted() -> None:
    book = AddressBook()
    named(book, [contact(number) for number in range(30)])
    assert len(due(book, wanted=3)) == 3
    assert len(due(book, wanted=50)) == DIALS_AT_ONCE - 3
    assert due(book, wanted=50) == []
    assert due(AddressBook(), wanted=-5) == []


def test_all_in_vain_is_told_with_their_number() -> None:
    book = AddressBook()
    assert book.hopeless() == 0
    book.add_link([HOME, address(1)])
    book.failed(HOME, 0.0)
    assert book.hopeless() == 0
    book.failed(address(1), 0.0)
    assert book.hopeless() == 2
    book.reached(HOME, KEY)
    assert book.hopeless() == 0


def test_unknown_addresses_change_nothing() -> None:
    book = AddressBook()
    book.failed(HOME, 0.0)
    book.reached(HOME, KEY)
    book.forget(HOME)
    assert not book.prospects


# -- what neighbours may do with it


def test_one_neighbour_cannot_fill_the_book() -> None:
    book = AddressBook()
    for start in range(0, 400, 20):
        named(book, [contact(number) for number in range(start, start + 20)])
    assert len(book.prospects) == BROUGHT_MAX


def test_in_a_full_book_who_brought_most_makes_way_for_who_brought_least() -> None:
    book = AddressBook()
    for by in range(KNOWN_MAX // BROUGHT_MAX):
        named(book, [contact(by * BROUGHT_MAX + number) for number in range(BROUGHT_MAX)], by=by)
    assert len(book.prospects) == KNOWN_MAX
    named(book, [contact(500), contact(501)], by=50)
    assert {address(500), address(501)} <= book.prospects.keys()
    assert len(book.prospects) == KNOWN_MAX


def test_one_neighbour_names_few_of_one_prefix_and_all_together_not_many() -> None:
    book = AddressBook()
    for by in range(8):
        named(book, [world(7, host) for host in range(10 * by + 1, 10 * by + 11)], by=by)
        assert len(book.prospects) <= BROUGHT_PER_CROWD * (by + 1)
    assert len(book.prospects) == KNOWN_PER_CROWD


def test_what_was_forgotten_makes_room_for_its_prefix_and_its_bringer() -> None:
    book = AddressBook()
    for host in range(1, 60):
        named(book, [world(7, host)])
        book.forget(world(7, host).address)
    for by in range(60):
        named(book, [contact(by * 40 + number) for number in range(40)], by=by)
    for known in list(book.prospects):
        for _ in range(3):
            book.failed(known, 0.0)
    assert not book.prospects
    assert not book._brought
    assert not book._crowds
    named(book, [world(7, host) for host in range(1, 9)], now=FAILURES_S)
    assert len(book.prospects) == BROUGHT_PER_CROWD


def test_the_users_own_address_is_nobodys_doing() -> None:
    book = AddressBook()
    named(book, [world(7, host) for host in (1, 2, 3)])
    book.add_link([world(7, 1).address])
    named(book, [world(7, host) for host in (3, 4)])
    assert len(book.prospects) == BROUGHT_PER_CROWD + 1


def test_many_peers_of_one_house_or_one_machine_are_no_crowd() -> None:
    for host in ("127.0.0.1", "192.168.1.7", "fd00::7"):
        book = AddressBook()
        contacts = [Contact(key(port), Address(host, port)) for port in range(1000, 1020)]
        book.add(contacts, bringer(1, host), 0.0)
        assert len(book.prospects) == len(contacts)


@pytest.mark.parametrize(
    ("host", "named_by", "believed"),
    [
        ("127.0.0.1", "8.8.8.8", False),
        ("127.0.0.1", "192.168.1.2", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("192.168.1.1", "8.8.8.8", False),
        ("192.168.1.1", "10.0.0.2", True),
        ("192.168.1.1", "127.0.0.1", True),
        ("9.9.9.9", "8.8.8.8", True),
        ("9.9.9.9", "192.168.1.2", True),
        ("fd00::1", "2a00::1", False),
        ("::ffff:127.0.0.1", "8.8.8.8", False),
    ],
)
def test_a_neighbour_cannot_point_into_networks_that_it_is_not_in(host: str, named_by: str, *, believed: bool) -> None:
    book = AddressBook()
    book.add([Contact(key(1), Address(host, 4000))], bringer(1, named_by), 0.0)
    assert bool(book.prospects) == believed


def test_one_neighbour_causes_few_dials_a_second() -> None:
    rate, burst = DIALS_BROUGHT
    book, dialled, now = AddressBook(), 0, 0.0
    fresh = iter(range(100_000))
    while now < 30.0:
        named(book, [contact(next(fresh)) for _ in range(20)], now=now)
        for found in due(book, now):
            dialled += 1
            book.forget(found)
        now += 0.1
    assert burst <= dialled <= burst + rate * 30


def test_the_users_own_addresses_go_before_any_that_were_brought() -> None:
    book = AddressBook()
    named(book, [contact(number) for number in range(20)])
    book.add_link([HOME, address(99)])
    assert set(due(book, wanted=2)) == {HOME, address(99)}


def test_those_that_relay_what_is_lacking_go_first() -> None:
    book = AddressBook()
    named(book, [Contact(key(number), address(number), number % 2) for number in range(20)])
    found = book.due(set, 8, 0.0, 1, rng=Random(1))
    assert all(prospect.colours for prospect in found)


def test_dials_go_round_the_prefixes_in_an_order_of_luck() -> None:
    orders = set()
    for seed in range(5):
        book = AddressBook()
        for by in range(4):
            named(book, [world(7, 2 * by + 1), world(7, 2 * by + 2), world(8 + by)], by=by)
        found = due(book, wanted=5, seed=seed)
        assert len({crowd(where) for where in found}) == 5
        orders.add(tuple(found))
    assert len(orders) > 1


def test_a_prefix_that_fails_often_is_left_alone_whoever_names_it() -> None:
    book, dialled, now = AddressBook(), 0, 0.0
    for step in range(int(FAILURES_S * 0.9 / 0.1)):
        named(book, [world(7, step % 250 + 1), world(7, (step + 1) % 250 + 1)], by=step, now=now)
        for found in due(book, now):
            dialled += 1
            book.failed(found, now)
        now += 0.1
    assert FAILURES_PER_CROWD <= dialled < FAILURES_PER_CROWD + DIALS_AT_ONCE
    for host in range(255):
        book.forget(world(7, host).address)
    named(book, [world(7, 251)], by=9999, now=now)
    assert world(7, 251).address not in book.prospects
    assert due(book, now) == []
    named(book, [world(7, 251)], by=9999, now=now + FAILURES_S)
    assert due(book, now + FAILURES_S)


def test_peers_that_leave_are_no_failed_dials() -> None:
    book = AddressBook()
    for by in range(KNOWN_PER_CROWD // BROUGHT_PER_CROWD):
        named(book, [world(7, 2 * by + 1), world(7, 2 * by + 2)], by=by)
    met = due(book)
    assert len(met) == FAILURES_PER_CROWD
    for where in met:
        book.reached(where, KEY)
    for where in met:
        book.failed(where, 0.0)
    assert set(due(book, RETRY_S[0])) == set(met)


def test_the_watch_over_failures_and_dials_is_bounded() -> None:
    book = AddressBook()
    for number in range(3000):
        named(book, [world(number)], by=number)
        for found in due(book):
            book.failed(found, 0.0)
            book.forget(found)
    assert len(book._failed) <= 512
    assert len(book._dialled_until_s) <= 3000


# -- who cannot simply be dialled


def test_of_what_is_said_of_an_access_the_better_counts() -> None:
    book = AddressBook()
    said = [Access.UNKNOWN, Access.HARD, Access.UNKNOWN, Access.CONE, Access.HARD, Access.OPEN, Access.CONE]
    counted = []
    for access in said:
        book.add([Contact(key(1), address(1), access=access)], bringer(1), 0.0)
        counted.append(book.prospects[address(1)].access)
    best = [Access.UNKNOWN, Access.HARD, Access.HARD, Access.CONE, Access.CONE, Access.OPEN, Access.OPEN]
    assert counted == best


def test_who_named_it_last_is_the_one_to_ask() -> None:
    book = AddressBook()
    for number in (1, 2):
        book.add([contact(1)], bringer(number), 0.0)
    assert book.prospects[address(1)].named_by == bringer(2).key
    assert book.prospects[address(1)].bringer == bringer(1).key, "it counts as the first one's"


def test_who_invites_is_dialled_at_once_though_it_rests() -> None:
    book = AddressBook()
    named(book, [contact(1)])
    assert due(book) == [address(1)]
    book.failed(address(1), 0.0)
    assert due(book, now=0.1) == []
    book.invite(contact(1), bringer(2), 0.2)
    assert due(book, now=0.2, wanted=0) == [address(1)]


def test_an_invitation_counts_as_its_bringers_doing() -> None:
    book = AddressBook()
    dialled = 0
    for number in range(40):
        book.invite(contact(number), bringer(2), 0.0)
        found = due(book, wanted=0)
        dialled += len(found)
        for one in found:
            book.reached(one, KEY)
    assert dialled == DIALS_BROUGHT[1]


def test_whom_there_is_no_way_to_is_left_out() -> None:
    book = AddressBook()
    named(book, [contact(1), contact(2)])
    usable = book.due(set, 20, 0.0, usable=lambda prospect: prospect.key == key(2), rng=Random(1))
    assert [prospect.address for prospect in usable] == [address(2)]


def test_dials_that_hang_make_room_for_others_up_to_a_bound() -> None:
    book = AddressBook()
    for number in range(8):
        named(book, [contact(number * 8 + n) for n in range(8)], by=number)
    assert len(due(book, 0.0)) == DIALS_AT_ONCE
    assert due(book, HANGS_S / 2) == []
    now, under_way = 0.0, DIALS_AT_ONCE
    while under_way < DIALS_HANGING:
        now += HANGS_S
        under_way += len(due(book, now))
    assert under_way == DIALS_HANGING
    assert due(book, now + HANGS_S) == []
    assert len(book.hanging(now)) >= DIALS_HANGING - DIALS_AT_ONCE


def test_the_users_own_addresses_give_way_once_they_have_failed() -> None:
    book = AddressBook()
    book.add_link([address(n) for n in range(100, 108)])
    named(book, [contact(1)])
    for failed in due(book):
        book.failed(failed, 0.0)
    assert address(1) in due(book, RETRY_S[0])


def test_who_was_asked_to_dial_this_node_may_come_from_anywhere_or_not_at_all() -> None:
    book = AddressBook()
    named(book, [contact(1), contact(2)])
    for prospect in book.due(set, 20, 0.0, rng=Random(1)):
        prospect.asked_until_s = 3.0
    book.came(key(1))
    book.hanging(3.0)
    came, stayed = book.prospects[address(1)], book.prospects[address(2)]
    assert (came.dialling, came.failures) == (False, 0)
    assert (stayed.dialling, stayed.failures) == (False, 1)
    assert not book._failed, "nothing was sent to its prefix"


def test_where_a_source_was_found_is_never_forgotten_and_dialled_when_it_is_needed() -> None:
    book = AddressBook()
    book.keep([contact(1)], 0.0)
    for attempt in range(TRIES_MAX):
        assert due(book, attempt * 100.0) == [address(1)]
        book.failed(address(1), attempt * 100.0)
    assert due(book, 1000.0) == [], "it does not answer, and others are as good"
    book.recall([key(1)])
    assert due(book, 1000.0, wanted=0) == [address(1)]


def test_a_source_that_was_found_is_not_pushed_out_of_a_full_book() -> None:
    book = AddressBook()
    book.keep([contact(0)], 0.0)
    for by in range(KNOWN_MAX):
        named(book, [world(4 * by + i) for i in range(4)], by=by)
    assert len(book.prospects) == KNOWN_MAX
    assert address(0) in book.prospects


def test_who_is_no_source_any_more_is_kept_no_longer() -> None:
    book = AddressBook()
    book.keep([contact(1)], 0.0)
    book.keep([contact(2)], 0.0)
    for attempt in range(TRIES_MAX):
        due(book, attempt * 100.0)
        for number in (1, 2):
            book.failed(address(number), attempt * 100.0)
    assert list(book.prospects) == [address(2)]


def test_what_the_application_has_just_heard_of_is_dialled_though_nobody_is_wanted() -> None:
    book = AddressBook()
    book.add_link([HOME])
    assert due(book, wanted=0) == [HOME]
    book.failed(HOME, 0.0)
    book.add_link([HOME])
    assert due(book, 100.0, wanted=0) == [], "that is no news"


def test_who_may_dial_one_now_dials_the_other_named_parents_later_though_neighbours_are_enough() -> None:
    book = AddressBook()
    book.hint([contact(1), contact(2)], bringer(1), 0.0)
    (first,) = book.due(set, 0, 0.0, most=1, rng=Random(1))
    assert book.due(set, 0, 1.0, most=0, rng=Random(1)) == []
    (second,) = book.due(set, 0, 2.0, most=1, rng=Random(1))
    assert {first.address, second.address} == {address(1), address(2)}
