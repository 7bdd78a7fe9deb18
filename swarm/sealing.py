"""Sealed streams: pieces that everybody may pass on and only those with the key can read.

A source seals a piece's payload before it codes, hashes and signs it, so peers check and forward blocks as ever. What
the swarm then calls the payload is, in network order:

    version u8 (1), session 8, period u32, key id 16, next period u32 (0: none yet), its key id 16,
    revoked u16 and so many serials of 8, ciphertext and tag 16

All before the ciphertext is open, signed with the piece, and authenticated with the ciphertext. A **period** is the
time for which one secret holds, about a minute; it is named by a second since 1970 that only grows. The piece's key
follows from the period's secret, the session, the swarm's tag and the epoch (HKDF, RFC 5869), the nonce is the
piece's number. The source draws a **session** anew with every start, so no key and nonce come together twice even if
its clock, its epochs or its numbers run back; within a session it seals each number once (`swarm.sealer`).
The cipher is ChaCha20-Poly1305 (RFC 8439).
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from swarm.errors import MalformedMessage
from swarm.pieces import PieceHeader
from swarm.units import StreamId, SwarmTag

SECRET_BYTES: Final = 32
SESSION_BYTES: Final = 8
SALT_BYTES: Final = 16
KEY_ID_BYTES: Final = 16
SERIAL_BYTES: Final = 8
NONCE_BYTES: Final = 12
SEAL_BYTES: Final = 16
"""What the cipher's tag adds to a text."""

REVOKED_MAX: Final = 256
ROTATION_S_MIN, ROTATION_S_MAX = 10, 3600
COSTS: Final = range(14, 18)
"""The base-2 logarithm of scrypt's N that a manifest may ask a viewer's machine for: 16 to 128 MiB."""

SEALED_TEXT_BYTES_MAX: Final = 1024
"""A title of 200 characters, sealed."""

_VERSION: Final = 1
_HEAD: Final = struct.Struct(">B8sI16sI16sH")
_PLACE: Final = struct.Struct(">8sIQBqI")
_NUMBER: Final = struct.Struct(">4xQ")
_U32_MAX: Final = 0xFFFFFFFF
_KEY_NAME: Final = slice(1 + SESSION_BYTES, 1 + SESSION_BYTES + 4 + KEY_ID_BYTES)
_NO_KEY_ID: Final = bytes(KEY_ID_BYTES)


class Admission(IntEnum):
    """What lets a viewer in: a secret in the link, a password, or a ticket that the stream's owner signed."""

    LINK = 1
    PASSWORD = 2
    TICKET = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a manifest says of a sealed stream: enough to find out whether one has the key, and nothing else.

    ``salt`` and ``cost`` (the base-2 logarithm of scrypt's N) are those of a password, else zeros and 0. ``title`` is
    sealed like the renditions' descriptions.
    """

    admission: Admission
    rotation_s: int
    session: bytes
    salt: bytes = bytes(SALT_BYTES)
    cost: int = 0
    title: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealHead:
    """The open part of a sealed piece. ``next_period`` is 0 before the source has said what comes next; ``revoked``
    are the serials of tickets that get no key any more."""

    session: bytes
    period: int
    key_id: bytes
    next_period: int = 0
    next_key_id: bytes = _NO_KEY_ID
    revoked: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The head's bytes."""
        fixed = _HEAD.pack(
            _VERSION,
            self.session,
            self.period,
            self.key_id,
            self.next_period,
            self.next_key_id,
            len(self.revoked),
        )
        return fixed + b"".join(self.revoked)


class Place(NamedTuple):
    """Where in a stream a piece belongs: what its header says, and what its ciphertext is bound to."""

    tag: SwarmTag
    epoch: int
    number: int
    key: bool
    capture_us: int
    duration_us: int


def place_of(header: PieceHeader) -> Place:
    """The place that a signed header names."""
    return Place(header.tag, header.epoch, header.number, header.key, header.capture_us, header.duration_us)


def derive(secret: bytes, purpose: bytes, salt: bytes = b"") -> bytes:
    """A secret for one purpose from a greater one, 32 bytes."""
    return HKDF(SHA256(), SECRET_BYTES, salt, b"seedcast 1 " + purpose).derive(secret)


@lru_cache(maxsize=256)
def period_secret(root: bytes, period: int) -> bytes:
    """The secret of one period of a stream whose root secret is known."""
    return derive(root, b"period %d" % period)


def description_secret(root: bytes) -> bytes:
    """The secret under which a stream's title and media descriptions are sealed."""
    return derive(root, b"description")


def key_id(secret: bytes) -> bytes:
    """By what a period's secret is recognised: it commits to the secret, and tells nothing of it."""
    return blake3(b"seedcast key id 1\0" + secret).digest(KEY_ID_BYTES)


def read_head(sealed: bytes) -> tuple[SealHead, int]:
    """The open part of a sealed payload, and its length. Raises MalformedMessage."""
    if len(sealed) < _HEAD.size:
        raise MalformedMessage("sealed piece is cut short")
    version, session, period, own_id, next_period, next_id, count = _HEAD.unpack_from(sealed)
    end = _HEAD.size + count * SERIAL_BYTES
    if version != _VERSION or count > REVOKED_MAX:
        raise MalformedMessage("sealed piece of an unknown version, or with too many revoked tickets")
    if len(sealed) < end + SEAL_BYTES:
        raise MalformedMessage("sealed piece is cut short")
    revoked = tuple(sealed[at : at + SERIAL_BYTES] for at in range(_HEAD.size, end, SERIAL_BYTES))
    head = SealHead(
        session=session, period=period, key_id=own_id, next_period=next_period, next_key_id=next_id, revoked=revoked
    )
    return head, end


def key_name(sealed: bytes) -> bytes:
    """Which secret opens a sealed payload: its period, u32, and the id that commits to it, as they stand there."""
    return sealed[_KEY_NAME]


def seal_piece(payload: bytes, head: SealHead, secret: bytes, place: Place) -> bytes:
    """The sealed payload, under the period's ``secret``. No number may be sealed twice in a session."""
    opened = head.encode()
    cipher = _cipher(secret, head.session, place.tag, place.epoch)
    return opened + cipher.encrypt(_NUMBER.pack(place.number), payload, _PLACE.pack(*place) + opened)


def open_piece(sealed: bytes, place: Place, secret: bytes) -> bytes | None:
    """The payload of the piece that the source signed for this place; None when the secret does not fit, or nothing is
    in it."""
    try:
        head, end = read_head(sealed)
    except MalformedMessage:
        return None
    cipher = _cipher(secret, head.session, place.tag, place.epoch)
    try:
        payload = cipher.decrypt(
            _NUMBER.pack(place.number), memoryview(sealed)[end:], _PLACE.pack(*place) + sealed[:end]
        )
    except InvalidTag:
        return None
    return payload or None


def seal_text(text: bytes, secret: bytes, stream: StreamId, what: bytes) -> bytes:
    """A text of the manifest, sealed. Its nonce follows from the text: the same one twice tells only that."""
    nonce = blake3(text, key=derive(secret, b"nonce " + what, stream)).digest(NONCE_BYTES)
    return nonce + _text_cipher(secret, stream, what).encrypt(nonce, text, None)


def open_text(sealed: bytes, secret: bytes, stream: StreamId, what: bytes) -> bytes | None:
    """The text; None when the secret does not fit."""
    if len(sealed) < NONCE_BYTES + SEAL_BYTES:
        return None
    try:
        return _text_cipher(secret, stream, what).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
    except InvalidTag:
        return None


def lock_fault(lock: Lock) -> str:
    """What is out of bounds in a lock, or nothing."""
    if not ROTATION_S_MIN <= lock.rotation_s <= ROTATION_S_MAX:
        return f"a key holds {ROTATION_S_MIN} to {ROTATION_S_MAX} s, not {lock.rotation_s}"
    if len(lock.session) != SESSION_BYTES or len(lock.salt) != SALT_BYTES:
        return f"a session has {SESSION_BYTES} bytes, a salt {SALT_BYTES}"
    if lock.cost not in (COSTS if lock.admission is Admission.PASSWORD else (0,)):
        return f"a password's cost is {COSTS.start} to {COSTS.stop - 1}, and nothing else has one"
    if len(lock.title) > SEALED_TEXT_BYTES_MAX:
        return f"a sealed title has at most {SEALED_TEXT_BYTES_MAX} bytes"
    return ""


@lru_cache(maxsize=64)
def _cipher(secret: bytes, session: bytes, tag: SwarmTag, epoch: int) -> ChaCha20Poly1305:
    """The cipher of all pieces of one rendition, epoch, session and period."""
    return ChaCha20Poly1305(derive(secret, b"piece " + tag + epoch.to_bytes(4, "big"), session))


def _text_cipher(secret: bytes, stream: StreamId, what: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(derive(secret, b"text " + what, stream))
