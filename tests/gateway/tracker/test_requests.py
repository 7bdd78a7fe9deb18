"""Announces and scrapes as clients send them, and as nobody should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tracker.requests import QUERY_BYTES_MAX, SCRAPES_MAX, WANTED, AnnounceRequest, read_announce, read_scrape
from swarm.errors import TrackerError

TARGET = bytes(range(240, 260 - 4)) + b"\x00&=?"
HASH = "info_hash=" + "".join(f"%{byte:02x}" for byte in TARGET)
GOOD = f"{HASH}&peer_id=-SC0100-abcdefghijkl&port=4000&left=1"


def test_an_announce_is_read() -> None:
    assert read_announce(GOOD.encode()) == AnnounceRequest(TARGET, 4000, is_source=False, stopped=False, wanted=WANTED)
    source = f"{HASH}&peer_id=%2dSC0100-abcdefghijkl&port=1&left=0&event=stopped&numwant=7&compact=1&key=x&ip=8.8.8.8"
    assert read_announce(source.encode()) == AnnounceRequest(TARGET, 1, is_source=True, stopped=True, wanted=7)


@pytest.mark.parametrize(
    ("text", "wanted"), [("-1", WANTED), ("0", 0), ("10000", WANTED), ("x", WANTED), ("9" * 50, WANTED)]
)
def test_the_number_of_peers_is_bounded(text: str, wanted: int) -> None:
    assert read_announce(f"{GOOD}&numwant={text}".encode()).wanted == wanted


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("", "info_hash"),
        (GOOD.replace(HASH, "info_hash=short"), "info_hash"),
        (GOOD.replace("abcdefghijkl", ""), "peer_id"),
        (GOOD.replace("port=4000", "port=0"), "port"),
        (GOOD.replace("port=4000", "port=65536"), "port"),
        (GOOD.replace("port=4000", "port=%34"), "port"),
        (GOOD + "&event=reboot", "event"),
        (GOOD + "&x=" + "x" * QUERY_BYTES_MAX, "too long"),
    ],
)
def test_a_wrong_announce_says_what_is_wrong(query: str, wrong: str) -> None:
    with pytest.raises(TrackerError, match=wrong):
        read_announce(query.encode())


def test_a_scrape_names_a_few_targets() -> None:
    assert read_scrape(f"{HASH}&{HASH}".encode()) == [TARGET, TARGET]
    for query in ("", "info_hash=x", "&".join([HASH] * (SCRAPES_MAX + 1))):
        with pytest.raises(TrackerError):
            read_scrape(query.encode())


@given(st.one_of(st.binary(max_size=100), st.binary(max_size=40).map(lambda end: GOOD.encode() + b"&" + end)))
def test_any_query_gives_a_request_or_a_fault(query: bytes) -> None:
    for read in (read_announce, read_scrape):
        try:
            read(query)
        except TrackerError:
            continue
