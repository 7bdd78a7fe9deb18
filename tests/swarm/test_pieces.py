"""Headers keep their bytes and bounds; a sealed piece proves and rebuilds itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.coding import code
from swarm.errors import LocalError, MalformedMessage
from swarm.framing import MESSAGE_BYTES_MAX
from swarm.identity import Identity
from swarm.merkle import NODE_BYTES, check, depth, tree
from swarm.pieces import (
    DURATION_US_MAX,
    HEADER_BYTES,
    PIECE_BYTES_MAX,
    STRIPES_MAX,
    PieceHeader,
    SealedPiece,
    decode_header,
    make_piece,
    reseal,
    signed_bytes,
    swarm_tag,
    verify_header,
)
from swarm.units import StreamId, SwarmTag
from swarm.wire import block_messages

OWNER = Identity(bytes(range(32)))
STREAM = StreamId(OWNER.key)


def seal(
    payload: bytes = b"a payload", *, k: int = 4, n: int = 6, duration_us: int = 200_000, number: int = 8_500_000_001
) -> SealedPiece:
    return make_piece(
        payload,
        stream=STREAM,
        rendition=0,
        epoch=7,
        number=number,
        key=True,
        capture_us=1_700_000_000_000_000,
        duration_us=duration_us,
        k=k,
        n=n,
        owner=OWNER,
    )


HEADER = seal().header


@st.composite
def headers(draw: st.DrawFn) -> PieceHeader:
    n = draw(st.integers(1, STRIPES_MAX))
    k = draw(st.integers(1, n))
    return PieceHeader(
        tag=SwarmTag(draw(st.binary(min_size=8, max_size=8))),
        epoch=draw(st.integers(0, 2**32 - 1)),
        number=draw(st.integers(1, 2**64 - 1)),
        key=draw(st.booleans()),
        capture_us=draw(st.integers(-(2**63), 2**63 - 1)),
        duration_us=draw(st.integers(1, DURATION_US_MAX)),
        length=draw(st.integers(1, min(PIECE_BYTES_MAX, k * 1_000_000))),
        k=k,
        n=n,
        root=draw(st.binary(min_size=32, max_size=32)),
        signature=draw(st.binary(min_size=64, max_size=64)),
    )


@given(header=headers(), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_a_header_survives_its_bytes_at_any_offset(header: PieceHeader, before: bytes, after: bytes) -> None:
    data = header.encode()
    assert len(data) == HEADER_BYTES == 135
    assert decode_header(data) == header
    assert decode_header(before + data + after, len(before)) == header
    assert decode_header(memoryview(before + data), len(before)) == header


@given(data=st.binary(max_size=HEADER_BYTES + 5), offset=st.integers(-3, 10))
def test_any_bytes_give_a_header_or_malformed_message(data: bytes, offset: int) -> None:
    try:
        header = decode_header(data, offset)
    except MalformedMessage:
        return
    assert header.encode() == data[offset : offset + HEADER_BYTES]


@pytest.mark.parametrize("offset", [-HEADER_BYTES, -1, 1])
def test_an_offset_that_leaves_no_room_is_malformed(offset: int) -> None:
    with pytest.raises(MalformedMessage, match="short"):
        decode_header(HEADER.encode(), offset)


@given(header=headers(), data=st.data())
def test_a_damaged_header_gives_a_header_or_malformed_message(header: PieceHeader, data: st.DataObject) -> None:
    damaged = bytearray(header.encode())
    damaged[data.draw(st.integers(0, HEADER_BYTES - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_header(bytes(damaged))
    except MalformedMessage:
        return
    assert decoded.encode() == bytes(damaged)


@pytest.mark.parametrize(
    "header",
    [
        replace(HEADER, number=0),
        replace(HEADER, k=0),
        replace(HEADER, k=7),
        replace(HEADER, n=65),
        replace(HEADER, n=3),
        replace(HEADER, length=0),
        replace(HEADER, length=PIECE_BYTES_MAX + 1),
        replace(HEADER, duration_us=0),
        replace(HEADER, duration_us=DURATION_US_MAX + 1),
    ],
)
def test_figures_out_of_bounds_are_malformed(header: PieceHeader) -> None:
    with pytest.raises(MalformedMessage):
        decode_header(header.encode())


def test_unknown_flags_are_malformed() -> None:
    data = bytearray(seal().header_bytes)
    data[20] |= 0x02
    with pytest.raises(MalformedMessage, match="flags"):
        decode_header(bytes(data))


def test_a_header_that_is_cut_short_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="short"):
        decode_header(seal().header_bytes[:-1])


@pytest.mark.parametrize(("length", "k", "expected"), [(1, 1, 1), (1, 12, 1), (12, 12, 1), (13, 12, 2), (96, 12, 8)])
def test_block_size_is_the_even_share_rounded_up(length: int, k: int, expected: int) -> None:
    sealed = seal(bytes(length), k=k, n=16)
    assert sealed.header.block_bytes == expected
    assert {len(block) for block in sealed.blocks} == {expected}


def test_only_the_streams_key_and_the_same_fields_verify() -> None:
    header = seal().header
    other = Identity(bytes(32))
    assert verify_header(header, STREAM)
    assert not verify_header(header, StreamId(other.key))
    assert not verify_header(replace(header, number=header.number + 1), STREAM)
    assert not verify_header(replace(header, key=False), STREAM)
    assert not verify_header(replace(header, root=bytes(32)), STREAM)
    assert not verify_header(replace(header, signature=bytes(64)), STREAM)


def test_what_is_signed_has_its_context_and_stream_in_front() -> None:
    header = seal().header
    assert signed_bytes(header, STREAM) == b"seedcast piece 1\0" + STREAM + header.encode()[:71]


def test_a_tag_names_one_rendition_of_one_stream() -> None:
    other = StreamId(Identity(bytes(32)).key)
    tags = {swarm_tag(STREAM, 0), swarm_tag(STREAM, 1), swarm_tag(other, 0)}
    assert len(tags) == 3
    assert {len(tag) for tag in tags} == {8}
    assert seal().header.tag == swarm_tag(STREAM, 0)


@given(payload=st.binary(min_size=1, max_size=300), n=st.integers(1, 16), data=st.data())
def test_a_sealed_piece_proves_and_rebuilds_itself(payload: bytes, n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n))
    sealed = seal(payload, k=k, n=n)
    header = decode_header(sealed.header_bytes)
    assert header == sealed.header
    for index, (block, path) in enumerate(zip(sealed.blocks, sealed.paths, strict=True)):
        assert check(header.root, n, index, path, block)
    held = data.draw(st.permutations(range(n)))[:k]
    rebuilt = code(k, n).rebuild({i: sealed.blocks[i] for i in held}, header.length)
    assert rebuilt == payload
    assert reseal(header, rebuilt) == sealed


def test_a_source_that_signs_blocks_which_do_not_belong_together_is_found_out() -> None:
    honest = seal(b"0123456789abcdef", k=4, n=6)
    blocks = [*honest.blocks[:5], b"????"]
    root, paths = tree(blocks)
    header = replace(honest.header, root=root)
    header = replace(header, signature=OWNER.sign(signed_bytes(header, STREAM)))
    assert verify_header(header, STREAM)
    held = {i: blocks[i] for i in (2, 3, 4, 5)}
    assert all(check(root, 6, i, paths[i], block) for i, block in held.items())
    assert reseal(header, code(4, 6).rebuild(held, header.length)) is None


def test_a_payload_of_another_length_or_content_does_not_reseal() -> None:
    header = seal(b"0123456789").header
    assert reseal(header, b"0123456789") is not None
    assert reseal(header, b"0123456789\0") is None
    assert reseal(header, b"012345678!") is None


@pytest.mark.parametrize(
    ("payload", "k", "n", "duration_us"),
    [
        (b"", 4, 6, 200_000),
        (bytes(PIECE_BYTES_MAX + 1), 4, 6, 200_000),
        (b"x", 0, 6, 200_000),
        (b"x", 7, 6, 200_000),
        (b"x", 4, 65, 200_000),
        (b"x", 4, 6, 0),
        (b"x", 4, 6, DURATION_US_MAX + 1),
        (b"x", 4, 6, -1),
    ],
)
def test_a_piece_out_of_bounds_is_not_made(payload: bytes, k: int, n: int, duration_us: int) -> None:
    with pytest.raises(LocalError):
        seal(payload, k=k, n=n, duration_us=duration_us)


def test_pieces_are_numbered_from_one_on() -> None:
    with pytest.raises(LocalError, match="from 1 on"):
        seal(number=0)


def test_a_block_that_fits_into_no_message_is_not_made() -> None:
    with pytest.raises(LocalError, match="greater k or shorter pieces"):
        seal(bytes(MESSAGE_BYTES_MAX), k=1, n=2)
    sealed = seal(bytes(MESSAGE_BYTES_MAX), k=2, n=3)
    assert all(len(message) < MESSAGE_BYTES_MAX for message in block_messages(sealed))


@given(st.integers(1, STRIPES_MAX))
def test_the_largest_block_that_may_be_described_fits_into_a_message(n: int) -> None:
    path = depth(n) * NODE_BYTES
    largest = MESSAGE_BYTES_MAX - 1 - HEADER_BYTES - 1 - path
    header = replace(HEADER, k=1, n=n, length=largest)
    assert decode_header(header.encode()).block_bytes == largest
    with pytest.raises(MalformedMessage):
        decode_header(replace(header, length=largest + 1).encode())


@pytest.mark.parametrize("rendition", [-1, 256])
def test_a_rendition_that_has_no_tag_is_a_local_error(rendition: int) -> None:
    with pytest.raises(LocalError, match="0 to 255"):
        swarm_tag(STREAM, rendition)


def test_a_number_that_does_not_fit_its_field_is_a_local_error() -> None:
    with pytest.raises(LocalError, match="cannot be described"):
        replace(seal().header, epoch=2**32).encode()
