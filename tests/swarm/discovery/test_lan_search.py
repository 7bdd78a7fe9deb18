"""BEP 14's messages: what is written is read, others' spellings too, and anything else is nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.discovery.announces import TARGET_BYTES
from swarm.discovery.lan_search import MESSAGE_BYTES_MAX, TARGETS_MAX, Search, read_search, write_search

TARGETS = st.lists(st.binary(min_size=TARGET_BYTES, max_size=TARGET_BYTES), min_size=1, max_size=TARGETS_MAX)


@given(port=st.integers(1, 65535), targets=TARGETS, cookie=st.from_regex(r"[0-9a-f]{0,16}", fullmatch=True))
@pytest.mark.parametrize("version", [4, 6])
def test_what_is_written_is_read(version: int, port: int, targets: list[bytes], cookie: str) -> None:
    search = Search(port=port, targets=tuple(targets), cookie=cookie)
    data = write_search(search, version)
    assert len(data) <= MESSAGE_BYTES_MAX
    assert read_search(data) == search


def test_the_message_of_another_program_is_read() -> None:
    data = (
        b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nport: 6881\r\n"
        b"INFOHASH: 00112233445566778899AABBCCDDEEFF00112233\r\n\r\n\r\n"
    )
    search = read_search(data)
    assert search == Search(port=6881, targets=(bytes.fromhex("00112233445566778899aabbccddeeff00112233"),))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BT-SEARCH * HTTP/1.1\r\n\r\n",
        b"BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: " + b"00" * 20,
        b"BT-SEARCH * HTTP/1.1\r\nPort: 65536\r\nInfohash: " + b"00" * 20,
        b"BT-SEARCH * HTTP/1.1\r\nPort: 6881\r\nInfohash: " + b"00" * 19,
        b"BT-SEARCH * HTTP/1.1\r\nPort: 6881\r\nInfohash: " + b"zz" * 20,
        b"M-SEARCH * HTTP/1.1\r\nPort: 6881\r\nInfohash: " + b"00" * 20,
    ],
)
def test_what_is_no_search_is_nothing(data: bytes) -> None:
    assert read_search(data) is None


@given(st.binary(max_size=3000))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    search = read_search(b"BT-SEARCH * HTTP/1.1\r\n" + data)
    assert search is None or len(search.targets) <= TARGETS_MAX
