"""A ticket is its owner's word on one viewer; a wrapped key is that viewer's alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.errors import LocalError, MalformedMessage, ProofError
from swarm.identity import Identity
from swarm.messages import TICKET_BYTES, WRAPPED_BYTES
from swarm.tickets import Share, read_ticket, sign_ticket, unwrap, viewer_key, wrap
from swarm.units import StreamId

OWNER = Identity(b"o" * 32)
STREAM = StreamId(OWNER.key)
OTHER = StreamId(Identity(b"p" * 32).key)
GIVER = Identity(b"g" * 32)
SECRET = b"v" * 32
TICKET = sign_ticket(OWNER, serial=b"serial 1", viewer=viewer_key(SECRET), expires_s=2_000_000_000)
SHARE = Share(b"p" * 32, b"d" * 32)


def wrapped(period: int = 7, giver: Identity = GIVER) -> bytes:
    found = wrap(SHARE, TICKET, stream=STREAM, period=period, giver=giver)
    assert found is not None
    return found


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1))
def test_a_ticket_survives_its_bytes(serial: bytes, secret: bytes, expires_s: int) -> None:
    ticket = sign_ticket(OWNER, serial=serial, viewer=viewer_key(secret), expires_s=expires_s)
    assert len(ticket.data) == TICKET_BYTES
    assert read_ticket(ticket.data, STREAM) == ticket
    assert (ticket.serial, ticket.viewer, ticket.expires_s) == (serial, viewer_key(secret), expires_s)


@given(st.data())
def test_a_changed_ticket_is_none(data: st.DataObject) -> None:
    changed = bytearray(TICKET.data)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((MalformedMessage, ProofError)):
        read_ticket(bytes(changed), STREAM)


def test_a_ticket_admits_to_its_own_stream_only() -> None:
    with pytest.raises(ProofError):
        read_ticket(TICKET.data, OTHER)


@given(st.binary(max_size=130))
def test_any_bytes_are_no_ticket(data: bytes) -> None:
    with pytest.raises((MalformedMessage, ProofError)):
        read_ticket(data, STREAM)


@pytest.mark.parametrize(
    "wrong",
    [{"serial": b"short"}, {"viewer": b"short"}, {"viewer": bytes(32)}, {"expires_s": 2**32}, {"expires_s": -1}],
)
def test_what_fits_into_no_ticket_is_not_signed(wrong: dict[str, object]) -> None:
    fields = {"serial": b"serial 1", "viewer": viewer_key(SECRET), "expires_s": 1} | wrong
    with pytest.raises(LocalError):
        sign_ticket(OWNER, **fields)  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32))
def test_a_wrapped_key_is_for_the_tickets_viewer_alone(period: int, other: bytes) -> None:
    one = wrapped(period)
    assert len(one) == WRAPPED_BYTES
    assert unwrap(one, TICKET, stream=STREAM, period=period, viewer_secret=SECRET) == SHARE
    assert unwrap(one, TICKET, stream=STREAM, period=period ^ 1, viewer_secret=SECRET) is None
    assert unwrap(one, TICKET, stream=OTHER, period=period, viewer_secret=SECRET) is None
    if viewer_key(other) != TICKET.viewer:
        assert unwrap(one, TICKET, stream=STREAM, period=period, viewer_secret=other) is None
    assert SHARE.secret not in one


@given(st.data())
def test_a_changed_wrapping_unwraps_to_nothing(data: st.DataObject) -> None:
    changed = bytearray(wrapped())
    changed[data.draw(st.integers(32, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    assert unwrap(bytes(changed), TICKET, stream=STREAM, period=7, viewer_secret=SECRET) is None


@given(st.binary(min_size=WRAPPED_BYTES, max_size=WRAPPED_BYTES))
def test_any_bytes_unwrap_to_nothing(data: bytes) -> None:
    assert unwrap(data, TICKET, stream=STREAM, period=7, viewer_secret=SECRET) is None


def test_a_key_of_small_order_unwraps_to_nothing() -> None:
    assert unwrap(bytes(32) + wrapped()[32:], TICKET, stream=STREAM, period=7, viewer_secret=SECRET) is None


def test_no_two_wrappings_share_an_ephemeral_key() -> None:
    keys = {wrapped(7)[:32], wrapped(8)[:32], wrapped(7, Identity(b"h" * 32))[:32]}
    assert len(keys) == 3
    assert wrapped(7) == wrapped(7), "the same again tells nothing new"
