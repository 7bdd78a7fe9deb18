"""Tickets: one viewer's admission to a sealed stream, signed by the stream's key, and keys wrapped for its holder.

A ticket's bytes, in network order:

    format u8 (1), serial 8, viewer's key 32 (X25519, RFC 7748), expires u32 (seconds since 1970), signature 64 by the
    stream's key over a context, the stream's key and all bytes before it

Whoever holds a period's secret may give it to who shows a ticket, wrapped so that the ticket's viewer alone can unwrap
it: an ephemeral X25519 key, HKDF over both keys' agreement, ChaCha20-Poly1305 (as HPKE does, RFC 9180). To show
somebody else's ticket is of no use. The ephemeral key follows from the giver's secret key, the ticket and the period.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from swarm.errors import LocalError, MalformedMessage, ProofError
from swarm.identity import Identity, verify
from swarm.messages import TICKET_BYTES
from swarm.sealing import NONCE_BYTES, SECRET_BYTES, SERIAL_BYTES, derive
from swarm.units import KEY_BYTES, SIGNATURE_BYTES, StreamId

_CONTEXT: Final = b"seedcast ticket 1\0"
_FORMAT: Final = 1
_FIELDS: Final = struct.Struct(f">B{SERIAL_BYTES}s{KEY_BYTES}sI")
_PERIOD: Final = struct.Struct(">I")
_NONCE: Final = bytes(NONCE_BYTES)
"""Each wrapping has a key of its own."""

_U32: Final = range(1 << 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What the owner has signed: ``viewer`` may watch until ``expires_s``, unless the serial is revoked before."""

    serial: bytes
    viewer: bytes
    expires_s: int
    data: bytes


class Share(NamedTuple):
    """What a holder of keys gives to a ticket's viewer: a period's secret, and that of the descriptions."""

    secret: bytes
    description: bytes


def viewer_key(secret: bytes) -> bytes:
    """The public key, 32 bytes, of a viewer's secret of 32 bytes."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def sign_ticket(owner: Identity, *, serial: bytes, viewer: bytes, expires_s: int) -> Ticket:
    """Admit a viewer to the stream that ``owner`` is the key of. Raises LocalError for what fits into no ticket."""
    if len(serial) != SERIAL_BYTES or len(viewer) != KEY_BYTES or expires_s not in _U32:
        raise LocalError(f"a ticket has a serial of {SERIAL_BYTES} bytes, a key of {KEY_BYTES}, and ends before 2106")
    if _agreement(X25519PrivateKey.from_private_bytes(serial * 4), viewer) is None:
        raise LocalError("this is no viewer's key")
    body = _FIELDS.pack(_FORMAT, serial, viewer, expires_s)
    data = body + owner.sign(_CONTEXT + owner.key + body)
    return Ticket(serial=serial, viewer=viewer, expires_s=expires_s, data=data)


@lru_cache(maxsize=1024)
def read_ticket(data: bytes, stream: StreamId) -> Ticket:
    """The ticket in these bytes. Raises MalformedMessage, and ProofError when the stream's key did not sign it."""
    if len(data) != TICKET_BYTES:
        raise MalformedMessage("ticket is cut short or too long")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    version, serial, viewer, expires_s = _FIELDS.unpack(body)
    if version != _FORMAT:
        raise MalformedMessage("ticket of an unknown format")
    if not verify(stream, signature, _CONTEXT + stream + body):
        raise ProofError("ticket is not signed by the stream's key")
    return Ticket(serial=serial, viewer=viewer, expires_s=expires_s, data=data)


def wrap(share: Share, ticket: Ticket, *, stream: StreamId, period: int, giver: Identity) -> bytes | None:
    """A share for the ticket's viewer alone; None when the ticket's key is none."""
    seed = derive(giver.seed, b"ephemeral", stream + _PERIOD.pack(period) + ticket.data)
    ephemeral = X25519PrivateKey.from_private_bytes(seed)
    agreed = _agreement(ephemeral, ticket.viewer)
    if agreed is None:
        return None
    public = ephemeral.public_key().public_bytes_raw()
    cipher = _cipher(agreed, public, ticket, stream, period)
    return public + cipher.encrypt(_NONCE, share.secret + share.description, None)


def unwrap(wrapped: bytes, ticket: Ticket, *, stream: StreamId, period: int, viewer_secret: bytes) -> Share | None:
    """What was wrapped for this ticket's viewer; None when it was not, or is something else."""
    public, sealed = wrapped[:KEY_BYTES], wrapped[KEY_BYTES:]
    agreed = _agreement(X25519PrivateKey.from_private_bytes(viewer_secret), public)
    if agreed is None:
        return None
    try:
        both = _cipher(agreed, public, ticket, stream, period).decrypt(_NONCE, sealed, None)
    except InvalidTag:
        return None
    return Share(both[:SECRET_BYTES], both[SECRET_BYTES:]) if len(both) == 2 * SECRET_BYTES else None


def _agreement(mine: X25519PrivateKey, theirs: bytes) -> bytes | None:
    """What both keys lead to; None for a key of small order, with which everything leads to nothing."""
    try:
        return mine.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        return None


def _cipher(agreed: bytes, public: bytes, ticket: Ticket, stream: StreamId, period: int) -> ChaCha20Poly1305:
    salt = public + ticket.viewer + stream + ticket.serial + _PERIOD.pack(period)
    return ChaCha20Poly1305(derive(agreed, b"wrapped key", salt))
