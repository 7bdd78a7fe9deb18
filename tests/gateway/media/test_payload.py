"""What is packed is unpacked, sliced and not copied; anything else is a MediaError."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.errors import MediaError
from gateway.media.parts import Part
from gateway.media.payload import PARTS_MAX, PieceSlice, pack, unpack

parts = st.builds(
    Part,
    track=st.integers(0, 2**32 - 1),
    key=st.booleans(),
    decode_time=st.integers(-(2**63), 2**63 - 1),
    duration=st.integers(0, 2**32 - 1),
    data=st.binary(max_size=50),
)
pieces = st.builds(
    PieceSlice,
    segment=st.integers(0, 2**64 - 1),
    index=st.integers(0, 2**16 - 1),
    discontinuity=st.integers(0, 2**32 - 1),
    parts=st.lists(parts, min_size=1, max_size=5).map(tuple),
)
PIECE = PieceSlice(
    segment=7,
    index=2,
    discontinuity=1,
    parts=(
        Part(track=1, key=True, decode_time=90, duration=20, data=b"video"),
        Part(track=2, key=False, decode_time=-5, duration=21, data=b"audio"),
    ),
)


@given(pieces)
def test_unpacking_gives_what_was_packed(piece: PieceSlice) -> None:
    assert unpack(pack(piece)) == piece


@given(st.binary(max_size=120))
def test_any_bytes_are_a_piece_or_a_media_error(data: bytes) -> None:
    try:
        piece = unpack(data)
    except MediaError:
        return
    assert pack(piece) == data


@given(data=st.data())
def test_a_damaged_piece_is_a_piece_or_a_media_error(data: st.DataObject) -> None:
    packed = bytearray(pack(PIECE))
    packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        unpack(bytes(packed))
    except MediaError:
        return


def test_slicing_copies_nothing() -> None:
    payload = pack(PIECE)
    for part in unpack(payload).parts:
        assert isinstance(part.data, memoryview)
        assert part.data.obj is payload


def test_every_cut_and_every_surplus_is_refused() -> None:
    payload = pack(PIECE)
    for length in range(len(payload)):
        with pytest.raises(MediaError):
            unpack(payload[:length])
    with pytest.raises(MediaError, match="after its last part"):
        unpack(payload + b"x")


def test_another_version_asks_for_an_update() -> None:
    with pytest.raises(MediaError, match="Update"):
        unpack(b"\x02" + pack(PIECE)[1:])


def test_a_piece_has_no_more_parts_than_fit() -> None:
    piece = PieceSlice(segment=0, index=0, discontinuity=0, parts=PIECE.parts[:1] * (PARTS_MAX + 1))
    with pytest.raises(MediaError, match="64 are the most"):
        pack(piece)


def test_a_pause_of_the_sound_is_a_piece_without_parts() -> None:
    piece = PieceSlice(segment=3, index=1, discontinuity=2, parts=())
    assert unpack(pack(piece)) == piece


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MediaError, match="does not fit"):
        pack(PieceSlice(segment=-1, index=0, discontinuity=0, parts=PIECE.parts))
