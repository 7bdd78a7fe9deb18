"""The head record: what is written is read, and whatever else is there is refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.discovery.bencode import encode
from swarm.discovery.head_record import (
    RECORD_BYTES_MAX,
    RELAYS_MAX,
    SOURCE_ADDRESSES_MAX,
    HeadRecord,
    read_record,
    write_record,
)
from swarm.errors import RecordError
from swarm.prefixes import dialable
from swarm.units import Address

ADDRESSES = st.one_of(
    st.builds(Address, st.ip_addresses(v=4).map(str), st.integers(1, 65535)),
    st.builds(Address, st.ip_addresses(v=6).map(str), st.integers(1, 65535)),
).filter(lambda address: dialable(address) and not address.host.startswith("::ffff:"))


@given(
    epoch=st.integers(0, (1 << 63) - 1),
    source=st.lists(ADDRESSES, max_size=SOURCE_ADDRESSES_MAX),
    relays=st.lists(ADDRESSES, max_size=RELAYS_MAX),
)
def test_what_is_written_is_read(epoch: int, source: list[Address], relays: list[Address]) -> None:
    data = write_record(HeadRecord(epoch=epoch, source=tuple(source), relays=tuple(relays)))
    record = read_record(data)
    assert record.epoch == epoch
    assert sorted(record.source) == sorted(source)
    assert sorted(record.relays) == sorted(relays)
    assert len(data) <= RECORD_BYTES_MAX


def test_there_is_room_for_the_longest_addresses_and_no_more() -> None:
    many = tuple(Address(f"2001:db8::{number:x}", 65535) for number in range(1, 100))
    data = write_record(HeadRecord(epoch=(1 << 63) - 1, source=many, relays=many))
    assert len(data) <= RECORD_BYTES_MAX
    record = read_record(data)
    assert record.source == many[:SOURCE_ADDRESSES_MAX]
    assert record.relays == many[:RELAYS_MAX]


def test_addresses_of_no_peer_are_left_out() -> None:
    data = encode({b"v": 1, b"e": 7, b"p": bytes([224, 0, 0, 1, 16, 0]) + bytes([10, 0, 0, 1, 16, 0])})
    assert read_record(data).source == (Address("10.0.0.1", 4096),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"le",
        b"i1e",
        b"d1:ei5ee",
        b"d1:ei5e1:vi2ee",
        b"d1:ei-5e1:vi1ee",
        b"d1:e1:51:vi1ee",
        b"d1:ei5e1:p5:abcde1:vi1ee",
        b"d1:ei5e1:pi5e1:vi1ee",
        encode({b"v": 1, b"e": 5, b"z": bytes(RECORD_BYTES_MAX)}),
    ],
)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        read_record(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read_record(data)
    except RecordError:
        return
    assert data.startswith(b"d")
