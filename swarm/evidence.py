"""Proof that a source has signed two different pieces under one number, for anybody to check.

An honest source never does: whoever holds both headers can show them to others, who need nothing but the stream's
key. It says nothing against the peers that passed either of them on.
"""

from swarm.errors import MalformedMessage
from swarm.pieces import SIGNED_BYTES, decode_header, swarm_tag, verify_header
from swarm.units import StreamId


def check_evidence(stream: StreamId, rendition: int, headers: tuple[bytes, bytes]) -> bool:
    """Whether these two signed headers (135 bytes each) prove that the stream's source equivocated."""
    try:
        first, second = map(decode_header, headers)
    except MalformedMessage:
        return False
    return (
        first.tag == second.tag == swarm_tag(stream, rendition)
        and (first.epoch, first.number) == (second.epoch, second.number)
        and headers[0][:SIGNED_BYTES] != headers[1][:SIGNED_BYTES]
        and verify_header(first, stream)
        and verify_header(second, stream)
    )
