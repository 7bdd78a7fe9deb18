"""What BitTorrent clients and peers ask of the gateway's own tracker (BEP 3, 23, 48), read from the raw query.

Targets are bytes, percent-encoded, and seldom valid text, hence no ordinary parser of queries. Addresses that a client
gives for itself (``ip``, ``ipv4``, ``ipv6``) are not read: who could name another's would have strangers dial it.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from swarm.discovery.announces import TARGET_BYTES
from swarm.errors import TrackerError

QUERY_BYTES_MAX: Final = 2048
SCRAPES_MAX: Final = 16
WANTED: Final = 50
"""Peers in an answer, where the client names no number, and at most."""

EVENTS: Final = {"", "empty", "started", "stopped", "completed", "paused"}
_DIGITS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class AnnounceRequest:
    """``is_source``: it lacks nothing."""

    target: bytes
    port: int
    is_source: bool
    stopped: bool
    wanted: int


def read_announce(query: bytes) -> AnnounceRequest:
    """Raises TrackerError with what a client's log may show."""
    values = _values(query)
    target = _target(values.get("info_hash", [""])[0])
    if len(unquote_to_bytes(values.get("peer_id", [""])[0])) != TARGET_BYTES:
        raise TrackerError("peer_id has 20 bytes")
    port = _number(values, "port", 0)
    if not 0 < port < 1 << 16:
        raise TrackerError("port is a number from 1 to 65535")
    event = values.get("event", [""])[0]
    if event not in EVENTS:
        raise TrackerError("no such event")
    return AnnounceRequest(
        target=target,
        port=port,
        is_source=_number(values, "left", 1) == 0,
        stopped=event == "stopped",
        wanted=min(WANTED, _number(values, "numwant", WANTED)),
    )


def read_scrape(query: bytes) -> list[bytes]:
    """The targets that are asked for. Raises TrackerError; a scrape of everything is not served."""
    targets = [_target(value) for value in _values(query).get("info_hash", ())]
    if not 0 < len(targets) <= SCRAPES_MAX:
        raise TrackerError(f"a scrape names 1 to {SCRAPES_MAX} info_hash")
    return targets


def _values(query: bytes) -> dict[str, list[str]]:
    if len(query) > QUERY_BYTES_MAX:
        raise TrackerError("the query is too long")
    values: dict[str, list[str]] = {}
    for parameter in query.decode("latin-1").split("&"):
        name, _, value = parameter.partition("=")
        values.setdefault(name, []).append(value)
    return values


def _target(value: str) -> bytes:
    target = unquote_to_bytes(value)
    if len(target) != TARGET_BYTES:
        raise TrackerError("info_hash has 20 bytes")
    return target


def _number(values: dict[str, list[str]], name: str, default: int) -> int:
    text = values.get(name, [""])[0]
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX:
        return default  # some clients write -1 for "do not know"
    return int(text)
