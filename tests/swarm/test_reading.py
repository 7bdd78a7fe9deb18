"""From bytes to checked values."""

import pytest

from swarm import wire
from swarm.errors import MalformedMessage, ProofError
from swarm.reading import Reader
from swarm.sim.reader import SharedReader
from tests.swarm.stage import STREAM, piece

READERS = [Reader(), SharedReader()]
readers = pytest.mark.parametrize("reader", READERS, ids=["plain", "shared"])


@readers
def test_a_piece_is_read_and_grown_again(reader: Reader) -> None:
    sealed = piece(7)
    messages = wire.block_messages(sealed)
    for _ in range(2):
        assert reader.signed(sealed.header, STREAM)
        for index, message in enumerate(messages):
            reader.check_block(sealed.header, index, message)
        payload = reader.payload(sealed.header, dict(list(enumerate(messages))[-sealed.header.k :]))
        assert reader.regrown(sealed.header, payload) == messages


@readers
def test_a_falsified_block_is_refused_each_time(reader: Reader) -> None:
    sealed = piece(8)
    message = wire.block_messages(sealed)[0]
    forged = message[:-1] + bytes([message[-1] ^ 1])
    for _ in range(2):
        with pytest.raises(ProofError):
            reader.check_block(sealed.header, 0, forged)
        with pytest.raises(MalformedMessage):
            reader.check_block(sealed.header, 0, message[:-1])


@readers
def test_a_payload_of_another_piece_does_not_lead_to_the_root(reader: Reader) -> None:
    sealed = piece(9)
    with pytest.raises(ProofError):
        reader.regrown(sealed.header, bytes(sealed.header.length))
