"""PCP and NAT-PMP, byte by byte; whatever a router answers is an answer, a refusal, or nothing."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.drivers.ports.messages import (
    Mapping,
    Refused,
    SpeaksOlder,
    pcp_request,
    pmp_address_request,
    pmp_request,
    read_pcp,
    read_pmp,
    read_pmp_address,
)
from swarm.units import Address

NONCE = b"n" * 12
V4 = bytes(10) + b"\xff\xff"


def pcp_answer(*, result: int = 0, nonce: bytes = NONCE, port: int = 4000, lifetime_s: int = 900) -> bytes:
    head = bytes([2, 0x81, 0, result]) + lifetime_s.to_bytes(4, "big") + bytes(16)
    return (
        head + nonce + bytes([17, 0, 0, 0]) + port.to_bytes(2, "big") + (4100).to_bytes(2, "big") + V4 + b"\x08\1\1\1"
    )


def test_a_pcp_request_is_as_the_rfc_draws_it() -> None:
    request = pcp_request(NONCE, "192.168.1.2", 4000, 4100, 1800)
    assert request[:8] == b"\x02\x01\x00\x00" + (1800).to_bytes(4, "big")
    assert request[8:24] == V4 + bytes([192, 168, 1, 2])
    assert request[24:36] == NONCE
    assert request[36:44] == b"\x11\0\0\0" + (4000).to_bytes(2, "big") + (4100).to_bytes(2, "big")
    assert request[44:] == V4 + bytes(4)


def test_a_pcp_answer_tells_the_outer_address_and_for_how_long() -> None:
    assert read_pcp(pcp_answer(), NONCE, 4000) == Mapping(Address("8.1.1.1", 4100), 900)


def test_answers_to_others_are_none() -> None:
    assert read_pcp(pcp_answer(nonce=b"x" * 12), NONCE, 4000) is None
    assert read_pcp(pcp_answer(port=4001), NONCE, 4000) is None
    assert read_pcp(b"", NONCE, 4000) is None
    assert read_pmp(bytes([0, 0x81]) + bytes(14), 4000) is None


def test_refusals_are_told_apart_from_a_router_that_is_older() -> None:
    with pytest.raises(Refused, match="code 2"):
        read_pcp(pcp_answer(result=2), NONCE, 4000)
    with pytest.raises(SpeaksOlder):
        read_pcp(bytes([0, 0x81, 0, 1]) + bytes(4), NONCE, 4000)


def test_nat_pmp_asks_for_the_address_and_for_the_port() -> None:
    assert pmp_address_request() == b"\0\0"
    assert pmp_request(4000, 4100, 1800) == bytes([0, 1, 0, 0]) + b"\x0f\xa0" + b"\x10\x04" + (1800).to_bytes(4, "big")
    assert read_pmp_address(bytes([0, 0x80, 0, 0]) + bytes(4) + b"\x08\1\1\1") == "8.1.1.1"
    answer = bytes([0, 0x81, 0, 0]) + bytes(4) + b"\x0f\xa0\x10\x04" + (900).to_bytes(4, "big")
    assert read_pmp(answer, 4000) == (4100, 900)
    with pytest.raises(Refused):
        read_pmp(answer[:3] + b"\3" + answer[4:], 4000)


@given(st.binary(max_size=80))
def test_any_bytes_are_an_answer_a_refusal_or_nothing(data: bytes) -> None:
    for read in (lambda: read_pcp(data, NONCE, 4000), lambda: read_pmp(data, 4000), lambda: read_pmp_address(data)):
        with suppress(Refused):
            read()
