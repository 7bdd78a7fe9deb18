"""Checks of ICE are read, proven and answered; everything else is nothing."""

import zlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.webrtc import stun
from tests.gateway.ingest.webrtc.sender import binding_request

PASSWORD = "a password of 22 bytes"
TRANSACTION = bytes(range(12))


def test_a_check_is_read() -> None:
    request = stun.read_request(binding_request("ours:theirs", PASSWORD, TRANSACTION, chosen=True))
    assert request is not None
    assert (request.session, request.transaction, request.chosen) == ("ours", TRANSACTION, True)
    assert request.is_from(PASSWORD)
    assert not request.is_from("another")


def test_a_changed_check_is_not_believed() -> None:
    packet = bytearray(binding_request("ours:theirs", PASSWORD, TRANSACTION))
    packet[26] ^= 1
    request = stun.read_request(bytes(packet))
    assert request is not None
    assert not request.is_from(PASSWORD)


def test_a_check_without_proof_is_none() -> None:
    whole = binding_request("ours:theirs", PASSWORD, TRANSACTION)
    bare = whole[:-24]
    assert stun.read_request(bare[:2] + (len(bare) - 20).to_bytes(2, "big") + bare[4:]) is None


def test_the_answer_says_where_the_check_came_from() -> None:
    request = stun.read_request(binding_request("ours:theirs", PASSWORD, TRANSACTION))
    assert request is not None
    for host, address in (("192.0.2.7", bytes((192, 0, 2, 7))), ("::ffff:192.0.2.7", bytes((192, 0, 2, 7)))):
        answer = stun.make_success(request, (host, 4000), PASSWORD)
        assert answer[:2] == b"\x01\x01"
        assert answer[8:20] == TRANSACTION
        # XOR-MAPPED-ADDRESS comes first: family, port, address, each under the cookie.
        assert answer[20:26] == b"\0\x20\0\x08\0\x01"
        assert int.from_bytes(answer[26:28], "big") ^ 0x2112 == 4000
        assert bytes(a ^ b for a, b in zip(answer[28:32], b"\x21\x12\xa4\x42", strict=True)) == address
        assert int.from_bytes(answer[-4:], "big") == zlib.crc32(answer[:-8]) ^ 0x5354554E
        assert len(answer) == 20 + int.from_bytes(answer[2:4], "big")


def test_an_answer_over_ipv6_is_masked_with_the_transaction_too() -> None:
    request = stun.read_request(binding_request("ours:theirs", PASSWORD, TRANSACTION))
    assert request is not None
    answer = stun.make_success(request, ("2001:db8::1%eth0", 4000), PASSWORD)
    mask = b"\x21\x12\xa4\x42" + TRANSACTION
    address = bytes(a ^ b for a, b in zip(answer[28:44], mask, strict=True))
    assert address == bytes.fromhex("20010db8000000000000000000000001")


@given(st.binary(max_size=120))
def test_any_bytes_are_a_check_or_nothing(noise: bytes) -> None:
    stun.read_request(noise)


@given(st.binary(min_size=1, max_size=80), st.integers(20, 36))
def test_nothing_can_be_put_in_front_of_the_proof(noise: bytes, at: int) -> None:
    whole = binding_request("ours:theirs", PASSWORD, TRANSACTION)
    damaged = whole[:at] + noise + whole[at:]
    request = stun.read_request(damaged[:2] + (len(damaged) - 20).to_bytes(2, "big") + damaged[4:])
    assert request is None or not request.is_from(PASSWORD)
