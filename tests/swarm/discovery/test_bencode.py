"""Bencoding comes back as it went; anything else is a value or refused."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarm.discovery.bencode import DEPTH_MAX, Value, decode, encode
from swarm.errors import TrackerError

numbers = st.integers(-(2**63), 2**63)
values = st.recursive(
    numbers | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=5), inner, max_size=4),
    max_leaves=DEPTH_MAX - 2,
)


@given(values)
def test_a_value_survives_its_bytes(value: Value) -> None:
    assert decode(encode(value)) == value


def test_bencoding_reads_as_documented() -> None:
    assert encode({b"b": [1, b"two"], b"a": -3}) == b"d1:ai-3e1:bli1e3:twoee"
    assert decode(b"d1:bi1e1:ai2ee") == {b"b": 1, b"a": 2}  # out of order, as some trackers have it


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i",
        b"ie",
        b"i-e",
        b"i-0e",
        b"i01e",
        b"i1",
        b"i123456789012345678901e",
        b"i1 e",
        b"4:abc",
        b"01:a",
        b"-1:a",
        b"99999999999999:a",
        b"l",
        b"li1e",
        b"d1:a",
        b"d1:ae",
        b"di1ei2ee",
        b"d1:ai1e1:ai2ee",
        b"i1ei2e",
        b"x",
        b"l" * 10_000,
        b"l" * (DEPTH_MAX + 1) + b"e" * (DEPTH_MAX + 1),
    ],
)
def test_what_is_no_bencoding_is_refused(data: bytes) -> None:
    with pytest.raises(TrackerError):
        decode(data)


PARTS = [b"d", b"l", b"i", b"e", b"1:a", b"2:", b"7", b"-"]


@given(st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PARTS)).map(b"".join)))
@example(b"9" * 5000 + b":")
def test_any_bytes_give_a_value_or_a_fault(data: bytes) -> None:
    try:
        value = decode(data)
    except TrackerError:
        return
    assert decode(encode(value)) == value
