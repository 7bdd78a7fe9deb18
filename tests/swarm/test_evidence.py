"""Two signed headers of one piece prove that the source equivocated; nothing else does."""

import pytest

from swarm.evidence import check_evidence
from swarm.identity import Identity
from swarm.pieces import HEADER_BYTES, make_piece
from swarm.units import StreamId
from tests.swarm.stage import OWNER, STREAM, piece

HEADERS = (piece(7, payload=b"this").header_bytes, piece(7, payload=b"that").header_bytes)


def test_two_roots_of_one_piece_are_proof_for_anybody() -> None:
    assert check_evidence(STREAM, 0, HEADERS)
    assert check_evidence(STREAM, 0, HEADERS[::-1])


def test_another_time_is_proof_too() -> None:
    assert check_evidence(STREAM, 0, (piece(7).header_bytes, piece(7, key=False).header_bytes))


@pytest.mark.parametrize(
    "headers",
    [
        (HEADERS[0], HEADERS[0]),
        (HEADERS[0], piece(8, payload=b"that").header_bytes),
        (HEADERS[0], piece(7, epoch=2, payload=b"that").header_bytes),
        (HEADERS[0], HEADERS[1][:-1] + bytes([HEADERS[1][-1] ^ 1])),
        (HEADERS[0], HEADERS[1][:-1]),
        (HEADERS[0], b""),
        (HEADERS[0], bytes(HEADER_BYTES)),
    ],
)
def test_what_an_honest_source_or_a_forger_can_show_is_none(headers: tuple[bytes, bytes]) -> None:
    assert not check_evidence(STREAM, 0, headers)


def test_another_streams_headers_prove_nothing() -> None:
    other = Identity(b"x" * 32)
    assert not check_evidence(StreamId(other.key), 0, HEADERS)
    assert not check_evidence(STREAM, 1, HEADERS)


def test_the_same_number_in_two_renditions_is_no_equivocation() -> None:
    other = make_piece(
        b"that", stream=STREAM, rendition=1, epoch=1, number=7, key=True, capture_us=0, duration_us=1, k=1, n=1,
        owner=OWNER,
    )  # fmt: skip
    assert not check_evidence(STREAM, 0, (HEADERS[0], other.header_bytes))
