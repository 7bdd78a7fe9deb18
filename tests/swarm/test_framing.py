"""Messages come out of a byte stream as they went in, however it was cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.errors import MalformedMessage
from swarm.framing import HEADER_BYTES, MESSAGE_BYTES_MAX, FrameReader, frame

messages_of = st.lists(st.binary(min_size=1, max_size=300), max_size=20)


@given(messages_of, st.lists(st.integers(1, 500), min_size=1, max_size=30))
@settings(deadline=None)
def test_any_cut_gives_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    stream = frame(messages)
    reader = FrameReader()
    got: list[bytes] = []
    while stream:
        cut = cuts[len(got) % len(cuts)]
        got += reader.feed(stream[:cut])
        stream = stream[cut:]
        cuts = cuts[1:] + cuts[:1]
    assert got == messages
    assert reader.held_bytes == 0


@given(messages_of)
@settings(deadline=None)
def test_one_chunk_is_like_byte_by_byte(messages: list[bytes]) -> None:
    stream = frame(messages)
    reader = FrameReader()
    singly = [message for at in range(len(stream)) for message in reader.feed(stream[at : at + 1])]
    assert singly == FrameReader().feed(stream) == messages


@given(st.lists(st.binary(max_size=100), max_size=20))
@settings(deadline=None)
def test_any_bytes_give_messages_or_a_fault_of_the_peer(chunks: list[bytes]) -> None:
    reader = FrameReader()
    try:
        for chunk in chunks:
            assert all(0 < len(message) <= MESSAGE_BYTES_MAX for message in reader.feed(chunk))
    except MalformedMessage:
        return
    assert reader.held_bytes <= sum(map(len, chunks))


def test_the_largest_message_passes() -> None:
    message = bytes(MESSAGE_BYTES_MAX)
    assert FrameReader().feed(frame([message])) == [message]


@pytest.mark.parametrize("length", [0, MESSAGE_BYTES_MAX + 1, 0xFFFFFFFF])
@pytest.mark.parametrize("cut", [1, 2, HEADER_BYTES])
def test_a_length_out_of_bounds_is_refused_before_anything_is_kept(length: int, cut: int) -> None:
    reader = FrameReader()
    header = length.to_bytes(HEADER_BYTES, "big")
    for at in range(0, HEADER_BYTES - cut, cut):
        assert reader.feed(header[at : at + cut]) == []
    with pytest.raises(MalformedMessage):
        reader.feed(header[-cut:])
    assert reader.held_bytes <= HEADER_BYTES


def test_what_is_given_out_does_not_change_later() -> None:
    reader = FrameReader()
    stream = frame([b"first", b"second"])
    first = [*reader.feed(stream[:6]), *reader.feed(stream[6:9])]
    assert reader.feed(stream[9:]) == [b"second"]
    assert first == [b"first"]
    assert all(type(message) is bytes for message in first)
