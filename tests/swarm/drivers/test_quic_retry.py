"""Tokens that show where a newcomer is."""

import pytest

from swarm.drivers.quic.headers import Initial
from swarm.drivers.quic.retry import FRESH_S, Retries

HERE, ELSEWHERE = ("10.1.2.3", 4000), ("10.1.2.4", 4000)
FIRST = Initial(destination=b"destination", source=b"source", token=b"")


def answered(packet: bytes) -> Initial:
    """The newcomer's second packet: the Retry's source as destination, and its token (RFC 9000 section 17.2.5)."""
    at = 6 + packet[5]
    retry_id = packet[at + 1 : at + 1 + packet[at]]
    return Initial(destination=retry_id, source=FIRST.source, token=packet[at + 1 + packet[at] : -16])


def test_who_answers_from_the_same_address_is_known_again() -> None:
    retries = Retries()
    second = answered(retries.packet(FIRST, HERE, 7.0))
    origin = retries.origin(second, HERE, 7.0 + FRESH_S)
    assert origin == (FIRST.destination, second.destination)


def test_a_packet_goes_to_who_asked_and_is_smaller_than_the_question() -> None:
    packet = Retries().packet(FIRST, HERE, 7.0)
    assert packet[6 : 6 + packet[5]] == FIRST.source
    assert len(packet) < 200


@pytest.mark.parametrize("host", [ELSEWHERE, ("10.1.2.3", 4001)])
def test_another_address_cannot_use_it(host: tuple[str, int]) -> None:
    retries = Retries()
    assert retries.origin(answered(retries.packet(FIRST, HERE, 7.0)), host, 7.0) is None


@pytest.mark.parametrize("now", [6.0, 7.0 + FRESH_S + 1])
def test_an_old_one_is_worth_nothing(now: float) -> None:
    retries = Retries()
    assert retries.origin(answered(retries.packet(FIRST, HERE, 7.0)), HERE, now) is None


def test_nobody_else_can_make_one() -> None:
    second = answered(Retries().packet(FIRST, HERE, 7.0))
    assert Retries().origin(second, HERE, 7.0) is None


def test_none_of_its_bytes_can_be_changed() -> None:
    retries = Retries()
    second = answered(retries.packet(FIRST, HERE, 7.0))
    for at in range(len(second.token)):
        token = bytearray(second.token)
        token[at] ^= 1
        assert retries.origin(second._replace(token=bytes(token)), HERE, 7.0) is None
    for cut in range(len(second.token)):
        assert retries.origin(second._replace(token=second.token[:cut]), HERE, 7.0) is None
    assert retries.origin(second._replace(destination=bytes(8)), HERE, 7.0) is None
