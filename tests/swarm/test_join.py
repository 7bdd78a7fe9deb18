"""Addresses worth dialling."""

import pytest

from swarm.join import DIALS_AT_ONCE, KNOWN_MAX, RETRY_S, AddressBook, dialable
from swarm.units import Address
from swarm.wire import Contact
from tests.swarm.neighbours import key

HOME = Address("10.1.1.1", 4000)


def address(number: int) -> Address:
    return Address(f"10.2.{number >> 8}.{number & 255}", 4000)


def contact(number: int) -> Contact:
    return Contact(key(number), address(number))


def due(book: AddressBook, now: float = 0.0, wanted: int = 20, connected: tuple[Address, ...] = ()) -> list[Address]:
    return [found.address for found in book.due(set(connected), wanted, now)]


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "ff02::1", "fe80::1"],
)
def test_what_cannot_be_dialled_is_refused(host: str) -> None:
    book = AddressBook()
    book.add([Contact(key(1), Address(host, 4000))])
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
    book.add(contact(number) for number in range(2 * KNOWN_MAX))
    assert len(book.prospects) == KNOWN_MAX


def test_the_users_link_finds_room_in_a_full_book() -> None:
    book = AddressBook()
    book.add(contact(number) for number in range(KNOWN_MAX))
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
    book.add([contact(1)])
    for _ in range(3):
        assert address(1) in book.prospects
        book.failed(address(1), 0.0)
    assert address(1) not in book.prospects


def test_what_a_neighbour_named_before_belongs_to_the_link_once_the_user_names_it() -> None:
    book = AddressBook()
    book.add([Contact(key(6), HOME)])
    book.add_link([HOME])
    prospect = book.prospects[HOME]
    assert (prospect.from_link, prospect.key) == (True, None), "a neighbour's word pins nothing there"


def test_a_neighbour_does_not_pin_a_key_on_the_links_address() -> None:
    book = AddressBook()
    book.add_link([HOME])
    book.failed(HOME, 0.0)
    book.add([Contact(key(6), HOME)])
    assert book.prospects[HOME].key is None


def test_a_key_that_failed_gives_way_to_a_newer_one() -> None:
    book = AddressBook()
    book.add([contact(1)])
    book.add([Contact(key(2), address(1))])
    assert book.prospects[address(1)].key == key(1)
    book.failed(address(1), 0.0)
    book.add([Contact(key(2), address(1))])
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
    book.reached(HOME)
    assert due(book, 99.0, connected=(HOME,)) == []
    assert due(book, 99.0) == [HOME]


def test_dials_at_once_are_bounded_and_no_more_than_wanted() -> None:
    book = AddressBook()
    book.add(contact(number) for number in range(50))
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
    book.reached(HOME)
    assert book.hopeless() == 0


def test_unknown_addresses_change_nothing() -> None:
    book = AddressBook()
    book.failed(HOME, 0.0)
    book.reached(HOME)
    book.forget(HOME)
    assert not book.prospects
