"""Address validation with Retry packets (RFC 9000 section 8.1.2), for when strangers hold the half-open places.

A token tells, under a key of this process, which first packet came from which address, and when. Nothing is kept of who
has got one.
"""

from hashlib import blake2b
from hmac import compare_digest
from os import urandom
from typing import NamedTuple

from qh3.quic.packet import encode_quic_retry

from swarm.drivers.quic.addresses import address_of
from swarm.drivers.quic.connection import ID_BYTES, SocketAddress
from swarm.drivers.quic.headers import Initial

MAC_BYTES = 16
TIME_BYTES = 4
FRESH_S = 10
"""A newcomer answers a Retry at once."""

VERSION_1 = 1


class Origin(NamedTuple):
    """What a validated first packet was called before, which both ends prove to each other (RFC 9000 section 7.3)."""

    first_id: bytes
    retry_id: bytes


class Retries:
    """Makes Retry packets, and knows its own tokens again."""

    __slots__ = ("_key",)

    def __init__(self) -> None:
        self._key = urandom(32)

    def packet(self, initial: Initial, source: SocketAddress, now: float) -> bytes:
        """The answer to a first packet without a token, or with an old one."""
        retry_id = urandom(ID_BYTES)
        said = int(now).to_bytes(TIME_BYTES, "big") + retry_id + initial.destination
        token = said + self._mac(said, source)
        return encode_quic_retry(
            version=VERSION_1,
            source_cid=retry_id,
            destination_cid=initial.source,
            original_destination_cid=initial.destination,
            retry_token=token,
        )

    def origin(self, initial: Initial, source: SocketAddress, now: float) -> Origin | None:
        """Where a first packet comes from, when its token is mine, young, and was given to this address."""
        said, mac = initial.token[:-MAC_BYTES], initial.token[-MAC_BYTES:]
        if not said or not compare_digest(mac, self._mac(said, source)):
            return None
        made_s = int.from_bytes(said[:TIME_BYTES], "big")
        origin = Origin(first_id=said[TIME_BYTES + ID_BYTES :], retry_id=said[TIME_BYTES : TIME_BYTES + ID_BYTES])
        fresh = 0 <= int(now) - made_s <= FRESH_S
        return origin if fresh and origin.retry_id == initial.destination else None

    def _mac(self, said: bytes, source: SocketAddress) -> bytes:
        host, port = address_of(source)
        return blake2b(said + host.encode() + port.to_bytes(2, "big"), digest_size=MAC_BYTES, key=self._key).digest()
