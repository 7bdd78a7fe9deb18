"""UDP trackers' datagrams, as BEP 15 has them."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.discovery import udp_tracker
from swarm.discovery.announces import ANSWER_PEERS_MAX, Announce, Counts, Event
from swarm.errors import TrackerError
from swarm.units import Address

TARGET = bytes(range(20))
ANNOUNCE = Announce(
    target=TARGET, peer_id=b"-SC0100-abcdefghijkl", key=7, port=4000, is_source=False, event=Event.STARTED
)


def test_the_datagrams_have_the_bytes_of_bep_15() -> None:
    assert udp_tracker.connect_request(5).hex() == "00000417271019800000000000000005"
    request = udp_tracker.announce_request(ANNOUNCE, connection=9, transaction=5, path="/announce")
    assert len(request) == 98 + 2 + 9
    assert request[:16] == struct.pack(">QII", 9, 1, 5)
    assert request[16:56] == TARGET + b"-SC0100-abcdefghijkl"
    assert struct.unpack(">QQQIIIiH", request[56:98]) == (0, 1, 0, 2, 0, 7, 50, 4000)
    assert request[98:] == b"\x02\x09/announce"
    assert udp_tracker.scrape_request(TARGET, connection=9, transaction=5) == struct.pack(">QII", 9, 2, 5) + TARGET


def test_a_path_that_is_not_there_is_not_sent() -> None:
    assert len(udp_tracker.announce_request(ANNOUNCE, connection=9, transaction=5, path="")) == 98


def test_answers_are_read() -> None:
    assert udp_tracker.read_connected(struct.pack(">IIQ", 0, 5, 77), 5) == 77
    peers = bytes((192, 0, 2, 7)) + b"\x0f\xa0"
    answer = udp_tracker.read_announced(struct.pack(">IIIII", 1, 5, 1800, 3, 1) + peers, 5, 4)
    assert (answer.interval_s, answer.viewers, answer.sources) == (1800, 3, 1)
    assert answer.peers == (Address("192.0.2.7", 4000),)
    six = bytes.fromhex("20010db8000000000000000000000007") + b"\x0f\xa0"
    assert udp_tracker.read_announced(struct.pack(">IIIII", 1, 5, 1, 0, 0) + six, 5, 6).peers[0].host == "2001:db8::7"
    assert udp_tracker.read_scraped(struct.pack(">IIIII", 2, 5, 1, 9, 3), 5) == Counts(sources=1, viewers=3)


def test_of_many_peers_a_few_are_looked_at() -> None:
    data = struct.pack(">IIIII", 1, 5, 1800, 3, 1) + bytes(6 * 1000)
    assert len(udp_tracker.read_announced(data, 5, 4).peers) == ANSWER_PEERS_MAX


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", "another's"),
        (struct.pack(">II", 1, 6), "another's"),
        (struct.pack(">II", 3, 5) + b"no such\x00torrent", "it says: no such torrent"),
        (struct.pack(">II", 0, 5) + bytes(100), "no sense"),
        (struct.pack(">IIII", 1, 5, 0, 0), "no sense"),
        (struct.pack(">IIIII", 1, 5, 1, 1, 1) + b"abc", "cut short"),
    ],
)
def test_a_wrong_answer_says_what_is_wrong(data: bytes, wrong: str) -> None:
    with pytest.raises(TrackerError, match=wrong):
        udp_tracker.read_announced(data, 5, 4)


@given(st.binary(max_size=80), st.integers(0, 2**32 - 1), st.sampled_from([4, 6]))
def test_any_datagram_gives_an_answer_or_a_fault(data: bytes, transaction: int, version: int) -> None:
    for read in (
        udp_tracker.read_connected,
        udp_tracker.read_scraped,
        lambda data, number: udp_tracker.read_announced(data, number, version),
    ):
        for received in (data, struct.pack(">II", 1, transaction) + data):
            try:
                read(received, transaction)
            except TrackerError:
                continue
