"""RTMP without sockets: chunks cut anywhere, commands, and bytes that are no RTMP."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest import amf, flv, rtmp_chunks
from gateway.ingest.rtmp_chunks import ChunkReader, Message, write_message
from gateway.ingest.rtmp_session import HANDSHAKE_BYTES, RtmpSession
from gateway.media.errors import MediaError

NOISE = bytes(HANDSHAKE_BYTES - 8)
GREETING = b"\x03" + bytes(HANDSHAKE_BYTES) + bytes(HANDSHAKE_BYTES)

values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4),
    max_leaves=8,
)


def command(*items: amf.Value) -> bytes:
    return write_message(rtmp_chunks.COMMAND, amf.write_values(items), chunk_stream=3)


def publishing() -> RtmpSession:
    session = RtmpSession(NOISE)
    session.feed(GREETING + command("publish", 4.0, None, "key", "live"))
    session.accept()
    return session


def read_all(data: bytes) -> list[Message]:
    return ChunkReader().feed(data)


@given(st.lists(values, max_size=4))
def test_amf_values_come_back(items: list[amf.Value]) -> None:
    assert amf.read_values(amf.write_values(items)) == items


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_refused(data: bytes) -> None:
    with suppress(MediaError):
        amf.read_values(data)


@given(st.lists(st.binary(max_size=700), max_size=4), st.integers(1, 300))
def test_messages_come_back_however_they_are_cut(bodies: list[bytes], size: int) -> None:
    data = b"".join(write_message(rtmp_chunks.DATA, body, chunk_stream=4, stream=1) for body in bodies)
    reader = ChunkReader()
    found = [m for at in range(0, len(data), size) for m in reader.feed(data[at : at + size])]
    assert [(m.kind, m.stream, m.body) for m in found] == [(rtmp_chunks.DATA, 1, body) for body in bodies]


@given(st.binary(max_size=600))
def test_any_bytes_are_messages_or_refused(data: bytes) -> None:
    session = publishing()
    with suppress(MediaError):
        session.feed(data)


def test_messages_on_two_chunk_streams_may_alternate() -> None:
    one, two = (write_message(9, bytes([n]) * 200, chunk_stream=n) for n in (4, 5))
    head = 12 + 128
    found = read_all(one[:head] + two[:head] + one[head:] + two[head:])
    assert [message.body for message in found] == [b"\x04" * 200, b"\x05" * 200]


def test_times_are_summed_and_may_be_long() -> None:
    first = b"\x04\xff\xff\xff" + (2).to_bytes(3) + b"\x09" + bytes(4) + (0x01000000).to_bytes(4) + b"ab"
    second = b"\x44" + (40).to_bytes(3) + (2).to_bytes(3) + b"\x09" + b"cd"
    third = b"\xc4" + b"ef"
    found = read_all(first + second + third)
    assert [message.time_ms for message in found] == [0x01000000, 0x01000028, 0x01000050]


@pytest.mark.parametrize("number", [63, 64, 319, 320, 65599])
def test_chunk_streams_may_have_large_numbers(number: int) -> None:
    basic = (
        bytes([number])
        if number < 64
        else bytes([0, number - 64])
        if number < 320
        else b"\x01" + (number - 64).to_bytes(2, "little")
    )
    (message,) = read_all(basic + bytes(3) + (1).to_bytes(3) + b"\x08" + bytes(4) + b"x")
    assert (message.kind, message.body) == (8, b"x")


def test_unfinished_messages_are_bounded() -> None:
    reader = ChunkReader()
    reader.feed(write_message(rtmp_chunks.SET_CHUNK_SIZE, (1 << 20).to_bytes(4), chunk_stream=2))
    head = bytes(3) + (3 << 20).to_bytes(3) + b"\x09" + bytes(4)
    data = b"".join(bytes([number]) + head + bytes(1 << 20) for number in range(10, 30))
    with pytest.raises(MediaError, match="unfinished"):
        reader.feed(data)


def test_nothing_large_is_taken_before_the_key() -> None:
    session = RtmpSession(NOISE)
    head = b"\x04" + bytes(3) + (1 << 20).to_bytes(3) + b"\x09" + bytes(4)
    with pytest.raises(MediaError, match="limit"):
        session.feed(GREETING + head + bytes(100_000))


def test_media_before_the_key_is_not_taken() -> None:
    session = RtmpSession(NOISE)
    assert session.feed(GREETING + write_message(9, b"\x17\x01", chunk_stream=4)).media == b""


def test_media_becomes_tags_and_the_end_is_seen() -> None:
    session = publishing()
    assert session.key == "key"
    metadata = amf.write_values(["@setDataFrame", "onMetaData", {"framerate": 25.0}])
    media = session.feed(
        write_message(rtmp_chunks.DATA, metadata, chunk_stream=4)
        + write_message(9, b"\x17\x00ab", chunk_stream=4)
        + command("deleteStream", 5.0, None, 1.0)
        + write_message(9, b"late", chunk_stream=4)
    ).media
    tags = [tag for tag, _ in flv.read_tags(bytes(media), 0)]
    assert [(tag.kind, tag.setup) for tag in tags] == [(flv.SCRIPT, False), (flv.VIDEO, True)]
    assert flv.read_metadata(tags[0].body) == {"framerate": 25.0}
    assert session.ended


def test_pings_are_answered_and_what_comes_is_acknowledged() -> None:
    session = publishing()
    ping = write_message(rtmp_chunks.USER_CONTROL, b"\0\x06abcd", chunk_stream=2)
    window = write_message(rtmp_chunks.WINDOW_SIZE, (2000).to_bytes(4), chunk_stream=2)
    answers = read_all(bytes(session.feed(ping + window).answer))
    assert (answers[0].kind, answers[0].body) == (rtmp_chunks.USER_CONTROL, b"\0\x07abcd")
    assert rtmp_chunks.ACKNOWLEDGEMENT in [message.kind for message in answers]
