"""Addresses that a tracker gives: dialled last, few at a time, and once where nobody answers."""

from random import Random

from swarm.events import Dial
from swarm.join import (
    DIALS_AT_ONCE,
    DIALS_FOUND,
    FOUND_MAX,
    FOUND_REST_S,
    HANGS_S,
    KNOWN_PER_CROWD,
    RESTS_MAX,
    TRIES_MAX,
    AddressBook,
)
from swarm.units import Address, PeerId, StreamId
from swarm.wire import Contact, Interest
from tests.swarm.neighbours import key
from tests.swarm.stage import STREAM, Stage, actor

BRINGER = Contact(key(1000), Address("10.3.0.1", 4000))


def address(number: int) -> Address:
    return Address(f"10.{2 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}", 4000)


def due(book: AddressBook, now: float = 0.0, wanted: int = 20) -> list[Address]:
    return [prospect.address for prospect in book.due(set, wanted, now, rng=Random(1))]


def test_what_was_found_is_dialled_without_a_key_and_after_all_others() -> None:
    book = AddressBook()
    book.found([address(number) for number in range(20)], 0.0)
    book.add([Contact(key(1), address(100))], BRINGER, 0.0)
    book.add_link([address(101)])
    first = book.due(set, 20, 0.0, rng=Random(1))
    assert [prospect.address for prospect in first[:2]] == [address(101), address(100)]
    assert len(first) == DIALS_AT_ONCE
    assert all(prospect.key is None for prospect in first[2:])


def test_ten_thousand_found_addresses_take_a_share_of_the_book() -> None:
    book = AddressBook()
    book.found([address(number) for number in range(10_000)], 0.0)
    assert len(book.prospects) == FOUND_MAX
    book.add([Contact(key(1), address(20_000))], BRINGER, 0.0)
    assert address(20_000) in book.prospects


def test_of_one_prefix_few_are_taken_and_nothing_that_is_no_peers() -> None:
    book = AddressBook()
    book.found([Address(f"8.8.8.{host}", 4000) for host in range(1, 200)], 0.0)
    assert len(book.prospects) == KNOWN_PER_CROWD
    book.found([Address("224.0.0.1", 4000), Address("8.8.4.4", 0)], 0.0)
    assert len(book.prospects) == KNOWN_PER_CROWD


def test_where_nobody_answers_is_dialled_once_and_then_left_in_peace_longer_and_longer() -> None:
    book, now = AddressBook(), 0.0
    for rest_s in (FOUND_REST_S[0], 2 * FOUND_REST_S[0], 4 * FOUND_REST_S[0]):
        book.found([address(1)], now)
        assert due(book, now) == [address(1)]
        book.failed(address(1), now)
        assert not book.prospects
        book.found([address(1)], now + rest_s - 1)
        assert not book.prospects
        now += rest_s + 1


def test_a_peer_that_was_there_once_is_tried_again_when_it_leaves() -> None:
    book = AddressBook()
    book.found([address(1)], 0.0)
    due(book)
    book.reached(address(1), key(1))
    for _ in range(TRIES_MAX - 1):
        book.failed(address(1), 1.0)
        assert address(1) in book.prospects


def test_trackers_cause_few_dials_a_minute_however_many_addresses_they_give() -> None:
    book, dialled = AddressBook(), 0
    for tick in range(600):
        now = tick * 0.1
        book.found([address(1000 * tick + number) for number in range(100)], now)
        for target in due(book, now):
            dialled += 1
            book.failed(target, now + HANGS_S)
    rate, burst = DIALS_FOUND
    assert burst < dialled <= burst + rate * 60 + 1


def test_the_memory_of_addresses_that_failed_is_bounded() -> None:
    book = AddressBook()
    for number in range(2 * RESTS_MAX):
        now = number * 10.0
        book.found([address(number)], now)
        due(book, now)
        book.failed(address(number), now)
    assert len(book._rests) == RESTS_MAX


def test_what_was_found_is_the_users_own_once_a_link_names_it() -> None:
    book = AddressBook()
    book.found([address(1)], 0.0)
    book.add_link([address(1)])
    due(book)
    book.failed(address(1), 0.0)
    assert book.prospects[address(1)].from_link


def test_a_node_in_several_swarms_of_a_stream_dials_an_address_once_and_says_hello_in_all() -> None:
    stage = Stage()
    for rendition in range(3):
        stage.node.join(STREAM, rendition, (), stage.now)
    stage.node.found(STREAM, [address(1)], stage.now)
    stage.pass_time(0.1)
    assert stage.dials == [Dial(address=address(1), peer=None)]
    link, _ = stage.link(dialled=PeerId(actor(1).key), address=address(1))
    assert sum(isinstance(message, Interest) for message in stage.take(link)) == 3


def test_a_node_dials_what_was_found_for_a_stream_that_it_is_in_and_for_no_other() -> None:
    stage = Stage()
    stage.watch()
    stage.node.found(StreamId(bytes(32)), [address(2)], stage.now)
    stage.node.found(STREAM, [address(1)], stage.now)
    stage.pass_time(0.1)
    assert stage.dials == [Dial(address=address(1), peer=None)]
