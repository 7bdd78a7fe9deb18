"""Addresses in compact form, and words of trackers that are fit to be shown."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.discovery.announces import ANSWER_PEERS_MAX, REASON_CHARS_MAX, pack_peers, plain, unpack_peers
from swarm.errors import TrackerError
from swarm.units import Address

ports = st.integers(0, 65535)
fours = st.builds(Address, st.integers(0, 2**32 - 1).map(lambda n: str(IPv4Address(n))), ports)
sixes = st.builds(Address, st.integers(2**100, 2**128 - 1).map(lambda n: str(IPv6Address(n))), ports)


@given(st.lists(fours, max_size=10), st.lists(sixes, max_size=10))
def test_addresses_survive_their_compact_form(four: list[Address], six: list[Address]) -> None:
    assert unpack_peers(pack_peers([*four, *six], 4), 4) == four
    assert unpack_peers(pack_peers([*four, *six], 6), 6) == six


def test_an_ipv4_address_in_an_ipv6_one_is_itself() -> None:
    data = IPv6Address("::ffff:192.0.2.7").packed + b"\x0f\xa0"
    assert unpack_peers(data, 6) == [Address("192.0.2.7", 4000)]


def test_of_ten_thousand_peers_a_few_are_looked_at() -> None:
    assert len(unpack_peers(bytes(6 * 10_000), 4)) == ANSWER_PEERS_MAX


@pytest.mark.parametrize(("size", "version"), [(5, 4), (7, 4), (17, 6), (19, 6)])
def test_a_list_that_is_cut_short_is_refused(size: int, version: int) -> None:
    with pytest.raises(TrackerError, match="cut short"):
        unpack_peers(bytes(size), version)


@given(st.binary(max_size=1000))
def test_a_trackers_words_are_one_short_printable_line(text: bytes) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert len(shown) <= REASON_CHARS_MAX
