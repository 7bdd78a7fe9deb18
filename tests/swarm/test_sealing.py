"""A sealed payload opens at its own place under its own secret, and nowhere else; any bytes are survived."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.errors import MalformedMessage
from swarm.sealing import (
    COSTS,
    REVOKED_MAX,
    Admission,
    Lock,
    Place,
    SealHead,
    key_id,
    lock_fault,
    open_piece,
    open_text,
    period_secret,
    read_head,
    seal_piece,
    seal_text,
)
from swarm.units import StreamId, SwarmTag

STREAM = StreamId(b"s" * 32)
ROOT = b"r" * 32
SECRET = period_secret(ROOT, 7)
HEAD = SealHead(session=b"session1", period=7, key_id=key_id(SECRET))
PLACE = Place(SwarmTag(b"tag....."), 3, 1000, True, 1_700_000_000_000_000, 200_000)
LOCK = Lock(admission=Admission.LINK, rotation_s=60, session=b"session1")

serials = st.lists(st.binary(min_size=8, max_size=8), max_size=5).map(tuple)
heads = st.builds(
    SealHead,
    session=st.binary(min_size=8, max_size=8),
    period=st.integers(0, 2**32 - 1),
    key_id=st.binary(min_size=16, max_size=16),
    next_period=st.integers(0, 2**32 - 1),
    next_key_id=st.binary(min_size=16, max_size=16),
    revoked=serials,
)


@given(st.binary(min_size=1, max_size=200), heads, st.integers(1, 2**64 - 1))
def test_what_was_sealed_opens_and_its_head_can_be_read_without_the_key(
    payload: bytes, head: SealHead, number: int
) -> None:
    place = PLACE._replace(number=number)
    sealed = seal_piece(payload, head, SECRET, place)
    assert read_head(sealed)[0] == head
    assert open_piece(sealed, place, SECRET) == payload
    assert len(payload) < 16 or payload not in sealed[len(head.encode()) :]


@pytest.mark.parametrize(
    "elsewhere",
    [
        PLACE._replace(tag=SwarmTag(b"another.")),
        PLACE._replace(epoch=4),
        PLACE._replace(number=1001),
        PLACE._replace(key=False),
        PLACE._replace(capture_us=PLACE.capture_us + 1),
        PLACE._replace(duration_us=100_000),
    ],
)
def test_a_piece_opens_at_its_own_place_only(elsewhere: Place) -> None:
    sealed = seal_piece(b"film", HEAD, SECRET, PLACE)
    assert open_piece(sealed, PLACE, SECRET) == b"film"
    assert open_piece(sealed, elsewhere, SECRET) is None


@given(st.data())
def test_a_changed_byte_is_noticed_wherever_it_is(data: st.DataObject) -> None:
    sealed = bytearray(seal_piece(b"film" * 5, replace(HEAD, revoked=(b"serial 1",)), SECRET, PLACE))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    assert open_piece(bytes(sealed), PLACE, SECRET) is None


def test_another_periods_secret_opens_nothing() -> None:
    sealed = seal_piece(b"film", HEAD, SECRET, PLACE)
    assert open_piece(sealed, PLACE, period_secret(ROOT, 8)) is None
    assert open_piece(sealed, PLACE, period_secret(b"x" * 32, 7)) is None


def test_the_same_number_after_a_restart_is_sealed_with_another_key() -> None:
    """The same epoch, period, place and text, as when the clock was set back: only the session is new."""
    one = seal_piece(b"film", HEAD, SECRET, PLACE)
    other = seal_piece(b"film", replace(HEAD, session=b"session2"), SECRET, PLACE)
    assert one[-20:] != other[-20:]


@given(st.binary(max_size=120))
def test_any_bytes_give_a_head_or_are_malformed(data: bytes) -> None:
    assert open_piece(data, PLACE, SECRET) is None
    try:
        head, end = read_head(data)
    except MalformedMessage:
        return
    assert data[:end] == head.encode()


def test_too_many_revoked_tickets_are_malformed() -> None:
    long = replace(HEAD, revoked=(b"serial 1",) * (REVOKED_MAX + 1))
    with pytest.raises(MalformedMessage, match="too many"):
        read_head(seal_piece(b"film", long, SECRET, PLACE))


@given(st.binary(max_size=300))
def test_a_sealed_text_opens_with_its_secret_for_its_purpose_and_stream(text: bytes) -> None:
    sealed = seal_text(text, SECRET, STREAM, b"title")
    assert open_text(sealed, SECRET, STREAM, b"title") == text
    assert open_text(sealed, ROOT, STREAM, b"title") is None
    assert open_text(sealed, SECRET, STREAM, b"media 0") is None
    assert open_text(sealed, SECRET, StreamId(b"t" * 32), b"title") is None


@given(st.binary(min_size=1, max_size=50), st.binary(min_size=1, max_size=50))
def test_two_texts_never_have_one_nonce(one: bytes, other: bytes) -> None:
    nonces = {seal_text(text, SECRET, STREAM, b"media 0")[:12] for text in (one, other)}
    assert len(nonces) == len({one, other})


@given(st.binary(max_size=60))
def test_any_bytes_are_no_text(data: bytes) -> None:
    assert open_text(data, SECRET, STREAM, b"title") is None


@pytest.mark.parametrize(
    "lock",
    [
        replace(LOCK, rotation_s=9),
        replace(LOCK, rotation_s=3601),
        replace(LOCK, session=b"short"),
        replace(LOCK, salt=b""),
        replace(LOCK, cost=15),
        replace(LOCK, admission=Admission.PASSWORD, cost=COSTS.stop),
        replace(LOCK, admission=Admission.PASSWORD, cost=0),
        replace(LOCK, title=bytes(1025)),
    ],
)
def test_a_lock_out_of_bounds_is_found(lock: Lock) -> None:
    assert lock_fault(LOCK) == ""
    assert lock_fault(lock)
