"""The bookkeeping of links: reached by every id, counted until forgotten."""

from swarm.drivers.quic.connection import Connection, make_profile
from swarm.drivers.quic.link import QuicLink
from swarm.drivers.quic.table import Limits, LinkTable
from swarm.units import Address

PROFILE = make_profile(bytes(32))
HERE = Address("192.0.2.1", 443)


def _add(table: LinkTable, name: bytes, *, dialled: bool = False) -> QuicLink:
    connection = Connection.accept(PROFILE, name)
    return table.add(connection, HERE, dialled=dialled, expected=None, now=0.0)


def test_a_link_is_reached_by_all_ids_until_it_is_forgotten() -> None:
    table = LinkTable(Limits())
    link = _add(table, b"firstone")
    own = set(link.ids)
    assert len(own) == 2
    link.connection.ids.append(b"issued 1")
    link.connection.retired.append(b"firstone")
    table.learn_ids(link)
    assert table.route(b"firstone") is None
    assert table.route(b"issued 1") is link
    assert table.retire(link)
    assert not table.retire(link)
    assert table.route(b"issued 1") is link
    assert len(table) == 1
    table.forget(link)
    table.forget(link)
    assert all(table.route(known) is None for known in own | {b"issued 1"})
    assert len(table) == 0


def test_numbers_grow_and_are_never_used_again() -> None:
    table = LinkTable(Limits())
    first = _add(table, b"firstone")
    table.forget(first)
    assert _add(table, b"nextone.").id > first.id


def test_strangers_are_bounded_until_they_are_introduced() -> None:
    table = LinkTable(Limits(connections=4, half_open=2))
    links = [_add(table, bytes([number]) * 8) for number in range(2)]
    assert (table.admits_strangers, table.has_room) == (False, True)
    table.introduce(links[0])
    assert (table.admits_strangers, table.has_room) == (True, True)
    _add(table, b"dialled.", dialled=True)
    assert (table.admits_strangers, table.has_room) == (True, True)
    _add(table, b"the last", dialled=True)
    assert (table.admits_strangers, table.has_room) == (False, False)


def test_lingering_links_hold_their_place() -> None:
    table = LinkTable(Limits(connections=1, half_open=1))
    link = _add(table, b"firstone")
    table.retire(link)
    assert not table.has_room
    table.forget(link)
    assert table.admits_strangers


def test_who_has_shown_its_address_finds_a_place_when_strangers_hold_theirs() -> None:
    table = LinkTable(Limits(connections=9, half_open=2))
    for number in range(2):
        _add(table, bytes([number]) * 8)
    assert not table.admits_strangers
    assert table.admits_validated
    _add(table, b"the last")
    assert not table.admits_validated
