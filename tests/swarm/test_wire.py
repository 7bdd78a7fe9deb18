"""Messages and their bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarm import wire
from swarm.errors import MalformedMessage
from swarm.merkle import NODE_BYTES, depth
from swarm.pieces import HEADER_BYTES
from swarm.units import Address, PeerId, Stripe, SwarmTag
from tests.swarm.strategies import messages

TAG = SwarmTag(b"12345678")
KEY = PeerId(bytes(32))
ADDRESS = b"\x04\x0a\x00\x00\x01\x0f\xa0"
CONTACT = bytes(32) + ADDRESS + bytes(9)


@given(messages())
def test_what_is_decoded_is_what_was_encoded(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(st.binary(max_size=400))
@example(b"")
def test_any_bytes_give_a_message_or_are_malformed(data: bytes) -> None:
    try:
        message = wire.decode(data)
    except MalformedMessage:
        return
    assert wire.encode(message) == data


@given(st.integers(1, 28), st.binary(max_size=200))
def test_any_bytes_after_a_known_type_give_a_message_or_are_malformed(kind: int, rest: bytes) -> None:
    try:
        message = wire.decode(bytes([kind]) + rest)
    except MalformedMessage:
        return
    assert wire.encode(message) == bytes([kind]) + rest


@given(messages(), st.data())
def test_a_message_cut_short_is_malformed(message: wire.Message, data: st.DataObject) -> None:
    if isinstance(message, wire.ManifestMessage | wire.TombstoneMessage):
        return  # signed bytes to the end
    whole = wire.encode(message)
    kept = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MalformedMessage):
        wire.decode(whole[:kept])


@given(messages(), st.binary(min_size=1, max_size=8))
def test_trailing_bytes_are_malformed(message: wire.Message, more: bytes) -> None:
    if isinstance(message, wire.ManifestMessage | wire.TombstoneMessage):
        return  # signed bytes to the end
    with pytest.raises(MalformedMessage):
        wire.decode(wire.encode(message) + more)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x01\x01" + bytes(96) + b"\x02" + ADDRESS, id="flag of two"),
        pytest.param(b"\x02\x01" + bytes(32) + b"\x00\x05\x0a\x00\x00\x01\x0f\xa0", id="address family 5"),
        pytest.param(b"\x04" + TAG + bytes(wire.MANIFEST_BYTES_MAX + 1), id="manifest too long"),
        pytest.param(b"\x05" + TAG + bytes(26) + b"\x41" + bytes(65 * 6), id="65 offers"),
        pytest.param(b"\x05" + TAG + bytes(25) + b"\x04\x00", id="advert with access 4"),
        pytest.param(b"\x13" + TAG + CONTACT[:-1] + b"\x04", id="contact with access 4"),
        pytest.param(b"\x05" + TAG + bytes(26) + b"\x01\x40" + bytes(5), id="offer of stripe 64"),
        pytest.param(b"\x05" + TAG + bytes(26) + b"\x01" + bytes(5) + b"\x11" + bytes(17 * 4), id="17 ancestors"),
        pytest.param(b"\x06" + TAG + b"\x21" + CONTACT * 33, id="33 contacts"),
        pytest.param(b"\x07" + TAG + b"\x40" + bytes(9), id="subscribe to stripe 64"),
        pytest.param(b"\x07" + TAG + bytes(9) + b"\x02", id="subscribe's flag of two"),
        pytest.param(b"\x08" + TAG + b"\x40\x00", id="accept of stripe 64"),
        pytest.param(b"\x08" + TAG + b"\x00\x11" + bytes(17 * 4), id="accept with 17 ancestors"),
        pytest.param(b"\x08" + TAG + b"\x00\x00\x02" + CONTACT * 2, id="accept with 2 above"),
        pytest.param(b"\x09" + TAG + b"\x00\x04" + CONTACT * 4, id="4 hints"),
        pytest.param(b"\x0b" + TAG + b"\x00\x04" + CONTACT * 4, id="moved with 4 hints"),
        pytest.param(b"\x0d" + TAG + bytes(16) + b"\x41", id="want of 65 blocks"),
        pytest.param(b"\x0f" + TAG + b"\x41" + (b"\x00" + CONTACT) * 65, id="bye with 65 parents"),
        pytest.param(b"\x00", id="type 0"),
        pytest.param(b"\x14", id="type 20"),
        pytest.param(b"\x0c" + bytes(300), id="block, which is not decoded here"),
    ],
)
def test_a_field_out_of_bounds_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        wire.decode(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x05" + TAG + bytes(26) + b"\x40" + bytes(64 * 6), id="64 offers"),
        pytest.param(b"\x06" + TAG + b"\x20" + CONTACT * 32, id="32 contacts"),
        pytest.param(b"\x07" + TAG + b"\x3f" + bytes(9), id="stripe 63"),
        pytest.param(b"\x08" + TAG + b"\x00\x10" + bytes(16 * 4) + b"\x00", id="16 ancestors"),
        pytest.param(b"\x0d" + TAG + bytes(16) + b"\x40", id="64 blocks"),
        pytest.param(b"\x0f" + TAG + b"\x40" + (b"\x00" + CONTACT) * 64, id="64 parents"),
    ],
)
def test_a_field_at_its_bound_is_taken(data: bytes) -> None:
    assert wire.encode(wire.decode(data)) == data


def test_the_scope_of_an_ipv6_address_stays_at_home() -> None:
    contact = wire.Contact(KEY, Address("fe80::1%eth0", 4000))
    message = wire.decode(wire.encode(wire.Peers(tag=TAG, contacts=(contact,))))
    assert isinstance(message, wire.Peers)
    assert message.contacts[0].address == Address("fe80::1", 4000)


@given(st.integers(1, 64), st.data())
def test_a_block_message_comes_apart_as_it_was_put_together(n: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, n - 1))
    header = data.draw(st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
    path = data.draw(st.binary(min_size=depth(n) * NODE_BYTES, max_size=depth(n) * NODE_BYTES))
    payload = data.draw(st.binary(min_size=1, max_size=50))
    block = wire.encode_block(header, index, path, payload)
    assert block[0] == wire.BLOCK
    assert wire.block_header(block) == header
    found = wire.split_block(block, n)
    assert (found[0], found[1], bytes(found[2])) == (index, path, payload)


@given(st.binary(max_size=400), st.integers(1, 64))
def test_any_bytes_are_a_block_or_malformed(data: bytes, n: int) -> None:
    try:
        index, path, payload = wire.split_block(data, n)
    except MalformedMessage:
        return
    assert index < n
    assert len(path) == depth(n) * NODE_BYTES
    assert payload


def test_a_block_whose_index_is_out_of_range_is_malformed() -> None:
    block = wire.encode_block(bytes(HEADER_BYTES), 4, bytes(depth(4) * NODE_BYTES), b"x")
    with pytest.raises(MalformedMessage):
        wire.split_block(block, 4)


def test_a_block_without_payload_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        wire.split_block(wire.encode_block(bytes(HEADER_BYTES), 0, bytes(2 * NODE_BYTES), b""), 4)
    with pytest.raises(MalformedMessage):
        wire.block_header(bytes(1 + HEADER_BYTES))


def test_stripes_in_a_message_are_numbers_of_their_own_kind() -> None:
    message = wire.decode(wire.encode(wire.Unsubscribe(tag=TAG, stripe=Stripe(7))))
    assert message == wire.Unsubscribe(tag=TAG, stripe=Stripe(7))
