"""STUN binding requests as an ICE agent sends them, and their answers (RFC 8489; RFC 8445 section 7.3).

Reads and writes what an agent needs that only answers (ICE lite, RFC 8445 section 2.5): it asks nobody for anything,
and tells a caller nothing before the caller has shown that it knows the session's password.
"""

import hashlib
import hmac
import struct
import zlib
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

HEADER = struct.Struct(">HHI12s")
COOKIE = 0x2112A442
FINGERPRINT_MASK = 0x5354554E
BINDING_REQUEST = 0x0001
BINDING_SUCCESS = 0x0101

USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
XOR_MAPPED_ADDRESS = 0x0020
USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028

INTEGRITY_BYTES = 20
REQUEST_BYTES_MAX = 1024

_ATTRIBUTE = struct.Struct(">HH")


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRequest:
    """A caller's check. ``username`` is ours, a colon and theirs; ``chosen``: the caller will send from where this
    came (USE-CANDIDATE)."""

    transaction: bytes
    username: str
    chosen: bool
    signed: bytes
    integrity: bytes

    @property
    def session(self) -> str:
        """Our part of the name (RFC 8445 section 7.2.2)."""
        return self.username.partition(":")[0]

    def is_from(self, password: str) -> bool:
        """Whether who sent it knows the password."""
        return hmac.compare_digest(_integrity(self.signed, password), self.integrity)


def read_request(packet: bytes) -> BindingRequest | None:
    """The request in a packet; None when it is anything else, or has no name and no proof."""
    if not HEADER.size <= len(packet) <= REQUEST_BYTES_MAX:
        return None
    kind, length, cookie, transaction = HEADER.unpack_from(packet)
    if kind != BINDING_REQUEST or cookie != COOKIE or length != len(packet) - HEADER.size:
        return None
    username, chosen = "", False
    at = HEADER.size
    while at + _ATTRIBUTE.size <= len(packet):
        name, size = _ATTRIBUTE.unpack_from(packet, at)
        value = packet[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + size]
        if name == MESSAGE_INTEGRITY:
            # What follows is not covered by it; the length counts as if it were the last (RFC 8489 section 14.5).
            if size != INTEGRITY_BYTES or len(value) != size or not username:
                return None
            covered = at + _ATTRIBUTE.size + size - HEADER.size
            signed = packet[:2] + covered.to_bytes(2, "big") + packet[4:at]
            return BindingRequest(
                transaction=transaction, username=username, chosen=chosen, signed=signed, integrity=value
            )
        if name == USERNAME:
            username = value.decode("utf-8", "replace")
        elif name == USE_CANDIDATE:
            chosen = True
        at += _ATTRIBUTE.size + size + -size % 4
    return None


def make_success(request: BindingRequest, address: tuple[str, int], password: str) -> bytes:
    """The answer: where the request came from, signed."""
    body = _attribute(XOR_MAPPED_ADDRESS, _xor_address(address, request.transaction))
    head = _header(len(body) + _ATTRIBUTE.size + INTEGRITY_BYTES, request.transaction)
    body += _attribute(MESSAGE_INTEGRITY, _integrity(head + body, password))
    head = _header(len(body) + _ATTRIBUTE.size + 4, request.transaction)
    checksum = zlib.crc32(head + body) ^ FINGERPRINT_MASK
    return head + body + _attribute(FINGERPRINT, checksum.to_bytes(4, "big"))


def _header(length: int, transaction: bytes) -> bytes:
    return HEADER.pack(BINDING_SUCCESS, length, COOKIE, transaction)


def _attribute(name: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) % 4)


def _integrity(signed: bytes, password: str) -> bytes:
    return hmac.digest(password.encode(), signed, hashlib.sha1)


def _xor_address(address: tuple[str, int], transaction: bytes) -> bytes:
    """RFC 8489 section 14.2. An IPv4 caller of a dual-stack socket is told its IPv4 address."""
    host = ip_address(address[0].partition("%")[0])
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    mask = COOKIE.to_bytes(4, "big") + transaction
    family = 1 if host.version == 4 else 2
    port = address[1] ^ COOKIE >> 16
    return bytes((0, family)) + port.to_bytes(2, "big") + bytes(a ^ b for a, b in zip(host.packed, mask, strict=False))
