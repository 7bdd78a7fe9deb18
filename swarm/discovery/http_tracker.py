"""Announcing to a tracker over HTTP (BEP 3, 7, 23, 24, 31, 48), as text and bytes without any I/O."""

from typing import Final
from urllib.parse import quote_from_bytes

from swarm.discovery import bencode
from swarm.discovery.announces import ANSWER_PEERS_MAX, Announce, Answer, Counts, Event, plain, unpack_peers
from swarm.errors import TrackerError
from swarm.prefixes import numeric
from swarm.tracker_url import TrackerUrl
from swarm.units import Address

_EVENTS: Final = {Event.STARTED: "started", Event.STOPPED: "stopped", Event.COMPLETED: "completed"}
_SCRAPE: Final = "scrape"
_ANNOUNCE: Final = "announce"


def announce_path(tracker: TrackerUrl, announce: Announce) -> str:
    """Path and query of the request."""
    values = {
        "info_hash": quote_from_bytes(announce.target, safe=""),
        "peer_id": quote_from_bytes(announce.peer_id, safe=""),
        "port": str(announce.port),
        "uploaded": "0",
        "downloaded": "0",
        "left": str(announce.left),
        "compact": "1",
        "numwant": str(0 if announce.event is Event.STOPPED else announce.wanted),
        "key": f"{announce.key:08x}",
    }
    if announce.event in _EVENTS:
        values["event"] = _EVENTS[announce.event]
    return _with_query(tracker.path, "&".join(f"{name}={value}" for name, value in values.items()))


def scrape_path(tracker: TrackerUrl, target: bytes) -> str | None:
    """Path and query that ask how many there are; None where the tracker's URL has no place for it (BEP 48)."""
    path, mark, query = tracker.path.partition("?")
    folder, _, last = path.rpartition("/")
    if not last.startswith(_ANNOUNCE):
        return None
    return _with_query(
        f"{folder}/{_SCRAPE}{last[len(_ANNOUNCE) :]}{mark}{query}", f"info_hash={quote_from_bytes(target, safe='')}"
    )


def read_answer(data: bytes) -> Answer:
    """The answer to an announce. Raises TrackerError, also with the reason that the tracker gives for a refusal."""
    found = _dictionary(data)
    return Answer(
        interval_s=_number(found, b"interval"),
        min_interval_s=_number(found, b"min interval"),
        sources=_number(found, b"complete"),
        viewers=_number(found, b"incomplete"),
        peers=tuple(_peers(found)[:ANSWER_PEERS_MAX]),
        seen_at=_seen_at(found.get(b"external ip")),
    )


def read_scrape(data: bytes, target: bytes) -> Counts:
    """The answer to a scrape. Raises TrackerError."""
    files = _dictionary(data).get(b"files")
    counts = files.get(target, {}) if isinstance(files, dict) else None
    if not isinstance(counts, dict):
        raise TrackerError("its scrape makes no sense")
    return Counts(sources=_number(counts, b"complete"), viewers=_number(counts, b"incomplete"))


def _with_query(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}"


def _dictionary(data: bytes) -> dict[bytes, bencode.Value]:
    found = bencode.decode(data)
    if not isinstance(found, dict):
        raise TrackerError("its answer makes no sense")
    reason = found.get(b"failure reason")
    if isinstance(reason, bytes):
        raise TrackerError(f"it says: {plain(reason)}")
    return found


def _number(values: dict[bytes, bencode.Value], name: bytes) -> int:
    value = values.get(name, 0)
    if not isinstance(value, int):
        raise TrackerError(f"its answer makes no sense: {plain(name)} is no number")
    return max(0, value)


def _peers(values: dict[bytes, bencode.Value]) -> list[Address]:
    four, six = values.get(b"peers", b""), values.get(b"peers6", b"")
    if not isinstance(four, bytes | list) or not isinstance(six, bytes):
        raise TrackerError("its list of peers makes no sense")
    found = unpack_peers(six, 6)
    found += unpack_peers(four, 4) if isinstance(four, bytes) else _listed(four[:ANSWER_PEERS_MAX])
    return found


def _listed(items: list[bencode.Value]) -> list[Address]:
    """Peers as BEP 3 lists them; those with a name in place of an address are left out: no name is looked up."""
    found = []
    for item in items:
        ip, port = (item.get(b"ip"), item.get(b"port")) if isinstance(item, dict) else (None, None)
        if not isinstance(ip, bytes) or not isinstance(port, int):
            raise TrackerError("its list of peers makes no sense")
        if (host := numeric(plain(ip))) is not None and 0 < port < 1 << 16:
            found.append(Address(host, port))
    return found


def _seen_at(value: bencode.Value | None) -> str | None:
    """BEP 24: 4 or 16 bytes."""
    if not isinstance(value, bytes) or len(value) not in {4, 16}:
        return None
    return unpack_peers(value + b"\0\0", 4 if len(value) == 4 else 6)[0].host
