"""The bytes of PCP (RFC 6887) and of NAT-PMP (RFC 6886), as far as one UDP port needs them.

Both go to the router's UDP port 5351, and both begin with a version: a router that knows the older one only says so.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from swarm.units import Address

SERVER_PORT = 5351
PCP_VERSION, PMP_VERSION = 2, 0
NONCE_BYTES = 12
UDP = 17

_MAP = 1
_PMP_ADDRESS, _PMP_MAP_UDP = 0, 1
_RESPONSE = 0x80
_PCP_HEAD = struct.Struct("!BBHI16s")
_PCP_ANSWER_HEAD = struct.Struct("!BBBBII12x")
_PCP_MAP = struct.Struct("!12sB3xHH16s")
_PMP_MAP = struct.Struct("!BBHHHI")
_PMP_ANSWER = struct.Struct("!BBHIHHI")
_PMP_ADDRESS_ANSWER = struct.Struct("!BBHI4s")


class Refused(Exception):
    """The router answered, and will not."""


class SpeaksOlder(Refused):
    """The router answered that it knows NAT-PMP only."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """An address at which everybody reaches this machine's port, for so many seconds more."""

    address: Address
    lifetime_s: int


def pcp_request(nonce: bytes, own: str, port: int, external_port: int, lifetime_s: int) -> bytes:
    """Map a UDP port, or with a lifetime of 0 unmap it (RFC 6887, sections 7.1 and 11.1)."""
    head = _PCP_HEAD.pack(PCP_VERSION, _MAP, 0, lifetime_s, _mapped(own))
    return head + _PCP_MAP.pack(nonce, UDP, port, external_port, _mapped("0.0.0.0"))  # noqa: S104  any will do


def read_pcp(data: bytes, nonce: bytes, port: int) -> Mapping | None:
    """The answer to that; None for what is no answer to it. Raises Refused and SpeaksOlder."""
    if len(data) >= 4 and data[0] == PMP_VERSION and data[1] & _RESPONSE:
        raise SpeaksOlder("the router knows NAT-PMP only")
    if len(data) < _PCP_ANSWER_HEAD.size + _PCP_MAP.size:
        return None
    version, kind, _, result, lifetime_s, _ = _PCP_ANSWER_HEAD.unpack_from(data)
    theirs, protocol, internal, external, host = _PCP_MAP.unpack_from(data, _PCP_ANSWER_HEAD.size)
    if (version, kind, theirs, protocol, internal) != (PCP_VERSION, _MAP | _RESPONSE, nonce, UDP, port):
        return None
    if result:
        raise Refused(f"the router refuses by PCP, code {result}")
    ip = IPv6Address(host)
    return Mapping(Address(str(ip.ipv4_mapped or ip), external), lifetime_s)


def pmp_address_request() -> bytes:
    """What is your outer address? (RFC 6886, section 3.2)"""
    return bytes([PMP_VERSION, _PMP_ADDRESS])


def pmp_request(port: int, external_port: int, lifetime_s: int) -> bytes:
    """Map a UDP port, or with a lifetime of 0 unmap it (RFC 6886, section 3.3)."""
    return _PMP_MAP.pack(PMP_VERSION, _PMP_MAP_UDP, 0, port, external_port, lifetime_s)


def read_pmp_address(data: bytes) -> str | None:
    """The router's outer host; None for what is no answer to that. Raises Refused."""
    if len(data) < _PMP_ADDRESS_ANSWER.size or data[:2] != bytes([PMP_VERSION, _PMP_ADDRESS | _RESPONSE]):
        return None
    _, _, result, _, host = _PMP_ADDRESS_ANSWER.unpack_from(data)
    if result:
        raise Refused(f"the router refuses by NAT-PMP, code {result}")
    return str(IPv4Address(host))


def read_pmp(data: bytes, port: int) -> tuple[int, int] | None:
    """The outer port and its lifetime in seconds; None for what is no answer to that. Raises Refused."""
    if len(data) < _PMP_ANSWER.size or data[:2] != bytes([PMP_VERSION, _PMP_MAP_UDP | _RESPONSE]):
        return None
    _, _, result, _, internal, external, lifetime_s = _PMP_ANSWER.unpack_from(data)
    if internal != port:
        return None
    if result:
        raise Refused(f"the router refuses by NAT-PMP, code {result}")
    return external, lifetime_s


def _mapped(host: str) -> bytes:
    return bytes(10) + b"\xff\xff" + IPv4Address(host).packed
