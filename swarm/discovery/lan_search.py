"""Local service discovery (BEP 14): what is said to everybody in this network, and what others say. Only messages.

BT-SEARCH * HTTP/1.1
Host: 239.192.152.143:6771
Port: <the swarm's UDP port>
Infohash: <40 hexadecimal digits, a stream's target; the line may stand several times>
cookie: <luck, by which a node knows its own words again>
"""

from dataclasses import dataclass
from typing import Final

from swarm.discovery.announces import TARGET_BYTES

GROUPS: Final = {4: "239.192.152.143", 6: "ff15::efc0:988f"}
PORT: Final = 6771
TARGETS_MAX: Final = 16
"""In one message, which has to fit into a packet."""
MESSAGE_BYTES_MAX: Final = 1400
COOKIE_CHARS_MAX: Final = 32

_FIRST: Final = b"BT-SEARCH * HTTP/1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Somebody is in the swarms of these targets, on this UDP port of the machine that says so."""

    port: int
    targets: tuple[bytes, ...]
    cookie: str = ""


def write_search(search: Search, version: int) -> bytes:
    """The message for one version of IP; of more targets than fit the first ones."""
    host = f"[{GROUPS[6]}]" if version == 6 else GROUPS[version]
    lines = [_FIRST.decode(), f"Host: {host}:{PORT}", f"Port: {search.port}"]
    lines += [f"Infohash: {target.hex()}" for target in search.targets[:TARGETS_MAX]]
    return "\r\n".join([*lines, f"cookie: {search.cookie}", "", "", ""]).encode()


def read_search(data: bytes) -> Search | None:
    """What a message says; None for what is none."""
    first, *lines = data[:MESSAGE_BYTES_MAX].split(b"\r\n")
    if first != _FIRST:
        return None
    port, cookie = 0, ""
    targets: list[bytes] = []
    for line in lines:
        name, _, value = line.partition(b":")
        match name.strip().lower(), value.strip():
            case b"port", digits if digits.isdigit() and len(digits) <= 5:
                port = int(digits)
            case b"infohash", digits if (target := _target(digits)) is not None:
                targets.append(target)
            case b"cookie", text:
                cookie = text[:COOKIE_CHARS_MAX].decode("ascii", "replace")
    if not 0 < port < 65536 or not targets:
        return None
    return Search(port=port, targets=tuple(targets[:TARGETS_MAX]), cookie=cookie)


def _target(digits: bytes) -> bytes | None:
    try:
        target = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return None
    return target if len(target) == TARGET_BYTES else None
